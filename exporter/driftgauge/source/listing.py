"""All files of one artifact root, sub-folders included, within bounds.

A folder that cannot be listed costs itself: it is among what is missing, by its path and with the reason, and so is
what lies beyond a bound or has a name that cannot be used. Of the files beyond a bound the last by name are kept:
names mostly ascend with time, and earlier ones were read when they were the last.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heapreplace
from itertools import count
from typing import Final

from driftgauge.errors import BatchError
from driftgauge.patterns import is_safe
from driftgauge.source.entries import Entry
from driftgauge.source.schedule import DEFAULT_PORTIONS, Portions

MAX_DEPTH: Final = 10
# Of each reason, so many are named of a run.
_MOST_NAMED: Final = 8


@dataclass(slots=True)
class Listing:
    """The files below a root, and why others are missing, by the path of their folder, which ends in "/", or file."""

    files: list[Entry] = field(default_factory=list)
    missing: dict[str, BatchError] = field(default_factory=dict)


def files_of(
    list_folder: Callable[[str], Sequence[Entry]], *, folder: str = "", bounds: Portions = DEFAULT_PORTIONS
) -> Listing:
    """Return the files below a folder, by default the root.

    list_folder: returns what lies directly in a folder; raises BatchError when it cannot be listed, which is raised on
    for `folder` itself. Memory follows `bounds` and the largest folder.
    """
    found = Listing()
    kept: list[tuple[str, int, Entry]] = []
    number = count()
    left_out = 0
    for entry in _walk(list_folder, folder, bounds, found.missing):
        item = entry.path, next(number), entry
        if len(kept) < bounds.files:
            heappush(kept, item)
            continue
        left_out += 1
        if item > kept[0]:
            heapreplace(kept, item)
    if left_out:
        found.missing[f"{folder}/"] = _too_many(f"{left_out:,} files before the last {bounds.files:,} by name")
    found.files = [entry for _, _, entry in kept]
    return found


def _too_many(what: str) -> BatchError:
    return BatchError("too_many_files", f"{what} are not listed: begin a new run from time to time")


def _walk(
    list_folder: Callable[[str], Sequence[Entry]], folder: str, bounds: Portions, missing: dict[str, BatchError]
) -> Iterator[Entry]:
    # The last by name first, as they may be the newest.
    folders = [(folder, 1)]
    asked = 0
    while folders:
        current, depth = folders.pop()
        if asked == bounds.folders:
            missing[f"{current}/"] = _too_many(f"folders after the last {bounds.folders:,} by name")
            return
        asked += 1
        try:
            entries = list_folder(current)
        except BatchError as error:
            if current == folder:
                raise
            _name(f"{current}/", error, missing)
            continue
        below = [entry for entry in entries if _is_below(entry.path, current)]
        for entry in sorted(below, key=lambda entry: entry.path):
            if not is_safe(entry.path):
                _name(ascii(entry.path), _unsafe(entry.path), missing)
            elif not entry.is_folder:
                yield entry
            elif depth < MAX_DEPTH:
                folders.append((entry.path, depth + 1))
            else:
                _name(f"{entry.path}/", _too_deep(entry.path), missing)


def _name(path: str, error: BatchError, missing: dict[str, BatchError]) -> None:
    if sum(each.reason == error.reason for each in missing.values()) < _MOST_NAMED:
        missing[path] = error


def _unsafe(path: str) -> BatchError:
    return BatchError("unsafe_name", f"{path!a} has characters that do not print, or leads elsewhere: rename it")


def _too_deep(path: str) -> BatchError:
    return BatchError("too_deep", f'"{path}" lies below {MAX_DEPTH} folders or more: log to fewer')


def _is_below(path: str, folder: str) -> bool:
    # Some object stores list a folder in itself.
    return not folder or path.startswith(f"{folder}/")
