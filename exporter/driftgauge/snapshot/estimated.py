"""What a window says of performance before its labels, and of inputs and concept once some have come.

The same for every way of estimating: an `Estimate` of each metric with its standard error is all that is known here.
Kitagawa's decomposition of a difference in two: what changed from the baseline to what was expected of the rows is due
to their scores or inputs, what is left to what the reference's relation does not say.
"""

from collections.abc import Mapping
from typing import Final

from driftgauge.aggregates.pane import Pane
from driftgauge.config import ModelConfig
from driftgauge.estimate.dispersion import Z
from driftgauge.estimate.estimator import Estimates, Estimator
from driftgauge.performance import SCORES, degradation
from driftgauge.signals import SIGNALS, Fitted, Rows
from driftgauge.snapshot.board import Board

# Labelled rows from which on the concept is judged, and what is flagged: so many standard errors and so large a part.
MIN_LABELLED: Final = 100
_FAR: Final = 3.0
_LARGE: Final = 0.02


def estimates_of(pane: Pane, fitted: Mapping[str, Fitted], of: Rows, *, scored: bool) -> Estimates:
    """Return what the fitted signals of such rows estimate; scored: predictions of the version are scores."""
    return {
        metric: estimate
        for name, signal in fitted.items()
        if isinstance(signal, Estimator) and SIGNALS[name].rows == of and name in pane.aggregates
        for metric, estimate in signal.estimates(pane.aggregates[name], rows=pane.rows, scored=scored).items()
    }


def put_estimates(board: Board, baseline: Mapping[str, float], estimates: Estimates) -> None:
    """Add the performance expected of a window's predictions, with its bounds and its distance from the baseline."""
    for metric, estimate in estimates.items():
        board.put("model_estimated_performance", estimate.value, metric)
        if estimate.stderr is None:
            continue
        for bound, sign in (("lower", -1), ("upper", 1)):
            end = max(0.0, estimate.value + sign * Z * estimate.stderr)
            board.put("model_estimated_performance_bound", min(end, 1.0) if metric in SCORES else end, metric, bound)
    for metric, worse in degradation({name: each.value for name, each in estimates.items()}, baseline).items():
        board.put("model_estimated_degradation", worse, metric)


def put_record(
    board: Board, baseline: Mapping[str, float], realised: Mapping[str, float], estimates: Estimates, *, rows: int
) -> None:
    """Add how right the estimates of a window's labelled `rows` were, and what part of a change they explain."""
    known = {name: each.value for name, each in estimates.items() if name in realised}
    inputs, total = degradation(known, baseline), degradation(realised, baseline)
    judged = []
    for metric, expected in known.items():
        error, stderr = realised[metric] - expected, estimates[metric].stderr
        board.put("model_estimate_error", error, metric)
        concept = total[metric] - inputs[metric] if metric in total and metric in inputs else None
        if concept is not None:
            board.put("model_performance_change", inputs[metric], metric, "inputs")
            board.put("model_performance_change", concept, metric, "concept")
        if stderr is None or rows < MIN_LABELLED:
            continue
        far = (-error if metric in SCORES else error) / stderr
        board.put("model_concept_drift_zscore", far, metric)
        # Without a baseline an error has no scale.
        size = concept if concept is not None else error if metric in SCORES else 0.0
        judged.append(abs(far) >= _FAR and abs(size) >= _LARGE)
    if judged:
        board.put("model_concept_drift_detected", any(judged))


def label_ratio(model: ModelConfig, *, predictions: int, labelled: int) -> float | None:
    """Return the share of a window's predictions that are labelled; None where labels count at their own time.

    These are labels that came in the window, of whichever predictions.
    """
    by_label_time = model.labels is not None and model.labels.window_by == "label_time"
    return None if by_label_time or not 0 < labelled <= predictions else labelled / predictions
