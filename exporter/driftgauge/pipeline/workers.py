"""Worker processes in which untrusted bytes are decoded, and columns compared.

Decoders are native code: a hostile or damaged file may crash them, exhaust memory or never end. In a worker that costs
the one file, which is set aside with the reason `crashed`, `out_of_memory` or `timed_out`, and a new worker takes its
place. A worker is started when all others are busy and exits by itself when the exporter is gone. Workers are forked
from a server process that has imported what they need, and share its memory: the exporter itself has threads and is
never forked.

Linux only: the file is handed over by its descriptor's path under /proc, for it has no other name.
"""

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import numpy as np

from driftgauge.errors import BatchError
from driftgauge.pipeline.heap import give_back, keep_some
from driftgauge.pipeline.sharing import Place, at_places, place_of, put_together, taken_apart

A = TypeVar("A")
R = TypeVar("R")

# A file of the largest size allowed decodes in a small part of this.
_LONGEST_SECONDS: Final = 600.0
_LONGEST_START: Final = 120.0
_EXTRA_BYTES: Final = 2 << 30
# The kernel takes at most 1,024 pieces of memory in one call.
_PARTS: Final = 512
# What a worker may keep, beyond what it began with, to have it at hand for the next file.
_KEPT_BYTES: Final = 128 << 20
# The kernel's choice when the machine runs out of memory: a worker before the exporter.
_OOM_SCORE: Final = 800
# While processors are few, scrapes and commits come before files.
NICENESS: Final = 10
# Fields of /proc/self/statm.
_ADDRESSED: Final = 0
_RESIDENT: Final = 1
_PROCESSES: Final = multiprocessing.get_context("forkserver")
# numpy, pyarrow and our decoders: half a second of work, done once.
_PRELOADED: Final = (
    "driftgauge.pipeline.without_pandas",
    "driftgauge.pipeline.reading",
)


