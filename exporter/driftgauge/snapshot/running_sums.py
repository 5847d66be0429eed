"""Sums of panes from one snapshot to the next: only what changed is added.

Nothing is subtracted: when a pane has left that was already in a sum, the others are added up again. When a pane has
grown only what it has grown by is added, if that is known; panes that change otherwise at every refresh are kept out of
sums until they have come to rest. Panes are the same if they are the same object, so that running sums change no value
beyond the rounding of another order of addition.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

A = TypeVar("A")
_NONE: Final[Mapping[int, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Known:
    """`total` of the `parts` there were; `settled` (by identity) are those that `base` is the sum of."""

    parts: Sequence[Any]
    total: Any
    settled: frozenset[int]
    base: Any


class RunningSums:
    """Remembers, for each name, the parts last combined under it and their sum."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}

    def combine(
        self,
        name: Hashable,
        parts: Sequence[A],
        combine: Callable[[Sequence[A]], A],
        *,
        grown: Mapping[int, Sequence[A]] = _NONE,
    ) -> A:
        """Return `combine(parts)` for at least one immutable part.

        grown: by the identity of a part that may have taken the place of others, what it is the sum of.
        """
        known = self._known.get(name)
        if known is not None and set(map(id, known.parts)) == set(map(id, parts)):
            return known.total  # type: ignore[no-any-return]  # what was combined of parts of this type
        if known is None:
            total = combine(parts)
            found = _Known(parts, total, frozenset(map(id, parts)), total)
        else:
            found = _only_added(known, parts, combine, grown) or _rebased(known, parts, combine)
        self._known[name] = found
        return found.total  # type: ignore[no-any-return]  # as above

    def keep(self, names: Collection[Hashable]) -> None:
        """Forget all other names."""
        self._known = {name: known for name, known in self._known.items() if name in names}


def _only_added(
    known: _Known, parts: Sequence[A], combine: Callable[[Sequence[A]], A], grown: Mapping[int, Sequence[A]]
) -> _Known | None:
    """Add what is new to the last sum, if all that is in it is still there, maybe within a part that has grown."""
    before = set(map(id, known.parts))
    origins = [origin for part in parts for origin in grown.get(id(part), [part])]
    if not before <= set(map(id, origins)):
        return None
    total = combine([known.total, *(origin for origin in origins if id(origin) not in before)])
    return _Known(parts, total, frozenset(), None)


def _rebased(known: _Known, parts: Sequence[A], combine: Callable[[Sequence[A]], A]) -> _Known:
    """Add to what has come to rest the parts that were not there before."""
    before = set(map(id, known.parts))
    resting = [part for part in parts if id(part) in before]
    restless = [part for part in parts if id(part) not in before]
    settled = frozenset(map(id, resting))
    if known.base is not None and known.settled <= settled:
        added = [part for part in resting if id(part) not in known.settled]
        base = combine([known.base, *added]) if added else known.base
    else:
        base = combine(resting) if resting else None
    total = combine(restless if base is None else [base, *restless]) if restless else base
    return _Known(parts, total, settled, base)
