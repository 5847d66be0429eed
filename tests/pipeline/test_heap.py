"""Memory that was freed is back with the machine."""

import resource
from pathlib import Path

import numpy as np

from driftgauge.pipeline.heap import trim


def resident() -> int:
    """Return the memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_freed_memory_is_returned() -> None:
    """What many small arrays took is not kept."""
    arrays = [np.ones(1000) for _ in range(10_000)]
    kept = np.ones(1000)
    full = resident()
    del arrays
    trim()
    assert full - resident() > 60 << 20
    assert kept.sum() == 1000
