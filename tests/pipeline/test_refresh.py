"""A refresh over a real MLflow store: what is found, joined, counted and refused."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from driftgauge.pipeline.refresh import Report
from driftgauge.source import Source
from driftgauge.store import Store
from driftgauge.store.ledger import read_cursor, read_files
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import LABELS, NOW, PREDICTIONS, SECONDS, Bench, a_model, label, prediction, published

DAY = 86_400
# Scores and labels with three of four right, whichever way they are brought together.
SCORES = (0.9, 0.2, 0.7, 0.4)
TRUTH = (1, 0, 0, 0)
FOUR = [prediction(n, score) for n, score in enumerate(SCORES)]
FOUR_LABELS = [label(n, value) for n, value in enumerate(TRUTH)]
FINE = Report(mlflow_up=True, failures={})


def test_two_experiments(bench: Bench) -> None:
    """Models read their own experiments, and files that the glob leaves out are not read."""
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    bench.log(PREDICTIONS, "other.jsonl", FOUR)
    bench.log("/monitoring/fraud", "deep/er/predictions-1.jsonl", FOUR[:1])
    predictions = {"experiment": PREDICTIONS, "artifacts": "predictions*"}
    fraud = a_model("fraud", predictions={"experiment": "/monitoring/fraud"})
    config = bench.config(a_model(predictions=predictions), fraud)
    with bench.opened(config) as pipeline:
        assert pipeline.refresh(NOW) == FINE
        counted = [published(pipeline, config, model=name) for name in ("churn", "fraud")]
    assert [values["model_predictions_total", "unknown"] for values in counted] == [4, 1]


def test_runs_are_remembered_with_the_last_of_their_files(bench: Bench) -> None:
    """What was read and which runs are settled is kept together, so that a restart lists none of them again."""
    runs = {bench.log(PREDICTIONS, f"{n}.jsonl", FOUR) for n in range(3)}
    config = bench.config(a_model())
    bench.refreshed(config)

    store = Store.open(config.state_dir)
    with store.transaction("churn", "binary") as tx:
        known, files = read_cursor(tx), read_files(tx)
    store.close()

    assert {key.rpartition("/")[2] for key in known} == {run for run, _ in files} == runs


def test_a_survey_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all experiments cannot be asked for new runs at once, each model asks for its own."""

    def failing(*_: object) -> None:
        raise ValueError("a strange run")

    config = bench.config(a_model(), a_model("fraud", predictions={"experiment": "/monitoring/fraud"}))
    with bench.opened(config) as pipeline:
        bench.run("/monitoring/fraud")
        bench.log(PREDICTIONS, "predictions.jsonl", FOUR[:1])
        assert pipeline.refresh(NOW) == FINE
        monkeypatch.setattr(Source, "survey", failing)
        bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
        assert pipeline.refresh(NOW) == FINE
        assert published(pipeline, config)["model_predictions_total", "unknown"] == 5


def _same_record(bench: Bench, _: Callable[[], None]) -> None:
    bench.log(PREDICTIONS, "predictions.jsonl", [{**p, "label": t} for p, t in zip(FOUR, TRUTH, strict=True)])


def _later_file(bench: Bench, between: Callable[[], None]) -> None:
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    between()
    bench.log(LABELS, "labels.jsonl", FOUR_LABELS)


def _earlier_file(bench: Bench, between: Callable[[], None]) -> None:
    bench.log(LABELS, "labels.jsonl", FOUR_LABELS)
    bench.run(PREDICTIONS)
    between()
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)


def _same_experiment(bench: Bench, between: Callable[[], None]) -> None:
    run_id = bench.run(PREDICTIONS)
    bench.put(run_id, "predictions.jsonl", FOUR)
    between()
    bench.put(run_id, "labels.jsonl", FOUR_LABELS)


def _composite_key(bench: Bench, between: Callable[[], None]) -> None:
    # "a" + "bc" and "ab" + "c" must stay apart.
    parts = (("a", "bc"), ("ab", "c"), ("a", 1), ("1", "a"))
    keyed = [{"user": user, "visit": visit} for user, visit in parts]
    plain = [{"timestamp": SECONDS - 60, "prediction": score, **key} for score, key in zip(SCORES, keyed, strict=True)]
    truth = [{"timestamp": SECONDS - 30, "label": value, **key} for value, key in zip(TRUTH, keyed, strict=True)]
    bench.log(PREDICTIONS, "predictions.jsonl", plain)
    between()
    bench.log(LABELS, "labels.jsonl", truth)


