"""Which slices of the labelled rows became worse than the same slices of the reference.

Every slice is tested, so luck has many chances: p-values are corrected over the slices (Benjamini and Hochberg, 1995),
and the lower bounds of the rises that are shown are those of a selection (Benjamini and Yekutieli, 2005). What is
measured of it, and why the tests are these, is in docs/statistics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.columns import BoolArray, FloatArray, IntArray

# Labelled rows that a slice needs in reference and window to be judged.
FEW_ROWS: Final = 50
# A rise of the loss below it is not reported: in points of a 0/1 loss, relative to the reference's for errors.
EFFECT: Final = 0.05
# Level of the correction: measured so that at most 1 % of windows without change have a finding.
LEVEL: Final = 0.005
# Share of bounds, one by one, that the rise may be below.
_BELOW: Final = 0.025
# So many slices are shown, and one gives up its place once it was not among the worst in so many panes.
MOST_SHOWN: Final = 5
PANES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What is known of k slices.

    judged: (k,) which have enough rows. worse: (k,) which rose beyond chance and by enough. rise: (k,) of the loss, and
    `lower` (k,) its lower bound: in points of a 0/1 loss, relative to the reference's for errors.
    """

    judged: BoolArray
    worse: BoolArray
    rise: FloatArray
    lower: FloatArray

    @property
    def ranking(self) -> list[int]:
        """The slices that are worse, the one with the largest lower bound first."""
        at = np.flatnonzero(self.worse)
        order = np.lexsort((at, -self.lower[at]))
        return [int(slice_) for slice_ in at[order]]


def verdict(reference: SliceLosses, window: SliceLosses) -> Verdict:
    """Judge each slice of a window against the same one of the reference."""
    enough = (reference.rows >= FEW_ROWS) & (window.rows >= FEW_ROWS)
    test, bound = (_of_shares, _lower_of_shares) if reference.is_binary else (_of_means, _lower_of_means)
    with np.errstate(all="ignore"):
        before, now = reference.means, window.means
        rise = now - before if reference.is_binary else (now - before) / before
        pvalues = test(reference, window)
        judged = enough & np.isfinite(rise) & np.isfinite(pvalues)
        significant = np.zeros(len(rise), np.bool_)
        if judged.any():
            from scipy import stats

            significant[judged] = stats.false_discovery_control(pvalues[judged], method="bh") <= LEVEL
        worse = significant & (rise >= EFFECT)
        level = _BELOW * max(1, int(worse.sum())) / max(1, int(judged.sum()))
        lower = bound(reference, window, level)
    return Verdict(judged, worse, rise, lower)


def _of_shares(reference: SliceLosses, window: SliceLosses) -> FloatArray:
    """Return the p-value of a rise of each share: the signed root of the deviance of the two binomials.

    Where wrong predictions are rare, the z test with the pooled variance finds three times as many rises as it may.
    """
    s, n, t, m = (side.astype(np.float64) for side in (reference.loss, reference.rows, window.loss, window.rows))
    pooled = (s + t) / (n + m)
    likelihood = sum(special.xlogy(hits, hits / rows) + special.xlogy(rows - hits, 1 - hits / rows)
                     for hits, rows in ((s, n), (t, m)))  # fmt: skip
    expected = special.xlogy(s + t, pooled) + special.xlogy(n + m - s - t, 1 - pooled)
    root = np.sqrt(np.maximum(2 * (likelihood - expected), 0))
    return np.asarray(special.ndtr(-np.sign(t / m - s / n) * root))


def _lower_of_shares(reference: SliceLosses, window: SliceLosses, level: float) -> FloatArray:
    """Return the lower end of the difference of two shares (Newcombe, 1998, method 10), by Wilson's intervals."""
    z = -float(special.ndtri(level))
    _, high = _wilson(reference, z)
    low, _ = _wilson(window, z)
    before, now = reference.means, window.means
    return np.asarray(now - before - np.hypot(now - low, high - before))


def _wilson(side: SliceLosses, z: float) -> tuple[FloatArray, FloatArray]:
    share, rows = side.means, side.rows
    middle = share + z * z / (2 * rows)
    half = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return np.asarray((middle - half) / (1 + z * z / rows)), np.asarray((middle + half) / (1 + z * z / rows))


def _log_ratio(reference: SliceLosses, window: SliceLosses) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return the logarithm of the ratio of two means, its standard error, and its degrees of freedom."""
    before, now = reference.means, window.means
    variance = window.variances / window.rows / now**2 + reference.variances / reference.rows / before**2
    return np.log(now / before), np.sqrt(variance), np.minimum(reference.rows, window.rows) - 1


def _of_means(reference: SliceLosses, window: SliceLosses) -> FloatArray:
    """Return the p-value of a rise of each mean error: Student's t of the log ratio, each side with its own variance.

    Errors are skewed: one huge one raises mean and variance of its side, and with a pooled variance it would be a find.
    """
    ratio, error, freedom = _log_ratio(reference, window)
    return np.asarray(special.stdtr(freedom, -ratio / error))


def _lower_of_means(reference: SliceLosses, window: SliceLosses, level: float) -> FloatArray:
    ratio, error, freedom = _log_ratio(reference, window)
    return np.asarray(np.exp(ratio + special.stdtrit(freedom, level) * error) - 1)


def steady(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Return the slices that are shown; rankings: those that were worse, worst first, from the oldest pane to now.

    A slice stays until it was not among the worst five in three panes one after another, so that two that are nearly
    alike do not take turns.
    """
    out: dict[int, int] = {}
    for ranking in rankings:
        top = ranking[:MOST_SHOWN]
        out = {at: 0 if at in top else panes + 1 for at, panes in out.items()}
        out = {at: panes for at, panes in out.items() if panes < PANES}
        for at in top:
            if len(out) < MOST_SHOWN:
                out.setdefault(at, 0)
    return list(out)


def concept_parts(reference: SliceLosses, window: SliceLosses, columns: Sequence[slice]) -> FloatArray:
    """Return how much of the change of the mean loss each slice (k,) brought because its loss did: q (l' - l).

    q is the slice's share of the window's labelled rows of its column; l, l' are its mean losses in reference and
    window. 0 where either has no rows. What is left of a column's change of the mean is that of its mix.
    """
    found = np.zeros(len(window.rows))
    for column in columns:
        rows = window.rows[column]
        change = window.means[column] - reference.means[column]
        found[column] = np.where(np.isfinite(change), rows * change, 0.0) / max(1, int(rows.sum()))
    return found
