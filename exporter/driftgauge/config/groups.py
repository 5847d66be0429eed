"""Groups of segments: one entry of the file that stands for a segment of each value, pair of values, or range.

What an entry stands for follows from the file alone, so no value of the data becomes a label that nobody wrote; but for
`each: reference`, which asks for the values that the reference has, and for which a list of columns is short.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import prod
from typing import Any, Final

from driftgauge.config.conditions import OF_REFERENCE, is_number, is_scalar
from driftgauge.config.wording import RuleError, shown

_EACH: Final = "each"
_BETWEEN: Final = "between"
# More is a mistake, and would take long to say.
_MOST: Final = 1000
# Columns whose values are combined without being written out.
_MOST_COLUMNS: Final = 2

# What a segment's name says of a feature, and the condition on it.
_Choice = tuple[str, Any]


def ungrouped(segments: object) -> object:
    """Return segments as they are in the file with groups in full; what is no mapping is left for others to refuse.

    `each` gives a segment for each value, `between` one for each range between its numbers and beyond them. An entry
    with several of these gives one for each combination. A list has columns and pairs of columns, of whose values in
    the reference there is one each, and mappings as above.
    """
    if isinstance(segments, list):
        segments = _named(segments)
    if not isinstance(segments, Mapping):
        return segments
    found: dict[Any, Any] = {}
    for name, conditions in segments.items():
        for full_name, conditions_of_one in _segments(name, conditions):
            if full_name in found:
                raise RuleError(f"gives two segments the name {shown(full_name)}; rename one", at=(name,))
            found[full_name] = conditions_of_one
    return found


def _named(entries: Sequence[object]) -> dict[Any, Any]:
    """Return a list of segments as named conditions."""
    found: dict[Any, Any] = {}
    for position, entry in enumerate(entries):
        for name, conditions in _of_entry(entry, position).items():
            if name in found:
                raise RuleError(f"gives two segments the name {shown(name)}; keep one", at=(position,))
            found[name] = conditions
    return found


def _of_entry(entry: object, position: int) -> Mapping[Any, Any]:
    if isinstance(entry, Mapping):
        return entry
    columns: list[Any] = entry if isinstance(entry, list) else [entry]
    if not columns or not all(isinstance(column, str) and column for column in columns):
        text = f"must be a column, a pair of columns, or named conditions, but is {shown(entry)}"
        raise RuleError(text, at=(position,))
    if len(set(columns)) < len(columns) or len(columns) > _MOST_COLUMNS:
        raise RuleError(f"must be a column or {_MOST_COLUMNS} different ones", at=(position,))
    return {", ".join(columns): dict.fromkeys(columns, OF_REFERENCE)}


def _segments(name: str, conditions: object) -> Iterator[tuple[str, Any]]:
    groups = (
        {
            feature: _choices(condition, (name, feature))
            for feature, condition in conditions.items()
            if _is_group(condition)
        }
        if isinstance(conditions, Mapping)
        else {}
    )
    if not isinstance(conditions, Mapping) or not groups:
        yield name, conditions
        return
    count = prod(map(len, groups.values()))
    if count > _MOST:
        raise RuleError(f"stands for {count} segments; keep it to {_MOST}", at=(name,))
    for chosen in product(*groups.values()):
        words = ", ".join(word for word, _ in chosen)
        one = {feature: condition for feature, (_, condition) in zip(groups, chosen, strict=True)}
        yield f"{name}: {words}", {**conditions, **one}


def _is_group(condition: object) -> bool:
    if condition == OF_REFERENCE:
        return False
    return isinstance(condition, Mapping) and not condition.keys().isdisjoint((_EACH, _BETWEEN))


def _choices(condition: Mapping[str, Any], at: tuple[str, str]) -> Sequence[_Choice]:
    if len(condition) > 1:
        raise RuleError(f"{_EACH} and {_BETWEEN} go with nothing else; keep one", at=at)
    ((key, values),) = condition.items()
    is_fine = is_scalar if key == _EACH else is_number
    if not isinstance(values, list) or not values or not all(map(is_fine, values)):
        what = "values, or reference for those that it has" if key == _EACH else "numbers"
        raise RuleError(f"must be a list of {what}, but is {shown(values)}", at=(*at, key))
    if key == _EACH:
        return [(word(value), value) for value in values]
    if any(low >= high for low, high in pairwise(values)):
        raise RuleError("must be numbers that rise", at=(*at, key))
    inner = [(f"{word(low)} to {word(high)}", {"at_least": low, "below": high}) for low, high in pairwise(values)]
    first, last = values[0], values[-1]
    return [
        (f"below {word(first)}", {"below": first}),
        *inner,
        (f"{word(last)} and above", {"at_least": last}),
    ]


def word(value: object) -> str:
    """Return what the name of a segment says of a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
