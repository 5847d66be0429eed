"""Memory that was freed: at hand for the next array, or back with the machine."""

import resource
from collections.abc import Iterator

import numpy as np
import pytest

from driftgauge.pipeline.heap import keep_none, keep_some

SIZE = 1 << 19


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process as a refresh does."""
    yield
    keep_some()


def fresh_pages() -> int:
    """Return how often the process got memory from the machine for ten arrays, one after the other."""
    np.ones(SIZE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(SIZE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_kept_but_for_large_files() -> None:
    """Arrays of four megabytes take turns in the same memory, or each comes from the machine and goes back to it."""
    keep_some()
    kept = fresh_pages()
    keep_none()
    assert fresh_pages() > 5 * (kept + 1)
