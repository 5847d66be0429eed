"""What is said of columns follows from how they were read."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from batch.samples import DEFAULT_TIME, a_model
from driftgauge.batch import decode
from driftgauge.batch.explanation import Block, uses
from driftgauge.errors import BatchError


def seen(data: bytes, *, name: str = "p.jsonl", role: Any = "predictions", kinds: Any = None, **settings: Any) -> Any:
    """Return what each column of a file is said to be: path -> (role, why, unit), and the blocks."""
    blocks: list[Block] = []
    model = a_model(**settings)
    decoded = decode(
        io.BytesIO(data), name=name, role=role, model=model, default_time=DEFAULT_TIME, default_version="unknown",
        kinds=kinds, max_bytes=10**6, watch=blocks.append,
    )  # fmt: skip
    list(decoded)
    return {use.path: (use.role, use.why, use.unit) for block in blocks for use in uses(block, model)}, blocks


def lines(*rows: dict[str, Any]) -> bytes:
    """Return rows as JSON lines."""
    return "\n".join(map(json.dumps, rows)).encode()


def test_each_column_of_a_record_is_explained() -> None:
    """Roles by their names, features by their prefix, units by what says so, and what is not used."""
    row = {
        "id": "a", "ts": 1767607200000, "features": {"age": 3, "tags": [[1], [2]]}, "feature_plan": "A", "y_pred": 1,
        "latency_ms": 8, "host": "web-1", "Unnamed: 0": 4,
    }  # fmt: skip
    found, _ = seen(lines(row))

    assert found == {
        "id": ("request_id", "known name", ""),
        "ts": ("timestamp", "known name", "ms since 1970, by size"),
        "features.age": ("feature age", "below features", ""),
        "features.tags": ("not used", "lists, objects or bytes are not read", ""),
        "feature_plan": ("feature plan", "begins with feature_", ""),
        "y_pred": ("prediction", "known name", ""),
        "latency_ms": ("latency", "known name", "ms, by its name"),
        "host": ("not used", "no known name, not below features or inputs", ""),
        "Unnamed: 0": ("not used", "index of a data frame", ""),
    }


def test_configuration_and_reference_are_named_as_reasons() -> None:
    """A mapped column, a feature that the reference has, one that is included, one that is not, a part of the key."""
    row = {"when": "2026-01-05T10:00:00", "klass": "x", "proba_a": 0.5, "age": 3, "store": 7, "feature_b": 1, "took": 3}
    settings: dict[str, Any] = {
        "task": "multiclass",
        "columns": {"prediction": "klass", "timestamp": "when", "latency": "took"},
        "features": {"include": ["age"]},
        "timezone": "Europe/Berlin",
        "latency_unit": "ms",
        "labels": {"key": ["store"]},
    }
    found, _ = seen(lines(row), kinds={"age": "numeric"}, **settings)

    assert found["when"] == ("timestamp", "columns.timestamp", "ISO 8601, no zone: clock of Europe/Berlin")
    assert found["klass"] == ("prediction", "columns.prediction", "")
    assert found["took"] == ("latency", "columns.latency", "ms, by latency_unit")
    assert found["proba_a"] == ("probability of class a", "begins with proba_", "")
    assert found["age"] == ("feature age", "features.include", "")
    assert found["feature_b"] == ("not used", "not in features.include", "")
    assert found["store"] == ("join key", "labels.key", "")
    assert seen(lines({"y_pred": 1, "age": 3}), kinds={"age": "numeric"})[0]["age"][1] == "feature of the reference"


def test_outputs_without_a_known_name_and_second_spellings() -> None:
    """The only number below outputs is the score; a second column of a role says which comes first."""
    found, _ = seen(lines({"outputs": {"churn": 0.5}, "ts": "20260105", "time": "2026-01-05T10:00:00Z"}))

    assert found["outputs.churn"] == ("score", "the only number below outputs", "")
    assert found["ts"][2] == "date keys, no zone: clock of UTC"
    assert found["time"] == ("timestamp", "known name; where ts is empty", "ISO 8601 with a zone")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1767607200]), "s since 1970, by size"),
        (pa.array([1767607200.5e6]), "µs since 1970, by size"),
        (pa.array(["1767607200000000000"]), "ns since 1970, by size"),
        (pa.array([1767607200], pa.timestamp("s")), "timestamps, no zone: clock of UTC"),
        (pa.array([1767607200], pa.timestamp("s", "UTC")), "timestamps with a zone"),
        (pa.array(["2026-01-05 10:00 +0100"]), "ISO 8601 with a zone"),
        (pa.array(["5 Jan 2026"]), ""),
        (pa.array([17]), ""),
    ],
)
def test_notations_of_times(values: Any, expected: str) -> None:
    """Each notation that is read has its words; what is not read has none."""
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"ts": values, "y_pred": [1]}), out)

    assert seen(out.getvalue(), name="p.parquet")[0]["ts"][2] == expected


def test_blocks_have_the_verdict_of_every_row() -> None:
    """Rejected rows are in a block too, so that examples can be shown; so are those of a file of another shape."""
    _, (block,) = seen(lines({"y_pred": 1}, {"y_pred": "0", "ts": "never"}, {"ts": 1767607200}))

    assert list(block.reasons) == [0, 4, 7]
    assert len(block.columns) == 3

    blocks: list[Block] = []
    with pytest.raises(BatchError, match="Not one of its 1 rows"):
        list(
            decode(
                io.BytesIO(lines({"alert": "x"})), name="p.jsonl", role="predictions", model=a_model(),
                default_time=DEFAULT_TIME, default_version="unknown", kinds=None, max_bytes=10**6, watch=blocks.append,
            )
        )  # fmt: skip
    assert [list(block.rows.columns) for block in blocks] == [["alert"]]


def test_columns_that_are_derived_from_or_left_out() -> None:
    """A date that a feature derives from says so; one that nothing is made of is named as not compared."""
    row = {"y_pred": 1, "features": {"signup": "2026-01-01", "born": "1990-05-17"}}
    include = [{"column": "signup", "as": "age_days"}]
    found, _ = seen(lines(row, row), features={"include": include})

    assert found["features.signup"] == ("not used", "read as signup.age_days", "")
    assert found["features.born"] == ("not used", "dates, identifiers and JSON text are not compared", "")
