"""What one window says about predictions: errors, latency, quality of the data, and drift of each column."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.config import Limits
from driftgauge.drift import MIN_ROWS, ColumnDrift, flags
from driftgauge.grid import OUTPUT
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.state import ModelState

QUANTILES: Final = (0.5, 0.9, 0.99)


def put_predictions(
    board: Board, model: ModelState, pane: PredictionPane, drifted: Mapping[str, ColumnDrift], limits: Limits
) -> None:
    """Add what a window with at least one prediction says about them, and about drift."""
    board.put("model_error_ratio", pane.failed / pane.rows)
    board.histogram("model_window_latency_seconds", pane.latency)
    for q in QUANTILES:
        board.put("model_latency_quantile_seconds", pane.latency_sketch.quantile(q), str(q))
    features = _feature_names(model, pane, limits)
    answered = pane.rows - pane.failed
    _put_column(board, "model_prediction", pane.moments.columns.get(OUTPUT, Moment()), drifted.get(OUTPUT), answered)
    _put_quality(board, pane, features, drifted)
    known = set(model.reference.profiles) if model.reference else None
    for name in features:
        moment = pane.moments.columns.get(name, Moment())
        _put_column(board, "model_feature", moment, drifted.get(name), pane.rows, name)
        if known is not None and name not in known and moment.present:
            board.put("model_feature_unseen_ratio", 1.0, name)
    _put_flags(board, model, {name: drifted[name] for name in features if name in drifted}, drifted.get(OUTPUT))


def _feature_names(model: ModelState, pane: PredictionPane, limits: Limits) -> list[str]:
    """Return the reference's features in its order, then others the batches had, up to the limit."""
    expected = list(model.reference.kinds) if model.reference else []
    others = sorted(pane.moments.columns.keys() - set(expected) - {OUTPUT})
    return [*expected, *others][: limits.max_features]


def _put_column(board: Board, prefix: str, moment: Moment, drift: ColumnDrift | None, rows: int, *labels: str) -> None:
    for statistic, value in (drift.statistics if drift else {}).items():
        board.put(f"{prefix}_{statistic}", value, *labels)
    if moment.variance is not None and moment.count >= MIN_ROWS:
        board.put(f"{prefix}_mean", moment.mean, *labels)
        board.put(f"{prefix}_stddev", float(np.sqrt(moment.variance)), *labels)
    if rows:
        board.put(f"{prefix}_missing_ratio", 1 - moment.present / rows, *labels)
    if drift and drift.rows:
        board.put(f"{prefix}_outlier_ratio", _ratio(drift.outliers, drift.rows), *labels)
        board.put(f"{prefix}_unseen_ratio", _ratio(drift.unseen, drift.rows), *labels)


def _put_quality(
    board: Board, pane: PredictionPane, features: Sequence[str], drifted: Mapping[str, ColumnDrift]
) -> None:
    if features:
        present = sum(pane.moments.columns.get(name, Moment()).present for name in features)
        board.put("model_missing_ratio", 1 - present / (pane.rows * len(features)))
    fenced = [drifted[name] for name in features if name in drifted and drifted[name].outliers is not None]
    values = sum(column.rows for column in fenced)
    if values:
        board.put("model_outlier_ratio", sum(column.outliers or 0 for column in fenced) / values)


def _put_flags(
    board: Board, model: ModelState, features: Mapping[str, ColumnDrift], output: ColumnDrift | None
) -> None:
    judged = flags(features, model.config.drift)
    for name, drifted in judged.items():
        board.put("model_feature_drift_detected", drifted, name)
    if judged:
        board.put("model_drifted_features", sum(judged.values()))
        board.put("model_drifted_features_ratio", sum(judged.values()) / len(judged))
        board.put("model_drift_detected", any(judged.values()))
    if model.reference:
        board.put("model_monitored_features", len(judged))
    if output:
        for drifted in flags({OUTPUT: output}, model.config.drift).values():
            board.put("model_prediction_drift_detected", drifted)


def _ratio(part: int | None, whole: int) -> float | None:
    return None if part is None else part / whole
