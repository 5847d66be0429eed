"""A page as one gzip stream (RFC 1952) whose end is written per scrape.

Each scrape adds a few lines of its own. Two gzip members, one after the other, would do by the RFC, but curl and others
read the first one only; so a page is kept as a deflate stream that the lines of the scrape continue.
"""

import zlib
from dataclasses import dataclass
from typing import Final

# Go's default; Python's own, 9, takes longer for the same size.
_LEVEL: Final = 6
# Deflate, no flags, no time, no operating system.
HEAD: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a page, and the same as a deflate stream that goes on. checksum: CRC-32 of the bytes."""

    plain: bytes = b""
    deflated: bytes = b""
    checksum: int = 0


def packed(plain: bytes) -> Body:
    """Return the page with its compressed form."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    # Up to a whole byte, and not the last stretch.
    return Body(plain, stream.compress(plain) + stream.flush(zlib.Z_SYNC_FLUSH), zlib.crc32(plain))


def ending(tail: bytes, *, size: int, checksum: int) -> bytes:
    """Return what follows `HEAD` and a deflated page of `size` bytes and `checksum`, for the page and then `tail`."""
    total = size + len(tail) & 0xFFFFFFFF
    trailer = zlib.crc32(tail, checksum).to_bytes(4, "little") + total.to_bytes(4, "little")
    return zlib.compress(tail, _LEVEL, -zlib.MAX_WBITS) + trailer
