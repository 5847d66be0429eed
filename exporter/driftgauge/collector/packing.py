"""A page as one gzip stream (RFC 1952) whose end is not written yet.

Each scrape adds a few lines of its own. Two gzip members, one after the other, would do by the RFC, but curl and others
read the first one only; so a page is kept as a deflate stream that the lines of the scrape continue. Large pieces that
both exposition formats share are compressed once. zlib lets other threads run meanwhile.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

# Go's default; Python's own, 9, takes longer for the same size.
_LEVEL: Final = 6
# Smaller pieces are compressed together with their neighbours: apart they would take more room.
_WORTH_SHARING: Final = 1 << 15
# Deflate, no flags, no time, no operating system.
_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a page and the same compressed, to be continued. checksum: CRC-32 of the bytes."""

    plain: bytes = b""
    deflated: bytes = b""
    checksum: int = 0

    def continued(self, other: "Body") -> "Body":
        """Return both, one after the other."""
        checksum = zlib.crc32(other.plain, self.checksum)
        return Body(self.plain + other.plain, self.deflated + other.deflated, checksum)

    def ended(self, tail: bytes, *, gzip: bool) -> bytes:
        """Return the whole document: this, then `tail`."""
        if not gzip:
            return self.plain + tail
        size = len(self.plain) + len(tail) & 0xFFFFFFFF
        trailer = zlib.crc32(tail, self.checksum).to_bytes(4, "little") + size.to_bytes(4, "little")
        # In one call: between several, other threads may keep the interpreter for a while.
        return b"".join((_HEADER, self.deflated, zlib.compress(tail, _LEVEL, -zlib.MAX_WBITS), trailer))


def packed(pieces: Iterable[bytes], deflate: Callable[[bytes], bytes]) -> Body:
    """Return the pieces as a body. `deflate` is `deflated`, or a cache of it where bodies share pieces."""
    parts = list(_merged(pieces))
    plain = b"".join(parts)
    return Body(plain, b"".join(map(deflate, parts)), zlib.crc32(plain))


def deflated(piece: bytes) -> bytes:
    """Return the piece as a stretch of a deflate stream that ends at a byte and is not the last one of it."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(piece) + stream.flush(zlib.Z_SYNC_FLUSH)


def _merged(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for is_large, group in groupby(pieces, lambda piece: len(piece) >= _WORTH_SHARING):
        if is_large:
            yield from group
        else:
            yield b"".join(group)
