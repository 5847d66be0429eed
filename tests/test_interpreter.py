"""How Python is set up for a process that answers scrapes while it refreshes."""

import subprocess
import sys

# In a process of its own: the settings hold for all of it.
PROGRAM = """
import gc, sys
from driftgauge.families import Sample
from driftgauge.service.interpreter import let_scrapes_in, set_imports_aside

if sys.argv[1] == "set up":
    let_scrapes_in()
    set_imports_aside()
before = gc.get_stats()[2]["collections"]
samples = [Sample(("model", "1", "1h", str(n)), float(n)) for n in range(100_000)]
samples = [Sample(("model", "1", "1h", str(n)), float(n)) for n in range(100_000)]
print(gc.get_stats()[2]["collections"] - before)
"""


def full_collections(how: str) -> int:
    """Return how often Python looks through all objects while 100,000 samples are made, and then made anew."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_samples_made_anew_bring_no_full_collection() -> None:
    """No page is answered during one, and by Python's default there are several."""
    assert (full_collections("set up"), full_collections("default") > 1) == (0, True)
