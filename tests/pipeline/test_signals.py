"""Signals on their way through refreshes: learned from a reference, left out, and begun again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from driftgauge.config import Config
from pipeline.conftest import LABELS, NOW, PREDICTIONS, SECONDS, Bench, Values, a_model, label, prediction

ERROR = ("model_reconstruction_error", "unknown", "1h")
MINUTE = 60_000_000


def rows(seed: int, count: int) -> list[Mapping[str, Any]]:
    """Return predictions with two features that nearly determine each other."""
    ages = np.random.default_rng(seed).normal(40, 10, count)
    return [
        {"timestamp": SECONDS - 60, "prediction": 0.5, "features": {"age": age, "tenure": age / 2 + at % 3}}
        for at, age in enumerate(ages.tolist())
    ]


def configured(bench: Bench, reference_rows: int, **settings: Any) -> Config:
    """Return a model with a reference of so many rows."""
    path = bench.folder / "reference.csv"
    lines = [f"{row['features']['age']},{row['features']['tenure']}" for row in rows(1, reference_rows)]
    path.write_text("\n".join(["age,tenure", *lines]))
    return bench.config(a_model(reference={"uri": str(path)}, **settings))


def test_switched_off_and_on(bench: Bench) -> None:
    """A signal that is left out goes at once, alone; back in the list, it has the rows that were there before."""
    every, basic = configured(bench, 300), configured(bench, 300, signals=["latency"])
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 100))
    _, on = bench.refreshed(every)
    _, again = bench.refreshed(every, now=NOW + MINUTE)
    _, off = bench.refreshed(basic, now=NOW + MINUTE)
    _, later = bench.refreshed(every, now=NOW + MINUTE)
    bench.log(PREDICTIONS, "more.jsonl", rows(3, 50))
    _, more = bench.refreshed(every, now=NOW + MINUTE)

    assert on[ERROR] == again[ERROR] > 0
    ks = ("model_feature_ks_statistic", "unknown", "1h", "age")
    assert off[ks] == later[ks] == on[ks]
    assert ERROR not in off
    assert later[ERROR] == on[ERROR]
    assert more["model_window_predictions", "unknown", "1h"] == 150
    assert more[ERROR] > 0


def test_a_signal_that_cannot_be_learned_is_said_once(bench: Bench) -> None:
    """Too small a reference leaves the signal out; the log says why when the reference is compiled, and not again."""
    config = configured(bench, 199)
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 100))
    said = []
    for minute in range(2):
        with capture_logs() as logs:
            _, values = bench.refreshed(config, now=NOW + minute * MINUTE)
        said.append([(line["signal"], line["reason"]) for line in logs if line["event"] == "signal left out"])

    needed = {"reconstruction": 200, "multivariate": 500, "anomalies": 400}
    for name, least in needed.items():
        assert (name, f"needs {least} reference rows for 2 features, but has 199") in said[0]
    assert len(said[0]) == len(set(said[0]))
    assert said[1] == []
    assert ERROR not in values
    assert ("model_feature_ks_statistic", "unknown", "1h", "age") in values


def of_slices(values: Values) -> dict[str, float]:
    """Return rows and performance of the slices that are shown in the last hour."""
    return {
        f"{key[0].removeprefix('model_segment_')} {key[-1].removeprefix('segment ')}": value
        for key, value in values.items()
        if key[0] in ("model_segment_rows", "model_segment_performance") and key[2] == "1h"
    }


@pytest.mark.parametrize("window_by", ["label_time", "prediction_time"])
def test_late_and_corrected_labels_reach_slices(bench: Bench, window_by: str) -> None:
    """Labels that come late find the slices of rows that are gone, a correction moves them, and a restart nothing."""
    plans = ["A", "B", "C", "C"]
    path = bench.folder / "reference.csv"
    lines = [f"{plans[at % 4]},{int(at % 10 > 0)},1" for at in range(2000)]
    path.write_text("\n".join(["plan,prediction,label", *lines]))
    labels = {"experiment": LABELS, "window_by": window_by}
    segments = {"plan": {"plan": {"each": ["B", "C"]}}}
    config = bench.config(a_model(reference={"uri": str(path)}, labels=labels, segments=segments))
    bench.run(LABELS)
    found = [prediction(at, 0.9, ago=1200, features={"plan": plans[at % 4]}) for at in range(800)]
    bench.log(PREDICTIONS, "predictions.jsonl", found)
    _, before = bench.refreshed(config)
    wrong = [at for at in range(800) if plans[at % 4] == "B" and at % 8 == 1]
    bench.log(LABELS, "labels.jsonl", [label(at, int(at not in wrong)) for at in range(800)])
    _, after = bench.refreshed(config)
    bench.log(LABELS, "labels-corrected.jsonl", [label(at, 1, ago=20) for at in wrong[:50]])
    _, corrected = bench.refreshed(config)

    assert of_slices(before) == {}
    assert of_slices(after) == {"rows plan = B": 200, "performance plan = B": 0.5}
    assert of_slices(corrected) == {"rows plan = B": 200, "performance plan = B": 0.75}
    assert bench.refreshed(config)[1] == corrected
