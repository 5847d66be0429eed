"""Returns memory that allocators keep after a large step to the operating system."""

import ctypes
from typing import Final

import pyarrow as pa

# Only glibc has it; musl keeps little.
_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim() -> None:
    """Return what the allocators of Arrow and C keep for later; takes milliseconds.

    After a large file this is most of the memory, and the next large file may be hours away.
    """
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
