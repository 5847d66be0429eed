"""`.json` files: one record, an array of records, or the table form that MLflow's `log_table` writes.

Arrays and tables are never in memory as a whole: their records are found one by one, and those of an array are read
like JSON lines. In a document beyond `BLOCK_BYTES`, no record may be longer than that, and a table has to name its
columns before its data; what follows its data is not read.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from driftgauge.batch.json_text import JsonText
from driftgauge.batch.jsonlines import MOST_LINES, RecordReader
from driftgauge.batch.lines import Lines
from driftgauge.batch.reasons import CODES, all_fine
from driftgauge.batch.records import PathLimit, rows_from_records
from driftgauge.batch.rows import Rows, after
from driftgauge.batch.streams import BLOCK_BYTES
from driftgauge.errors import BatchError

_TABLE_ROWS: Final = 8_192
_WRAPPER: Final = "dataframe_split"


def read_document(pieces: Iterator[bytes], *, skip: int) -> Iterator[Rows]:
    """Yield the rows after the first `skip`. Raises BatchError: invalid_json, too_large, wrong_encoding."""
    text = JsonText(pieces)
    if text.peek() == "[":
        return after(_array(text), skip)
    if text.peek() == "{" and not text.all_in_sight():
        return after(_long_table(text), skip)
    document, source = text.value()
    if text.peek() or not isinstance(document, dict):
        text.broken("expected one JSON object or one array of objects")
    table = document.get(_WRAPPER, document)
    if isinstance(table, dict) and isinstance(table.get("columns"), list) and isinstance(table.get("data"), list):
        return after(_table(table["columns"], table["data"]), skip)
    return after(RecordReader().rows(Lines.of([_one_line(source)])), skip)


def _array(text: JsonText) -> Iterator[Rows]:
    reader = RecordReader()
    lines: list[bytes] = []
    size = 0
    for _, source in _elements(text):
        lines.append(_one_line(source))
        size += len(source)
        if size >= BLOCK_BYTES or len(lines) == MOST_LINES:
            yield from reader.rows(Lines.of(lines))
            lines, size = [], 0
    yield from reader.rows(Lines.of(lines))
    if text.peek():
        text.broken("something follows the array")


def _elements(text: JsonText) -> Iterator[tuple[Any, str]]:
    """Yield each element of an array with its text."""
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    separator = ","
    while separator == ",":
        yield text.value()
        separator = text.take(",]")


def _one_line(record: str) -> bytes:
    """Return a record on one line. Newlines can only be between its tokens, where a space means the same."""
    return record.replace("\r", " ").replace("\n", " ").encode()


def _long_table(text: JsonText) -> Iterator[Rows]:
    """Find the data of a table whose columns come first."""
    text.take("{")
    names: list[str] | None = None
    while True:
        key, _ = text.value()
        text.take(":")
        if key == _WRAPPER and text.peek() == "{":
            text.take("{")
            continue
        if key == "data" and names is not None:
            yield from _table_data(names, text)
            return
        value, _ = text.value()
        if key == "columns" and isinstance(value, list):
            names = [str(name) for name in value]
        if text.take(",}") == "}":
            raise BatchError("too_large", f"A record is longer than {BLOCK_BYTES} bytes; log smaller records.")


def _table_data(names: Sequence[str], text: JsonText) -> Iterator[Rows]:
    paths = PathLimit()
    data: list[Any] = []
    size = 0
    for cells, source in _elements(text):
        data.append(cells)
        size += len(source)
        if len(data) == _TABLE_ROWS or size >= BLOCK_BYTES:
            yield _table_rows(names, data, paths)
            data, size = [], 0
    if data:
        yield _table_rows(names, data, paths)


def _table(names: list[Any], data: list[Any]) -> Iterator[Rows]:
    labels, paths = [str(name) for name in names], PathLimit()
    for start in range(0, len(data), _TABLE_ROWS):
        yield _table_rows(labels, data[start : start + _TABLE_ROWS], paths)


def _table_rows(names: Sequence[str], data: list[Any], paths: PathLimit) -> Rows:
    reasons = all_fine(len(data))
    records: list[dict[str, Any] | None] = []
    for at, cells in enumerate(data):
        whole = isinstance(cells, list) and len(cells) == len(names)
        # Reversed, so that of columns with the same name the first one wins, as in every other format.
        records.append(dict(zip(reversed(names), reversed(cells), strict=True)) if whole else None)
        reasons[at] = 0 if whole else CODES["invalid_row"]
    return rows_from_records(records, reasons, paths)
