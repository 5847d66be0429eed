"""Instant vectors as PromQL has them, and what is done with one or two of them.

Metric names are not kept: no rule here needs them after a selection. A label without a value is no label.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import add, eq, ge, gt, le, lt, mul, ne, sub
from types import MappingProxyType
from typing import Final, NamedTuple


class Series(NamedTuple):
    """One value with its labels."""

    labels: Mapping[str, str]
    value: float

    @property
    def order(self) -> tuple[float, list[tuple[str, str]]]:
        """Its place among others: the largest value first, then by labels."""
        return -self.value, sorted(self.labels.items())


Vector = Sequence[Series]
Key = Callable[[Series], object]


class NotPaired(ValueError):
    """Two series have the same labels where one is needed; Prometheus refuses such a query as well."""


def _quotient(one: float, other: float) -> float:
    """Divide as IEEE 754 does, which Python refuses for 0."""
    if other:
        return one / other
    return math.nan if not one or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, other)


ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = MappingProxyType(
    {"+": add, "-": sub, "*": mul, "/": _quotient}
)
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {"==": eq, "!=": ne, ">": gt, "<": lt, ">=": ge, "<=": le}
)


def key_of(labels: Sequence[str] | None) -> Key:
    """Return what tells by some labels whether two series go together; by all labels for None."""
    if labels is None:
        return lambda series: frozenset(series.labels.items())
    return lambda series: tuple(series.labels.get(label, "") for label in labels)


def both(left: Vector, right: Vector, key: Key) -> Vector:
    """Return `left and right`."""
    known = {key(each) for each in right} if left else ()
    return [each for each in left if key(each) in known]


def without(left: Vector, right: Vector, key: Key) -> Vector:
    """Return `left unless right`."""
    known = {key(each) for each in right} if left else ()
    return [each for each in left if key(each) not in known]


def either(left: Vector, right: Vector, key: Key) -> Vector:
    """Return `left or right`."""
    return [*left, *without(right, left, key)]


SETS: Final[Mapping[str, Callable[[Vector, Vector, Key], Vector]]] = MappingProxyType(
    {"and": both, "unless": without, "or": either}
)


def grouped(vector: Vector, labels: Sequence[str], fold: Callable[[Iterable[float]], float]) -> Vector:
    """Return one value for each group of series that have the same of some labels, which are what it keeps."""
    groups: dict[tuple[str, ...], list[float]] = {}
    whole: dict[tuple[str, ...], Mapping[str, str]] = {}
    for found, value in vector:
        key = tuple([found.get(label, "") for label in labels])
        groups.setdefault(key, []).append(value)
        whole[key] = found
    # A series that has no other labels keeps them as they are, which most do.
    return [
        Series(whole[key] if len(whole[key]) == len(key) - key.count("") else _labels(labels, key), fold(values))
        for key, values in groups.items()
    ]


def _labels(names: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value}


def paired(
    many: Vector,
    one: Vector,
    labels: Sequence[str] | None,
    *,
    alike: bool,
    value: Callable[[float, float], float | None],
) -> Vector:
    """Return the values of pairs with the same of some labels (all for None), where there is a value.

    alike: each side has one series of a pair, and the result only the labels by which they were matched; else it has
    those of `many`. Raises NotPaired.
    """
    key = key_of(labels)
    partners = _unique(one, key)
    if alike:
        _unique(many, key)
    found = []
    for each in many:
        partner = partners.get(key(each))
        result = None if partner is None else value(each.value, partner.value)
        if result is not None:
            kept = _labels(labels, [each.labels.get(label, "") for label in labels]) if alike and labels else None
            found.append(Series(each.labels if kept is None else kept, result))
    return found


def _unique(vector: Vector, key: Key) -> dict[object, Series]:
    found = {key(each): each for each in vector}
    if len(found) < len(vector):
        raise NotPaired("several series have the same labels on a side of an operator that needs one")
    return found
