"""Whether a file that changed has grown, or was replaced by another one.

Rows are counted by position: what follows the rows read before is new. That holds while a file only grows. The bytes
of a JSON lines or CSV file that grows begin with those it had; other formats are rewritten as a whole to add a
row (`mlflow.log_table` does), so for them only shrinking shows a replacement.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import BinaryIO, Final

from driftgauge.errors import BatchError

_APPENDED: Final = (".jsonl", ".ndjson", ".csv")
_CHUNK_BYTES: Final = 1 << 20
# Of a file this large so many parts of so many bytes are looked at, spread over all of it with its end.
_LARGE_BYTES: Final = 16 << 20
_PARTS: Final = 64
_PART_BYTES: Final = 64 << 10

# Returns at most as many bytes of a file as the first argument says, from the place on that the second says.
ReadAt = Callable[[int, int], bytes]


def reading_at(file: BinaryIO) -> tuple[ReadAt, int]:
    """Return how an open file is read without moving its position, which a decoder may be moving, and its size."""
    descriptor = file.fileno()
    return partial(os.pread, descriptor), os.fstat(descriptor).st_size


def taking_at(data: bytes) -> tuple[ReadAt, int]:
    """Return the same of bytes in memory."""
    return lambda size, at: data[at : at + size], len(data)


def grown_content(read: ReadAt, size: int, path: str, before: str, *, whole: bool = True) -> str:
    """Return a text by which the bytes of a file of this `size` are recognised later.

    whole: by all of them; else of a large file that does not grow by its lines, some parts are enough, for hashing it
    would take a tenth of the time of reading it.

    before: the text from when the file was read last, "" if it never was. Raises BatchError "replaced" when the
    file does not continue its earlier content.
    """
    known_size, _, known_digest = before.partition(":")
    known = int(known_size or 0)
    appended = path.lower().endswith(_APPENDED)
    digest = hashlib.blake2b(digest_size=16)
    if not (whole or appended or size < max(known, _LARGE_BYTES)):
        for part in range(_PARTS):
            start = (size - _PART_BYTES) * part // (_PARTS - 1)
            _update(digest, read, start, start + _PART_BYTES)
        return f"{size}:~{digest.hexdigest()}"
    _update(digest, read, 0, min(known, size))
    if size < known or (appended and known and digest.hexdigest() != known_digest):
        raise BatchError(
            "replaced",
            "The file no longer begins with the rows that were counted, so which of its rows are new is not known; "
            "nothing more of it is counted. Log new rows under a new name.",
        )
    _update(digest, read, known, size)
    return f"{size}:{digest.hexdigest()}"


def refuse_rewritten(file: BinaryIO, path: str, content: str, *, before: os.stat_result) -> None:
    """Raise BatchError "incomplete" when an open file was written to since `before`, other than at its end.

    content: what `grown_content` returned of it. A file that is read where it lies may be written to meanwhile.
    """
    now = os.fstat(file.fileno())
    if (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
        return
    if path.lower().endswith(_APPENDED):
        with suppress(BatchError):
            grown_content(*reading_at(file), path, content)
            return
    raise BatchError("incomplete", f'"{path}" was rewritten while it was read; it is read again later')


def _update(digest: "hashlib.blake2b", read: ReadAt, start: int, end: int) -> None:
    while start < end and (chunk := read(min(_CHUNK_BYTES, end - start), start)):
        digest.update(chunk)
        start += len(chunk)
