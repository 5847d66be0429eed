"""One worker process: how it is started and asked, and what it does until the process that started it is gone."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import Any, Final

from driftgauge.errors import BatchError
from driftgauge.hiding import guard_output
from driftgauge.pipeline.executor import Opened, Shared, out_of_memory
from driftgauge.pipeline.heap import trim

# The first worker waits for the imports of the server, many seconds on a busy machine.
_LONGEST_START: Final = 120.0
# What a worker may keep after a task, beyond what it began with.
_KEPT_BYTES: Final = 128 << 20
# Fields of /proc/self/statm.
_ADDRESSED: Final = 0
_RESIDENT: Final = 1
# The kernel's choice when the machine runs out of memory: a worker before anything else of ours.
_OOM_SCORE: Final = 800
# While processors are few, answering scrapes and committing come before decoding, which still gets a third of the time
# of each other process: with 19 or 10 it would stand still on a busy machine.
_NICENESS: Final = 5
PROCESSES: Final = multiprocessing.get_context("forkserver")


class Worker:
    """One process and the pipe to it."""

    def __init__(self, memory: int) -> None:
        self._waited_before = 0.0
        self._pipe, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_serve, args=(theirs, memory), name="driftgauge-worker", daemon=True)
        self._process.start()
        theirs.close()
        try:
            # Only now does the time of its first task begin.
            self._await_start()
        except BaseException:
            self.kill()
            raise

    def _await_start(self) -> None:
        if not self.has_answer(_LONGEST_START):
            raise BatchError("timed_out", f"A worker did not start within {_LONGEST_START:.0f} s.")
        self.answer()

    def ask(self, task: tuple[Any, ...]) -> None:
        """Send a task. This and what follows raises BatchError "crashed" when the process has died."""
        self._waited_before = self._waited()
        try:
            self._pipe.send(task)
        except OSError as error:
            raise self._died() from error

    def waited(self) -> float:
        """Return how long it was ready to run since it was asked, and had no processor (s); 0 where that is unknown."""
        return self._waited() - self._waited_before

    def _waited(self) -> float:
        # Nanoseconds it ran, nanoseconds it waited to run, and how often (Linux, Documentation/scheduler/sched-stats).
        with suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
        return 0.0

    def has_answer(self, timeout: float) -> bool:
        """Return whether there is an answer within `timeout` s."""
        try:
            return self._pipe.poll(timeout)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def answer(self) -> Any:
        """Return the answer, an exception if the task raised one."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error

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
