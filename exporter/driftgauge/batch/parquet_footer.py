"""A Parquet file's footer, looked through before Arrow is allowed to read it.

Arrow believes what a footer says: one of a few kB can nest deeply enough to exhaust the native stack, or hold
statistics whose check ends the process, and one can declare columns by the million. So its schema and counts are
bounded here, and Arrow's own metadata objects, which can abort, are never asked. What is let through has

    at most MAX_COLUMNS columns under names of at most MAX_NAME bytes, _MAX_LEVELS deep
    at most _MAX_GROUPS row groups and _MAX_CHUNKS column chunks
    at most `max_bytes` cells (rows times columns): runs and dictionaries make rows out of no bytes

Field numbers are those of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

import struct
from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

from driftgauge.batch.rows import MAX_COLUMNS, MAX_NAME
from driftgauge.batch.thrift import BINARY, INTEGERS, LIST, STRUCT, CompactReader
from driftgauge.errors import BatchError

_MAGIC: Final = b"PAR1"
_TAIL: Final = struct.Struct("<I4s")
_MAX_FOOTER_BYTES: Final = 16 * 2**20
_MAX_ELEMENTS: Final = 4 * MAX_COLUMNS
_MAX_LEVELS: Final = 64
_MAX_GROUPS: Final = 10_000
_MAX_CHUNKS: Final = 100_000
_MAX_FIXED_BYTES: Final = 1_024
_BYTE_ARRAY: Final = 6
_REPEATED: Final = 2
# What a struct without a field holds in its place.
_ABSENT: Final = -1


class Leaf(NamedTuple):
    """A column: its path, whether it holds text or bytes of any length, and whether a row can hold many values."""

    path: str
    text: bool
    repeated: bool


class Chunk(NamedTuple):
    """A column's part of a row group: the number of its values, and where its pages begin and end in the file."""

    values: int
    start: int
    end: int


class Group(NamedTuple):
    """A row group: the number of its rows, and one chunk per leaf."""

    rows: int
    chunks: tuple[Chunk, ...]


class Layout(NamedTuple):
    """Everything that is known of a file before a page is read."""

    leaves: tuple[Leaf, ...]
    groups: tuple[Group, ...]


def read_layout(file: BinaryIO, max_bytes: int) -> Layout:
    """Return what the footer says. Raises BatchError too_large, and ValueError for what is no footer."""
    end = file.seek(0, 2)
    file.seek(max(0, end - _TAIL.size))
    tail = file.read(_TAIL.size)
    size, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
    if magic != _MAGIC or size + _TAIL.size > end:
        raise ValueError("there is no footer at its end")
    if size > _MAX_FOOTER_BYTES:
        raise too_large(f"a footer of {size} bytes, over {_MAX_FOOTER_BYTES}")
    file.seek(end - _TAIL.size - size)
    try:
        layout = _layout(CompactReader(file.read(size)))
    except IndexError:
        raise ValueError("the footer is cut off") from None
    rows, columns = sum(group.rows for group in layout.groups), len(layout.leaves)
    if rows * max(1, columns) > max_bytes:
        raise too_large(f"{rows} rows of {columns} columns, over {max_bytes} values")
    return layout


def too_large(what: str) -> BatchError:
    """Return the error for a file that declares more than is allowed."""
    return BatchError(
        "too_large", f"The Parquet file declares {what}; log smaller batches or raise limits.max_artifact_bytes."
    )


def _layout(reader: CompactReader) -> Layout:
    leaves: tuple[Leaf, ...] = ()
    groups: tuple[Group, ...] = ()
    for field, kind in reader.fields():
        if (field, kind) == (2, LIST):
            leaves = _leaves(reader)
        elif (field, kind) == (4, LIST):
            groups = _groups(reader, len(leaves))
        else:
            reader.skip(kind)
    return Layout(leaves, groups)


class _Element(NamedTuple):
    """What one entry of the schema says of itself, and of the branch it stands on."""

    name: str
    text: bool
    repeated: bool
    children: int


