"""What rows add, from files in MLflow to the metrics of all three tasks, against scikit-learn."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from pipeline.conftest import LABELS, NOW, PREDICTIONS, SECONDS, Bench, Values, a_model, prediction

ROWS = 600
CLASSES = ["bird", "cat", "dog"]


def _log_with_labels(bench: Bench, frame: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Log a third of the predictions each as CSV, parquet and JSON lines, and the labels in two files."""
    frame = frame.assign(request_id=[f"r{n}" for n in range(ROWS)], timestamp=SECONDS - 60)
    labels = labels.assign(request_id=[f"r{n}" for n in range(ROWS)], timestamp=SECONDS - 30)
    parquet = io.BytesIO()
    frame[200:400].to_parquet(parquet, index=False)
    bench.log(PREDICTIONS, "a.csv", frame[:200].to_csv(index=False).encode())
    bench.log(PREDICTIONS, "b.parquet", parquet.getvalue())
    bench.log(PREDICTIONS, "c.jsonl", frame[400:].to_json(orient="records", lines=True, double_precision=15).encode())
    bench.log(LABELS, "labels.csv", labels[:350].to_csv(index=False).encode())
    bench.log(LABELS, "labels.jsonl", labels[350:].to_json(orient="records", lines=True, double_precision=15).encode())


def _performance(values: Values) -> dict[str, float]:
    """Return the metrics of the last hour by family."""
    return {key[0]: value for key, value in values.items() if key[1:] == ("unknown", "1h")}


def _refreshed_twice(bench: Bench, **settings: Any) -> Values:
    """Return the values, the second refresh being one that reads the stored panes."""
    config = bench.config(a_model(labels={}, **settings))
    bench.refreshed(config)
    return bench.refreshed(config)[1]


def test_binary_equals_sklearn(bench: Bench) -> None:
    """Binary: class by threshold, scores and labels joined across files."""
    dice = np.random.default_rng(1)
    truth = dice.integers(0, 2, ROWS)
    score = np.clip(dice.normal(0.35 + 0.3 * truth, 0.2), 0.001, 0.999).round(6)
    _log_with_labels(bench, pd.DataFrame({"prediction": score}), pd.DataFrame({"actual": truth}))
    found = _performance(_refreshed_twice(bench, threshold=0.4))
    called = score >= 0.4
    assert found["model_accuracy"] == pytest.approx(sk.accuracy_score(truth, called), abs=1e-9)
    assert found["model_precision"] == pytest.approx(sk.precision_score(truth, called, average="weighted"), abs=1e-9)
    assert found["model_recall"] == pytest.approx(sk.recall_score(truth, called, average="weighted"), abs=1e-9)
    assert found["model_f1_score"] == pytest.approx(sk.f1_score(truth, called, average="weighted"), abs=1e-9)
    assert found["model_roc_auc"] == pytest.approx(sk.roc_auc_score(truth, score), abs=1e-4)
    assert found["model_log_loss"] == pytest.approx(sk.log_loss(truth, score), abs=1e-9)
    assert found["model_brier_score"] == pytest.approx(sk.brier_score_loss(truth, score), abs=1e-9)


