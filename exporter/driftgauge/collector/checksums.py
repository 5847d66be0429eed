"""CRC-32 of texts that are put together, from those of the parts: no byte is looked at again.

A CRC is a polynomial over GF(2) modulo that of RFC 1952, here in its reflected form: the highest bit is the constant.
Bytes that follow multiply it by x^8 each (Mark Adler's crc32_combine in zlib).
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31


def joined(parts: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-32 of texts one after the other, given that of each and how many bytes it has."""
    checksum = 0
    for following, size in parts:
        checksum = _product(_shift(size), checksum) ^ following
    return checksum


def _shift(size: int) -> int:
    """Return x^(8 size)."""
    factor, power = _ONE, 3
    while size:
        if size & 1:
            factor = _product(_square(power), factor)
        size >>= 1
        power += 1
    return factor


@cache
def _square(times: int) -> int:
    """Return x, squared so often."""
    if not times:
        return _ONE >> 1
    root = _square(times - 1)
    return _product(root, root)


def _product(left: int, right: int) -> int:
    product, bit = 0, _ONE
    while bit:
        if left & bit:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
        bit >>= 1
    return product
