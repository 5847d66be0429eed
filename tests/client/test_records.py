"""What is logged is read by the exporter's own decoder, without any mapping, as what it was."""

import io
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_builders import a_model
from driftgauge.batch import decode
from driftgauge.client.privacy import Privacy
from driftgauge.client.records import MAX_FEATURES, MAX_NAME, Batch, LabelBatch, Row, labels_table, predictions_table
from driftgauge.columns import Columns
from driftgauge.errors import DriftgaugeError

NOW: Final = 1_767_960_000.0
MICROS: Final = 1_000_000
EVERYTHING: Final = Privacy()


def a_row(request_id: str = "r1", features: Any = None, prediction: Any = 1, **rest: Any) -> Row:
    """Return a row as `log` makes it."""
    values = {"timestamp": NOW, "score": None, "latency": None, "error": None, **rest}
    return (
        request_id,
        values["timestamp"],
        {"age": 35, "plan": "A"} if features is None else features,
        prediction,
        values["score"],
        values["latency"],
        values["error"],
    )


def read(table: Any, *, role: Any = "predictions", **model: Any) -> Columns:
    """Write a table as the spool does, and read it as the exporter does."""
    file = io.BytesIO()
    pq.write_table(table, file)
    labels = {"labels": {}} if role == "labels" else {}
    (found,) = decode(
        file,
        name="predictions-1.parquet",
        role=role,
        model=a_model(**labels, **model),
        default_time=0,
        default_version="unknown",
        kinds=None,
        max_bytes=10_000_000,
    )
    return found


def written(*items: Row | Batch, privacy: Privacy = EVERYTHING) -> Any:
    """Return rows and batches as a table."""
    return predictions_table(items, "3", privacy, NOW)


def test_a_row_is_read_as_it_was_logged() -> None:
    """Every role and both kinds of features find their place."""
    found = read(written(a_row(score=0.75, latency=0.008), a_row("r2", {"age": None, "plan": "B"}, 0)))

    assert found.key.to_pylist() == ["r1", "r2"]
    assert found.time.tolist() == [NOW * MICROS] * 2
    assert found.version.to_pylist() == ["3", "3"]
    assert found.predicted.to_pylist() == ["1", "0"]
    np.testing.assert_array_equal(found.score, [0.75, np.nan])
    np.testing.assert_array_equal(found.latency, [0.008, np.nan])
    np.testing.assert_array_equal(found.numbers["age"], [35, np.nan])
    assert found.categories["plan"].to_pylist() == ["A", "B"]
    assert dict(found.rejected) == {}


def test_a_failure_is_a_failed_request() -> None:
    """Of an exception only the class is stored, for its message may hold what must not be."""
    table = written(a_row(prediction=None, error=ValueError("secret")), a_row("r2", error="timeout"), a_row("r3"))

    assert table["error"].to_pylist() == ["ValueError", "timeout", None]
    assert read(table).failed.tolist() == [True, True, False]


@pytest.mark.parametrize(
    "error", [None, "", False, 0, float("nan"), np.float32("nan"), pd.NA, pd.NaT, [], {}], ids=repr
)
def test_what_is_no_error(error: Any) -> None:
    """Columns of errors are mostly empty, and everyone writes that in another way."""
    assert "error" not in written(a_row(error=error)).column_names


@pytest.mark.parametrize(
    ("error", "stored"),
    [(True, "True"), (503, "503"), ({"code": 1}, "dict"), (object(), "object"), (KeyError(), "KeyError")],
)
def test_an_error_of_any_type_is_a_failure(error: Any, stored: str) -> None:
    """Of what is no text and no number only the class is stored."""
    table = written(a_row(error=error))
    assert table["error"].to_pylist() == [stored]
    assert read(table).failed.tolist() == [True]


def test_probabilities_of_classes() -> None:
    """A mapping from class to probability becomes one column per class, also from batches."""
    batch = Batch(1, NOW, ["r2"], {"age": [1]}, ["dog"], scores={"cat": [0.2], "dog": [0.8]})
    found = read(written(a_row(prediction="cat", score={"cat": 0.9, "dog": 0.1}), batch), task="multiclass")

    assert found.predicted.to_pylist() == ["cat", "dog"]
    assert {name: values.tolist() for name, values in found.class_scores.items()} == {
        "cat": [0.9, 0.2],
        "dog": [0.1, 0.8],
    }


