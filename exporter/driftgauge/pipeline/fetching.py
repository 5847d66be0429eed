"""The files of a model, downloaded and read side by side, and given back in order.

To hand a small file to a worker, count its rows and take over what it adds costs several times what decoding it does.
So small files are handed over together, and counted together.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.pipeline.delta import Delta
from driftgauge.pipeline.heap import keep_none
from driftgauge.pipeline.reading import Job, Reading, Small, fold_file, fold_small
from driftgauge.pipeline.workers import NICENESS, Workers
from driftgauge.source import Source

_THREADS: Final = 4
# A file of at most this many bytes is small, and this many of them, or bytes, go together.
_SMALL_BYTES: Final = 128 * 2**10
_TOGETHER: Final = 32
_TOGETHER_BYTES: Final = 2**20
# So many files are begun before the first is taken over. What a large one adds can take as much memory as all that is
# kept, so of those none is begun before the one before it is committed, which takes a tenth of the time.
_AHEAD: Final = 8
_LARGE_BYTES: Final = 16 * 2**20
# In which a worker is done with small files, unless one of them hangs.
_LONGEST_TOGETHER: Final = 60.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Batch:
    """Small files that are read together, or what came of a file that was read by itself."""

    files: list[Small] = field(default_factory=list)
    outcome: Reading | SourceUnavailable | None = None

    @property
    def is_full(self) -> bool:
        return len(self.files) >= _TOGETHER or sum(len(file.data) for file in self.files) >= _TOGETHER_BYTES


def _step_back() -> None:
    """Let other threads come first: several that write large files to disk would keep all processors."""
    # On Linux, of this thread only.
    os.nice(NICENESS)


class Readers:
    """Threads that read the files of all models of a refresh; without `workers` they are decoded in this process."""

    def __init__(self, source: Source, workers: Workers | None) -> None:
        self._source = source
        self._workers = workers
        self._fetching = ThreadPoolExecutor(_THREADS, thread_name_prefix="read", initializer=_step_back)
        # Threads of their own, as those above are given more than they can do.
        self._folding = ThreadPoolExecutor(_THREADS, thread_name_prefix="fold")

    def __enter__(self) -> Self:
        """Return the readers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what they are at."""
        self._fetching.shutdown()
        self._folding.shutdown()

    def read(self, jobs: Sequence[Job]) -> Iterator[Reading]:
        """Yield what the files add, in order; a reading is of one or more of them.

        Raises SourceUnavailable when MLflow went away, after what it had given by then.
        """
        with (
            closing(_in_order(self._fetching, self._fetch, jobs, _is_large)) as fetched,
            closing(_in_order(self._folding, self._fold, _batches(fetched), _is_read)) as outcomes,
        ):
            for outcome in outcomes:
                if isinstance(outcome, SourceUnavailable):
                    raise outcome
                yield outcome

    def _fetch(self, what: Job) -> Small | Reading | SourceUnavailable:
        """Download a file; read it at once unless it is small."""
        try:
            with self._source.open(what.artifact) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                if size <= _SMALL_BYTES:
                    return Small(what, file.read())
                if size > _LARGE_BYTES:
                    keep_none()
                return fold_file(file, what) if self._workers is None else self._workers.run(fold_file, file, what)
        except (BatchError, SourceMissing) as error:
            return Reading(Delta(), (error,))
        except SourceUnavailable as error:
            return error

    def _fold(self, batch: _Batch) -> Reading | SourceUnavailable:
        if batch.outcome is not None:
            return batch.outcome
        if self._workers is None:
            return fold_small(batch.files)
        return _folded(self._workers, batch.files)


def _folded(workers: Workers, files: Sequence[Small]) -> Reading:
    """Read small files in a worker. If it does not survive that, each of them is read by itself."""
    try:
        return workers.call(fold_small, files, within=_LONGEST_TOGETHER if len(files) > 1 else None)
    except BatchError as error:
        if len(files) == 1:
            return Reading(Delta(), (error,))
    alone = [_folded(workers, [file]) for file in files]
    outcomes = tuple(outcome for reading in alone for outcome in reading.files)
    return Reading(Delta.combine([reading.delta for reading in alone]), outcomes)


def _batches(fetched: Iterable[Small | Reading | SourceUnavailable]) -> Iterator[_Batch]:
    """Put small files that follow each other together; nothing comes after a SourceUnavailable."""
    batch = _Batch()
    for found in fetched:
        if isinstance(found, Small):
            batch.files.append(found)
        if batch.files and (batch.is_full or not isinstance(found, Small)):
            yield batch
            batch = _Batch()
        if not isinstance(found, Small):
            yield _Batch(outcome=found)
        if isinstance(found, SourceUnavailable):
            return
    if batch.files:
        yield batch


def _is_large(job: Job) -> bool:
    return (job.artifact.size or 0) > _LARGE_BYTES


def _is_read(batch: _Batch) -> bool:
    return batch.outcome is not None


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], heavy: Callable[[T], bool]
) -> Generator[R]:
    """Map in threads and yield in order; fewer than `_AHEAD` results wait, and none of a heavy item.

    Closed, it begins no more.
    """
    queue: deque[tuple[Future[R], bool]] = deque()
    try:
        for item in items:
            queue.append((pool.submit(work, item), heavy(item)))
            while len(queue) >= _AHEAD or any(is_heavy for _, is_heavy in queue):
                yield queue.popleft()[0].result()
        while queue:
            yield queue.popleft()[0].result()
    finally:
        for future, _ in queue:
            future.cancel()
