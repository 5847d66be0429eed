"""What a feature of a segment must be: one of some values, a range of numbers, or each value that the reference has."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from driftgauge.config.wording import RuleError, quoted, shown, suggestion

Scalar = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Condition:
    """What a feature of a segment must be: one of `values`, or in the range of the bounds that are given.

    every: there is a segment for each value that the reference has, in the place of one with this condition.
    """

    values: tuple[Scalar, ...] = ()
    at_least: float | None = None
    below: float | None = None
    # Left out of the text by which segments of an earlier release are known.
    every: bool = field(default=False, repr=False)

    @property
    def written(self) -> Any:
        """The condition as the file has it."""
        if self.every:
            return dict(OF_REFERENCE)
        if self.values:
            return list(self.values) if len(self.values) > 1 else self.values[0]
        return {bound: value for bound in _BOUNDS if (value := getattr(self, bound)) is not None}


_BOUNDS: Final = ("at_least", "below")
# The condition that stands for each value that the reference has.
OF_REFERENCE: Final[Mapping[str, str]] = MappingProxyType({"each": "reference"})


def _condition(value: object) -> Condition:
    if isinstance(value, Condition):
        return value
    if value == OF_REFERENCE:
        return Condition(every=True)
    if isinstance(value, Mapping):
        return _range(value)
    values: list[Any] = value if isinstance(value, list) else [value]
    if not values:
        raise RuleError("must have at least one value")
    for position, each in enumerate(values):
        if not is_scalar(each):
            at = (position,) if isinstance(value, list) else ()
            raise RuleError(f"must be a text, a number, true or false, but is {shown(each)}", at=at)
    return Condition(values=tuple(values))


def _range(bounds: Mapping[str, object]) -> Condition:
    if not bounds:
        raise RuleError(f"must have a bound: {' or '.join(_BOUNDS)}")
    for key, bound in bounds.items():
        if key not in _BOUNDS:
            raise RuleError(f"unknown key {quoted(key)}; {suggestion(key, _BOUNDS, 'keys')}", at=(key,))
        if not is_number(bound):
            raise RuleError(f"must be a finite number, but is {shown(bound)}", at=(key,))
    found = Condition(at_least=_bound(bounds, "at_least"), below=_bound(bounds, "below"))
    if found.at_least is not None and found.below is not None and found.at_least >= found.below:
        raise RuleError("holds for no value: at_least must be less than below")
    return found


def _bound(bounds: Mapping[str, Any], name: str) -> float | None:
    return float(bounds[name]) if name in bounds else None


def is_scalar(value: object) -> bool:
    """Whether it is a text, a number, true or false."""
    if isinstance(value, str):
        return value != "" and not any("\ud800" <= character <= "\udfff" for character in value)
    return is_number(value) or isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a number that a double can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


ConditionField = Annotated[Condition, BeforeValidator(_condition), PlainSerializer(lambda found: found.written)]
