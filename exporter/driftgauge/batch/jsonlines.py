"""JSON records, one text each, into rows: columnar when the records are clean, one by one when they are not.

pyarrow.json parses a clean block about as fast as it can be read, but it stops at the first irregularity, takes
text that looks like a date for one, and can crash the process on text that is not an object or nested too
deeply. So only blocks that look like one object per line reach it; columns that it takes for dates are read
again as text, exactly as written; and where it fails, smaller and smaller pieces are tried before Python's own
parser reads them row by row and rejects broken rows.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from driftgauge.batch.flattening import first_of_each, flatten, lists_in
from driftgauge.batch.json_text import whole_characters
from driftgauge.batch.lines import Lines
from driftgauge.batch.reasons import CODES, all_fine
from driftgauge.batch.records import PathLimit, rows_from_records
from driftgauge.batch.rows import MAX_COLUMNS, MAX_NAME, Rows
from driftgauge.batch.streams import blocks

# A block of the shortest records would take many times its size as one list of them.
MOST_LINES: Final = 2**18
# How many records the slow parser takes at once: few, so that one broken line does not slow down many good ones.
_PIECE: Final = 2_048
# The columns of a block are determined on pieces of it that cannot take much memory, whatever names they have: a piece
# has no more columns than colons.
_LEARNT_ROWS: Final = 512
_LEARNT_COLONS: Final = 2**15
# Rows times columns of a block; only data used as names comes near it, and takes memory by the square of its rows.
_MAX_CELLS: Final = 2**23
# More brackets than this in one record may nest deeply enough to exhaust a stack.
_MAX_BRACKETS: Final = 300
# Within one line of clean records a closing brace is followed by nothing else; a second value would be.
_SECOND_VALUE: Final = re.compile(rb"\}[ \t\r]*[^ \t\r\n,}\]]")
_DECODER: Final = json.JSONDecoder()
_BLANKS: Final = re.compile(r"\s*")
_ONE_MIB: Final = 2**20


def read_json_lines(pieces: Iterator[bytes], skip: int) -> Iterator[Rows]:
    """Yield the rows after the first `skip`; every line that is not blank is a row. Raises BatchError too_large.

    Objects that follow each other on a line, without a newline between, are a row each.
    """
    reader = RecordReader()
    for block in blocks(pieces, lambda buffer: buffer.rfind(b"\n") + 1):
        lines = Lines.within(block)
        separate = _SECOND_VALUE.search(block) is None
        if not separate:
            lines = Lines.of([record for line in lines for record in _records_in(line)])
        for start in range(min(skip, len(lines)), len(lines), MOST_LINES):
            yield from reader.rows(lines.span(start, start + MOST_LINES), separate=separate)
        skip = max(0, skip - len(lines))


class RecordReader:
    """Turns the texts of records into rows, and keeps for the rest of the file its columns and which are text.

    The first `MAX_COLUMNS` paths of a file are read; what comes later under other paths is left out.
    """

    def __init__(self) -> None:
        self._text_paths: dict[tuple[str, ...], None] = {}
        self._schema: Any = None
        self._paths = PathLimit()
        self._too_wide = False

    def rows(self, lines: Lines, *, separate: bool = False) -> Iterator[Rows]:
        """Yield the rows of records, one UTF-8 text each, in order and without a gap.

        separate: it is known that no line holds anything after a record.
        """
        if not len(lines):
            return
        clean = self.columnar(lines, separate=separate)
        if clean is not None:
            yield clean
        elif len(lines) <= _PIECE:
            yield one_by_one(lines, self._paths)
        else:
            # The columns of the whole file would be far too many for pieces that have few of them each.
            self._schema = None
            for start in range(0, len(lines), _PIECE):
                yield from self.rows(lines.span(start, start + _PIECE))
                self._schema = None

    def columnar(self, lines: Lines, *, separate: bool = False) -> Rows | None:
        """Return the rows as pyarrow.json reads them, or None when it cannot or should not."""
        if self._too_wide or not _looks_clean(lines, separate=separate):
            return None
        table = self._parse(lines)
        if table is None:
            self._schema = self._learnt(lines)
            table = self._parse(lines)
        if table is None or table.num_rows != len(lines):
            return None
        leaves = flatten(table)
        columns = first_of_each(leaves)
        if len(columns) < len(leaves) or any(_lost_digits(column) for column in columns.values()):
            return None
        admitted = {path: column for path, column in columns.items() if self._paths.admits(path)}
        return Rows(admitted, all_fine(len(lines)), lists=lists_in(table))

    def _parse(self, lines: Lines) -> Any:
        """Return the table when all its columns are known and it is not too large, else None."""
        if self._schema is None or len(lines) * _width(self._schema) > _MAX_CELLS:
            return None
        return _read(lines.block, self._schema, unexpected="error")

    def _learnt(self, lines: Lines) -> Any:
        """Return the schema that covers these lines; None when there is none or it has too many columns."""
        schema: Any = None
        for piece in _small_pieces(lines):
            if schema is None or _read(piece, schema, unexpected="error") is None:
                found = self._inferred(piece)
                schema = found if schema is None else _merged(schema, found)
            if schema is None or not _names_fit(schema):
                return None
            # A file with ever new names will have more of them, so this is not tried again.
            self._too_wide = _width(schema) > MAX_COLUMNS
            if self._too_wide or len(lines) * _width(schema) > _MAX_CELLS:
                return None
        return schema

    def _inferred(self, piece: bytes) -> Any:
        """Return the schema of a small piece as the parser sees it, with text where it sees dates; None if it fails."""
        while len(self._text_paths) <= MAX_COLUMNS:
            table = _read(piece, _schema(self._text_paths), unexpected="infer")
            dates = [] if table is None else [p for p in _dates(table.schema) if p not in self._text_paths]
            if not dates:
                return None if table is None else table.schema
            self._text_paths.update(dict.fromkeys(dates))
        return None


def _read(block: bytes, schema: Any, *, unexpected: str) -> Any:
    """Return the table, None when the parser gives up."""
    try:
        return pyarrow.json.read_json(
            pa.BufferReader(block),
            read_options=pyarrow.json.ReadOptions(block_size=_ONE_MIB),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )
    except pa.ArrowException:
        return None


def _merged(schema: Any, found: Any) -> Any:
    try:
        return None if found is None else pa.unify_schemas([schema, found], promote_options="permissive")
    except (pa.ArrowException, TypeError):
        return None


def _small_pieces(lines: Lines) -> Iterator[bytes]:
    colons = np.cumsum(lines.counts(b":"))
    start, before = 0, 0
    while start < len(lines):
        fitting = int(colons.searchsorted(before + _LEARNT_COLONS, side="right"))
        end = min(max(fitting, start + 1), start + _LEARNT_ROWS, len(lines))
        yield lines.span(start, end).block
        start, before = end, int(colons[end - 1])


def _records_in(line: bytes) -> list[bytes]:
    """Return the objects of a line that is nothing but objects, else the line as it is."""
    if _SECOND_VALUE.search(line) is None:
        return [line]
    records: list[bytes] = []
    try:
        text, at = line.decode(), 0
        while at < len(text):
            value, end = _DECODER.raw_decode(text, at)
            if not isinstance(value, dict):
                return [line]
            records.append(text[at:end].encode())
            blanks = _BLANKS.match(text, end)
            at = blanks.end() if blanks else end
    except (ValueError, RecursionError):
        return [line]
    return records


def one_by_one(lines: Lines, paths: PathLimit) -> Rows:
    """Return the rows as Python's parser reads them; anything but a JSON object is rejected."""
    reasons = all_fine(len(lines))
    records: list[dict[str, Any] | None] = []
    for at, line in enumerate(lines):
        try:
            value = _load(line)
        except (ValueError, RecursionError):
            value, reasons[at] = None, CODES["invalid_json"]
        else:
            reasons[at] = 0 if isinstance(value, dict) else CODES["not_an_object"]
        records.append(value if isinstance(value, dict) else None)
    return rows_from_records(records, reasons, paths)


