"""Which reader a file is for: its name says whether it is JSON, CSV or Parquet, and the layout of JSON its beginning.

Many writers call JSON lines `.json`, and some call an array or indented objects `.jsonl`.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final

from driftgauge.batch.delimited import read_csv
from driftgauge.batch.documents import read_document
from driftgauge.batch.jsonlines import read_json_lines
from driftgauge.batch.parquet import read_parquet
from driftgauge.batch.rows import Rows, after
from driftgauge.batch.streams import text_pieces
from driftgauge.errors import BatchError

_LINES: Final = (".jsonl", ".ndjson")
_JSON: Final = (*_LINES, ".json")
_CSV: Final = ".csv"
_PARQUET: Final = ".parquet"
_GZIP: Final = ".gz"
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_ARRAY_OF_OBJECTS: Final = re.compile(rb"\[[ \t\r\n]*\{")


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
    if plain.endswith(_JSON):
        return _json(pieces, skip, named_lines=plain.endswith(_LINES))
    if plain.endswith(_CSV):
        return after(read_csv(pieces), skip)
    raise BatchError(
        "unsupported_format",
        "The format is not supported; use .jsonl, .ndjson, .json or .csv (each also .gz) or .parquet.",
    )


def _json(pieces: Iterator[bytes], skip: int, *, named_lines: bool) -> Iterator[Rows]:
    first = next(pieces)
    pieces = chain([first], pieces)
    if _is_lines(first, named_lines=named_lines):
        yield from read_json_lines(pieces, skip)
    else:
        yield from read_document(pieces, skip=skip)


def _is_lines(first: bytes, *, named_lines: bool) -> bool:
    """Tell from the file's first bytes whether each line is a record, which the name suggests or not."""
    start = _after_blanks(first, 0)
    end = first.find(b"\n", start)
    last = first[start:end].rstrip()[-1:] if end >= 0 else b""
    following = _after_blanks(first, end) if end >= 0 else len(first)
    then = first[following : following + 1]
    if not named_lines:
        return first[start : start + 1] == b"{" and last == b"}" and then == b"{"
    if _ARRAY_OF_OBJECTS.match(first, start):
        return last == b"]" and then == b"["
    # The first line of an indented object ends before the object does, and the next begins with a name.
    indented = first[start : start + 1] == b"{" and last not in (b"}", b"") and then == b'"'
    return not indented


def _after_blanks(text: bytes, start: int) -> int:
    found = _BLANKS.match(text, start)
    return found.end() if found else start
