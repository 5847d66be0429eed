"""How fast logins may fail: each address, and all of them together, have some failures free and then one at a time.

A failure beyond that is not answered before its time has come, so that a client which waits for each answer cannot
guess faster, and what it costs to check stays small. When that is depends on nothing but who has failed how often
before: not on the name, nor on what the check would say.

The bookkeeping is the generic cell rate algorithm (ITU-T I.371): one number for each address, the time at which it has
nothing left to make up for.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

# Addresses remembered; the ones that were seen last.
_MOST: Final = 10_000


class Rate(NamedTuple):
    """So many failures at once, then one each `every` seconds."""

    burst: int
    every: float


EACH: Final = Rate(burst=5, every=2.0)
TOGETHER: Final = Rate(burst=20, every=0.5)


class Throttle:
    """Failures by address. longest: how long (s) an answer is held back at most."""

    def __init__(
        self, *, each: Rate = EACH, together: Rate = TOGETHER, longest: float = 30.0, most: int = _MOST
    ) -> None:
        self._each = each
        self._together = together
        self._longest = longest
        self._most = most
        self._even: OrderedDict[str, float] = OrderedDict()
        self._all_even = 0.0

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._even)

    def fail(self, address: str, now: float, *, weight: float = 1.0) -> float:
        """Count an attempt as failed; return how long to hold its answer back (s).

        now: seconds of a clock that never goes back. weight: how many failures it counts as. `succeed` takes it back.
        """
        even, own = self._counted(self._each, self._even.pop(address, 0.0), now, weight)
        self._even[address] = even
        while len(self._even) > self._most:
            self._even.popitem(last=False)
        self._all_even, common = self._counted(self._together, self._all_even, now, weight)
        return max(own, common)

    def blames(self, address: str, now: float) -> bool:
        """Return whether an address has failed so often that a failure of its own would be held back."""
        return self._even.get(address, 0.0) > now + self._each.burst * self._each.every

    def succeed(self, address: str, *, weight: float = 1.0) -> None:
        """Take back an attempt that turned out right."""
        self._all_even = max(0.0, self._all_even - self._together.every * weight)
        if address in self._even:
            self._even[address] -= self._each.every * weight

    def _counted(self, rate: Rate, even: float, now: float, weight: float) -> tuple[float, float]:
        """Return when all is even again after one more, and how long that one has to wait."""
        free = now + rate.burst * rate.every
        even = min(max(even, now) + rate.every * weight, free + self._longest)
        return even, max(0.0, even - free)
