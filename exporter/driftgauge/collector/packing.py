"""A page as one gzip stream (RFC 1952) whose end is written per scrape, and of which single families can be taken.

Each scrape adds a few lines of its own. Two gzip members, one after the other, would do by the RFC, but curl and others
read the first one only; so a page is kept as a deflate stream that the lines of the scrape continue. Each family is
compressed without looking back at the one before, so that some of them, put together, are such a stream as well.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from driftgauge.collector.checksums import joined

# Go's default; Python's own, 9, takes longer for the same size.
_LEVEL: Final = 6
# Deflate, no flags, no time, no operating system.
HEAD: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


class Stretch(NamedTuple):
    """A family's part of a page: its bytes, those it is compressed to, and the CRC-32 of the former."""

    name: str
    plain: int
    deflated: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a page, the same as a deflate stream that goes on, their CRC-32, and its families in their order."""

    plain: bytes
    deflated: bytes
    checksum: int
    stretches: tuple[Stretch, ...]


def packed(families: Iterable[tuple[str, bytes]]) -> Body:
    """Return the page of these families, each with its name, and its compressed form."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    plain, deflated, stretches = [], [], []
    for name, lines in families:
        # Up to a whole byte, and not the last block; what follows does not refer to what was before.
        compressed = stream.compress(lines) + stream.flush(zlib.Z_FULL_FLUSH)
        plain.append(lines)
        deflated.append(compressed)
        stretches.append(Stretch(name, len(lines), len(compressed), zlib.crc32(lines)))
    page = b"".join(plain)
    return Body(page, b"".join(deflated), zlib.crc32(page), tuple(stretches))


def checksum(stretches: Iterable[Stretch]) -> int:
    """Return the CRC-32 of these families, one after the other."""
    return joined((each.checksum, each.plain) for each in stretches)


def ending(tail: bytes, *, size: int, checksum: int) -> bytes:
    """Return what follows `HEAD` and a deflated page of `size` bytes and `checksum`, for the page and then `tail`."""
    total = size + len(tail) & 0xFFFFFFFF
    trailer = zlib.crc32(tail, checksum).to_bytes(4, "little") + total.to_bytes(4, "little")
    return zlib.compress(tail, _LEVEL, -zlib.MAX_WBITS) + trailer
