"""Parquet files, a bounded number of rows at a time. Nothing stored in them is executed or unpickled.

Arrow reads them, with limits on what a footer may declare. What a file takes beyond what it declares is bounded by the
process it is read in: a worker may use only so much memory and time, and takes nothing else with it.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet

from driftgauge.batch.flattening import first_of_each, flatten, lists_in, precision_in
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import MAX_COLUMNS, MAX_NAME, Rows, after
from driftgauge.errors import BatchError

# A chunk has at most this many values, so wide files come in shorter chunks.
_CELLS: Final = 2**22
# Twice as many would be folded a little faster, and take a worker 80 MB more of twenty columns.
_MAX_ROWS: Final = 2**16
# What the values of a chunk may take, as far as the footer tells.
_CHUNK_BYTES: Final = 64 * 2**20
# Read ahead of each column; all are read side by side.
_BUFFER_BYTES: Final = 2**16
# Of the footer: the longest text, and the most entries of a list. Row groups, columns and schema elements are lists.
_THRIFT_TEXT: Final = 16 * 2**20
_THRIFT_ENTRIES: Final = 10_000
_THRIFT_LIMIT_WORDS: Final = "Exceeded size limit"


def read_parquet(file: BinaryIO, *, skip: int, max_bytes: int) -> Iterator[Rows]:
    """Yield the rows after the first `skip`.

    `max_bytes` bounds the bytes that the file declares to unpack to, and its values (rows times columns).
    Raises BatchError: empty_file, invalid_parquet, too_large; MemoryError where Arrow cannot get the memory it needs.
    """
    if file.seek(0, 2) == 0:
        raise BatchError(
            "empty_file", "The file has 0 bytes; it was probably logged before anything was written to it."
        )
    try:
        yield from _read(file, skip, max_bytes)
    except MemoryError:
        # Arrow's is an ArrowException as well.
        raise
    except (pa.ArrowException, OSError, ValueError) as error:  # a damaged name is a UnicodeDecodeError
        if _THRIFT_LIMIT_WORDS in str(error):
            raise _too_large(f"lists of over {_THRIFT_ENTRIES} entries in its footer") from error
        raise BatchError("invalid_parquet", f"The file is damaged or not Parquet ({error}); log it again.") from error


def _read(file: BinaryIO, skip: int, max_bytes: int) -> Iterator[Rows]:
    # Without pre-buffering a row group is read page by page, however large it is.
    source = pyarrow.parquet.ParquetFile(
        file,
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
        thrift_string_size_limit=_THRIFT_TEXT,
        thrift_container_size_limit=_THRIFT_ENTRIES,
    )
    groups = [source.metadata.row_group(at) for at in range(source.metadata.num_row_groups)]
    _check_declared(source.metadata, groups, max_bytes)
    first, skip = _first_group(groups, skip)
    yield from after(_chunks(source, groups, first), skip)


def _check_declared(metadata: Any, groups: list[Any], max_bytes: int) -> None:
    """Raise BatchError where the footer declares more than is allowed. Runs make rows out of no bytes."""
    rows, columns = sum(group.num_rows for group in groups), metadata.num_columns
    if columns > MAX_COLUMNS:
        raise _too_large(f"{columns} columns, over {MAX_COLUMNS}")
    if rows * columns > max_bytes:
        raise _too_large(f"{rows} rows of {columns} columns, over {max_bytes} values")
    size = sum(group.total_byte_size for group in groups)
    if size > max_bytes:
        raise _too_large(f"{size} bytes when unpacked, over {max_bytes}")
    if any(len(metadata.schema.column(at).path) > MAX_NAME for at in range(columns)):
        raise _too_large(f"a column name of over {MAX_NAME} characters")


def _too_large(what: str) -> BatchError:
    return BatchError(
        "too_large", f"The Parquet file declares {what}; log smaller batches or raise limits.max_artifact_bytes."
    )


def _first_group(groups: list[Any], skip: int) -> tuple[int, int]:
    """Return the first row group with rows after the first `skip`, and how many of those to skip in it."""
    for at, group in enumerate(groups):
        if skip < group.num_rows:
            return at, skip
        skip -= group.num_rows
    return len(groups), skip


def _chunks(source: Any, groups: list[Any], first: int) -> Iterator[Rows]:
    instants, precision = _int96(source), precision_in(source.schema_arrow)
    # Group by group: Arrow cannot join nested dictionary columns across row groups.
    for at in range(first, len(groups)):
        # Its threads would only keep more pages in memory: a worker decodes in a thread of its own.
        batches = source.iter_batches(batch_size=_chunk_rows(groups[at]), row_groups=[at], use_threads=False)
        for batch in batches:
            # Parquet does not promise that text is UTF-8; everything after this relies on it.
            batch.validate(full=True)
            columns = first_of_each(flatten(batch))
            for path in instants & columns.keys():
                columns[path] = columns[path].cast(pa.timestamp("ns", "UTC"))
            yield Rows(columns, all_fine(batch.num_rows), lists=lists_in(batch), precision=precision)


def _int96(source: Any) -> set[str]:
    """Return the columns of type INT96, by which Spark means instants; Arrow reads them as times without a zone."""
    columns = (source.metadata.schema.column(at) for at in range(source.metadata.num_columns))
    return {column.path for column in columns if column.physical_type == "INT96"}


def _chunk_rows(group: Any) -> int:
    """Return how many rows of a row group make a chunk."""
    row_bytes = group.total_byte_size / max(1, group.num_rows)
    by_size = int(_CHUNK_BYTES / max(1.0, row_bytes))
    by_columns: int = _CELLS // max(1, group.num_columns)
    return max(1, min(_MAX_ROWS, by_columns, by_size))
