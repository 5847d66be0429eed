"""Chooses the reader of a file by its name. Only the name decides: content is never guessed."""

from collections.abc import Iterator
from typing import BinaryIO, Final

from driftgauge.batch.delimited import read_csv
from driftgauge.batch.documents import read_document
from driftgauge.batch.jsonlines import read_json_lines
from driftgauge.batch.parquet import read_parquet
from driftgauge.batch.rows import Rows, after
from driftgauge.batch.streams import text_pieces
from driftgauge.errors import BatchError

_LINES: Final = (".jsonl", ".ndjson")
_DOCUMENT: Final = ".json"
_CSV: Final = ".csv"
_PARQUET: Final = ".parquet"
_GZIP: Final = ".gz"


def read_rows(file: BinaryIO, *, name: str, skip: int, max_bytes: int) -> Iterator[Rows]:
    """Yield the rows of a seekable file after the first `skip`, in order, in blocks of bounded size.

    `name` is the artifact's path, of which only the suffix counts. `max_bytes` bounds what a compressed or a Parquet
    file may unpack to, and the number of values in any file. Raises BatchError with any of `FILE_REASONS`; that may be
    in the middle of a file, after blocks that were fine.
    """
    rows = _rows(file, name.lower(), skip=skip, max_bytes=max_bytes)
    return _bounded(rows, max_bytes)


def _bounded(blocks: Iterator[Rows], max_cells: int) -> Iterator[Rows]:
    """Pass blocks on until they have too many cells: absent values take time although they have no bytes."""
    cells = 0
    for rows in blocks:
        cells += len(rows) * max(1, len(rows.columns))
        if cells > max_cells:
            raise BatchError("too_large", f"The file has more than {max_cells} values; log smaller batches.")
        yield rows


def _rows(file: BinaryIO, lowered: str, *, skip: int, max_bytes: int) -> Iterator[Rows]:
    if lowered.endswith(_PARQUET):
        return read_parquet(file, skip=skip, max_bytes=max_bytes)
    plain = lowered.removesuffix(_GZIP)
    pieces = text_pieces(file, compressed=plain != lowered, max_bytes=max_bytes)
    if plain.endswith(_LINES):
        return read_json_lines(pieces, skip)
    if plain.endswith(_DOCUMENT):
        return read_document(pieces, skip=skip)
    if plain.endswith(_CSV):
        return after(read_csv(pieces), skip)
    raise BatchError(
        "unsupported_format",
        "The format is not supported; use .jsonl, .ndjson, .json or .csv (each also .gz) or .parquet.",
    )
