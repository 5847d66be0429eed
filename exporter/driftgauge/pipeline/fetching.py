"""The files of a model: fetched and read in parallel, returned in order.

Giving a small file to a worker, counting its rows and merging the result costs several times its decoding.
So small files are given and counted together.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Final, Self, TypeVar

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.feed import Feed, Opener
from driftgauge.openers import InMemory
from driftgauge.pipeline.delta import Delta, Signals
from driftgauge.pipeline.executor import Executor, Shared
from driftgauge.pipeline.growth import grown_content, reading_at, taking_at
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.reading import Duplicate, Fetched, Job, Reading, fold_files
from driftgauge.pipeline.work import Contents

_THREADS: Final = 4
# This many files are begun before the first is taken over. What a large one adds can take as much memory as all that is
# kept, so of those none is begun before the one before it is committed, which takes a tenth of the time.
_AHEAD: Final = 8
_LARGE_BYTES: Final = 16 * 2**20
# In which a worker is done with small files, unless one of them hangs; and with a single file, which takes a tenth of
# that on a usual machine, whatever it holds.
_LONGEST_TOGETHER: Final = 60.0
_LONGEST_ALONE: Final = 30.0
_SECONDS_PER_MEBIBYTE: Final = 2.0

# A file that can be opened, or why it is not.
_Fetch = Fetched | Duplicate | BatchError | SourceMissing | SourceUnavailable
T = TypeVar("T")
R = TypeVar("R")


class Readers:
    """Reads the files of a model in one refresh: fetched in threads, decoded and folded by `executor`."""

    def __init__(self, executor: Executor, pace: Pace = USUAL) -> None:
        self._executor = executor
        self._pace = pace
        self._fetching = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")

    def __enter__(self) -> Self:
        """Return the readers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what they are fetching."""
        self._fetching.shutdown()

    def read(
        self, feed: Feed, jobs: Sequence[Job], signals: Shared[Signals], *, contents: Contents
    ) -> Generator[Reading]:
        """Yield what the files of a feed add, in order; a reading is of one or more of them.

        contents: of files that were read before; those of a model that wants no duplicates are compared with it.
        Raises SourceUnavailable when the source went away, after what it had given by then.
        """

        def fetch(job: Job) -> "Future[_Fetch]":
            return self._fetching.submit(_fetch, feed, job)

        def fold(batch: Sequence[_Fetch]) -> "Future[Reading]":
            return self._fold(batch, signals)

        with (
            closing(_ahead(jobs, fetch, is_heavy=_is_large, unused=_unread)) as fetched,
            closing(_ahead(_batches(fetched, contents.copy(), self._pace), fold, is_heavy=_has_large)) as folded,
        ):
            for batch, future in folded:
                found = [self._outcome(batch, future, signals)]
                # What a large file adds is freed once it is committed, and not only when the next one is read.
                del future
                yield found.pop()

    def _fold(self, batch: Sequence[_Fetch], signals: Shared[Signals]) -> "Future[Reading]":
        files = [file for file in batch if isinstance(file, Fetched)]
        if files:
            future = self._executor.submit(fold_files, signals, files, within=_longest(files))
            for file in files:
                future.add_done_callback(partial(_released, file))
            return future
        future = Future()
        for error in batch:
            if isinstance(error, SourceUnavailable):
                future.set_exception(error)
            elif not isinstance(error, Fetched):
                future.set_result(Reading(Delta(), (error,)))
        return future

    def _outcome(self, batch: Sequence[_Fetch], future: "Future[Reading]", signals: Shared[Signals]) -> Reading:
        """Return the outcome of a batch. If a worker died of several files, each of them is read separately."""
        try:
            return future.result()
        except BatchError as error:
            if len(batch) == 1:
                return Reading(Delta(), (error,))
        alone = [((file,), self._fold([file], signals)) for file in batch]
        readings = [self._outcome(file, reading, signals) for file, reading in alone]
        outcomes = tuple(outcome for reading in readings for outcome in reading.files)
        return Reading(Delta.combine([reading.delta for reading in readings]), outcomes)


def _fetch(feed: Feed, job: Job) -> _Fetch:
    try:
        opener = feed.opener(job.piece)
        return Fetched(job, opener, _content(opener, job))
    except (BatchError, SourceMissing, SourceUnavailable) as error:
        return error


def _content(opener: Opener, job: Job) -> str:
    """Return what the bytes of a new file are recognised by, if its model wants no duplicates."""
    if not job.terms.model.deduplicate or job.skip:
        return ""
    if isinstance(opener, InMemory):
        return grown_content(*taking_at(opener.data), job.piece.path, "")
    with opener() as file:
        return grown_content(*reading_at(file), job.piece.path, "")


def _unless_duplicate(found: _Fetch, contents: Contents) -> _Fetch:
    """Return in place of a file that one before it has the bytes of, which one that is; else take note of its own."""
    if not isinstance(found, Fetched) or not found.content:
        return found
    first = contents.first(found.job.piece, found.content)
    if first is None:
        return found
    found.opener.release()
    return Duplicate(first, found.content)


def _batches(fetched: Iterable[tuple[Job, "Future[_Fetch]"]], contents: Contents, pace: Pace) -> Iterator[list[_Fetch]]:
    """Group consecutive small files; nothing comes after a SourceUnavailable."""
    batch: list[_Fetch] = []
    size = 0
    for _, future in fetched:
        found = _unless_duplicate(future.result(), contents)
        if isinstance(found, Fetched) and isinstance(found.opener, InMemory):
            batch.append(found)
            size += found.opener.size
            if len(batch) >= pace.together or size >= pace.together_bytes:
                yield batch
                batch, size = [], 0
            continue
        if batch:
            yield batch
            batch, size = [], 0
        yield [found]
        if isinstance(found, SourceUnavailable):
            return
    if batch:
        yield batch


def _longest(files: Sequence[Fetched]) -> float:
    """Return how long a worker may take for files (s): so that a few bytes cannot keep it busy for long."""
    size = sum(file.opener.size for file in files) / 2**20
    return (_LONGEST_TOGETHER if len(files) > 1 else _LONGEST_ALONE) + _SECONDS_PER_MEBIBYTE * size


def _is_large(job: Job) -> bool:
    return (job.piece.size or 0) > _LARGE_BYTES


def _has_large(batch: Sequence[_Fetch]) -> bool:
    return any(isinstance(file, Fetched) and file.opener.size > _LARGE_BYTES for file in batch)


def _released(file: Fetched, _: "Future[Reading]") -> None:
    file.opener.release()


def _unread(future: "Future[_Fetch]") -> None:
    """Release what was fetched and will not be read."""
    if not future.cancelled() and isinstance(file := future.result(), Fetched):
        file.opener.release()


def _ahead(
    items: Iterable[T],
    begin: Callable[[T], "Future[R]"],
    *,
    is_heavy: Callable[[T], bool],
    unused: Callable[["Future[R]"], object] = lambda _: None,
) -> Generator[tuple[T, "Future[R]"]]:
    """Begin the items, and yield each with its future, in order; fewer than `_AHEAD` wait, and none after a heavy one.

    Closed, it begins no more; `unused` gets each future that was begun and not yielded.
    """
    queue: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            queue.append((item, begin(item)))
            while len(queue) >= _AHEAD or any(is_heavy(one) for one, _ in queue):
                yield queue.popleft()
        while queue:
            yield queue.popleft()
    finally:
        for _, future in queue:
            future.cancel()
            future.add_done_callback(unused)
