"""One artifact, from its bytes to its delta: what is done side by side, in threads and in workers."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeVar

from driftgauge.batch import decode
from driftgauge.errors import BatchError
from driftgauge.pipeline.delta import Delta, Terms, fold_labels, fold_predictions
from driftgauge.pipeline.growth import grown_content
from driftgauge.pipeline.workers import Workers
from driftgauge.schema import UNKNOWN_VERSION, Kind
from driftgauge.source import Artifact, Source

T = TypeVar("T")

FileRole = Literal["predictions", "labels"]

# Chunk deltas are combined this many at a time, so that a long file costs the memory of a few chunks.
_COMBINED: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """How to read one artifact: `skip` rows were read before, when it held `content` ("" if never).

    kinds: None while there is no reference.
    """

    artifact: Artifact
    role: FileRole
    terms: Terms
    kinds: Mapping[str, Kind] | None
    max_bytes: int
    skip: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a file adds, and what it held when it was read."""

    delta: Delta
    content: str


def read_artifact(source: Source, what: Job, workers: Workers | None) -> Reading:
    """Download, decode and fold the rows of a file; in a worker process if there are any.

    Raises BatchError when the file has no rows at all or cannot be read as a whole: nothing of it counts then.
    """
    with source.open(what.artifact) as file:
        return fold_file(file, what) if workers is None else workers.run(fold_file, file, what)


def fold_file(file: BinaryIO, what: Job) -> Reading:
    """Decode and fold a downloaded file. Raises BatchError as `read_artifact` does."""
    artifact, terms = what.artifact, what.terms
    content = grown_content(file, artifact.path, what.content)
    parts: list[Delta] = []
    chunks = decode(
        file,
        name=artifact.path,
        role=what.role,
        model=terms.model,
        default_time=artifact.run_start * 1000,
        default_version=artifact.version or UNKNOWN_VERSION,
        kinds=what.kinds,
        skip=what.skip,
        max_bytes=what.max_bytes,
    )
    for rows in _ahead(chunks):
        if what.role == "labels":
            parts.append(fold_labels(rows, terms))
        else:
            parts.append(fold_predictions(rows, terms, origin=(artifact.run_id, artifact.experiment_id)))
        if len(parts) == _COMBINED:
            parts = [Delta.combine(parts)]
    if not parts and not what.skip:
        raise BatchError("empty_file", "The file has no rows; it was probably logged before any were written to it.")
    return Reading(Delta.combine(parts), content)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, none of which is None; while one is in use, a thread makes the next."""
    first, second = next(items, None), next(items, None)
    # Most files are small, and a thread costs more than to decode one.
    yield from (item for item in (first, second) if item is not None)
    if second is None:
        return
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
