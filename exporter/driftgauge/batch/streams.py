"""Bytes of text files in bounded blocks: decompressed, checked for their encoding, cut between rows.

Of rows this module knows only the function that finds the end of the last complete one.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from driftgauge.errors import BatchError

BLOCK_BYTES: Final = 16 * 2**20
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")

# Returns the position after the last complete row of a buffer; 0 when there is none.
Cut = Callable[[bytes], int]


def text_pieces(file: BinaryIO, *, compressed: bool, max_bytes: int) -> Iterator[bytes]:
    """Yield the file's bytes from its start, at most `BLOCK_BYTES` at a time, without a UTF-8 byte order mark.

    `max_bytes` bounds what a compressed file may grow to. Raises BatchError: empty_file, too_large, invalid_gzip,
    wrong_encoding.
    """
    file.seek(0)
    pieces = _decompressed(file, max_bytes) if compressed else iter(lambda: file.read(BLOCK_BYTES), b"")
    first = next(pieces, b"")
    if not first:
        raise BatchError(
            "empty_file", "The file has 0 bytes; it was probably logged before anything was written to it."
        )
    if first.startswith(_UTF16_MARKS) or b"\x00" in first[:4]:
        raise BatchError("wrong_encoding", "The file is UTF-16 or UTF-32; write it as UTF-8.")
    yield first.removeprefix(_UTF8_MARK)
    yield from pieces


def blocks(pieces: Iterator[bytes], cut: Cut) -> Iterator[bytes]:
    """Yield the same bytes in blocks that end where a row ends. Raises BatchError too_large for an endless row."""
    pending = b""
    for piece in pieces:
        at = cut(pending)
        if at == 0 and len(pending) > BLOCK_BYTES:
            raise BatchError(
                "too_large",
                f"A row is longer than {BLOCK_BYTES} bytes; end each row with a newline, or log smaller rows.",
            )
        if at:
            yield pending[:at]
        pending = pending[at:] + piece
    if pending:
        yield pending


def _decompressed(file: BinaryIO, max_bytes: int) -> Iterator[bytes]:
    total = 0
    with gzip.GzipFile(fileobj=file, mode="rb") as plain:
        while piece := _inflate(plain):
            total += len(piece)
            if total > max_bytes:
                raise BatchError("too_large", f"The file unpacks to more than {max_bytes} bytes; log smaller batches.")
            yield piece


def _inflate(plain: gzip.GzipFile) -> bytes:
    try:
        return plain.read(BLOCK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BatchError("invalid_gzip", f"The file is damaged or not gzip ({error}); log it again.") from error
