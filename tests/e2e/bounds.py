"""The 95 % intervals of metrics, computed from raw rows: by scipy, ranks, and derivatives of the metrics themselves.

Nothing of the product is used.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats
from sklearn import metrics as sk

Z: Final = stats.norm.ppf(0.975)
Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]


def share(hits: float, rows: float) -> Ends:
    """Return the ends of Wilson's interval, as the roots of its equation."""
    p = hits / rows
    roots = np.roots([1 + Z * Z / rows, -(2 * p + Z * Z / rows), p * p]).real
    return float(roots.min()), float(roots.max())


def _averages(table: Any, average: str) -> dict[str, Any]:
    """Return metrics of a table of counts, also of complex numbers."""
    hits, labelled, predicted = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    weights = labelled / labelled.sum() if average == "weighted" else np.full(len(table), 1 / len(table))

    def ratio(above: Any, below: Any) -> Any:
        return np.where(below == 0, 0, above / np.where(below == 0, 1, below))

    values = {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, labelled),
        "f1": ratio(2 * hits, labelled + predicted),
    }
    return {name: (weights * found).sum() for name, found in values.items()}


def averaged(table: Floats, average: str) -> dict[str, Ends]:
    """Return the intervals of averaged metrics: the delta method, derivatives by a step along the imaginary axis."""
    found = {}
    for name, value in _averages(table, average).items():
        rows = []
        for counts in (table, table + Z * Z / table.size):
            slopes = np.zeros(counts.shape)
            for cell in zip(*counts.nonzero(), strict=True):
                moved = counts.astype(complex)
                moved[cell] += 1e-30j
                slopes[cell] = _averages(moved, average)[name].imag / 1e-30
            at, variance = float(_averages(counts, average)[name]), float((counts * slopes**2).sum())
            if variance and 0 < at < 1:
                rows.append(at * (1 - at) / variance)
        least = min(rows, default=table.sum())
        found[name] = share(value * least, least)
    return found


def area(truth: Any, score: Any) -> Ends:
    """Return the ends for an area under the curve: DeLong's by ranks, Newcombe's by his equation."""
    positives, negatives = np.sort(score[truth == 1]), np.sort(score[truth == 0])
    sizes = len(positives), len(negatives)

    def placed(of: Floats, among: Floats) -> Floats:
        ends = (np.searchsorted(among, of, side) for side in ("left", "right"))
        return np.asarray(sum(ends) / 2 / len(among))

    above, below = placed(positives, negatives), 1 - placed(negatives, positives)
    value = float(above.mean())

    def gap(at: float) -> float:
        spread = 1 + (sum(sizes) / 2 - 1) * ((1 - at) / (2 - at) + at / (1 + at))
        return (at - value) ** 2 - Z * Z * at * (1 - at) * spread / (sizes[0] * sizes[1])

    other = (
        optimize.brentq(gap, 0, min(value, 1 - 1e-12), xtol=1e-14) if value else 0.0,
        optimize.brentq(gap, max(value, 1e-12), 1, xtol=1e-14) if value < 1 else 1.0,
    )
    if min(sizes) < 2 or value in (0, 1):
        return other
    error = np.sqrt(above.var(ddof=1) / sizes[0] + below.var(ddof=1) / sizes[1])
    middle, half = np.log(value / (1 - value)), Z * error / value / (1 - value)
    ends = float(1 / (1 + np.exp(half - middle))), float(1 / (1 + np.exp(-middle - half)))
    is_doubtful = min(sizes) < 100 or value > 0.99
    return max(ends, other, key=lambda of: of[1] - of[0]) if is_doubtful else ends


def mean(values: Floats, most: float = np.inf) -> Ends:
    """Return the ends of Student's interval of the mean of losses."""
    if len(values) < 2:
        return np.nan, np.nan
    lower, upper = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return max(lower, 0.0), min(upper, most)


def regression(truth: Floats, predicted: Floats) -> dict[str, Ends]:
    """Return the intervals of the metrics of a regression."""
    error = predicted - truth
    squares, spread = error**2, (truth - truth.mean()) ** 2
    quantile = stats.t.ppf(0.975, len(truth) - 1)
    factor = np.exp(quantile * stats.sem(squares) / squares.mean() * np.array([-1, 1]))
    left = squares.sum() / spread.sum()
    moves = (squares - left * spread) / spread.mean()
    of_left = left * np.exp(quantile * np.sqrt((moves**2).sum()) / len(truth) / left * np.array([1, -1]))
    mse = squares.mean() * factor
    return {
        "mse": (mse[0], mse[1]),
        "rmse": (mse[0] ** 0.5, mse[1] ** 0.5),
        "mae": mean(np.abs(error)),
        "r2": (1 - of_left[0], 1 - of_left[1]),
    }


def classes(rows: pd.DataFrame, average: str) -> dict[str, Ends]:
    """Return the intervals of accuracy and of the metrics that are averaged over classes."""
    table = sk.confusion_matrix(rows["label"], rows["predicted"])
    return {"accuracy": share(table.trace(), table.sum()), **averaged(table.astype(np.float64), average)}


def one_score(truth: Floats, score: Floats) -> dict[str, Ends]:
    """Return the intervals of the metrics of a binary model's scores."""
    losses = -np.log(np.clip(np.where(truth == 1, score, 1 - score), 1e-15, 1))
    found = {"log_loss": mean(losses), "brier_score": mean((truth - score) ** 2, most=1.0)}
    return found | ({"roc_auc": area(truth, score)} if 0 < truth.mean() < 1 else {})


def scores_of_classes(truth: pd.Series, scores: Floats, names: tuple[str, ...], average: str) -> dict[str, Ends]:
    """Return the intervals of the metrics of a score for each class, averaged alike (macro) or by support."""
    is_class = np.array([truth == name for name in names]).T
    losses = -np.log(scores[is_class])
    areas = [area(is_class[:, at].astype(int), scores[:, at]) for at in range(len(names))]
    ends = np.average(areas, axis=0, weights=is_class.sum(axis=0) if average == "weighted" else None)
    brier = mean(((is_class - scores) ** 2).sum(axis=1), most=2.0)
    return {"log_loss": mean(losses), "brier_score": brier, "roc_auc": (float(ends[0]), float(ends[1]))}
