"""Data frames as JSON documents: each layout of pandas' `to_json` that keeps the names of columns, as records.

`split` is MLflow's table as well and is read elsewhere, a piece at a time. A document here is one value in memory.
"""

from collections.abc import Mapping
from typing import Any, Final

from driftgauge.schema import OUTPUT_OBJECT, SPELLINGS

Record = Mapping[str, Any]

# An object of outputs stands in a record just as a column of them does in a frame.
_SPELLED: Final = frozenset(name for names in SPELLINGS.values() for name in names) - {OUTPUT_OBJECT}
# What MLflow's scoring protocol calls a list of records.
_RECORDS: Final = "dataframe_records"
_INDEX: Final = ("index", "level_")


def frame_records(document: Record) -> list[Any] | None:
    """Return the records of a data frame, or None when the document is something else, such as one record."""
    if isinstance(document.get(_RECORDS), list) and len(document) == 1:
        found: list[Any] = document[_RECORDS]
        return found
    if isinstance(document.get("schema"), dict) and isinstance(document.get("data"), list):
        return _of_table(document["schema"], document["data"])
    if not all(isinstance(inner, dict) and inner for inner in document.values()):
        return None
    return _of_columns(document) if document else None


def without_index(record: Any, schema: Record) -> Any:
    """Return a row of a `table` layout without the index that its schema names, which is no column of the frame."""
    key = schema.get("primaryKey")
    names = {name for name in key if str(name).startswith(_INDEX)} if isinstance(key, list) else set()
    return {name: value for name, value in record.items() if name not in names} if isinstance(record, dict) else record


def _of_table(schema: Record, data: list[Any]) -> list[Any] | None:
    return [without_index(row, schema) for row in data] if isinstance(schema.get("fields"), list) else None


def _of_columns(document: Mapping[str, Record]) -> list[Any] | None:
    """Read `columns` (column -> row -> value) or `index` (row -> column -> value), by which side has names."""
    outer, inner = list(document), list(next(iter(document.values())))
    if any(list(values) != inner for values in document.values()):
        return None
    if _number_rows(inner) or not _SPELLED.isdisjoint(outer):
        return [dict(zip(outer, cells, strict=True)) for cells in zip(*_cells(document), strict=True)]
    if _number_rows(outer) or not _SPELLED.isdisjoint(inner):
        return list(document.values())
    return None


def _cells(document: Mapping[str, Record]) -> list[list[Any]]:
    return [list(values.values()) for values in document.values()]


def _number_rows(keys: list[str]) -> bool:
    return all(key.isdecimal() for key in keys)