def _another_key(bench: Bench, between: Callable[[], None]) -> None:
    bench.log(PREDICTIONS, "predictions.jsonl", [{**row, "request_id": "x", "order": n} for n, row in enumerate(FOUR)])
    between()
    bench.log(LABELS, "labels.jsonl", [{**row, "request_id": "x", "order": n} for n, row in enumerate(FOUR_LABELS)])


@pytest.mark.parametrize(
    ("place", "labels"),
    [
        pytest.param(_same_record, None, id="same-record"),
        pytest.param(_same_record, {}, id="same-record-and-label-files"),
        pytest.param(_later_file, {}, id="later-file"),
        pytest.param(_earlier_file, {}, id="earlier-file"),
        pytest.param(_same_experiment, {"experiment": PREDICTIONS}, id="same-experiment"),
        pytest.param(_composite_key, {"key": ["user", "visit"]}, id="composite-key"),
        pytest.param(_another_key, {"key": ["order"]}, id="another-key"),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["one-refresh", "refresh-between"])
def test_labels_meet_predictions(
    bench: Bench, place: Callable[[Bench, Callable[[], None]], None], labels: dict[str, Any] | None, *, apart: bool
) -> None:
    """Wherever labels come from and in whichever order, each is counted once."""
    bench.run(PREDICTIONS)
    bench.run(LABELS)
    config = bench.config(a_model(labels=labels))
    place(bench, lambda: bench.refreshed(config) if apart else None)
    report, values = bench.refreshed(config)
    assert report == FINE
    assert values["model_accuracy", "unknown", "1h"] == 0.75
    counts = ("model_predictions_total", "model_labels_total")
    assert [values[name, "unknown"] for name in counts] == [4, 4]
    assert values["model_window_labels", "unknown", "1h"] == 4


def test_pending(bench: Bench) -> None:
    """Predictions wait until their label comes, and not longer than the horizon."""
    bench.run(LABELS)
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    config = bench.config(a_model(labels={"horizon": "1d"}))
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        before = pipeline.pending
        bench.log(LABELS, "labels.jsonl", FOUR_LABELS[:1])
        pipeline.refresh(NOW)
        labelled = pipeline.pending
        pipeline.refresh(NOW + 2 * DAY * MICROSECONDS)
        assert (before, labelled, pipeline.pending) == (4, 3, 0)


def test_last_label_wins(bench: Bench) -> None:
    """A second label for a prediction moves it to where that label counts, and is no label more."""
    bench.log(PREDICTIONS, "predictions.jsonl", [prediction(n, score, ago=7300) for n, score in enumerate(SCORES)])
    bench.log(LABELS, "labels.jsonl", [label(n, value, ago=7200) for n, value in enumerate(TRUTH)])
    config = bench.config(a_model(labels={}))
    _, before = bench.refreshed(config)
    bench.log(LABELS, "labels.jsonl", [label(2, 1, ago=60), label(1, 1, ago=7250)])
    _, after = bench.refreshed(config)
    seen = [values.get(("model_accuracy", "unknown", window)) for values in (before, after) for window in ("1h", "24h")]
    # The newer label of r2 counts in the last hour; the older one of r1 changes nothing.
    assert seen == [None, 0.75, 1.0, 1.0]
    assert after["model_labels_total", "unknown"] == 4
    assert after["model_window_labels", "unknown", "24h"] == 4


def test_window_by_prediction_time(bench: Bench) -> None:
    """With `prediction_time` a label counts when its prediction was made."""
    bench.log(PREDICTIONS, "predictions.jsonl", [prediction(n, score, ago=7300) for n, score in enumerate(SCORES)])
    bench.log(LABELS, "labels.jsonl", FOUR_LABELS)
    _, values = bench.refreshed(bench.config(a_model(labels={"window_by": "prediction_time"})))
    assert [values["model_window_labels", "unknown", window] for window in ("1h", "24h")] == [0, 4]


def test_growing_table(bench: Bench) -> None:
    """Of a table that `log_table` appends to only the new rows count, and none twice."""
    run_id = bench.run(PREDICTIONS)
    config = bench.config(a_model())
    seen = []
    for start in (0, 2, 4):
        rows = pd.DataFrame({"prediction": [0.1, 0.9], "label": [0, start % 4 // 2], "timestamp": [SECONDS - 60] * 2})
        bench.client.log_table(run_id, rows, "predictions.json")
        _, values = bench.refreshed(config)
        _, again = bench.refreshed(config)
        assert again == values
        seen.append((values["model_predictions_total", "unknown"], values["model_accuracy", "unknown", "1h"]))
    assert seen == [(2, 0.5), (4, 0.75), (6, pytest.approx(4 / 6))]


def test_running_twice_counts_nothing_twice(bench: Bench) -> None:
    """Another refresh, in the same process or after a restart, changes no value."""
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    bench.log(LABELS, "labels.csv", b"request_id,timestamp,label\nr0,%d,1\n" % (SECONDS - 30))
    config = bench.config(a_model(labels={}))
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        first = published(pipeline, config)
        pipeline.refresh(NOW)
        same = published(pipeline, config)
        pipeline.refresh(NOW)
        relisted = published(pipeline, config)
    assert first["model_predictions_total", "unknown"] == 4
    assert first == same == relisted == bench.refreshed(config)[1]


def test_versions_and_times_of_runs(bench: Bench) -> None:
    """What a record does not say is taken from its run: tag before param, and the run's start for the time."""
    tagged = bench.run(PREDICTIONS, tags={"model_version": "7"}, start_time=(SECONDS - 1800) * 1000)
    bench.client.log_param(tagged, "model_version", "8")
    with_param = bench.run(PREDICTIONS)
    bench.client.log_param(with_param, "model_version", "9")
    record = {"prediction": 0.9}
    bench.put(tagged, "predictions.jsonl", [record, {**record, "model_version": "1.2"}])
    bench.put(with_param, "predictions.jsonl", [record])
    bench.log(PREDICTIONS, "predictions.jsonl", [record])
    _, values = bench.refreshed(bench.config(a_model()))
    found = {key[1] for key in values if key[0] == "model_predictions_total"}
    assert found == {"7", "1.2", "9", "unknown"}
    assert values["model_last_prediction_timestamp_seconds",] == SECONDS - 1800


def test_future_and_old_rows(bench: Bench) -> None:
    """A row more than five minutes ahead is rejected; one older than every window counts in totals only."""
    ago = {"old": 8 * DAY, "recent": 2 * DAY, "ahead": -240, "future": -301}
    bench.log(PREDICTIONS, "predictions.jsonl", [prediction(n, 0.9, ago=each) for n, each in enumerate(ago.values())])
    bench.log(LABELS, "labels.jsonl", [label(0, 1, ago=8 * DAY - 60), label(1, 1, ago=-301)])
    config = bench.config(a_model(labels={}))
    _, values = bench.refreshed(config)
    assert values["model_rows_rejected_total", "future_timestamp"] == 2
    assert values["model_predictions_total", "unknown"] == 3
    assert values["model_labels_total", "unknown"] == 1
    windows = ("1h", "24h", "7d")
    assert [values["model_window_predictions", "unknown", window] for window in windows] == [0, 0, 1]
    _, later = bench.refreshed(config, now=NOW + 300 * MICROSECONDS)
    assert [later["model_window_predictions", "unknown", window] for window in windows] == [1, 1, 2]


def test_missing_experiment_does_not_stop_others(bench: Bench) -> None:
    """A model without its experiment says what to do, and the model after it is refreshed."""
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    lost = a_model("lost", predictions={"experiment": "/monitoring/chrun"})
    with bench.opened(bench.config(lost, a_model())) as pipeline:
        report = pipeline.refresh(NOW)
        counted = [sum(v.predictions for v in state.totals.versions.values()) for state in pipeline.states]
    (reason, message) = report.failures["lost"]
    assert (list(report.failures), reason, counted) == (["lost"], "missing", [0, 4])
    assert "'/monitoring/churn'" in message
    assert "create it or correct" in message


def test_models_are_computed_one_by_one(bench: Bench) -> None:
    """What comes after a refresh keeps the interpreter busy: of several models it never runs at once."""
    busy, most = 0, 0

    def computed(*_: object) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.01)
        busy -= 1

    with bench.opened(bench.config(*(a_model(f"m{n}") for n in range(8)))) as pipeline:
        assert len(pipeline.each(NOW, computed)) == 8
    assert most == 1


def test_mlflow_away(bench: Bench) -> None:
    """While MLflow does not answer, every model keeps its values and says so."""
    bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    config = bench.config(a_model())
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        before = published(pipeline, config)
        database = bench.folder / "mlflow.db"
        database.rename(bench.folder / "away.db")
        report = pipeline.refresh(NOW)
        assert (report.mlflow_up, report.failures["churn"][0]) == (False, "mlflow_unavailable")
        assert published(pipeline, config) == before
        (bench.folder / "away.db").rename(database)
        assert pipeline.refresh(NOW) == FINE


def test_reference_appears_and_changes(bench: Bench) -> None:
    """Without its reference a model goes without drift and says why; with a new one all rows are compared with it."""
    values = np.linspace(0, 1, 200)
    reference = bench.folder / "reference.csv"
    config = bench.config(a_model(reference={"uri": str(reference)}))

    def rows(shift: float) -> list[dict[str, Any]]:
        return [prediction(n, 0.9, features={"age": v + shift}, label=1) for n, v in enumerate(values)]

    bench.log(PREDICTIONS, "predictions-1.jsonl", rows(0))
    report, missing = bench.refreshed(config)
    drift = ("model_feature_ks_statistic", "unknown", "1h", "age")
    assert report.failures["churn"][0] == "reference"
    assert str(reference) in report.failures["churn"][1]
    assert (missing["model_accuracy", "unknown", "1h"], drift in missing) == (1.0, False)

    found, both = [], np.concatenate([values, values + 0.5])
    for known in (values, values + 0.5):
        pd.DataFrame({"age": known}).to_csv(reference, index=False, float_format="%.17g")
        if not found:
            bench.log(PREDICTIONS, "predictions-2.jsonl", rows(0.5))
        report, compared = bench.refreshed(config)
        assert report == FINE
        assert compared[drift] == pytest.approx(ks_2samp(known, both).statistic, abs=1e-12)
        found.append(compared)
    for name in ("model_window_predictions", "model_window_labels"):
        assert [compared[name, "unknown", "1h"] for compared in found] == [400, 400]
    for name in ("model_predictions_total", "model_labels_total"):
        assert [compared[name, "unknown"] for compared in (missing, *found)] == [200, 400, 400]


def test_baseline_from_labelled_reference(bench: Bench) -> None:
    """The baseline is computed on a labelled reference, survives a restart, and what is configured comes first."""
    frame = pd.DataFrame({"age": [1.0, 2, 3, 4], "prediction": SCORES, "label": TRUTH})
    frame.to_csv(bench.folder / "reference.csv", index=False)
    bench.log(PREDICTIONS, "predictions.jsonl", [{**row, "label": 1} for row in FOUR])
    model = a_model(reference={"uri": str(bench.folder / "reference.csv")}, baseline={"recall": 0.5})
    config = bench.config(model)
    _, values = bench.refreshed(config)
    assert values["model_performance_baseline", "unknown", "accuracy"] == 0.75
    assert values["model_performance_baseline", "unknown", "recall"] == 0.5
    assert values["model_performance_degradation", "unknown", "1h", "accuracy"] == 0.25
    assert bench.refreshed(config)[1] == values


def test_info_names_the_run(bench: Bench) -> None:
    """A version that the registry does not have is linked to the run in which its predictions were logged."""
    run_id = bench.log(PREDICTIONS, "predictions.jsonl", FOUR)
    experiment_id = bench.client.get_run(run_id).info.experiment_id
    _, values = bench.refreshed(bench.config(a_model()))
    assert values["model_info", "unknown", run_id, experiment_id, ""] == 1


def test_window_removed_from_config(bench: Bench) -> None:
    """A window that is no longer configured is forgotten; when it comes back its rows are read again."""
    rows = [prediction(n, 0.9, ago=60 if n else 3 * 3600) for n in range(4)]
    bench.log(PREDICTIONS, "predictions.jsonl", rows)
    wide, narrow = (bench.config(a_model(), windows=windows) for windows in (["1h", "24h"], ["1h"]))
    name = ("model_window_predictions", "unknown", "24h")
    counts = [bench.refreshed(config)[1].get(name) for config in (wide, narrow, wide)]
    assert counts == [4, None, 4]
