"""Worker processes in which untrusted bytes are decoded.

Decoders are native code: a hostile or damaged file may crash them, exhaust memory or never end. In a worker that costs
the one file, which is set aside with the reason `crashed`, `out_of_memory` or `timed_out`, and a new worker takes its
place. A worker is started when all others are busy and ends with the process that started it. Workers are forked from
a server process that has imported what they need, and share its memory: this process itself has threads and is never
forked.

A task that takes long holds nobody up. While others wait it keeps its turn for a part of its time only; then it goes on
apart, in one of a few more workers, and a place among those is free for the next. When none is free it is ended, and
begun anew as soon as one is.

`concurrent.futures.ProcessPoolExecutor` cannot serve: when one of its processes dies, all tasks that wait fail with it
and nobody can tell which of them it was; it gives no task a limit of time; and it ends no process that hangs.
"""

import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from driftgauge.errors import BatchError
from driftgauge.pipeline.executor import Shared
from driftgauge.pipeline.mapped import Mapped, MappedFiles
from driftgauge.pipeline.worker import PROCESSES, Worker
from driftgauge.scratch import Scratch, remove

V = TypeVar("V")
A = TypeVar("A")
R = TypeVar("R")

# A file of the largest size allowed decodes in a small part of this.
_LONGEST_SECONDS: Final = 600.0
_EXTRA_BYTES: Final = 2 << 30
# Which part of its time a task has before others that wait.
_TURN: Final = 6
# How soon it is noticed that others wait.
_NOTICED_SECONDS: Final = 0.5
_LONGEST_FOLDER: Final = 80
# What a worker needs: a second of imports, done once. pyarrow imports pandas, if that is there, at its first list.
_PRELOADED: Final = ("pandas", "driftgauge.pipeline.reading")


@dataclass(slots=True, eq=False)
class _Task:
    """What a worker is asked, how long that may take (s, without waiting for a processor), and the future it is for."""

    call: tuple[Any, ...]
    within: float
    future: "Future[Any]" = field(default_factory=Future)


