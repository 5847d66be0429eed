"""Worker processes in which untrusted bytes are decoded.

Decoders are native code: a hostile or damaged file may crash them, exhaust memory or never end. In a worker that costs
the one file, which is set aside with the reason `crashed`, `out_of_memory` or `timed_out`, and a new worker takes its
place. A worker is started when it is first needed and exits by itself when the exporter is gone.

Linux only: the file is handed over by its descriptor's path under /proc, for it has no other name.
"""

import multiprocessing
import os
import queue
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from driftgauge.errors import BatchError

A = TypeVar("A")
R = TypeVar("R")

# A file of the largest size allowed decodes in a small part of this.
_LONGEST_SECONDS: Final = 600.0
_LONGEST_START: Final = 120.0
_EXTRA_BYTES: Final = 2 << 30
# The kernel's choice when the machine runs out of memory: a worker before the exporter.
_OOM_SCORE: Final = 800


class Workers:
    """At most `count` processes, each running one task at a time; callable from several threads.

    max_bytes: the largest file they are given; the memory each may take follows from it.
    """

    def __init__(self, count: int, *, max_bytes: int, longest: float = _LONGEST_SECONDS) -> None:
        self._memory = 4 * max_bytes + _EXTRA_BYTES
        self._longest = longest
        self._free: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._started: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(self, task: Callable[[BinaryIO, A], R], file: BinaryIO, argument: A) -> R:
        """Return `task(file, argument)`, computed in a worker; raises what it raises.

        Raises BatchError when the worker dies of it or does not end in time.
        """
        worker = self._free.get()
        try:
            if worker is None:
                worker = self._start()
            answer = worker.ask((task, f"/proc/{os.getpid()}/fd/{file.fileno()}", argument), timeout=self._longest)
        except BatchError:
            if worker is not None:
                self._discard(worker)
                worker = None
            raise
        finally:
            self._free.put(worker)
        if isinstance(answer, BaseException):
            raise answer
        result: R = answer
        return result

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._lock:
            self._closed = True
            workers, self._started = self._started, set()
        for worker in workers:
            worker.kill()

    def _start(self) -> "_Worker":
        # Not under the lock: starting takes seconds on a busy machine, and a stop must not wait for it.
        worker = None if self._closed else _Worker(self._memory)
        with self._lock:
            if worker is not None and not self._closed:
                self._started.add(worker)
                return worker
        if worker is not None:
            worker.kill()
        raise BatchError("crashed", "The exporter is stopping.")

    def _discard(self, worker: "_Worker") -> None:
        with self._lock:
            self._started.discard(worker)
        worker.kill()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, memory: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, memory), name="driftgauge-worker", daemon=True)
        self._process.start()
        theirs.close()
        # Importing takes a second, or many on a busy machine; the time a file is given counts from here.
        try:
            self._answer(_LONGEST_START)
        except BatchError:
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
    # Ctrl-C goes to the whole process group; when to end is the exporter's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(memory)
    # The pipe breaks when the exporter is killed: then there is nobody to answer.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send("ready")
        while True:
            task, path, argument = pipe.recv()
            pipe.send(_attempt(task, path, argument))


def _attempt(task: Callable[[BinaryIO, Any], Any], path: str, argument: Any) -> Any:
    try:
        # /proc gives a handle of our own on the nameless file: at its start, and never the exporter's position.
        with Path(path).open("rb") as file:
            return task(file, argument)
    except MemoryError:
        return BatchError("out_of_memory", "The file needs more memory to decode than is allowed; log smaller files.")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again on the other side
        return error


def _limit(memory: int) -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + memory
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
