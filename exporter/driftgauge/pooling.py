"""Categories joined so that tests of them hold at any shape: from two to thousands, with small and large samples.

The p-value of a chi-square test is right only where enough rows are expected of every category, and the categories that
a sample has seen are more frequent in it than in others of the same source: the more so, the rarer they are. So the
verdict on a column does not come from its published statistics, which are of all categories as they are, but from two
tables: of the frequent categories and all others together (`pooled`), and of the one category that rose most (`risen`).
"""

from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Final

import numpy as np
from scipy import special

from driftgauge.aggregates.distribution import Unseen
from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.reference import CategoryProfile
from driftgauge.statistics import CategoryPair

# Rows that have to be expected of a category in both samples for the chi-square distribution to hold (Cochran, 1954).
_EXPECTED: Final = 5


@dataclass(frozen=True, eq=False)
class CategoryCounts:
    """One categorical column: the reference's `profile`, the window's `counts` (cells,) and `unseen` ones."""

    profile: CategoryProfile
    counts: IntArray
    unseen: Unseen

    @cached_property
    def rows(self) -> int:
        """The window's rows with a category, at least one."""
        return int(self.counts.sum()) + self.unseen.total

    def union(self) -> CategoryPair:
        """Return all categories that are counted on their own, and the others, as far as either side has them."""
        strangers = np.array([*self.unseen.named.values(), self.unseen.rest], dtype=np.int64)
        reference = np.concatenate([self.profile.counts, np.zeros_like(strangers)])
        window = np.concatenate([self.counts, strangers])
        present = (reference > 0) | (window > 0)
        return CategoryPair(reference[present], window[present])

    def pooled(self) -> CategoryPair:
        """Return the frequent categories one by one and, as the last, all others together, those never seen included.

        A category is frequent when `_EXPECTED` rows of it are expected on both sides, judged by both sides together:
        if nothing moved, it is luck which of the rows are the window's, so this choice favours no side.
        """
        cells, seen = self._corrected()
        window = self.counts[:-1].astype(np.float64)
        total = cells + window
        # The smaller side has this share of all rows, and would have it of each category.
        smaller = min(self.rows, self.profile.rows) / (self.rows + self.profile.rows)
        frequent = seen & (total * smaller >= _EXPECTED)
        reference = np.append(cells[frequent], self.profile.rows - cells[frequent].sum())
        window = np.append(window[frequent], self.rows - window[frequent].sum())
        if len(window) > 1 and (reference[-1] + window[-1]) * smaller < _EXPECTED:
            joined = (reference + window)[:-1].argmin()
            for side in (reference, window):
                side[joined] += side[-1]
            reference, window = reference[:-1], window[:-1]
        return CategoryPair(reference, window)

    def _corrected(self) -> tuple[FloatArray, BoolArray]:
        """Return the reference's counts (k,) less what it has too many of, and which categories it has seen enough.

        Of the categories seen more than r times, a new row has one less often than the reference's rows have: it would
        have to find r others. Left out in turn, each row of a category with r + 1 rows finds only r; so their rows
        estimate what is missing, for r = 0 as Good and Turing do (Good, 1953). It is taken from all categories alike
        (absolute discounting: Ney, Essen and Kneser, 1994). r is 0, or the count at which the limit of categories cut.
        """
        counts = self.profile.counts[:-1]
        least = int(counts[-1]) if self.profile.counts[-1] else 0
        seen = counts > least
        # How many categories have r + 1 rows is a matter of luck where r is large, and alike for the next few counts.
        near = max(1, isqrt(least))
        missing = (least + 1) * int((counts[seen] <= least + near).sum()) / near / max(int(seen.sum()), 1)
        return np.where(seen, counts - missing, 0.0), seen

    def risen(self) -> tuple[CategoryPair, float]:
        """Return the category that rose most against all others, and the p-value of a rise as unlikely in any of them.

        All categories that were never seen count as one more, of the size that Good and Turing estimate. If nothing
        moved, luck spreads a category's rows over both sides: its p-value is a binomial tail, and it is multiplied by
        the number of categories (Bonferroni), of which the one with the largest deviance is taken.
        """
        profile, named = self.profile, np.array([*self.unseen.named.values()], dtype=np.int64)
        # The estimate varies as one of fewer rows would: by (n1 + 2 n2) / rows^2 with n1 and n2 categories seen once
        # and twice. One is added so that it is uncertain also where there are none.
        weight = (profile.once + 1) / (profile.once + 2 * profile.twice + 1)
        of = np.concatenate([profile.counts[:-1], np.zeros(len(named)), [profile.once * weight]])
        rows = np.append(np.full(len(of) - 1, float(profile.rows)), profile.rows * weight)
        window = np.concatenate([self.counts[:-1], named, [self.unseen.total]])
        rose = np.flatnonzero(window * rows > of * self.rows)
        if not len(rose):
            return CategoryPair(np.array([profile.rows]), np.array([self.rows])), 1.0
        chance = self.rows / (self.rows + rows[rose])
        both = of[rose] + window[rose]
        deviance = special.xlogy(window[rose], window[rose] / (both * chance))
        deviance += special.xlogy(of[rose], of[rose] / (both * (1 - chance)))
        at = deviance.argmax()
        own, other, size = window[rose[at]], of[rose[at]], rows[rose[at]]
        tail = special.betainc(own, other + 1, chance[at])
        return CategoryPair(np.array([other, size - other]), np.array([own, self.rows - own])), min(1.0, tail * len(of))
