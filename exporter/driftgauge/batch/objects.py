"""Objects that are written as text: a column `features`, `inputs` or `outputs` of JSON, read as an object."""

import json
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from driftgauge.batch.json_text import whole_characters
from driftgauge.batch.records import PathLimit, rows_from_records
from driftgauge.batch.rows import Rows
from driftgauge.schema import FEATURE_OBJECTS, OUTPUT_OBJECT

_OBJECTS: Final = (*FEATURE_OBJECTS, OUTPUT_OBJECT)


def unpacked(rows: Rows) -> Rows:
    """Return the rows with what such columns hold in columns of its own; text that is no JSON stays as it is."""
    for name in _OBJECTS:
        column = rows.columns.get(name)
        if column is not None and pa.types.is_string(column.type) and _begins_like_json(column):
            rows = _with_columns(rows, name, column)
    return rows


def _begins_like_json(column: Any) -> bool:
    first = column.drop_null().slice(0, 1)
    return bool(len(first)) and str(first[0].as_py()).lstrip()[:1] in ("{", "[")


def _with_columns(rows: Rows, name: str, column: Any) -> Rows:
    records = [None if text is None else {name: _parsed(text)} for text in column.to_pylist()]
    found = rows_from_records(records, rows.reasons, PathLimit())
    columns = {path: values for path, values in rows.columns.items() if path != name}
    return replace(
        rows,
        columns={**found.columns, **columns},
        numeric_text=rows.numeric_text | found.numeric_text,
        lists={**found.lists, **rows.lists},
    )


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text) if text.lstrip()[:1] in ("{", "[") else text
        return whole_characters(value) if "\\ud" in text.lower() else value
    except (ValueError, RecursionError):
        return text
