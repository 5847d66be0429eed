"""Sums that tell how sure a score is: of squared losses, and of errors against labels.

Those of a regression are around the mean of the labels and are moved when parts are joined, as `moments` does: around
a fixed point they would cancel where labels are large against their spread.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np

from driftgauge.aggregates.moments import Moment
from driftgauge.columns import FloatArray


@dataclass(frozen=True, slots=True)
class Spread:
    """Sums over labelled rows.

    log_loss, brier: of the squares of these losses.
    quartic: of e^4; tilt: of e^2 d; bow: of e^2 d^2; third: of d^3; fourth: of d^4, where e is a row's error and d its
    label less the mean of all labels.
    """

    log_loss: float = 0.0
    brier: float = 0.0
    quartic: float = 0.0
    tilt: float = 0.0
    bow: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    @classmethod
    def of_errors(cls, error: FloatArray, label: FloatArray, mean: float) -> Self:
        """Return the sums of errors (n,) at finite labels (n,) with this mean."""
        with np.errstate(over="ignore", invalid="ignore"):
            distance, squared = label - mean, np.square(error)
            square = np.square(distance)
            return cls(
                quartic=float(np.square(squared).sum()),
                tilt=float((squared * distance).sum()),
                bow=float((squared * square).sum()),
                third=float((square * distance).sum()),
                fourth=float(np.square(square).sum()),
            )

    @classmethod
    def combine(cls, parts: Sequence[tuple[Self, Moment, float]], mean: float) -> Self:
        """Add the sums of parts, each with its labels' moments and its sum of squared errors.

        mean: that of the labels of all parts. With d = d' + s, where s is the part's mean less this one, the sums
        around it follow from those around the part's own (binomial theorem).
        """
        if not parts:
            return cls()
        spreads = np.array([astuple(spread) for spread, _, _ in parts]).T
        log_loss, brier, quartic, tilt, bow, third, fourth = spreads
        count, means, m2 = np.array([(labels.count, labels.mean, labels.m2) for _, labels, _ in parts]).T
        squared = np.array([squares for _, _, squares in parts])
        with np.errstate(over="ignore", invalid="ignore"):
            shift = np.where(count > 0, means - mean, 0.0)
            moved = (
                tilt + shift * squared,
                bow + shift * (2 * tilt + shift * squared),
                third + shift * (3 * m2 + shift * shift * count),
                fourth + shift * (4 * third + shift * (6 * m2 + shift * shift * count)),
            )
            return cls(*(float(sums.sum()) for sums in (log_loss, brier, quartic, *moved)))
