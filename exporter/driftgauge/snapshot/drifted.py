"""What one window says of drift, column by column, and of the data's quality as far as it takes the reference."""

from collections.abc import Mapping, Sequence

from driftgauge.aggregates.moments import Moments
from driftgauge.drift import ColumnDrift, flags
from driftgauge.grid import LABEL, OUTPUT
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.state import ModelState


def put_drift(
    board: Board, model: ModelState, moments: Moments, features: Sequence[str], drifted: Mapping[str, ColumnDrift]
) -> None:
    """Add how far the columns of a window have moved; `features` are those to be published."""
    if OUTPUT in drifted:
        _put_column(board, "model_prediction", drifted[OUTPUT])
    known = set(model.reference.profiles) if model.reference else None
    for name in features:
        if name in drifted:
            _put_column(board, "model_feature", drifted[name], name)
        elif known is not None and name not in known and moments.columns[name].present:
            board.put("model_feature_unseen_ratio", 1.0, name)
    fenced = [drifted[name] for name in features if name in drifted and drifted[name].outliers is not None]
    values = sum(column.rows for column in fenced)
    if values:
        board.put("model_outlier_ratio", sum(column.outliers or 0 for column in fenced) / values)
    if model.config.drift.rule != "budget":
        put_flags(board, model, features, drifted)


def put_label_drift(board: Board, model: ModelState, labels: ColumnDrift) -> None:
    """Add how far the labels of a window have moved, judged like any other column."""
    _put_column(board, "model_label", labels)
    for drifted in flags({LABEL: labels}, model.config.drift).values():
        board.put("model_label_drift_detected", drifted)


def _put_column(board: Board, prefix: str, drift: ColumnDrift, *labels: str) -> None:
    for statistic, value in drift.statistics.items():
        board.put(f"{prefix}_{statistic}", value, *labels)
    if drift.rows:
        board.put(f"{prefix}_outlier_ratio", _ratio(drift.outliers, drift.rows), *labels)
        board.put(f"{prefix}_unseen_ratio", _ratio(drift.unseen, drift.rows), *labels)


def put_flags(
    board: Board,
    model: ModelState,
    features: Sequence[str],
    drifted: Mapping[str, ColumnDrift],
    level: float | None = None,
) -> None:
    """Add which columns are drifted; level: of one look, where it is not the configured significance."""
    judged = flags({name: drifted[name] for name in features if name in drifted}, model.config.drift, level=level)
    for name, is_drifted in judged.items():
        board.put("model_feature_drift_detected", is_drifted, name)
    if judged:
        board.put("model_drifted_features", sum(judged.values()))
        board.put("model_drifted_features_ratio", sum(judged.values()) / len(judged))
        board.put("model_drift_detected", any(judged.values()))
    if model.reference:
        board.put("model_monitored_features", len(judged))
    if OUTPUT in drifted:
        for is_drifted in flags({OUTPUT: drifted[OUTPUT]}, model.config.drift, level=level).values():
            board.put("model_prediction_drift_detected", is_drifted)


def _ratio(part: int | None, whole: int) -> float | None:
    return None if part is None else part / whole
