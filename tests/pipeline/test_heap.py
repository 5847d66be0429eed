"""Memory that was freed: at hand for the next array, or back with the machine."""

import subprocess
import sys

import pytest

# In a process of its own: what other tests left in theirs may have a place for the array already.
PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from driftgauge.pipeline import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

getattr(heap, sys.argv[1])()
np.ones(1)
before = resident()
np.ones(3 << 20)
print(resident() - before)
"""


@pytest.mark.parametrize(("setting", "least", "most"), [("keep_some", 23, 26), ("keep_none", 0, 2)])
def test_freed_memory_is_kept_but_for_large_files(setting: str, least: int, most: int) -> None:
    """Of an array of 24 MiB that was freed, all is kept for the next one, or nothing."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, setting], capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most
