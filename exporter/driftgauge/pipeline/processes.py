"""Worker processes in which untrusted bytes are decoded.

Decoders are native code: a hostile or damaged file may crash them, exhaust memory or never end. In a worker that costs
the one file, which is set aside with the reason `crashed`, `out_of_memory` or `timed_out`, and a new worker takes its
place. A worker is started when all others are busy and ends with the process that started it. Workers are forked from
a server process that has imported what they need, and share its memory: this process itself has threads and is never
forked.

`concurrent.futures.ProcessPoolExecutor` cannot serve: when one of its processes dies, all tasks that wait fail with it
and nobody can tell which of them it was; it gives no task a limit of time; and it ends no process that hangs.
"""

import multiprocessing
import os
import resource
import signal
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from driftgauge.errors import BatchError
from driftgauge.hiding import guard_output
from driftgauge.pipeline.executor import Opened, Shared, out_of_memory
from driftgauge.pipeline.heap import trim
from driftgauge.pipeline.mapped import Mapped, MappedFiles
from driftgauge.scratch import Scratch, remove

V = TypeVar("V")
A = TypeVar("A")
R = TypeVar("R")

# A file of the largest size allowed decodes in a small part of this.
_LONGEST_SECONDS: Final = 600.0
# The first worker waits for the imports of the server, many seconds on a busy machine.
_LONGEST_START: Final = 120.0
_EXTRA_BYTES: Final = 2 << 30
# What a worker may keep after a task, beyond what it began with.
_KEPT_BYTES: Final = 128 << 20
# Fields of /proc/self/statm.
_ADDRESSED: Final = 0
_RESIDENT: Final = 1
# The kernel's choice when the machine runs out of memory: a worker before anything else of ours.
_OOM_SCORE: Final = 800
# While processors are few, answering scrapes and committing come before decoding.
_NICENESS: Final = 10
_LONGEST_FOLDER: Final = 80
_PROCESSES: Final = multiprocessing.get_context("forkserver")
# What a worker needs: a second of imports, done once. pyarrow imports pandas, if that is there, at its first list.
_PRELOADED: Final = ("pandas", "driftgauge.pipeline.reading")


class Processes:
    """At most `count` processes, each running one task at a time; an `Executor`.

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
        self._lock = Lock()
        self._idle: list[_Worker] = []
        self._started: set[_Worker] = set()
        self._closed = False
        # Its imports take a while, in which there is MLflow to be asked.
        _PROCESSES.set_forkserver_preload(list(_PRELOADED))
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
        with self._lock:
            if not self._closed:
                return self._threads.submit(self._run, task, shared, argument, within or self._longest)
        failed: Future[R] = Future()
        failed.set_exception(_stopping())
        return failed

    def close(self) -> None:
        """End all workers; see `Executor`."""
        with self._lock:
            self._closed = True
            workers, self._started = self._started, set()
        for worker in workers:
            worker.kill()
        # Whatever waits in a queue fails at once.
        self._threads.shutdown(wait=False)
        self._files.close()

    def _run(self, task: Callable[[V, A], R], shared: Shared[V], argument: A, within: float) -> R:
        worker = self._take()
        try:
            answer = worker.ask((task, shared, argument), timeout=within)
        except BaseException:
            with self._lock:
                self._started.discard(worker)
            worker.kill()
            raise
        with self._lock:
            self._idle.append(worker)
        if isinstance(answer, BaseException):
            raise answer
        result: R = answer
        return result

    def _take(self) -> "_Worker":
        """Return an idle worker, else a new one."""
        with self._lock:
            if self._closed:
                raise _stopping()
            if self._idle:
                return self._idle.pop()
        # Not under the lock: starting may take seconds, and a stop must not wait for it.
        worker = _Worker(self._memory)
        with self._lock:
            if not self._closed:
                self._started.add(worker)
                return worker
        worker.kill()
        raise _stopping()


def _have_socket_in(folder: Path) -> None:
    """Have the server's socket made in our folder: elsewhere a folder of it would be left of each killed process.

    A server that runs already keeps its socket, unless that has gone with its folder: then another one is started.
    """
    # There is no public way to either.
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
    place = config.get("tempdir")
    if place is not None and Path(place).is_dir():
        return
    if place is not None and server is not None:
        os.kill(server, signal.SIGKILL)
        # `ensure_running` looks for its end as well.
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    # The address of a socket has at most 107 bytes.
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        config.pop("tempdir", None)
        return
    for left in folder.glob("listener-*"):
        if stat.S_ISSOCK(left.lstat().st_mode):
            remove(left)
    config["tempdir"] = str(folder)


def _stopping() -> BatchError:
    return BatchError("crashed", "driftgauge is stopping.")


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, memory: int) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_serve, args=(theirs, memory), name="driftgauge-worker", daemon=True)
        self._process.start()
        theirs.close()
        try:
            # Only now does the time of its first task begin.
            self._answer(_LONGEST_START)
        except BaseException:
            self.kill()
            raise

    def ask(self, task: tuple[Any, ...], *, timeout: float) -> Any:
        """Send a task and return the answer, an exception if it raised one."""
        try:
            self._pipe.send(task)
        except OSError as error:
            raise self._died() from error
        return self._answer(timeout)

    def _answer(self, timeout: float) -> Any:
        try:
            if self._pipe.poll(timeout):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        raise BatchError("timed_out", f"The file was not decoded within {timeout:.0f} s; log smaller files.")

    def _died(self) -> BatchError:
        self._process.join(5)
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return BatchError("crashed", f"The file crashed its decoder ({how}); nothing of it was counted.")

    def kill(self) -> None:
        """End the process now. Callable from any thread: whoever waits for an answer sees the pipe end.

        The pipe closes with this object and not here, where another thread may be reading from it.
        """
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, memory: int) -> None:
    """Answer tasks until the other end is gone."""
    # Ctrl-C goes to the whole process group; when to end is decided at the other end of the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    guard_output()
    os.nice(_NICENESS)
    _limit(memory)
    opened = Opened()
    # The pipe breaks when the other end is killed: then there is nobody to answer.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send("ready")
        began = _pages(_RESIDENT)
        while True:
            _answer(pipe, opened, *pipe.recv())
            if _pages(_RESIDENT) > began + _KEPT_BYTES // resource.getpagesize():
                trim()


def _answer(
    pipe: Connection, opened: Opened, task: Callable[[Any, Any], Any], shared: Shared[Any], argument: Any
) -> None:
    try:
        pipe.send(_attempt(opened, task, shared, argument))
    except MemoryError:
        pipe.send(out_of_memory())


def _attempt(opened: Opened, task: Callable[[Any, Any], Any], shared: Shared[Any], argument: Any) -> Any:
    try:
        return task(opened.value(shared), argument)
    except MemoryError:
        return out_of_memory()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again on the other side
        return error


def _end_with_parent() -> None:
    """End this process when the one that started it has gone, also in the middle of a task."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(0)


def _limit(memory: int) -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _pages(_ADDRESSED) * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _pages(field: int) -> int:
    """Return how many pages of memory this process has, `_ADDRESSED` or `_RESIDENT`."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[field])