def _load(line: bytes) -> Any:
    value = json.loads(line.decode())
    return whole_characters(value) if rb"\ud" in line.lower() else value


def _looks_clean(lines: Lines, *, separate: bool) -> bool:
    longest = lines.longest
    return (
        lines.enclosed(b"{", b"}")
        and not (longest > _MAX_BRACKETS and (lines.counts(b"[{") > _MAX_BRACKETS).any())
        and not (longest > _LEARNT_COLONS and (lines.counts(b":") > _LEARNT_COLONS).any())
        and (separate or _SECOND_VALUE.search(lines.block) is None)
        and _is_utf8(lines.block)
    )


def _is_utf8(block: bytes) -> bool:
    """Arrow's JSON parser takes any bytes for text."""
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False


def _lost_digits(column: Any) -> bool:
    """Return whether whole numbers, such as identifiers, may have been rounded to floats."""
    if not pa.types.is_floating(column.type):
        return False
    extremes = pc.min_max(column).as_py()
    return any(value is not None and np.isfinite(value) and abs(value) >= 2**53 for value in extremes.values())


def _width(fields: Any) -> int:
    """Count columns, objects and lists, each of which takes memory."""
    return sum(1 + _width(_children(field.type)) for field in fields)


def _names_fit(fields: Any) -> bool:
    return all(len(field.name) <= MAX_NAME and _names_fit(_children(field.type)) for field in fields)


def _children(kind: Any) -> Any:
    if pa.types.is_struct(kind):
        return kind
    return [kind.value_field] if pa.types.is_list(kind) else []


def _dates(fields: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in fields:
        if pa.types.is_timestamp(field.type):
            yield (*parents, field.name)
        elif pa.types.is_struct(field.type):
            yield from _dates(field.type, (*parents, field.name))


def _schema(paths: dict[tuple[str, ...], None]) -> Any:
    tree: dict[str, Any] = {}
    for *parents, name in paths:
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = None
    return pa.schema(_fields(tree))


def _fields(tree: dict[str, Any]) -> list[Any]:
    return [
        pa.field(name, pa.string() if branch is None else pa.struct(_fields(branch))) for name, branch in tree.items()
    ]
