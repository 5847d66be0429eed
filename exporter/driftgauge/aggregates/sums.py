"""Sums of panes, and what was made of them, kept from one snapshot to the next: only what changed is added or computed.

Nothing is subtracted: when a pane has left that was already in a sum, the others are added up anew. Of a pane that has
grown only what it has grown by is added, if that is known; panes that change otherwise at every refresh are kept out of
sums until they have come to rest. Which panes a sum is of is told by their identity, so keeping sums changes no value
beyond the rounding of another order of addition.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Generic, TypeVar

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class _Known:
    """`total` of the `parts` there were; `settled` (by identity) are those that `base` is the sum of."""

    parts: Sequence[Any]
    total: Any
    settled: frozenset[int]
    base: Any


class Latest(Generic[A]):
    """Remembers, for each of any number of names, what was last made under it, and of which objects."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Sequence[object], A]] = {}

    def get(self, name: Hashable, of: Sequence[object]) -> A | None:
        """Return what was made of these very objects, None if the last were others."""
        if name not in self._known:
            return None
        before, made = self._known[name]
        alike = len(before) == len(of) and all(map(is_, before, of))
        return made if alike else None

    def put(self, name: Hashable, of: Sequence[object], made: A) -> None:
        """Remember what was made of immutable objects, which are kept with it."""
        self._known[name] = of, made

    def keep(self, names: Collection[Hashable]) -> None:
        """Forget all other names."""
        self._known = {name: known for name, known in self._known.items() if name in names}


class Sums:
    """Remembers, for each of any number of names, the parts last combined under it and their sum."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}
        # By the identity of an object that has grown: the object, and those that it is the sum of.
        self._grown: dict[int, tuple[Any, Sequence[Any]]] = {}

    def grew(self, whole: A, of: Sequence[A]) -> None:
        """Know, until the sums of this time are made, that an object which takes the place of others is their sum."""
        if any(id(part) in self._grown for part in of):
            # Twice between two snapshots, as when there is much to catch up with: so much is not worth the memory.
            self._grown.clear()
            return
        self._grown[id(whole)] = whole, of

    def combine(self, name: Hashable, parts: Sequence[A], combine: Callable[[Sequence[A]], A]) -> A:
        """Return `combine(parts)` for at least one immutable part."""
        known = self._known.get(name)
        if known is None:
            total = combine(parts)
            self._known[name] = _Known(parts, total, frozenset(map(id, parts)), total)
            return total
        before = set(map(id, known.parts))
        if before == set(map(id, parts)):
            return known.total  # type: ignore[no-any-return]  # what was combined of parts of this type
        origins = [origin for part in parts for origin in self._origins(part)]
        if before <= set(map(id, origins)):
            total = combine([known.total, *(origin for origin in origins if id(origin) not in before)])
            self._known[name] = _Known(parts, total, frozenset(), None)
            return total
        resting = [part for part in parts if id(part) in before]
        restless = [part for part in parts if id(part) not in before]
        settled = frozenset(map(id, resting))
        if known.base is not None and known.settled <= settled:
            added = [part for part in resting if id(part) not in known.settled]
            base = combine([known.base, *added]) if added else known.base
        else:
            base = combine(resting) if resting else None
        total = combine(restless if base is None else [base, *restless]) if restless else base
        self._known[name] = _Known(parts, total, settled, base)
        return total

    def _origins(self, part: A) -> Sequence[A]:
        return self._grown[id(part)][1] if id(part) in self._grown else [part]

    def keep(self, names: Collection[Hashable]) -> None:
        """Forget all other names, and what has grown: the sums of this time are made."""
        self._known = {name: known for name, known in self._known.items() if name in names}
        self._grown.clear()


def added_up(held: Sequence[tuple[A, ...]], combine: Callable[[Sequence[A]], A]) -> list[A]:
    """Return the sum of each of these parts, at least one; those that begin with the same ones are added up once."""
    known: dict[tuple[int, ...], A] = {}

    def whole(parts: tuple[A, ...]) -> A:
        if len(parts) == 1:
            return parts[0]
        name = tuple(map(id, parts))
        if name not in known:
            known[name] = combine([whole(parts[:-1]), parts[-1]])
        return known[name]

    return [whole(parts) for parts in held]
