"""A monitored model answers as the model does, and what it logs is true."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
import pytest

from client.models import log_model, logged_rows, register, registry
from driftgauge.client.monitored import MonitoredModel
from driftgauge.client.sampling import is_chosen, threshold
from driftgauge.errors import ConfigError
from pipeline.conftest import Bench

DOUBLE: Final = "return model_input['age'] * 2"
FRAME: Final = pd.DataFrame({"age": [35, 40, 45], "plan": ["A", "B", None]}, index=[7, 8, 9])


class Fixed:
    """A model that is loaded already and answers every question alike, or with a failure."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, _data: Any, _params: Any = None, /) -> Any:
        """Return the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def client(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the client of a registry with `churn`: version 1 doubles the age and is in Production, 2 triples it."""
    folder = tmp_path_factory.mktemp("monitored")
    with registry(empty_database, folder) as found:
        register(found, "churn", log_model(folder, DOUBLE))
        register(found, "churn", log_model(folder, DOUBLE.replace("2", "3")))
        found.transition_model_version_stage("churn", "1", "Production")
        yield found


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return a folder for the spool."""
    return tmp_path / "spool"


@pytest.fixture(scope="module")
def anything(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredModel]:
    """Return a monitored model whose inner one a test puts in."""
    assert client
    spool = tmp_path_factory.mktemp("anything")
    with MonitoredModel(Fixed(None), "anything", model_version="1", spool_dir=spool) as model:
        yield model


def rows_of(client: Any, model: MonitoredModel) -> list[dict[str, Any]]:
    """Close the model and return what MLflow then has of its experiment."""
    assert model.close(60)
    return logged_rows(client, model.logger.options.experiment)


@pytest.mark.parametrize(
    ("uri", "version", "factor"),
    [
        ("models:/churn@champion", "2", 3),
        ("models:/churn/Production", "1", 2),
        ("models:/churn/1", "1", 2),
        ("models:/churn/latest", "2", 3),
        ("runs:/{run}/model", "1", 2),
        ("models:/{model}", "1", 2),
    ],
)
def test_the_version_is_that_of_the_registry(client: Any, spool: Path, uri: str, version: str, factor: int) -> None:
    """Whatever form the URI has, the number of the version that is loaded is recorded with each row."""
    first = client.get_model_version("churn", "1")
    uri = uri.format(run=first.run_id, model=first.source.removeprefix("models:/"))
    model = MonitoredModel(uri, f"version {uri}", spool_dir=spool)

    assert model.predict(FRAME).tolist() == [35 * factor, 40 * factor, 45 * factor]
    assert {row["model_version"] for row in rows_of(client, model)} == {model.version} == {version}


def test_an_alias_that_moves_while_the_model_is_loaded(
    client: Any, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that is recorded is the one that answers, though the alias means another by then."""
    client.set_registered_model_alias("churn", "moving", "1")
    load = mlflow.pyfunc.load_model

    def move_first(uri: str) -> Any:
        client.set_registered_model_alias("churn", "moving", "2")
        return load(uri)

    monkeypatch.setattr(mlflow.pyfunc, "load_model", move_first)
    with MonitoredModel("models:/churn@moving", "moving", spool_dir=spool) as model:
        answer = model.predict(FRAME[:1]).tolist()

    assert (model.version, answer) == ("1", [70])


