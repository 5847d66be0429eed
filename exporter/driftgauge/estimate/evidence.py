"""Evidence of a lasting change, which holds however often one looks: e-detectors that bet on rows as they come.

A bet pays f in [-1, 1] on each row and expects at most `limit` of it: what the reference says, and a tolerance on top.
With a stake of s the row multiplies the bet's wealth by 1 + s (f - limit), which is no more than 1 on average while
nothing changed beyond the tolerance, whatever the order of rows and however they depend on each other. A new bet begins
with each hour that has rows, and evidence is what all that ever began have now (Shiryaev and Roberts):

    R <- (R + 1 at a new hour) x growth,   averaged over bets

so it reaches A at most once in A hours on average (Shin, Ramdas and Rinaldo 2023; the bets: Waudby-Smith and Ramdas
2024). R is kept as its logarithm. It falls slowly after a change has passed, and stays high until then or a reset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.estimate.bins import MOST_BINS, Bins

# What a share, a score or a distribution (total variation distance) may move without being evidence. It has to be more
# than the reference's own error, which is a change that stays for ever.
TOLERANCE: Final = 0.02
# Rows of a column in the reference from which its distribution is known so well: 1.36 / sqrt(m) is below the tolerance.
ENOUGH_ROWS: Final = 5_000
HOUR: Final = 3_600
_FALL_STAKES: Final = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
_DRIFT_STAKES: Final = np.array([0.05, 0.15, 0.4])
# What pays: the rank of a row's bin, upwards and downwards, how far out that is, and its opposite.
_FIXED: Final = 4
# Rows of the past by which the learned bet is decided, and how many of the reference are counted among them.
_REMEMBERED: Final = 1_000.0
_EXPECTED: Final = 50.0
# Of the normal distribution, 95 % on both sides.
_TWO_SIDED: Final = 1.96
_NONE: Final = np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What bets of one signal have come to.

    mark: of what they bet on; under another it begins anew. hour: of the latest rows, since 1970.
    wealth: natural logarithm of R by bet, (C, B) of C columns.
    past, current: (C, 10) rows in bins before that hour, as far as they are remembered, and in it.
    """

    mark: str
    hour: int
    wealth: FloatArray
    past: FloatArray = field(default_factory=lambda: _NONE)
    current: FloatArray = field(default_factory=lambda: _NONE)

    @property
    def log10(self) -> float | None:
        """The mean of R over columns and bets as a power of ten; None before the first row."""
        return log10_mean(self.wealth)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the evidence that `to_state` described."""
        return cls(**state)


def log10_mean(wealth: FloatArray) -> float | None:
    """Return the mean of exp(`wealth`) as a power of ten; None of nothing."""
    if not wealth.size or not np.isfinite(largest := wealth.max()):
        return None
    return float((largest + np.log(np.exp(wealth - largest).mean())) / log(10))


def stepped(wealth: FloatArray, growth: FloatArray, *, begins: bool | BoolArray) -> FloatArray:
    """Return log R after rows by which bets grew (natural logarithms); begins: where these are of a new hour."""
    return np.where(begins, np.logaddexp(wealth, 0.0), wealth) + growth


@dataclass(frozen=True, slots=True)
class FallBets:
    """Bets that a share of bad rows is above `limit`. basis: what else decides which rows are bad."""

    limit: float
    basis: str = ""

    @classmethod
    def of_accuracy(cls, baseline: float, rows: int | None) -> Self | None:
        """Return the bets on a fall of accuracy; rows: that the baseline was computed from, None of one that is given.

        None where these are too few to know the baseline within the tolerance.
        """
        return cls(1 - baseline + TOLERANCE) if _is_known(baseline, rows, TOLERANCE) else None

    @classmethod
    def of_estimate(cls, baseline: float, rows: int, *, bias: float, basis: str) -> Self | None:
        """Return the bets on a fall of the accuracy that is expected from scores.

        rows: that the estimator was learned from. bias: by how much it is off on these. basis: which estimator it is.
        """
        known = _is_known(baseline, rows, TOLERANCE - abs(bias))
        return cls(1 - baseline + TOLERANCE, basis) if known else None

    @classmethod
    def of_f1(cls, baseline: float, rows: int | None) -> Self | None:
        """Return the bets on a fall of F1, whose good rows are true positives, and bad ones false of either kind.

        These give J = TP / (TP + FP + FN), and F1 is 2J / (1 + J). rows: TP + FP + FN of the baseline.
        """
        share, lowest = jaccard(baseline), jaccard(max(0.0, baseline - TOLERANCE))
        return cls(1 - lowest) if _is_known(share, rows, share - lowest) else None

    @property
    def mark(self) -> str:
        """What is bet on."""
        return f"fall:{self.limit!r}{self.basis}"

    def bet(self, known: Evidence | None, good: float, bad: float, hour: int) -> Evidence:
        """Return the evidence after more rows.

        Of rows that are bad with a probability, good and bad are sums of these: the logarithm is concave, so a row
        brings at most what betting on its probability would.
        """
        if known is None or known.mark != self.mark:
            known = Evidence(self.mark, hour - 1, np.full(len(_FALL_STAKES), -np.inf))
        growth = good * np.log1p(-_FALL_STAKES * self.limit) + bad * np.log1p(_FALL_STAKES * (1 - self.limit))
        return Evidence(self.mark, max(hour, known.hour), stepped(known.wealth, growth, begins=hour > known.hour))


def jaccard(f1: float) -> float:
    """Return TP / (TP + FP + FN) where 2TP / (2TP + FP + FN) is `f1`."""
    return f1 / (2 - f1)


def _is_known(share: float, rows: int | None, tolerance: float) -> bool:
    """Return whether a share of so many rows is known within the tolerance, at 95 %."""
    if not 0 <= share <= 1 or tolerance <= 0:
        return False
    return rows is None or (rows > 0 and _TWO_SIDED * sqrt(share * (1 - share) / rows) <= tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class DriftBets:
    """Bets that columns are no longer distributed over their bins as in the reference.

    mark: of what they are. fixed: (C, 4 x stakes, 10) logarithms of the growth that a row in each bin brings.
    """

    mark: str
    bins: Bins
    fixed: FloatArray

    @classmethod
    def on(cls, bins: Bins, mark: str) -> Self:
        """Return the bets on these bins."""
        middles = bins.shares.cumsum(axis=1) - bins.shares / 2
        rank = 2 * middles - 1
        spread = 2 * np.abs(rank) - 1
        pays = np.stack([rank, -rank, spread, -spread], axis=1)
        return cls(mark, bins, _growth(pays, bins))

    def bet(self, known: Evidence | None, counts: IntArray, hour: int) -> Evidence:
        """Return the evidence after rows in bins (C, 10)."""
        columns, bets = len(counts), (_FIXED + 1) * len(_DRIFT_STAKES)
        if known is None or known.mark != self.mark or known.past.shape != counts.shape:
            nothing = np.zeros((columns, MOST_BINS))
            known = Evidence(self.mark, hour - 1, np.full((columns, bets), -np.inf), nothing, nothing)
        past, current = known.past, known.current
        if hour > known.hour:
            past, current = _remembered(past) + current, np.zeros_like(current)
        each = np.concatenate([self.fixed, _growth(_learned(past, self.bins)[:, None], self.bins)], axis=1)
        growth = np.einsum("cbk,ck->cb", each, counts)
        begins = (hour > known.hour) & (counts.sum(axis=1, keepdims=True) > 0)
        wealth = stepped(known.wealth, growth, begins=begins)
        return Evidence(self.mark, max(hour, known.hour), wealth, past, current + counts)


def _growth(pays: FloatArray, bins: Bins) -> FloatArray:
    """Return log(1 + stake (f - limit)) of a row in each bin, (C, F x stakes, 10); pays: f by bin (C, F, 10).

    A distribution within the tolerance of the reference's, in total variation, has a mean of f within the tolerance
    times the range of f.
    """
    used = bins.used[:, None]
    low, high = (np.where(used, pays, edge) for edge in (np.inf, -np.inf))
    spread = np.where(used.any(axis=2), high.max(axis=2) - low.min(axis=2), 0.0)
    limit = (pays * bins.shares[:, None]).sum(axis=2) + TOLERANCE * spread
    won = np.where(used, pays - limit[..., None], 0.0)
    found: FloatArray = np.log1p(_DRIFT_STAKES[:, None] * won[:, :, None])
    return found.reshape(len(pays), -1, MOST_BINS)


def _learned(past: FloatArray, bins: Bins) -> FloatArray:
    """Return what pays (C, 10), in [-1, 1], where the distribution stays as it was: bins that had more rows do."""
    rows = past.sum(axis=1, keepdims=True)
    shares = (past + _EXPECTED * bins.shares) / (rows + _EXPECTED)
    both = shares + bins.shares
    found = np.divide(shares - bins.shares, both, out=np.zeros_like(both), where=both > 0)
    largest = np.abs(found).max(axis=1, keepdims=True)
    return np.asarray(np.divide(found, largest, out=np.zeros_like(found), where=largest > 0))


def _remembered(past: FloatArray) -> FloatArray:
    """Return as much of the past (C, 10) as is remembered."""
    rows = past.sum(axis=1, keepdims=True)
    return np.asarray(past * np.minimum(1.0, _REMEMBERED / np.maximum(rows, 1.0)))