def test_rows_and_batches_of_different_types_share_a_file() -> None:
    """Features that come, go and change their type keep every row, in the order they were logged in."""
    frame = pd.DataFrame({"age": [1.5, np.nan], "city": pd.Series(["Rome", None], dtype="category")})
    table = written(
        a_row("r1", {"age": 35}),
        Batch(2, NOW, ["r2", "r3"], {name: frame[name] for name in frame}, np.array([0, 1])),
        a_row("r4", {"age": "unknown", 7: True}),
        Batch(1, NOW, ["r5"], {}, [1], timestamps=[datetime(2026, 1, 1, tzinfo=UTC)], latencies=0.5, errors="down"),
    )

    assert table["request_id"].to_pylist() == ["r1", "r2", "r3", "r4", "r5"]
    assert table["feature_age"].to_pylist() == ["35", "1.5", None, "unknown", None]
    assert table["feature_city"].to_pylist() == [None, "Rome", None, None, None]
    assert table["feature_7"].to_pylist() == [None, None, None, True, None]
    assert len(read(table)) == 5
    assert (table["latency_seconds"][4].as_py(), table["error"][4].as_py()) == (0.5, "down")


@pytest.mark.parametrize("prediction", [0.25, np.float32(0.25), np.array([0.25]), "0.25"], ids=repr)
def test_a_prediction_may_be_of_any_type(prediction: Any) -> None:
    """What models return is a score all the same."""
    np.testing.assert_array_equal(read(written(a_row(prediction=prediction))).score, [0.25])


def test_names_are_bounded() -> None:
    """Data used as names neither grows a file without bound nor makes the exporter refuse it."""
    many = {f"f{number}": 1 for number in range(MAX_FEATURES + 10)}
    table = written(a_row(features={"x" * (MAX_NAME + 1): 1, **many}))

    names = [name for name in table.column_names if name.startswith("feature_")]
    assert names[0] == "feature_f0"
    assert len(names) <= MAX_FEATURES
    assert len(read(table)) == 1


def test_privacy_reaches_every_column() -> None:
    """Redacted columns are in no file, hashed ones only as digests, in rows as in batches, features or not."""
    rules = Privacy.of(["email", "error"], ["name", "request_id"], b"0123456789abcdef")
    features = {"email": "a@b.c", "name": "Ann", "age": 3}
    batch = Batch(1, NOW, ["order-7"], {name: [value] for name, value in features.items()}, [1], errors=["Ann failed"])
    table = written(a_row("order-7", features, error="Ann failed"), batch, privacy=rules)
    labels = labels_table([LabelBatch(1, NOW, ["order-7"], [1])], rules, NOW)

    stored = str(table.to_pylist()) + str(labels.to_pylist())
    assert [secret for secret in ("a@b.c", "Ann", "order-7") if secret in stored] == []
    assert set(table["request_id"].to_pylist()) == set(labels["request_id"].to_pylist())
    assert set(table.column_names) == {
        "request_id", "timestamp", "model_version", "feature_name", "feature_age", "prediction"
    }  # fmt: skip


def test_labels_are_read_as_labels() -> None:
    """With their time, or the time they were logged at."""
    table = labels_table(
        [LabelBatch(1, NOW, ["r1"], [True]), LabelBatch(1, NOW, ["r2"], ["no"], [5.0])], EVERYTHING, NOW
    )
    found = read(table, role="labels")

    assert (found.key.to_pylist(), found.label.to_pylist()) == (["r1", "r2"], ["1", "0"])
    assert found.time.tolist() == [NOW * MICROS, 5 * MICROS]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(2, NOW, ["a", "b"], {"age": [1]}, [1, 2]), "feature age has 1 values for 2 rows; pass one per row"),
        (Batch(2, NOW, ["a"], {}, [1, 2]), "argument request_ids has 1 values for 2 rows; pass one per row"),
        (Batch(1, NOW, ["a"], {}, [1], scores={"yes": [1, 2]}), "score yes has 2 values for 1 rows; pass one per row"),
        (LabelBatch(1, NOW, ["a"], [1, 2]), "argument labels has 2 values for 1 rows; pass one per row"),
    ],
)
def test_lengths_must_agree(batch: Batch | LabelBatch, message: str) -> None:
    """What does not is named."""
    with pytest.raises(DriftgaugeError, match=message):
        batch.check()


def test_a_column_without_any_value_is_still_a_feature() -> None:
    """The exporter sees it as missing; columns of other roles are left out."""
    table = written(a_row(features={"age": None}))
    assert pa.types.is_null(table.schema.field("feature_age").type)
    assert "error" not in table.column_names
    np.testing.assert_array_equal(read(table).numbers["age"], [np.nan])