class Processes:
    """At most `count` processes, each running one task at a time, and half as many for long tasks; an `Executor`.

    max_bytes: the largest file they are given; the memory each may take follows from it. folder: one of its own, for
    values that they share. longest: seconds that a task may take. Raises StateError when the folder cannot be used.
    """

    def __init__(self, count: int, *, max_bytes: int, folder: Path, longest: float = _LONGEST_SECONDS) -> None:
        self._memory = 4 * max_bytes + _EXTRA_BYTES
        self._longest = longest
        scratch = Scratch(folder)
        self._files = MappedFiles(scratch)
        # Each thread waits for one worker, so there are never more workers than threads.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._places_apart = max(1, count // 2)
        self._apart = ThreadPoolExecutor(self._places_apart, thread_name_prefix="worker-apart")
        self._lock = Lock()
        self._waiting = 0
        self._long = 0
        self._idle: list[Worker] = []
        self._started: set[Worker] = set()
        self._closed = False
        # Its imports take a while, in which there is MLflow to be asked.
        PROCESSES.set_forkserver_preload(list(_PRELOADED))
        _have_socket_in(scratch.folder)
        forkserver.ensure_running()

    def share(self, value: V) -> Shared[V]:
        """Write a value to a file that workers map; see `Executor`."""
        return self._files.share(value)

    def release(self, shared: Shared[Any]) -> None:
        """Remove the file of a shared value."""
        if isinstance(shared, Mapped):
            self._files.release(shared)

    def submit(
        self, task: Callable[[V, A], R], shared: Shared[V], argument: A, *, within: float | None = None
    ) -> "Future[R]":
        """Have a worker run a task; see `Executor`."""
        asked = _Task((task, shared, argument), min(within or self._longest, self._longest))
        with self._lock:
            if self._closed:
                asked.future.set_exception(_stopping())
            else:
                self._waiting += 1
                self._threads.submit(self._settle, asked, self._in_turn)
        return asked.future

    def close(self) -> None:
        """End all workers; see `Executor`."""
        with self._lock:
            self._closed = True
            workers, self._started = self._started, set()
        for worker in workers:
            worker.kill()
        # Whatever waits in a queue fails at once.
        for threads in (self._threads, self._apart):
            threads.shutdown(wait=False)
        self._files.close()

    def _settle(self, task: _Task, run: Callable[[_Task], Any]) -> None:
        """Give the future of a task what comes of running it, unless it goes on elsewhere."""
        try:
            found = run(task)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the future raises it
            task.future.set_exception(error)
            return
        if isinstance(found, BaseException):
            task.future.set_exception(found)
        elif found is not _ELSEWHERE:
            task.future.set_result(found)

    def _in_turn(self, task: _Task) -> Any:
        """Return what comes of a task, as long as it is done in its turn."""
        with self._lock:
            self._waiting -= 1
        if not task.future.set_running_or_notify_cancel():
            return _ELSEWHERE
        worker, began = self._asked(task), time.monotonic()
        turn = began + task.within / _TURN
        return self._answer(
            worker, task, until=began + task.within, is_over=lambda: self._waiting > 0 and time.monotonic() > turn
        )

    def _on_its_own(self, worker: Worker | None, until: float, task: _Task) -> Any:
        """Return what comes of a long task, begun anew if it has no worker."""
        try:
            if worker is None:
                worker, until = self._asked(task), time.monotonic() + task.within
            return self._answer(worker, task, until=until, is_over=lambda: False)
        finally:
            with self._lock:
                self._long -= 1

    def _asked(self, task: _Task) -> Worker:
        worker = self._take()
        try:
            worker.ask(task.call)
        except BaseException:
            self._discard(worker)
            raise
        return worker

    def _answer(self, worker: Worker, task: _Task, *, until: float, is_over: Callable[[], bool]) -> Any:
        """Wait for the answer, until that takes too long or the task's turn is over: then it goes on apart."""
        try:
            while not worker.has_answer(_left(task, until + worker.waited())):
                if is_over():
                    return self._go_on_apart(worker, task, until)
            answer = worker.answer()
        except BaseException:
            self._discard(worker)
            raise
        with self._lock:
            self._idle.append(worker)
        return answer

    def _go_on_apart(self, worker: Worker, task: _Task, until: float) -> Any:
        with self._lock:
            self._long += 1
            has_place = self._long <= self._places_apart
        if not has_place:
            self._discard(worker)
        going_on = worker if has_place else None
        self._apart.submit(self._settle, task, lambda task: self._on_its_own(going_on, until, task))
        return _ELSEWHERE

    def _take(self) -> Worker:
        """Return an idle worker, else a new one."""
        with self._lock:
            if self._closed:
                raise _stopping()
            if self._idle:
                return self._idle.pop()
        # Not under the lock: starting may take seconds, and a stop must not wait for it.
        worker = Worker(self._memory)
        with self._lock:
            if not self._closed:
                self._started.add(worker)
                return worker
        worker.kill()
        raise _stopping()

    def _discard(self, worker: Worker) -> None:
        with self._lock:
            self._started.discard(worker)
        worker.kill()


# What a task has come to that is not done where it was begun.
_ELSEWHERE: Final = object()


def _have_socket_in(folder: Path) -> None:
    """Have the server's socket made in our folder: elsewhere a folder of it would be left of each killed process.

    A server that runs already keeps its socket, unless that has gone with its folder: then another one is started.
    """
    # There is no public way to either.
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
    place = config.get("tempdir")
    if place is not None and _is_folder(place):
        return
    if place is not None and server is not None:
        os.kill(server, signal.SIGKILL)
        # `ensure_running` looks for its end as well.
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    for left in folder.glob("listener-*"):
        if stat.S_ISSOCK(left.lstat().st_mode):
            remove(left)
    config["tempdir"] = str(folder)
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        # The address of a socket has at most 107 bytes; a folder that is open has a short name for this process.
        config["tempdir"] = f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"


def _is_folder(place: str) -> bool:
    """Return whether there is a folder; one that was removed is none, even if it is still open."""
    try:
        status = Path(place).stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_nlink > 0


def _stopping() -> BatchError:
    return BatchError("crashed", "driftgauge is stopping.")


def _left(task: _Task, until: float) -> float:
    """Return how long to wait for an answer now (s). Raises BatchError timed_out when there is no time left.

    until: when its time is over; what the worker waited for a processor is not the file's fault and is part of it.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise BatchError("timed_out", f"The file was not decoded within {task.within:.0f} s; log smaller files.")
    return min(left, _NOTICED_SECONDS)