class Workers:
    """At most `count` processes, each running one task at a time; callable from several threads.

    max_bytes: the largest file they are given; the memory each may take follows from it.
    """

    def __init__(self, count: int, *, max_bytes: int, longest: float = _LONGEST_SECONDS) -> None:
        self._memory = 4 * max_bytes + _EXTRA_BYTES
        self._longest = longest
        self._places = count
        self._idle: list[_Worker] = []
        self._started: set[_Worker] = set()
        self._changed = threading.Condition()
        self._closed = False
        # Its imports take a while, in which there is MLflow to be asked.
        _PROCESSES.set_forkserver_preload(list(_PRELOADED))
        forkserver.ensure_running()

    def run(self, task: Callable[[BinaryIO, A], R], file: BinaryIO, argument: A) -> R:
        """Return `task(file, argument)`, computed in a worker; raises what it raises.

        Raises BatchError when the worker dies of it or does not end in time.
        """
        return self.call(partial(_with_file, task, f"/proc/{os.getpid()}/fd/{file.fileno()}"), argument)

    def call(self, task: Callable[[A], R], argument: A, *, within: float | None = None) -> R:
        """Return `task(argument)` as `run` does; `within` (s) may be less than what a file is given."""
        worker, usable = self._take(), True
        try:
            answer = worker.ask((task, argument), timeout=self._longest if within is None else within)
        except BatchError:
            usable = False
            raise
        finally:
            self._give_back(worker, usable=usable)
        if isinstance(answer, BaseException):
            raise answer
        result: R = answer
        return result

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._changed:
            self._closed = True
            workers, self._started = self._started, set()
            self._changed.notify_all()
        for worker in workers:
            worker.kill()

    def _take(self) -> "_Worker":
        """Return a worker for one task: an idle one, else a new one, else the first that is given back."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._places or self._closed)
            if self._idle and not self._closed:
                return self._idle.pop()
            self._places -= 1
        # Not under the lock: starting may take seconds, and a stop must not wait for it.
        try:
            return self._start()
        except BaseException:
            self._free_place()
            raise

    def _start(self) -> "_Worker":
        worker = None if self._closed else _Worker(self._memory)
        with self._changed:
            if worker is not None and not self._closed:
                self._started.add(worker)
                return worker
        if worker is not None:
            worker.kill()
        raise BatchError("crashed", "The exporter is stopping.")

    def _give_back(self, worker: "_Worker", *, usable: bool) -> None:
        if not usable:
            with self._changed:
                self._started.discard(worker)
            worker.kill()
            self._free_place()
            return
        with self._changed:
            self._idle.append(worker)
            self._changed.notify()

    def _free_place(self) -> None:
        with self._changed:
            self._places += 1
            self._changed.notify()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, memory: int) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_serve, args=(theirs, memory), name="driftgauge-worker", daemon=True)
        self._process.start()
        theirs.close()
        # The first waits for the server's imports, many seconds on a busy machine; a file's time counts from here.
        try:
            self._answer(_LONGEST_START)
        except BatchError:
            self.kill()
            raise

    def ask(self, task: tuple[Any, ...], *, timeout: float) -> Any:
        """Send a task and return the answer, an exception if it raised one."""
        try:
            _send(self._pipe, task)
        except OSError as error:
            raise self._died() from error
        return self._answer(timeout)

    def _answer(self, timeout: float) -> Any:
        try:
            if self._pipe.poll(timeout):
                return _receive(self._pipe)
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
    os.nice(NICENESS)
    keep_some()
    _limit(memory)
    # The pipe breaks when the exporter is killed: then there is nobody to answer.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _send(pipe, "ready")
        began = _taken(_RESIDENT)
        while True:
            task, argument = _receive(pipe)
            answer = _attempt(task, argument)
            _trim(began)
            _send(pipe, answer)
            del task, argument, answer
            _trim(began)


def _trim(began: int) -> None:
    """Give back what is free if the process takes much more than it `began` with (bytes)."""
    if _taken(_RESIDENT) > began + _KEPT_BYTES:
        give_back()


def _send(pipe: Connection, value: Any) -> None:
    """Send a value, its large arrays after everything else; of shared ones, where they lie."""
    pickled, arrays = taken_apart(value)
    places = [place_of(array) for array in arrays]
    pipe.send((len(pickled), [place or array.nbytes for place, array in zip(places, arrays, strict=True)]))
    sent = [array for place, array in zip(places, arrays, strict=True) if place is None]
    _transfer(os.writev, pipe, [memoryview(pickled), *sent])


def _receive(pipe: Connection) -> Any:
    """Return what `_send` sent from the other end."""
    size, arrays = pipe.recv()
    # Each by itself: one may be kept for long, and the others not.
    pickled, *sent = (np.empty(size, np.uint8).data for size in (size, *(a for a in arrays if isinstance(a, int))))
    _transfer(os.readv, pipe, [pickled, *sent])
    mapped = iter(at_places([array for array in arrays if isinstance(array, Place)]))
    received = iter(sent)
    return put_together(pickled, [next(received if isinstance(array, int) else mapped) for array in arrays])


def _transfer(move: Callable[[int, Sequence[memoryview]], int], pipe: Connection, parts: Sequence[memoryview]) -> None:
    """Write or read all bytes of the parts, as many at a time as the kernel takes."""
    at = done = 0
    while at < len(parts):
        moved = move(pipe.fileno(), [parts[at][done:], *parts[at + 1 : at + _PARTS]])
        if not moved:
            raise EOFError
        done += moved
        while at < len(parts) and done >= len(parts[at]):
            done -= len(parts[at])
            at += 1


def _attempt(task: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return task(argument)
    except MemoryError:
        return BatchError("out_of_memory", "The file needs more memory to decode than is allowed; log smaller files.")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again on the other side
        return error


def _with_file(task: Callable[[BinaryIO, A], R], path: str, argument: A) -> R:
    # /proc gives a handle of our own on the nameless file: at its start, and never the exporter's position.
    with Path(path).open("rb") as file:
        return task(file, argument)


def _limit(memory: int) -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _taken(_ADDRESSED) + memory
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _taken(kind: int) -> int:
    """Return how many bytes this process takes, `_ADDRESSED` or `_RESIDENT`."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[kind]) * resource.getpagesize()
