"""The bodies of HTTP answers, bounded in size and time however they are sent.

A few megabytes of gzip may unpack to gigabytes, and a body in chunks may go on for ever with a byte now and then. Each
read here takes one piece of what has come, unpacked no further than is asked for, and looks at the clock.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import requests

from driftgauge.errors import SourceUnavailable
from driftgauge.source.entries import CHUNK_BYTES

# What a listing of 100,000 files or a page of a thousand runs stays far below.
LARGEST_ANSWER: Final = 32 << 20
# Braces, brackets and commas of JSON: each may become an object of a hundred bytes.
_MOST_MARKS: Final = 2_000_000
_MARKS: Final = (b"{", b"[", b",")


class AnswerTooLong(SourceUnavailable):
    """A server answers with more than is read into memory."""


def pieces(response: requests.Response, *, seconds: float) -> Iterator[bytes]:
    """Yield the body, unpacked, in pieces of 1 MiB, of which the last may be smaller.

    Raises TimeoutError when a piece takes longer than `seconds`.
    """
    piece, begun = bytearray(), time.monotonic()
    while data := _read(response, CHUNK_BYTES - len(piece)):
        piece += data
        if len(piece) == CHUNK_BYTES:
            yield bytes(piece)
            piece, begun = bytearray(), time.monotonic()
        elif time.monotonic() - begun > seconds:
            raise TimeoutError(f"timed out after {seconds:g} s")
    if piece:
        yield bytes(piece)


def filled(response: requests.Response, *, seconds: float, limit: int = LARGEST_ANSWER) -> requests.Response:
    """Read the body of an answer into it, and return it.

    Raises AnswerTooLong when it has more than `limit` bytes or would take much memory as JSON, and TimeoutError when it
    takes longer than `seconds` in all.
    """
    body, marks, begun = bytearray(), 0, time.monotonic()
    while data := _read(response, CHUNK_BYTES):
        body += data
        marks += sum(map(data.count, _MARKS))
        if len(body) > limit or marks > _MOST_MARKS:
            response.close()
            raise AnswerTooLong("its answer has more than is read into memory")
        if time.monotonic() - begun > seconds:
            response.close()
            raise TimeoutError(f"timed out after {seconds:g} s")
    response._content = bytes(body)  # noqa: SLF001 - `requests` would read it without a bound
    return response


def dropped(response: requests.Response) -> None:
    """Leave the body of an answer unread."""
    response._content = b""  # noqa: SLF001 - as above
    response.close()


def read_seconds(timeout: Any) -> float:
    """Return the time for an answer among the timeouts of a request, as `requests` takes them."""
    found = timeout[-1] if isinstance(timeout, tuple) else timeout
    return float("inf") if found is None else float(found)


def _read(response: requests.Response, most: int) -> bytes:
    """Return what has come of a body, at most so many bytes; none at its end."""
    raw = response.raw
    # An answer that `requests` has made up has no connection.
    found: bytes = raw.read1(most, decode_content=True) if hasattr(raw, "read1") else raw.read(most)
    return found
