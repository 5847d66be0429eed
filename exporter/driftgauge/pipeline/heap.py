"""Memory that nothing uses any more, given back to the machine.

Allocators keep what was freed, to have it at hand. After a large file that is more than all that the exporter keeps, in
each worker and in the exporter itself, and it may not be asked for again before the next large file.
"""

import ctypes
from contextlib import suppress
from typing import Final

import pyarrow as pa

# Only glibc has it; musl keeps little by itself.
_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def keep_little() -> None:
    """Let Arrow return what it frees at once; while it decodes, its usual allocator holds half as much again."""
    # Not every build of it has jemalloc.
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(0)


def give_back() -> None:
    """Return what Arrow's allocator and C's hold without need; takes milliseconds."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
