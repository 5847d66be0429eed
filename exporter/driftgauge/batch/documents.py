"""JSON documents: one record, an array of records or records one after another, or the table of a data frame.

Arrays, sequences and MLflow's `log_table` are never in memory as a whole: their records are found one by one, and those
of an array or a sequence are read like JSON lines. In a document beyond `BLOCK_BYTES`, no record may be longer than
that, and a table has to name its columns before its data; what follows its data is not read. The other layouts of
pandas (`columns`, `index`) have to fit.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from driftgauge.batch.frames import frame_records, without_index
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
        return after(_long(text), skip)
    document, source = text.value()
    if isinstance(document, dict) and text.peek() == "{":
        return after(_in_blocks(_following(text, source)), skip)
    if text.peek() or not isinstance(document, dict):
        text.broken("expected one JSON object, objects one after another, or one array of objects")
    table = document.get(_WRAPPER, document)
    if isinstance(table, dict) and isinstance(table.get("columns"), list) and isinstance(table.get("data"), list):
        return after(_table(table["columns"], table["data"]), skip)
    records = frame_records(document)
    if records is not None:
        return after(_frame(records), skip)
    return after(RecordReader().rows(Lines.of([_one_line(source)])), skip)


def _array(text: JsonText) -> Iterator[Rows]:
    yield from _in_blocks(source for _, source in _elements(text))
    if text.peek():
        text.broken("something follows the array")


def _following(text: JsonText, first: str) -> Iterator[str]:
    """Yield the text of each of several objects that follow each other, the first of which was read already."""
    yield first
    while text.peek() == "{":
        yield text.value()[1]
    if text.peek():
        text.broken("expected another object")


def _in_blocks(sources: Iterator[str]) -> Iterator[Rows]:
    reader = RecordReader()
    lines: list[bytes] = []
    size = 0
    for source in sources:
        lines.append(_one_line(source))
        size += len(source)
        if size >= BLOCK_BYTES or len(lines) == MOST_LINES:
            yield from reader.rows(Lines.of(lines))
            lines, size = [], 0
    yield from reader.rows(Lines.of(lines))


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


def _long(text: JsonText) -> Iterator[Rows]:
    """Read a document that begins with an object and does not fit: a table whose columns come first, or a sequence."""
    text.take("{")
    known: dict[str, Any] = {}
    parts: list[str] = []
    size = 0
    while True:
        key, written = text.value()
        text.take(":")
        if key == _WRAPPER and text.peek() == "{":
            text.take("{")
            continue
        rows = _streamed(known, text) if key == "data" else None
        if rows is not None:
            yield from rows
            return
        value, source = text.value()
        if key in ("columns", "schema"):
            known[key] = value
        parts.append(f"{written}:{source}")
        size += len(parts[-1])
        closed = text.take(",}") == "}"
        if size > BLOCK_BYTES or (closed and text.peek() != "{"):
            raise BatchError("too_large", f"A record is longer than {BLOCK_BYTES} bytes; log smaller records.")
        if closed:
            yield from _in_blocks(_following(text, f"{{{','.join(parts)}}}"))
            return


def _streamed(known: dict[str, Any], text: JsonText) -> Iterator[Rows] | None:
    """Return the rows of a table's data, about to be read, when what came before it says how to."""
    if isinstance(known.get("columns"), list):
        return _table_data([str(name) for name in known["columns"]], text)
    if isinstance(known.get("schema"), dict):
        return _frame(without_index(row, known["schema"]) for row, _ in _elements(text))
    return None


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


def _frame(records: Iterable[Any]) -> Iterator[Rows]:
    paths = PathLimit()
    remaining = iter(records)
    while some := list(islice(remaining, _TABLE_ROWS)):
        reasons = all_fine(len(some))
        reasons[[not isinstance(record, dict) for record in some]] = CODES["not_an_object"]
        yield rows_from_records([record if isinstance(record, dict) else None for record in some], reasons, paths)


def _table_rows(names: Sequence[str], data: list[Any], paths: PathLimit) -> Rows:
    reasons = all_fine(len(data))
    records: list[dict[str, Any] | None] = []
    for at, cells in enumerate(data):
        whole = isinstance(cells, list) and len(cells) == len(names)
        # Reversed, so that of columns with the same name the first one wins, as in every other format.
        records.append(dict(zip(reversed(names), reversed(cells), strict=True)) if whole else None)
        reasons[at] = 0 if whole else CODES["invalid_row"]
    return rows_from_records(records, reasons, paths)
