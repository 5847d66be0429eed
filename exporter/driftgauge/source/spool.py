"""Streamed bytes up to a limit: small ones in memory, large ones in an anonymous temporary file."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, Final, cast

from driftgauge.errors import BatchError

CHUNK_BYTES: Final = 1 << 20
FINGERPRINT_BYTES: Final = 16
_IN_MEMORY_BYTES: Final = 128 * 2**10


def spooled(chunks: Iterable[bytes], *, limit: int, name: str) -> BinaryIO:
    """Return a file of `chunks`, at its start; closing it deletes it.

    It is on disk, without a name, if it is large or once its descriptor is requested. Raises BatchError
    "too_large" on the first chunk that goes over `limit` bytes.
    """
    with ExitStack() as closed_on_failure:
        kept = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, prefix="driftgauge-")  # noqa: SIM115 - the line below
        file = closed_on_failure.enter_context(cast("BinaryIO", kept))
        for chunk in chunks:
            file.write(chunk)
            refuse_oversize(name, size=file.tell(), limit=limit)
        file.seek(0)
        closed_on_failure.pop_all()
    return file


def refuse_oversize(name: str, *, size: int, limit: int) -> None:
    """Raise BatchError "too_large" when `size` bytes are more than `limit`."""
    if size > limit:
        raise BatchError(
            "too_large",
            f'"{name}" has {size:,} bytes or more, over the limit of {limit:,}: '
            "log smaller files or raise limits.max_artifact_bytes",
        )


def refuse_cut(file: BinaryIO, *, size: int, name: str) -> BinaryIO:
    """Return `file`, at its start, or close it and raise BatchError "incomplete" when it has fewer than `size` bytes.

    Not every connection reports that it was cut.
    """
    found = file.seek(0, os.SEEK_END)
    file.seek(0)
    if found < size:
        file.close()
        raise BatchError(
            "incomplete",
            f'"{name}" came with {found:,} of {size:,} bytes: it was cut on the way, or is being rewritten; '
            "it is read again later",
        )
    return file


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of `file` in chunks of at most `CHUNK_BYTES`."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def fingerprint(file: BinaryIO) -> str:
    """Return the blake2b of the whole of `file` in hex, and leave it at its start."""
    digest = hashlib.blake2b(digest_size=FINGERPRINT_BYTES)
    file.seek(0)
    for chunk in chunks_of(file):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
