"""Memory that nothing uses any more, given back to the machine.

Allocators keep what was freed, to have it at hand. After a large file that is more than all that the exporter keeps, in
each worker and in the exporter itself, and it may not be asked for again before the next large file.
"""

import ctypes
from typing import Final

import pyarrow as pa

# Only glibc has them; musl keeps little by itself.
_C: Final = ctypes.CDLL(None)
_TRIM: Final = getattr(_C, "malloc_trim", None)
_SET: Final = getattr(_C, "mallopt", None)
# glibc's numbers of two settings: how much freed memory is kept, and of pieces up to which size (bytes).
_KEPT: Final = -1
_LARGEST: Final = -3


def keep_some() -> None:
    """Let C's allocator have some freed memory at hand: to get the machine's takes longer than most of what we compute.

    By itself it changes its mind with every large array that is freed.
    """
    _keep(64 << 20, largest=32 << 20)


def keep_none() -> None:
    """Let C's allocator return large pieces at once, until `keep_some`: large files need all there is."""
    _keep(1 << 20, largest=1 << 20)


def _keep(size: int, *, largest: int) -> None:
    if _SET is not None:
        _SET(_KEPT, size)
        _SET(_LARGEST, largest)


def give_back() -> None:
    """Return what Arrow's allocator and C's hold without need; takes milliseconds."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
