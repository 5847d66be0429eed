"""Rows from Python records: the patient way, for data that a columnar parser gives up on.

Here a value of another type than its neighbours affects its own row only: a column of mixed types becomes text
that reads like a CSV column of the same values. Nothing here parses JSON.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from driftgauge.batch.reasons import ReasonArray
from driftgauge.batch.rows import MAX_COLUMNS, MAX_DEPTH, MAX_NAME, UNUSABLE_TEXT, Rows
from driftgauge.batch.values import number_text

_UNUSABLE: Final = b""
_ARROW_TYPES: Final = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary()}


# Floats have every whole number up to here.
_EXACT: Final = 2**53


class PathLimit:
    """Admits the first `MAX_COLUMNS` paths that it is asked about, and no others."""

    def __init__(self) -> None:
        self._admitted: set[str] = set()

    def admits(self, path: str) -> bool:
        """Tell whether a path may become a column."""
        if path not in self._admitted and len(self._admitted) < MAX_COLUMNS:
            self._admitted.add(path)
        return path in self._admitted


def rows_from_records(records: Sequence[Mapping[str, Any] | None], reasons: ReasonArray, paths: PathLimit) -> Rows:
    """Return the records column by column; None stands for a row that `reasons` rejects already."""
    cells: dict[str, list[Any]] = {}
    for at, record in enumerate(records):
        for path, value in _leaves(record or {}):
            if path not in cells:
                if not paths.admits(path):
                    continue
                cells[path] = [None] * len(records)
            # Of two spellings of one path in a record the first wins, as with columns.
            if cells[path][at] is None:
                cells[path][at] = value
    lists = {path: _lists(values) for path, values in cells.items() if any(type(value) is list for value in values)}
    cells = {path: _without_lists(values) for path, values in cells.items()}
    numeric = frozenset(path for path, values in cells.items() if _mostly_numbers(values))
    columns = {path: _column(values) for path, values in cells.items()}
    mixed = frozenset(path for path in numeric if pa.types.is_string(columns[path].type))
    return Rows(
        columns, reasons, numeric_text=mixed, lists={path: found for path, found in lists.items() if found is not None}
    )


def _leaves(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if len(name) > MAX_NAME:
            continue
        path = f"{prefix}{name}"
        if isinstance(value, dict) and depth < MAX_DEPTH:
            inner = list(_leaves(value, f"{path}.", depth + 1))
            yield from inner
            yield path, _UNUSABLE if any(leaf is not None for _, leaf in inner) else None
        elif isinstance(value, dict | list):
            yield path, _only_element(value) if isinstance(value, list) and value else _UNUSABLE if value else None
        else:
            yield path, value


def _only_element(value: list[Any]) -> Any:
    """Return the only element of a list, however deep, in a tuple; longer lists of plain values as they are.

    What holds other lists or objects is `_UNUSABLE`.
    """
    found: Any = value
    while isinstance(found, list) and len(found) == 1:
        (found,) = found
    if found is None or found == []:
        return None
    if isinstance(found, list) and not any(isinstance(element, list | dict) for element in found):
        return found
    return _UNUSABLE if isinstance(found, list | dict) else (found,)


def _without_lists(values: list[Any]) -> list[Any]:
    """Let only elements stand for their lists, unless some list of the column is longer."""
    if not any(type(value) in (tuple, list) for value in values):
        return values
    longer = any(type(value) in (bytes, list) for value in values)
    return [(_UNUSABLE if longer else value[0]) if type(value) in (tuple, list) else value for value in values]


def _lists(values: list[Any]) -> Any:
    """Return the lists of a column as Arrow has them, None when their elements have no type in common."""
    try:
        return pa.array([list(value) if type(value) in (tuple, list) else None for value in values])
    except (pa.ArrowException, OverflowError, TypeError):
        return None


def _mostly_numbers(values: list[Any]) -> bool:
    present = [value for value in values if value is not None]
    return 2 * sum(type(value) in (int, float) for value in present) >= max(1, len(present))


def _column(values: list[Any]) -> Any:
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return pa.nulls(len(values))
    try:
        if len(types) == 1:
            return pa.array(values, _ARROW_TYPES[types.pop()])
        if types == {int, float} and not any(type(value) is int and abs(value) > _EXACT for value in values):
            return pa.array([value if value is None else float(value) for value in values], pa.float64())
    except OverflowError:
        # Whole numbers beyond 64 bits are identifiers: as text they keep every digit.
        pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return UNUSABLE_TEXT
    return number_text(value) if isinstance(value, int) or not math.isnan(value) else None
