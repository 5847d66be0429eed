"""Whether a file that changed has grown, or was replaced by another one.

Rows are counted by position: what follows the rows read before is new. That holds while a file only grows. The bytes
of a JSON lines or CSV file that grows begin with those it had; other formats are rewritten as a whole by whoever adds a
row (`mlflow.log_table` does), so of them only shrinking tells.
"""

import hashlib
import os
from typing import BinaryIO, Final

from driftgauge.errors import BatchError

_APPENDED: Final = (".jsonl", ".ndjson", ".csv")
_CHUNK_BYTES: Final = 1 << 20


def grown_content(file: BinaryIO, path: str, before: str) -> str:
    """Return by what the file's bytes can be recognised later; leave the file at its start.

    before: what this returned when the file was read last, "" if it never was. Raises BatchError "replaced" when the
    file does not continue what it held then.
    """
    size = file.seek(0, os.SEEK_END)
    known_size, _, known_digest = before.partition(":")
    known = int(known_size or 0)
    appended = path.lower().endswith(_APPENDED)
    digest = hashlib.blake2b(digest_size=16)
    if appended:
        _update(digest, file, 0, min(known, size))
    if size < known or (appended and known and digest.hexdigest() != known_digest):
        raise BatchError(
            "replaced",
            "The file no longer begins with the rows that were counted, so which of its rows are new cannot be told; "
            "nothing more of it is counted. Log new rows under a new name.",
        )
    if appended:
        _update(digest, file, known, size)
    file.seek(0)
    return f"{size}:{digest.hexdigest() if appended else ''}"


def _update(digest: "hashlib.blake2b", file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    while start < end:
        chunk = file.read(min(_CHUNK_BYTES, end - start))
        digest.update(chunk)
        start += len(chunk)
