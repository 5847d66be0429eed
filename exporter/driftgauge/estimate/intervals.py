"""How sure a realised metric is: 95 % intervals and standard errors, from the counts and sums of `Outcomes`.

Rows are taken as independent. Several of one customer or one day make every interval here too narrow. Formulas and how
often they hold the truth are in docs/statistics.md, oracles in `tests/estimate/test_intervals.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, isfinite, log, sqrt
from typing import Final

import numpy as np
from scipy import special

from driftgauge.aggregates.outcomes import POSITIVE, Outcomes
from driftgauge.estimate.areas import Interval, Z, area_interval
from driftgauge.estimate.averages import SLOPES, Table
from driftgauge.schema import Average, Task

_SIDE: Final = 0.975
# A variance below this share of the mean square is rounding.
_ROUNDING: Final = 1e-13
# The most that a Brier score can be: of one probability, and of one for each class.
_BRIER: Final = (1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's `value`, its standard `error`, and its 95 % interval within the metric's range."""

    value: float
    error: float
    lower: float
    upper: float


def wilson(value: float, rows: float) -> Interval:
    """Return the 95 % interval of a share of some rows, which may be a fractional number > 0.

    Wilson, Journal of the American Statistical Association 22 (1927): all shares that this one is within 1.96 standard
    errors of.
    """
    scale = 1 + Z * Z / rows
    middle = value + Z * Z / (2 * rows)
    half = Z * sqrt(max(value * (1 - value), 0.0) / rows + Z * Z / (4 * rows * rows))
    # At 0 and 1 the interval ends there, which rounding must not move.
    lower = max((middle - half) / scale, 0.0) if value > 0 else 0.0
    return lower, min((middle + half) / scale, 1.0) if value < 1 else 1.0


def f1_interval(hits: int, misses: int) -> Interval:
    """Return the 95 % interval of an F1 score 2 TP / (2 TP + FP + FN) from TP and FP + FN, at least one row in all.

    J = TP / (TP + FP + FN) is a share of rows, and F1 = 2 J / (1 + J) rises with it.
    """
    lower, upper = (2 * end / (1 + end) for end in wilson(hits / (hits + misses), hits + misses))
    return lower, upper


def mean_interval(total: float, squares: float, rows: int) -> Measured | None:
    """Return the mean of non-negative losses from their sum and that of their squares: mean ± t · sd / √n.

    None where nothing says how they spread: fewer than 2 rows, or all of them alike.
    """
    error = _error_of_mean(total, squares, rows)
    if error is None:
        return None
    mean, half = total / rows, _student(rows) * error
    return Measured(mean, error, max(mean - half, 0.0), mean + half)


def square_interval(squared: float, quartic: float, rows: int) -> Measured | None:
    """Return the mean squared error from the sums of e^2 and e^4: exp(log m ± t · sd / (m √n)); None as above."""
    error = _error_of_mean(squared, quartic, rows)
    if error is None or not squared > 0:
        return None
    mean = squared / rows
    return _on_log(mean, error, rows)


def explained_interval(outcomes: Outcomes) -> Measured | None:
    """Return R² = 1 - r, r = Σe² / Σd², with the interval of r on the log; None as above, or where labels are constant.

    By the delta method a row moves r by (e² - r d²) / mean d², d being its label's distance from the mean.
    """
    spread, rows, m2 = outcomes.spread, outcomes.errors, outcomes.labels.m2
    if spread is None or rows < 2 or not m2 > 0 or not outcomes.squared > 0:
        return None
    left = outcomes.squared / m2
    squares = spread.quartic - 2 * left * spread.bow + left * left * spread.fourth
    scale = spread.quartic + left * left * spread.fourth
    if not isfinite(scale) or not squares > _ROUNDING * scale:
        return None
    found = _on_log(left, sqrt(squares) / m2, rows)
    return found and Measured(1 - left, found.error, 1 - found.upper, 1 - found.lower)


def _on_log(value: float, error: float, rows: int) -> Measured | None:
    half = _student(rows) * error / value
    # Of a handful of rows with one huge error among them, nothing is known.
    return Measured(value, error, exp(log(value) - half), exp(log(value) + half)) if half < _HOPELESS else None


# Beyond e^100 an end of an interval says nothing.
_HOPELESS: Final = 100.0


def _student(rows: int) -> float:
    return float(special.stdtrit(rows - 1, _SIDE))


def _error_of_mean(total: float, squares: float, rows: int) -> float | None:
    if rows < 2 or not isfinite(squares) or not isfinite(total):
        return None
    variance = (squares - total * total / rows) / (rows - 1)
    return sqrt(variance / rows) if variance > _ROUNDING * squares / rows else None


