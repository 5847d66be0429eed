"""CSV files: a header line, then rows of text.

Everything is read as text and only given a type once its role is known, because "007" may be a key and "1.10" a
version. The separator (comma, semicolon, tab or bar) is the one the header uses most, or what a first line such as
`sep=;` names. Between other separators than commas, numbers may have a decimal comma. Of columns with the same name
the first wins; columns without a name (a data frame's index) or with one over `MAX_NAME` are ignored; blank lines are
not rows.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from driftgauge.batch.commas import DecimalCommas
from driftgauge.batch.reasons import CODES, FINE, all_fine
from driftgauge.batch.rows import MAX_COLUMNS, MAX_NAME, Rows
from driftgauge.batch.streams import BLOCK_BYTES, blocks
from driftgauge.errors import BatchError

_SEPARATORS: Final = (",", ";", "\t", "|")
# What spreadsheets write as the first line to say which separator follows; it is no header.
_NAMED: Final = re.compile(rb'"?sep=([,;|:\t^~])"?[ \t]*\r?(?:\n|$)', re.IGNORECASE)
_ONE_MIB: Final = 2**20


def read_csv(pieces: Iterator[bytes]) -> Iterator[Rows]:
    """Yield all rows of a CSV file. Raises BatchError: invalid_csv, wrong_encoding, too_large."""
    parts = blocks(pieces, _last_row_end)
    first = next(parts, b"").lstrip(b"\r\n")
    named = _NAMED.match(first)
    if named:
        first = first[named.end() :].lstrip(b"\r\n") or next(parts, b"")
    end = _first_row_end(first)
    header = _text(first[:end]).strip("\r\n")
    if not header.strip():
        raise BatchError("invalid_csv", "The file has no header line; write the column names first.")
    separator = named[1].decode("latin-1") if named else max(_SEPARATORS, key=header.count)
    names = _names(header, separator)
    commas = DecimalCommas() if separator != "," else None
    for part in chain([first[end:]], parts):
        yield from _rows(part, names, separator, commas)


def _names(header: str, separator: str) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    except csv.Error as error:
        raise BatchError(
            "invalid_csv", f"The header line cannot be read ({error}); write one name per column."
        ) from error
    if len(names) > MAX_COLUMNS:
        raise BatchError("invalid_csv", f"The header names {len(names)} columns; at most {MAX_COLUMNS} are read.")
    return names


def _rows(body: bytes, names: Sequence[str], separator: str, commas: DecimalCommas | None) -> Iterator[Rows]:
    if not body.strip(b"\r\n"):
        return
    table, ragged = _parse(body, len(names), separator)
    reasons = all_fine(table.num_rows + len(ragged))
    if ragged:
        # Row numbers count from 1; the other rows keep their numbers between the ragged ones.
        reasons[np.asarray(ragged) - 1] = CODES["invalid_row"]
        fine = reasons == FINE
        table = table.take(pa.array(np.cumsum(fine) - 1, mask=~fine))
    columns: dict[str, Any] = {}
    for name, column in zip(names, table.columns, strict=True):
        if 0 < len(name) <= MAX_NAME and name not in columns:
            cells = column.combine_chunks()
            columns[name] = cells if commas is None else commas.rewritten(name, cells)
    yield Rows(columns, reasons, untyped=True)


def _parse(body: bytes, width: int, separator: str) -> tuple[Any, list[int]]:
    """Return a table of text and the numbers of the ragged rows, which only a single-threaded parser knows."""
    try:
        return _parse_once(body, width, separator, ragged=None), []
    except pa.ArrowException:
        # A ragged row, or a cell longer than the blocks that threads share; the second attempt shows which.
        pass
    ragged: list[int] = []
    try:
        return _parse_once(body, width, separator, ragged=ragged), ragged
    except pa.ArrowException as error:
        _text(body)
        raise BatchError("invalid_csv", f"The rows cannot be read ({error}); log the file again.") from error


def _parse_once(body: bytes, width: int, separator: str, *, ragged: list[int] | None) -> Any:
    """Parse with threads until the first ragged row (`ragged` is None), or without and note all of them."""

    def note(row: Any) -> str:
        if ragged is None:
            return "error"
        ragged.append(row.number)
        return "skip"

    names = [str(at) for at in range(width)]
    return pyarrow.csv.read_csv(
        pa.BufferReader(body),
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, use_threads=ragged is None, block_size=_ONE_MIB if ragged is None else len(body) + 1
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=separator, newlines_in_values=b'"' in body, invalid_row_handler=note
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def _text(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise BatchError("wrong_encoding", "The file is not UTF-8; write it with that encoding.") from error


def _first_row_end(block: bytes) -> int:
    """Return where the first row ends: at a newline that is not inside quotes."""
    at = block.find(b"\n")
    quotes = block.count(b'"', 0, max(0, at))
    while at >= 0 and quotes % 2:
        # Only the next quote can end what is quoted; the newlines before it do not count.
        closed = block.find(b'"', at)
        at = block.find(b"\n", closed) if closed >= 0 else -1
        quotes += block.count(b'"', closed, max(closed, at))
    return at + 1 if at >= 0 else len(block)


def _last_row_end(block: bytes) -> int:
    """Return where the last complete row ends, counting quotes backwards from the end."""
    at = block.rfind(b"\n")
    quotes = block.count(b'"', 0, max(0, at))
    while at >= 0 and quotes % 2:
        opened = block.rfind(b'"', 0, at)
        end, at = at, block.rfind(b"\n", 0, opened)
        quotes -= block.count(b'"', max(0, at), end)
    if at >= 0:
        return at + 1
    # A single quote inside a cell breaks the count: then cut at any newline instead of buffering the whole file.
    return block.rfind(b"\n") + 1 if len(block) >= BLOCK_BYTES else 0
