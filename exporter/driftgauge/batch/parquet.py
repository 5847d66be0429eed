"""Parquet files, a bounded number of rows at a time. Nothing stored in them is executed or unpickled."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from driftgauge.batch.parquet_footer import Layout, read_layout
from driftgauge.batch.parquet_pages import check_pages
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import Rows, after, first_of_each, flatten
from driftgauge.errors import BatchError

# A chunk holds at most this many values, so wide files come in shorter chunks.
_CELLS: Final = 2**22
_MAX_ROWS: Final = 2**17
# To share so few values out to threads takes longer than to read them.
_FEW_CELLS: Final = 2**15
_BUFFER_BYTES: Final = 2**20
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
    file.seek(0)
    # Without pre-buffering a row group is read page by page, however large it is. Dictionaries stay as they are, so
    # that what they write out to is known before memory is spent on it.
    source = pyarrow.parquet.ParquetFile(
        file, pre_buffer=False, buffer_size=_BUFFER_BYTES, read_dictionary=dictionaries
    )
    groups, skip = _groups_after(layout, skip)
    size = max(1, min(_MAX_ROWS, _CELLS // max(1, len(layout.leaves))))
    # Group by group: Arrow cannot join nested dictionary columns across row groups.
    threads = sum(group.rows for group in layout.groups) * len(layout.leaves) > _FEW_CELLS
    batches = (
        batch
        for group in groups
        for batch in source.iter_batches(batch_size=size, row_groups=[group], use_threads=threads)
    )
    chunks = _bounded(batches, max_bytes * _EXPANSION)
    yield from after((_rows(chunk) for chunk in chunks), skip)


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
