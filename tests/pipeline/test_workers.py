"""Worker processes: what a file can do to its decoder and cannot do to the exporter."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from driftgauge.errors import BatchError
from driftgauge.pipeline.workers import Workers

MEBIBYTE = 1 << 20


def length(file: BinaryIO, factor: int) -> int:
    """Read the file."""
    return len(file.read()) * factor


def refuse(_: BinaryIO, reason: str) -> None:
    """Find the file unusable."""
    raise BatchError(reason, "It will not do.")


def crash(_: BinaryIO, number: int) -> None:
    """Fail as native code does."""
    os.kill(os.getpid(), number)


def devour(_: BinaryIO, size: int) -> int:
    """Want more memory than is allowed."""
    return len(bytearray(size))


def sleep(_: BinaryIO, seconds: float) -> int:
    """Take some time; return the process."""
    time.sleep(seconds)
    return os.getpid()


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    """Yield a nameless file, as `source` hands them out."""
    with tempfile.TemporaryFile() as opened:
        opened.write(b"abc")
        opened.seek(0)
        yield opened


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Yield one worker with little memory and patience."""
    pool = Workers(1, max_bytes=MEBIBYTE, longest=5.0)
    yield pool
    pool.close()


def test_result_and_file(workers: Workers, file: BinaryIO) -> None:
    """A task sees the whole file, wherever the exporter's own position is, and its result comes back."""
    file.read(2)
    assert workers.run(length, file, 2) == 6


def test_failure_of_the_task(workers: Workers, file: BinaryIO) -> None:
    """What a task raises is raised here, with its reason, and the worker goes on."""
    with pytest.raises(BatchError, match="It will not do") as caught:
        workers.run(refuse, file, "invalid_csv")
    assert caught.value.reason == "invalid_csv"
    assert workers.run(length, file, 1) == 3


@pytest.mark.parametrize(
    ("number", "told"),
    [(signal.SIGSEGV, "signal 11"), (signal.SIGABRT, "signal 6"), (signal.SIGKILL, "signal 9")],
)
def test_crash_costs_the_file_only(workers: Workers, file: BinaryIO, number: int, told: str) -> None:
    """A native crash, an abort and the kernel's out-of-memory kill set the file aside; the next one is read."""
    with pytest.raises(BatchError, match=told) as caught:
        workers.run(crash, file, number)
    assert caught.value.reason == "crashed"
    assert workers.run(length, file, 1) == 3


def test_too_much_memory(workers: Workers, file: BinaryIO) -> None:
    """A file that needs more memory than is allowed is refused before the machine has to give it."""
    with pytest.raises(BatchError) as caught:
        workers.run(devour, file, 64 << 30)
    assert caught.value.reason == "out_of_memory"
    assert workers.run(length, file, 1) == 3


def test_too_slow(file: BinaryIO) -> None:
    """A file whose decoder does not end is given up."""
    workers = Workers(1, max_bytes=MEBIBYTE, longest=0.2)
    with pytest.raises(BatchError) as caught:
        workers.run(sleep, file, 60.0)
    workers.close()
    assert caught.value.reason == "timed_out"


def test_worker_is_reused(workers: Workers, file: BinaryIO) -> None:
    """Starting a process takes longer than decoding a batch, so one serves many files."""
    assert workers.run(sleep, file, 0.0) == workers.run(sleep, file, 0.0)


def test_closing_ends_what_runs(workers: Workers, file: BinaryIO) -> None:
    """A stop does not wait for a decoder, and nothing can be started after it."""
    pid = workers.run(sleep, file, 0.0)
    failures: list[str] = []

    def long_task() -> None:
        try:
            workers.run(sleep, file, 60.0)
        except BatchError as error:
            failures.append(error.reason)

    thread = threading.Thread(target=long_task)
    thread.start()
    time.sleep(0.2)
    workers.close()
    thread.join(5)
    assert failures == ["crashed"]
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(BatchError, match="stopping"):
        workers.run(length, file, 1)
