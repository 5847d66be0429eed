"""Worker processes: what a file can do to its decoder and cannot do to the exporter."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pytest

from driftgauge.errors import BatchError
from driftgauge.pipeline.workers import Workers

MEBIBYTE = 1 << 20
Numbers = npt.NDArray[np.int64]


def length(file: BinaryIO, factor: int) -> int:
    """Read the file."""
    return len(file.read()) * factor


def squares(_: BinaryIO, numbers: list[Numbers]) -> list[Numbers]:
    """Return large and small arrays."""
    return [array**2 for array in numbers]


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


def test_arrays_of_any_size(workers: Workers, file: BinaryIO) -> None:
    """Arrays arrive whole and in order, those that travel by themselves and those that do not."""
    numbers = [np.arange(count) for count in (3, 500_000, 0, 200_000)]
    assert list(map(np.ndarray.tolist, workers.run(squares, file, numbers))) == [(n**2).tolist() for n in numbers]


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


@pytest.mark.parametrize(("longest", "within"), [(0.2, None), (60.0, 0.2)])
def test_too_slow(longest: float, within: float | None) -> None:
    """A file whose decoder does not end is given up; so is a task that was given less time."""
    workers = Workers(1, max_bytes=MEBIBYTE, longest=longest)
    with pytest.raises(BatchError) as caught:
        workers.call(time.sleep, 60.0, within=within)
    workers.close()
    assert caught.value.reason == "timed_out"


def test_scrapes_come_first(workers: Workers) -> None:
    """Where processors are few, the exporter itself gets them before its workers."""
    assert workers.call(os.nice, 0) > os.nice(0)


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


def test_idle_workers_come_first(file: BinaryIO) -> None:
    """As many workers run as tasks do at a time, however many may."""
    workers = Workers(4, max_bytes=MEBIBYTE)
    pids = {workers.run(sleep, file, 0.0) for _ in range(6)}
    workers.close()

    assert len(pids) == 1


ABANDONED: Final = """
import os, signal, tempfile
from driftgauge.pipeline.workers import Workers
from pipeline.test_workers import relatives

if __name__ == "__main__":
    with tempfile.TemporaryFile() as file:
        print(*Workers(1, max_bytes=1 << 20).run(relatives, file, os.getpid()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def relatives(_: BinaryIO, exporter: int) -> tuple[int, int]:
    """Return this process and the one it was forked from, which is not the exporter."""
    assert os.getppid() != exporter
    return os.getpid(), os.getppid()


def scripted(script: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in a process of its own, so with a server of its own that workers are forked from."""
    script.write_text(text)
    tests = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, *sys.path])}
    return subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_killing_the_exporter_leaves_nothing(tmp_path: Path) -> None:
    """When the exporter is killed its workers end, and the server they were forked from."""
    killed = scripted(tmp_path / "exporter.py", ABANDONED)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    pids = [int(pid) for pid in killed.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if lives(pid)] == []


IMPORTS: Final = """
import sys, tempfile
from driftgauge.pipeline.workers import Workers

def imported(_, names):
    import pyarrow
    pyarrow.array([1.5, None])
    return [name in sys.modules for name in names]

if __name__ == "__main__":
    with tempfile.TemporaryFile() as file:
        print(Workers(1, max_bytes=1 << 20).run(imported, file, ["driftgauge.batch", "pandas"]))
"""


def test_workers_have_what_they_need(tmp_path: Path) -> None:
    """Decoders are there before the first file; pandas, which takes long and none of them uses, never is."""
    told = scripted(tmp_path / "exporter.py", IMPORTS)

    assert told.stdout == "[True, False]\n", told.stderr


def lives(pid: int) -> bool:
    """Whether a process runs: one that ended may still be listed, for whoever asks how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
