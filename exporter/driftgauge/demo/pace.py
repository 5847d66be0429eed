"""How fast the flights are replayed, and the windows and waiting times that follow from it.

All are multiples of an hour of flights, so that the story is the same at any pace. Units: seconds.
"""

import math
from dataclasses import dataclass
from typing import Final

# How many hours are a week; the night hours without flights are left out.
WEEK_HOURS: Final = 150
# The shortest window that the configuration allows.
_SHORTEST_WINDOW: Final = 60


@dataclass(frozen=True, slots=True)
class Pace:
    """batch_interval: the time until the next hour of flights."""

    batch_interval: float

    @property
    def window(self) -> int:
        """Return the length of the window that holds a week of flights."""
        return self.hours(WEEK_HOURS, at_least=_SHORTEST_WINDOW)

    @property
    def refresh(self) -> int:
        """Return the exporter's refresh interval."""
        return min(5, self.hours(2, at_least=2))

    @property
    def smoothing(self) -> int:
        """Return over how long Prometheus takes the worst value."""
        return self.hours(4)

    @property
    def waiting(self) -> int:
        """Return how long an alert waits before it fires: the least that the thresholds allow."""
        return self.smoothing + 2 * self.refresh

    def hours(self, count: int, *, at_least: int = 1) -> int:
        """Return how long `count` hours of flights take, in whole seconds."""
        return max(at_least, math.ceil(count * self.batch_interval - 1e-6))
