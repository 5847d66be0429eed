"""Parquet files, a bounded number of rows at a time. Nothing stored in them is executed or unpickled."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from driftgauge.batch.parquet_footer import Layout, read_layout
from driftgauge.batch.parquet_pages import check_pages, outgrows_dictionary
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import Rows, after, first_of_each, flatten
from driftgauge.errors import BatchError

# A chunk holds at most this many values, so wide files come in shorter chunks.
_CELLS: Final = 2**22
# Twice as many would be folded a little faster, and take a worker 80 MB more of twenty columns.
_MAX_ROWS: Final = 2**16
# Of each column, of which all are read side by side.
_BUFFER_BYTES: Final = 2**16
# What the values of a chunk may take once dictionaries are written out; a single larger row is a chunk of its own.
_CHUNK_BYTES: Final = 64 * 2**20
# Dictionaries may write out to this many times `max_bytes` in the whole file.
_EXPANSION: Final = 8


def read_parquet(file: BinaryIO, *, skip: int, max_bytes: int) -> Iterator[Rows]:
    """Yield the rows after the first `skip`.

    `max_bytes` bounds what the file unpacks to. Raises BatchError: empty_file, invalid_parquet, too_large,
    unsupported_format.
    """
    if file.seek(0, 2) == 0:
        raise BatchError(
            "empty_file", "The file has 0 bytes; it was probably logged before anything was written to it."
        )
    try:
        yield from _read(file, skip, max_bytes)
    except (pa.ArrowException, OSError, ValueError) as error:  # a damaged name is a UnicodeDecodeError
        raise BatchError("invalid_parquet", f"The file is damaged or not Parquet ({error}); log it again.") from error


def _read(file: BinaryIO, skip: int, max_bytes: int) -> Iterator[Rows]:
    layout = read_layout(file, max_bytes)
    dictionaries = check_pages(file, layout, max_bytes)
    source = _opened(file, dictionaries)
    groups, skip = _groups_after(layout, skip)
    size = max(1, min(_MAX_ROWS, _CELLS // max(1, len(layout.leaves))))

    def batches_of(group: int) -> Iterator[Any]:
        plain = _plain_texts(file, source, layout, group, dictionaries, size)
        reader = _opened(file, [path for path in dictionaries if path not in plain]) if plain else source
        # Its threads would only hold more pages in memory: a worker has a thread of its own to decode.
        batches: Iterator[Any] = reader.iter_batches(batch_size=size, row_groups=[group], use_threads=False)
        return batches

    # Group by group: Arrow cannot join nested dictionary columns across row groups.
    chunks = _bounded((batch for group in groups for batch in batches_of(group)), max_bytes * _EXPANSION)
    yield from after((_rows(chunk) for chunk in chunks), skip)


def _opened(file: BinaryIO, dictionaries: Sequence[str]) -> Any:
    """Return the file's reader; text columns in `dictionaries` stay as they are.

    So what a dictionary writes out to is known before memory is spent on it. Without pre-buffering a row group is read
    page by page, however large it is.
    """
    file.seek(0)
    return pyarrow.parquet.ParquetFile(
        file, pre_buffer=False, buffer_size=_BUFFER_BYTES, read_dictionary=list(dictionaries)
    )


def _plain_texts(
    file: BinaryIO, source: Any, layout: Layout, group: int, dictionaries: Sequence[str], size: int
) -> set[str]:
    """Return the columns with dictionaries whose texts may be written out at once, in chunks of `size` rows.

    Arrow's dictionary grows with each value that the file's lacks, to all keys of a row group. Written out, a chunk
    holds those of its rows, if the dictionary's longest text in each of them is not too much.
    """
    rows, chunks = layout.groups[group]
    if rows <= size:
        return set()
    times = Counter(leaf.path for leaf in layout.leaves)
    grown = [
        leaf.path
        for leaf, chunk in zip(layout.leaves, chunks, strict=True)
        if leaf.path in dictionaries and "." not in leaf.path and times[leaf.path] == 1 and not leaf.repeated
        if outgrows_dictionary(file, chunk)
    ]
    if not grown:
        return set()
    # Their first value is of the dictionary, so reading one row reads all of that.
    row = next(source.iter_batches(batch_size=1, row_groups=[group], columns=grown))
    room = _CHUNK_BYTES
    plain = set()
    for name in grown:
        kind = row[name].type
        if not pa.types.is_dictionary(kind) or not _has_length(kind.value_type):
            continue
        longest = pc.max(pc.binary_length(row[name].dictionary)).as_py()
        if longest is not None and longest * size <= room:
            room -= longest * size
            plain.add(name)
    return plain


def _groups_after(layout: Layout, skip: int) -> tuple[list[int], int]:
    """Return the row groups that hold rows after the first `skip`, and how many of those rows to skip still."""
    for at, group in enumerate(layout.groups):
        if skip < group.rows:
            return list(range(at, len(layout.groups))), skip
        skip -= group.rows
    return [], skip


def _bounded(batches: Iterator[Any], max_bytes: int) -> Iterator[Any]:
    """Yield the batches, halved until the values of each fit `_CHUNK_BYTES`. Raises BatchError too_large."""
    total = 0
    for batch in batches:
        # Parquet does not promise that text is UTF-8; everything after this relies on it.
        batch.validate(full=True)
        size = _written_out(batch.columns)
        total += size
        if total > max_bytes:
            raise BatchError("too_large", f"The file writes out to more than {max_bytes} bytes; log smaller batches.")
        yield from _halves(batch, size)


def _halves(batch: Any, size: int) -> Iterator[Any]:
    middle = batch.num_rows // 2
    if middle == 0 or size <= _CHUNK_BYTES:
        yield batch
        return
    for half in (batch.slice(0, middle), batch.slice(middle)):
        yield from _halves(half, _written_out(half.columns))


def _written_out(arrays: Any) -> int:
    """Return how many bytes the values take without dictionaries."""
    total = 0
    for array in arrays:
        kind = array.type
        if pa.types.is_struct(kind):
            total += _written_out(array.flatten())
        elif pa.types.is_dictionary(kind) and _has_length(kind.value_type):
            lengths = pc.binary_length(array.dictionary).take(array.indices)
            total += pc.sum(lengths).as_py() or 0
        else:
            total += array.nbytes
    return total


def _has_length(kind: Any) -> bool:
    return any(
        check(kind)
        for check in (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_large_binary)
    )


def _rows(batch: Any) -> Rows:
    return Rows(first_of_each(flatten(batch)), all_fine(batch.num_rows))
