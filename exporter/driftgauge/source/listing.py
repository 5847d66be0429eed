"""All files of one artifact root, sub-folders included, within bounds."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import structlog

from driftgauge.patterns import is_safe

if TYPE_CHECKING:
    from driftgauge.source.stores import ArtifactStore, Entry

MAX_DEPTH: Final = 10
MAX_ENTRIES: Final = 10_000

log = structlog.get_logger(__name__)


def files_of(store: "ArtifactStore", *, run_id: str, folder: str = "", max_entries: int = MAX_ENTRIES) -> list["Entry"]:
    """Return the files below a folder of the store, by default its root, whose paths are safe.

    Folders deeper than `MAX_DEPTH` and everything after `max_entries` files and folders are left out, with a warning
    that names the run.
    """
    found = list(islice(_walk(store, run_id, folder), max_entries + 1))
    if len(found) > max_entries:
        log.warning("run_has_too_many_artifacts", run_id=run_id, listed=max_entries)
    return [entry for entry in found[:max_entries] if not entry.is_folder]


def _walk(store: "ArtifactStore", run_id: str, folder: str) -> Iterator["Entry"]:
    folders = deque([(folder, 1)])
    while folders:
        folder, depth = folders.popleft()
        for entry in store.entries(folder):
            if not is_safe(entry.path) or not _is_below(entry.path, folder):
                continue
            yield entry
            if entry.is_folder and depth < MAX_DEPTH:
                folders.append((entry.path, depth + 1))
            elif entry.is_folder:
                log.warning("artifact_folder_too_deep", run_id=run_id, folder=entry.path)


def _is_below(path: str, folder: str) -> bool:
    # Some object stores list a folder in itself.
    return not folder or path.startswith(f"{folder}/")
