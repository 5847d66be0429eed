"""What the system knows of processes: who is whose child, and who is in which group."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PARENT: Final = 1
_GROUP: Final = 2


def children_of(pid: int) -> list[int]:
    """Return the processes that this one started and that have not ended."""
    return [found for found, fields in _living().items() if int(fields[_PARENT]) == pid]


def group_of(leader: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    return [found for found, fields in _living().items() if int(fields[_GROUP]) == leader]


def is_alive(pid: int) -> bool:
    """Tell whether the process has not ended; one whose status nobody has asked for has."""
    return pid in _living()


def eventually(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Tell whether the condition comes to hold within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _living() -> dict[int, list[str]]:
    """Return by process the fields of its /proc/<pid>/stat after the name, the first of which is its state."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            text = (place / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if fields[0] not in "ZX":
            found[int(place.name)] = fields
    return found
