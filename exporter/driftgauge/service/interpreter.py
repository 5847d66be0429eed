"""How Python runs a process that answers scrapes while it refreshes."""

import gc
import sys
from typing import Final

# How long a refresh may keep the interpreter from a thread that answers. A tenth of Python's default halves the time of
# a scrape during a refresh, which takes as long while one thread computes, but a third longer where several would.
_SWITCH_SECONDS: Final = 0.0005
# Of so many passes over young objects one is over all: 0.1 s with 100,000 samples, in which no page is answered. A
# refresh makes all samples anew, which by Python's default brings three of these passes.
_PASSES: Final = 100


def let_scrapes_in() -> None:
    """Keep the interpreter free for scrapes."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*gc.get_threshold()[:2], _PASSES)


def set_imports_aside() -> None:
    """Once all is imported, take it out of garbage collection.

    MLflow and scipy bring 300,000 objects that stay for good. Each full collection would walk through them, 0.2 s in
    which no page is answered.
    """
    if not gc.get_freeze_count():
        gc.freeze()