def test_multiclass_equals_sklearn(bench: Bench) -> None:
    """Multiclass: probabilities per class survive the wait for the label; the most probable class is the prediction."""
    dice = np.random.default_rng(2)
    truth = dice.integers(0, 3, ROWS)
    raw = dice.random((ROWS, 3)) + 0.7 * np.eye(3)[truth]
    proba = (raw / raw.sum(axis=1, keepdims=True)).round(9)
    proba[:, 2] = 1 - proba[:, 0] - proba[:, 1]
    frame = pd.DataFrame({f"proba_{name}": proba[:, at] for at, name in enumerate(CLASSES)})
    names = np.array(CLASSES)[truth]
    _log_with_labels(bench, frame, pd.DataFrame({"label": names}))
    values = _refreshed_twice(bench, task="multiclass", average="macro")
    found, called = _performance(values), np.array(CLASSES)[proba.argmax(axis=1)]
    assert found["model_accuracy"] == pytest.approx(sk.accuracy_score(names, called), abs=1e-9)
    assert found["model_precision"] == pytest.approx(sk.precision_score(names, called, average="macro"), abs=1e-9)
    assert found["model_recall"] == pytest.approx(sk.recall_score(names, called, average="macro"), abs=1e-9)
    assert found["model_f1_score"] == pytest.approx(sk.f1_score(names, called, average="macro"), abs=1e-9)
    assert found["model_roc_auc"] == pytest.approx(sk.roc_auc_score(names, proba, multi_class="ovr"), abs=1e-4)
    assert found["model_log_loss"] == pytest.approx(sk.log_loss(names, proba, labels=CLASSES), abs=1e-9)
    per_class = sk.f1_score(names, called, average=None, labels=CLASSES)
    for name, expected in zip(CLASSES, per_class, strict=True):
        assert values["model_class_f1_score", "unknown", "1h", name] == pytest.approx(expected, abs=1e-9)


def test_regression_equals_sklearn(bench: Bench) -> None:
    """Regression: errors and R² of values far from zero, joined across files."""
    dice = np.random.default_rng(3)
    truth = dice.normal(1_000_000, 50, ROWS).round(3)
    predicted = (truth + dice.normal(1, 10, ROWS)).round(3)
    _log_with_labels(bench, pd.DataFrame({"prediction": predicted}), pd.DataFrame({"target": truth}))
    found = _performance(_refreshed_twice(bench, task="regression"))
    mse = sk.mean_squared_error(truth, predicted)
    assert found["model_mean_squared_error"] == pytest.approx(mse, rel=1e-9)
    assert found["model_root_mean_squared_error"] == pytest.approx(mse**0.5, rel=1e-9)
    assert found["model_mean_absolute_error"] == pytest.approx(sk.mean_absolute_error(truth, predicted), rel=1e-9)
    assert found["model_r2_score"] == pytest.approx(sk.r2_score(truth, predicted), abs=1e-9)


def test_failed_requests(bench: Bench) -> None:
    """A failed request is a prediction and an error, with its latency; it waits for no label and takes none."""
    failed = {"request_id": "r0", "timestamp": SECONDS - 60, "error": "timeout", "latency_ms": 900}
    bench.log(PREDICTIONS, "rows.jsonl", [failed, prediction(1, 0.9, latency_ms=100), prediction(2, 0.9)])
    bench.log(LABELS, "labels.jsonl", [{"request_id": "r0", "timestamp": SECONDS - 30, "label": 1}])
    config = bench.config(a_model(labels={}))
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        assert pipeline.pending == 2
    values = bench.refreshed(config)[1]
    names = ("model_predictions_total", "model_prediction_errors_total", "model_labels_total")
    assert [values[name, "unknown"] for name in names] == [3, 1, 0]
    assert values["model_error_ratio", "unknown", "1h"] == pytest.approx(1 / 3)
    assert values["model_latency_seconds", "unknown"] == pytest.approx(1.0)


def test_label_delay(bench: Bench) -> None:
    """The delay is the time from the prediction to its label, and never below zero."""
    rows = [prediction(n, 0.9, ago=3000) for n in range(3)]
    delays = {0: 600, 1: 0, 2: -60}
    labels = [{"request_id": f"r{n}", "timestamp": SECONDS - 3000 + delay, "label": 1} for n, delay in delays.items()]
    bench.log(PREDICTIONS, "rows.jsonl", rows)
    bench.log(LABELS, "labels.jsonl", labels)
    values = bench.refreshed(bench.config(a_model(labels={})))[1]
    assert values["model_label_delay_seconds", "unknown"] == 600
    assert values["model_last_label_timestamp_seconds",] == SECONDS - 2400
    counts = [value for key, value in values.items() if key[0] == "model_label_delay_seconds" and len(key) == 3]
    assert sorted(count for count in counts if count) == [1, 2]