def _leaves(reader: CompactReader) -> tuple[Leaf, ...]:
    """Read the schema, which is listed depth first below a root without meaning."""
    count = reader.structs()
    if count > _MAX_ELEMENTS:
        raise too_large(f"{count} columns and groups, over {_MAX_ELEMENTS}")
    leaves: list[Leaf] = []
    branch: list[_Element] = []
    open_children: list[int] = []
    for _ in range(count):
        element = _element(reader)
        while open_children and open_children[-1] == 0:
            open_children.pop()
            branch.pop()
        if open_children:
            open_children[-1] -= 1
        if element.children:
            open_children.append(element.children)
            branch.append(element)
        else:
            names = [above.name for above in branch[1:]] + [element.name]
            repeated = element.repeated or any(above.repeated for above in branch)
            leaves.append(Leaf(".".join(names), element.text, repeated))
        if len(leaves) > MAX_COLUMNS or len(branch) > _MAX_LEVELS:
            raise too_large(f"more than {MAX_COLUMNS} columns or {_MAX_LEVELS} levels")
    return tuple(leaves)


def _element(reader: CompactReader) -> _Element:
    values = {1: _ABSENT, 2: 0, 3: 0, 5: 0}
    name = b""
    for field, kind in reader.fields():
        if field in values and kind in INTEGERS:
            values[field] = reader.integer()
        elif (field, kind) == (4, BINARY):
            name = reader.text()
        else:
            reader.skip(kind)
    if len(name) > MAX_NAME or values[2] > _MAX_FIXED_BYTES:
        raise too_large(f"a name of more than {MAX_NAME} bytes or values of more than {_MAX_FIXED_BYTES}")
    return _Element(name.decode(), values[1] == _BYTE_ARRAY, values[3] == _REPEATED, max(0, values[5]))


def _groups(reader: CompactReader, columns: int) -> tuple[Group, ...]:
    count = reader.structs()
    if count > _MAX_GROUPS or count * columns > _MAX_CHUNKS:
        raise too_large(f"{count} row groups of {columns} columns, over {_MAX_GROUPS} or {_MAX_CHUNKS} together")
    return tuple(_group(reader, columns) for _ in range(count))


def _group(reader: CompactReader, columns: int) -> Group:
    rows = 0
    chunks: tuple[Chunk, ...] = ()
    for field, kind in reader.fields():
        if (field, kind) == (1, LIST):
            count = reader.structs()
            if count != columns:
                raise ValueError(f"a row group has {count} columns, the schema {columns}")
            chunks = tuple(_chunk(reader) for _ in range(count))
        elif field == 3 and kind in INTEGERS:
            rows = reader.integer()
        else:
            reader.skip(kind)
    if rows < 0 or len(chunks) != columns:
        raise ValueError("a row group lacks columns or has less than no rows")
    return Group(rows, chunks)


def _chunk(reader: CompactReader) -> Chunk:
    # Number of values, packed size, and where data and dictionary pages begin.
    values = dict.fromkeys((5, 7, 9, 11), _ABSENT)
    for field, kind in reader.fields():
        if (field, kind) == (3, STRUCT):
            values |= integers(reader, values.__contains__)
        else:
            reader.skip(kind)
    count, size, start, dictionary = values.values()
    # Where Arrow begins: at the dictionary if it comes first.
    start = dictionary if 0 < dictionary < start else start
    if min(count, size, start) < 0:
        raise ValueError("a column has a negative size or place, or none")
    return Chunk(count, start, start + size)


def integers(reader: CompactReader, wanted: Callable[[int], bool]) -> dict[int, int]:
    """Read a struct and return its whole numbers by field."""
    found: dict[int, int] = {}
    for field, kind in reader.fields():
        if kind in INTEGERS and wanted(field):
            found[field] = reader.integer()
        else:
            reader.skip(kind)
    return found