def test_a_model_that_is_not_registered(client: Any, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its version is "unknown", which is said, unless the caller names one."""
    with caplog.at_level(logging.WARNING, "driftgauge.client"):
        with MonitoredModel(Fixed([1]), "unregistered", spool_dir=spool) as unknown:
            unknown.predict({"age": 1})
        with MonitoredModel(Fixed([1]), "unregistered", model_version="2024-05", spool_dir=spool) as named:
            named.predict({"age": 1})

    assert (unknown.version, named.version) == ("unknown", "2024-05")
    (said,) = (record.getMessage() for record in caplog.records if "not registered" in record.getMessage())
    assert said.startswith('model "Fixed" is not registered under one name: its predictions are logged as version "unk')
    assert {row["model_version"] for row in logged_rows(client, "unregistered")} == {"unknown", "2024-05"}


@pytest.mark.parametrize(
    "answer",
    [
        np.array([1, 2, 3]),
        pd.Series([1, 2, 3]),
        pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}),
        [{"answer": "a"}, {"answer": "b"}, {"answer": "c"}],
        {"predictions": [1, 2, 3]},
        ["x", "y", "z"],
        "one text",
        np.zeros((3, 2, 2)),
        object(),
        None,
    ],
    ids=lambda answer: type(answer).__name__,
)
@pytest.mark.parametrize(
    "features",
    [FRAME, FRAME.to_dict("list"), FRAME.to_dict("records"), np.ones((3, 2)), {"age": 1}, "text", object(), None],
    ids=["frame", "mapping", "records", "matrix", "record", "text", "object", "none"],
)
def test_the_answer_is_the_models(anything: MonitoredModel, features: Any, answer: Any) -> None:
    """Whatever goes in and comes out, the caller gets the very object that the model returned."""
    anything.model = Fixed(answer)

    assert anything.predict(features) is answer


def test_what_is_logged(client: Any, spool: Path) -> None:
    """Features as they were given, predictions, the time, and one latency for all rows of a call."""
    began = time.time()
    model = MonitoredModel("models:/churn@champion", "logged", spool_dir=spool)
    model.predict(FRAME, ["a", "b", "c"])

    rows = rows_of(client, model)
    assert [(row["request_id"], row["feature_age"], row["feature_plan"], row["prediction"]) for row in rows] == [
        ("a", 35, "A", 105),
        ("b", 40, "B", 120),
        ("c", 45, None, 135),
    ]
    assert all(began <= row["timestamp"].timestamp() <= time.time() for row in rows)
    assert len({row["latency_seconds"] for row in rows}) == 1


def test_features_are_those_that_were_given(client: Any, spool: Path) -> None:
    """What the model writes into its input, and what the caller does with it later, is not logged."""
    logged = log_model(spool.parent, "model_input['secret'] = 1\nmodel_input['age'] = 0\nreturn model_input['age']")
    model = MonitoredModel(logged.model_uri, "mutated", model_version="1", spool_dir=spool)
    frame, record = FRAME.copy(), {"age": 20, "plan": "A"}
    model.predict(frame)
    frame["plan"] = "changed"
    model.predict(record)
    record["plan"] = "changed"

    rows = rows_of(client, model)
    assert [(row["feature_age"], row["feature_plan"]) for row in rows] == [(35, "A"), (40, "B"), (45, None), (20, "A")]
    assert not [name for row in rows for name in row if "secret" in name]


def test_latency_is_true_seconds(client: Any, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latency lies between what the model slept and what the call took, though the clock is set back meanwhile."""
    real = time.time

    class Slow:
        def predict(self, _data: Any, _params: Any = None, /) -> Any:
            time.sleep(0.05)
            monkeypatch.setattr(time, "time", lambda: real() - 3600)
            return [1]

    model = MonitoredModel(Slow(), "latency", model_version="1", spool_dir=spool)
    began = time.perf_counter()
    model.predict({"age": 1})
    took = time.perf_counter() - began
    monkeypatch.undo()

    (row,) = rows_of(client, model)
    assert 0.05 <= row["latency_seconds"] <= took


def test_a_failure_is_logged_and_raised_unchanged(client: Any, spool: Path) -> None:
    """The caller gets the model's own exception; the rows are logged with its class, and not with what it says."""
    failure = ValueError("cannot convert 'Jane Doe'")
    failure.__cause__ = cause = KeyError("age")
    model = MonitoredModel(Fixed(failure), "failures", model_version="1", spool_dir=spool)

    for features in (FRAME, {"age": 1}, np.zeros((2, 3, 3))):
        with pytest.raises(ValueError, match="Jane Doe") as raised:
            model.predict(features)
        assert raised.value is failure
        assert (raised.value.__cause__, raised.value.__context__) == (cause, None)
        assert [entry.name for entry in raised.traceback][-2:] == ["predict_with_ids", "predict"]
    rows = rows_of(client, model)
    assert [row["error"] for row in rows] == ["ValueError"] * 6
    assert {row.get("prediction") for row in rows} == {None}
    assert [row["feature_age"] for row in rows] == [35, 40, 45, 1, None, None]
    assert all(row["latency_seconds"] >= 0 for row in rows)
    assert "Jane" not in repr(rows)


class Hostile:
    """Features that can be predicted from, and neither copied nor looked at."""

    def copy(self) -> Any:
        """Fail."""
        raise RuntimeError("no copies")

    @property
    def columns(self) -> Any:
        """Fail."""
        raise RuntimeError("no looking")


def test_a_failure_of_logging_costs_no_prediction(client: Any, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Predictions go on when nothing can be logged, and each trouble is said once."""
    model = MonitoredModel(Fixed([1]), "trouble", model_version="1", spool_dir=spool)
    with caplog.at_level(logging.WARNING, "driftgauge.client"):
        answers = [model.predict_with_ids(features) for features in (Hostile(), Hostile(), {"nested": Hostile()})]

    assert [answer.output for answer in answers] == [[1]] * 3
    assert [row["request_id"] for row in rows_of(client, model)] == [*answers[2].request_ids]
    assert [answer.request_ids for answer in answers[:2]] == [(), ()]
    assert [record.getMessage() for record in caplog.records if record.name == "driftgauge.client"] == [
        "cannot copy the features (said once)",
        "cannot log a prediction (said once)",
    ]
    assert model.predict({"age": 1}) == [1], "a closed logger does not stop the model"


@pytest.mark.parametrize(
    ("features", "request_id", "expected"),
    [
        pytest.param({"age": 1}, "r1", ("r1",), id="one"),
        pytest.param({"age": 1}, 17, ("17",), id="a number"),
        pytest.param({"age": 1}, ["r1"], ("r1",), id="a list of one"),
        pytest.param(FRAME, ["a", "b", "c"], ("a", "b", "c"), id="one per row"),
        pytest.param(FRAME, np.array([4, 5, 6]), ("4", "5", "6"), id="an array"),
        pytest.param(FRAME, "r1", ("r1-0", "r1-1", "r1-2"), id="one for all rows"),
        pytest.param(FRAME[:0], "r1", (), id="no rows"),
    ],
)
def test_request_ids(client: Any, spool: Path, features: Any, request_id: Any, expected: Sequence[str]) -> None:
    """The ids that the caller gets are those that are logged."""
    answer = [1] * (1 if isinstance(features, dict) else len(features))
    model = MonitoredModel(Fixed(answer), f"ids {expected} {request_id}", model_version="1", spool_dir=spool)

    assert [*model.predict_with_ids(features, request_id).request_ids] == [*expected]
    model.predict_with_ids({"age": 1})
    assert [row["request_id"] for row in rows_of(client, model)][:-1] == list(expected)


def test_made_up_ids(client: Any, spool: Path) -> None:
    """Without ids, and with a list that does not fit, every row gets an id of its own, and the caller gets them."""
    model = MonitoredModel(Fixed([1, 2, 3]), "made up", model_version="1", spool_dir=spool)
    ids = [*model.predict_with_ids(FRAME).request_ids, *model.predict_with_ids(FRAME, ["too", "few"]).request_ids]

    assert len(set(ids)) == 6
    assert [row["request_id"] for row in rows_of(client, model)] == ids


def test_the_rate_is_that_of_the_logger(client: Any, spool: Path) -> None:
    """With a rate, the requests are logged whose ids are chosen, and the run says the rate."""
    ids = [f"r{number}" for number in range(200)]
    model = MonitoredModel(Fixed([1] * 200), "sampled", 0.25, model_version="1", spool_dir=spool)
    model.predict({"age": list(range(200))}, ids)
    below = threshold(0.25)
    assert below is not None

    chosen = [one for one in ids if is_chosen(one, below)]
    assert [row["request_id"] for row in rows_of(client, model)] == chosen
    assert 20 < len(chosen) < 80
    experiment = client.get_experiment_by_name("sampled")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["sample_rate"] == "0.25"


def test_one_name_for_the_rate(spool: Path) -> None:
    """The rate has one name; the logger's is refused, rather than ignored."""
    with pytest.raises(ConfigError, match="log_sample_rate"):
        MonitoredModel(Fixed([1]), "sampled", model_version="1", spool_dir=spool, sample_rate=0.5)


def test_the_exporter_reads_it(client: Any, spool: Path) -> None:
    """Probabilities of a two-column model are scores, its failures errors, and its labels find their predictions."""
    body = "import numpy as np\nif model_input['age'].min() < 0: raise ValueError\np = model_input['age'] / 100"
    logged = log_model(spool.parent, f"{body}\nreturn np.column_stack([1 - p, p])")
    model = MonitoredModel(logged.model_uri, "proba", model_version="7", spool_dir=spool)
    ages = np.arange(100)
    ids = model.predict_with_ids(pd.DataFrame({"age": ages})).request_ids
    with pytest.raises(ValueError, match=r"^$"):
        model.predict(pd.DataFrame({"age": [-1]}))
    model.logger.log_labels(ids, ages >= 60)
    assert model.close(60)

    bench = Bench(mlflow.get_tracking_uri(), client, spool.parent)
    config = bench.config({"name": "proba", "predictions": {"experiment": "proba"}, "labels": {"experiment": "proba"}})
    report, values = bench.refreshed(config, now=int(time.time() * 1e6) + 60_000_000)
    assert report.failures == {}
    assert values["model_predictions_total", "7"] == 101
    assert values["model_prediction_errors_total", "7"] == 1
    assert values["model_accuracy", "7", "1h"] == pytest.approx(0.9)
    assert values["model_roc_auc", "7", "1h"] == pytest.approx(1.0)