def averaged_interval(confusion: Mapping[tuple[str, str], int], name: str, average: Average) -> Measured:
    """Return precision, recall or f1 averaged over classes (macro, weighted), from at least one row.

    The interval is Wilson's of a share that has this standard error. Counts by chance without an error in a class
    have too small a one, so the larger of two is taken: that of the counts, and that after 1.96² rows more, spread over
    all cells, as Agresti and Coull add them to one share (The American Statistician 52, 1998).
    """
    table = Table.of(confusion)
    value, error = table.averaged(name, average)
    smooth, wider = table.averaged(name, average, added=Z * Z / len(table.names) ** 2)
    rows = min(_rows_of(value, error), _rows_of(smooth, wider))
    return _of_share(value, error, wilson(value, rows if isfinite(rows) else table.rows))


def _rows_of(share: float, error: float) -> float:
    """Return of how many rows a share has this standard error."""
    return share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else inf


def _of_share(value: float, error: float, interval: Interval) -> Measured:
    lower, upper = interval
    # By chance without any error, or without any hit, a share is still not sure.
    return Measured(value, error or (upper - lower) / (2 * Z), min(lower, value), max(upper, value))


def measured(outcomes: Outcomes, *, task: Task, average: Average) -> dict[str, Measured]:
    """Return the metrics of a task whose uncertainty is known, by the names of the label `metric`.

    Which of them are defined `performance.metrics` says; what it leaves out may be here.
    """
    found = (
        _errors_of(outcomes) if task == "regression" else _classes_of(outcomes, average) | _scores_of(outcomes, average)
    )
    return {name: one for name, one in found.items() if one is not None and isfinite(one.lower + one.upper + one.error)}


def _classes_of(outcomes: Outcomes, average: Average) -> dict[str, Measured | None]:
    right = outcomes.hits + sum(count for (true, found), count in outcomes.confusion.items() if true == found)
    rows = outcomes.beyond + sum(outcomes.confusion.values())
    if not rows:
        return {}
    accuracy = right / rows
    whole = _of_share(accuracy, sqrt(accuracy * (1 - accuracy) / rows), wilson(accuracy, rows))
    if outcomes.beyond:
        return {"accuracy": whole}
    if average == "micro":
        return dict.fromkeys(("accuracy", *SLOPES), whole)
    if average == "binary":
        return {"accuracy": whole, **_of_positives(outcomes.confusion)}
    return {"accuracy": whole, **{name: averaged_interval(outcomes.confusion, name, average) for name in SLOPES}}


def _of_positives(confusion: Mapping[tuple[str, str], int]) -> dict[str, Measured | None]:
    table = Table.of(confusion)
    if POSITIVE not in table.names:
        return {}
    at = table.names.index(POSITIVE)
    hits, labelled, predicted = (int(side[at]) for side in (table.hits, table.labelled, table.predicted))
    of = {"precision": (predicted, wilson), "recall": (labelled, wilson)}
    found: dict[str, Measured | None] = {
        name: _of_share(hits / rows, table.averaged(name, "binary")[1], interval(hits / rows, rows))
        for name, (rows, interval) in of.items()
        if rows
    }
    value, error = table.averaged("f1", "binary")
    return {**found, "f1": _of_share(value, error, f1_interval(hits, labelled + predicted - 2 * hits))}


def _scores_of(outcomes: Outcomes, average: Average) -> dict[str, Measured | None]:
    found: dict[str, Measured | None] = {"roc_auc": _averaged_area(outcomes, average)}
    if outcomes.spread and outcomes.graded and not outcomes.ungraded:
        found["log_loss"] = mean_interval(outcomes.log_loss, outcomes.spread.log_loss, outcomes.graded)
        brier = mean_interval(outcomes.brier, outcomes.spread.brier, outcomes.graded)
        most = _BRIER[len(outcomes.scores) > 1]
        found["brier_score"] = brier and Measured(brier.value, brier.error, brier.lower, min(brier.upper, most))
    return found


def _averaged_area(outcomes: Outcomes, average: Average) -> Measured | None:
    """Return one area, or the average of several with the average of their intervals.

    How areas of the same rows depend on each other is not known from their counts; together they are at most as unsure
    as on average. Of classes pooled (micro), rows count once for each class, and nothing follows from that.
    """
    if not outcomes.scores or (average == "micro" and len(outcomes.scores) > 1):
        return None
    areas = [area_interval(sketch.counts) for sketch in outcomes.scores.values()]
    known = [(area, error, *ends) for one in areas if one is not None for area, error, ends in [one]]
    if len(known) < len(areas):
        return None
    support = [float(sketch.counts[:, 1].sum()) for sketch in outcomes.scores.values()]
    return Measured(*np.average(known, axis=0, weights=support if average == "weighted" else None).tolist())


def _errors_of(outcomes: Outcomes) -> dict[str, Measured | None]:
    spread, rows = outcomes.spread, outcomes.errors
    found: dict[str, Measured | None] = {"mae": mean_interval(outcomes.absolute, outcomes.squared, rows)}
    mse = square_interval(outcomes.squared, spread.quartic, rows) if spread else None
    if mse:
        root = sqrt(mse.value)
        found |= {"mse": mse, "rmse": Measured(root, mse.error / (2 * root), sqrt(mse.lower), sqrt(mse.upper))}
    return found | {"r2": explained_interval(outcomes)}
