"""Whether a file that changed has grown, or was replaced by another one.

Rows are counted by position: what follows the rows read before is new. That holds while a file only grows. The bytes
of a JSON lines or CSV file that grows begin with those it had; other formats are rewritten as a whole by whoever adds a
row (`mlflow.log_table` does), so of them only shrinking tells.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Final

from driftgauge.errors import BatchError

_APPENDED: Final = (".jsonl", ".ndjson", ".csv")
_CHUNK_BYTES: Final = 1 << 20

# Returns at most so many bytes (the first argument) of a file from a place on (the second).
ReadAt = Callable[[int, int], bytes]


def reading_at(file: BinaryIO) -> tuple[ReadAt, int]:
    """Return how an open file is read without moving its position, which a decoder may be moving, and its size."""
    descriptor = file.fileno()
    return partial(os.pread, descriptor), os.fstat(descriptor).st_size


def taking_at(data: bytes) -> tuple[ReadAt, int]:
    """Return the same of bytes in memory."""
    return lambda size, at: data[at : at + size], len(data)


def grown_content(read: ReadAt, size: int, path: str, before: str) -> str:
    """Return by what the bytes of a file of this `size` can be recognised later.

    before: what this returned when the file was read last, "" if it never was. Raises BatchError "replaced" when the
    file does not continue what it held then.
    """
    known_size, _, known_digest = before.partition(":")
    known = int(known_size or 0)
    appended = path.lower().endswith(_APPENDED)
    digest = hashlib.blake2b(digest_size=16)
    if appended:
        _update(digest, read, 0, min(known, size))
    if size < known or (appended and known and digest.hexdigest() != known_digest):
        raise BatchError(
            "replaced",
            "The file no longer begins with the rows that were counted, so which of its rows are new cannot be told; "
            "nothing more of it is counted. Log new rows under a new name.",
        )
    if appended:
        _update(digest, read, known, size)
    return f"{size}:{digest.hexdigest() if appended else ''}"


def _update(digest: "hashlib.blake2b", read: ReadAt, start: int, end: int) -> None:
    while start < end and (chunk := read(min(_CHUNK_BYTES, end - start), start)):
        digest.update(chunk)
        start += len(chunk)
