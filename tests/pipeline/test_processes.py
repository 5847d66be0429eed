"""Worker processes: what a file can do to its decoder and cannot do to the exporter."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pytest

from driftgauge.errors import BatchError
from driftgauge.pipeline.executor import NOTHING
from driftgauge.pipeline.processes import Processes

Numbers = npt.NDArray[np.int64]

MEBIBYTE = 1 << 20


def length(_: None, data: bytes) -> int:
    """Take some bytes."""
    return len(data)


def squares(factor: Numbers, numbers: list[Numbers]) -> list[Numbers]:
    """Return large and small arrays."""
    return [factor[0] * array**2 for array in numbers]


def refuse(_: None, reason: str) -> None:
    """Find the file unusable."""
    raise BatchError(reason, "It will not do.")


def crash(_: None, number: int) -> None:
    """Fail as native code does."""
    os.kill(os.getpid(), number)


def devour(_: None, size: int) -> int:
    """Want more memory than is allowed."""
    return len(bytearray(size))


def swell(_: None, size: int) -> bytes:
    """Return more than there is memory to send, made of little."""
    return Swollen(size)


class Swollen(bytes):
    """Pickled it is larger than the memory."""

    _size: int

    def __new__(cls, size: int) -> Self:
        """Note the size."""
        made = super().__new__(cls)
        made._size = size
        return made

    def __reduce__(self) -> Any:
        """Need memory."""
        return bytes, (bytes(self._size),)


def sleep(_: None, seconds: float) -> int:
    """Take some time; return the process."""
    time.sleep(seconds)
    return os.getpid()


def identity(value: Numbers, _: int) -> int:
    """Return where the shared value is in the worker's memory."""
    return id(value)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Processes]:
    """Yield one worker with little memory."""
    pool = Processes(1, max_bytes=MEBIBYTE, folder=tmp_path / "shared", longest=60.0)
    yield pool
    pool.close()


def run(workers: Processes, task: Any, argument: Any) -> Any:
    """Return the result of a task that shares nothing."""
    return workers.submit(task, NOTHING, argument).result()


def test_arrays_of_any_size(workers: Processes) -> None:
    """Arrays arrive whole and in order, shared ones and those of the task."""
    numbers = [np.arange(count) for count in (3, 500_000, 0, 200_000)]
    shared = workers.share(np.arange(2, 100_000))
    found = workers.submit(squares, shared, numbers).result()
    assert [array.tolist() for array in found] == [(2 * n**2).tolist() for n in numbers]


def test_a_shared_value_is_opened_once(workers: Processes) -> None:
    """Tables that were made for a layout are there for the next file; another value is another object."""
    one, other = workers.share(np.arange(5000)), workers.share(np.arange(5001))
    found = [workers.submit(identity, shared, 0).result() for shared in (one, other, one, other)]
    assert (found[0], found[1]) == (found[2], found[3])
    assert found[0] != found[1]


def test_shared_files_go(workers: Processes, tmp_path: Path) -> None:
    """A released value leaves nothing on disk, and neither does closing."""
    folder = tmp_path / "shared"
    first, _ = workers.share(np.arange(5000)), workers.share(np.arange(7))
    workers.release(first)
    workers.release(NOTHING)
    assert len(list(folder.glob("*.data"))) == 1
    workers.close()
    assert list(folder.glob("*.data")) == []


def test_failure_of_the_task(workers: Processes) -> None:
    """What a task raises is raised here, with its reason, and the worker goes on."""
    pid = run(workers, sleep, 0.0)
    with pytest.raises(BatchError, match="It will not do") as caught:
        run(workers, refuse, "invalid_csv")
    assert caught.value.reason == "invalid_csv"
    assert run(workers, sleep, 0.0) == pid


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGSEGV, "signal 11"), (signal.SIGABRT, "signal 6"), (signal.SIGKILL, "signal 9")],
)
def test_crash_costs_the_file_only(workers: Processes, number: int, expected: str) -> None:
    """A native crash, an abort and the kernel's out-of-memory kill set the file aside; the next one is read."""
    with pytest.raises(BatchError, match=expected) as caught:
        run(workers, crash, number)
    assert caught.value.reason == "crashed"
    assert run(workers, length, b"abc") == 3


@pytest.mark.parametrize("task", [devour, swell])
def test_too_much_memory(workers: Processes, task: Any) -> None:
    """A file that needs more memory than is allowed is refused before the machine has to give it."""
    with pytest.raises(BatchError) as caught:
        run(workers, task, 64 << 30)
    assert caught.value.reason == "out_of_memory"
    assert run(workers, length, b"abc") == 3


@pytest.mark.parametrize(("longest", "within"), [(0.2, None), (60.0, 0.2)])
def test_too_slow(tmp_path: Path, longest: float, within: float | None) -> None:
    """A file whose decoder does not end is given up; so is a task that was given less time."""
    workers = Processes(1, max_bytes=MEBIBYTE, folder=tmp_path, longest=longest)
    with pytest.raises(BatchError) as caught:
        workers.submit(sleep, NOTHING, 60.0, within=within).result()
    workers.close()
    assert caught.value.reason == "timed_out"


def test_waiting_for_a_processor_does_not_count(workers: Processes) -> None:
    """On a machine that is busy with other things a file is not given up for it: workers come last there."""
    processor = min(os.sched_getaffinity(0))
    pid = run(workers, pinned, processor)
    spinning = f"import os; os.sched_setaffinity(0, [{processor}])\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-c", spinning]) for _ in range(2)]
    try:
        began = time.monotonic()
        assert workers.submit(spin, NOTHING, 0.15, within=0.5).result() == pid
        assert time.monotonic() - began > 0.5
    finally:
        for other in others:
            other.kill()
            other.wait()


def pinned(_: None, processor: int) -> int:
    """Run on one processor only, from now on."""
    os.sched_setaffinity(0, [processor])
    return os.getpid()


def spin(_: None, seconds: float) -> int:
    """Use a processor for that long."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return os.getpid()


def test_long_tasks_hold_nobody_up(tmp_path: Path) -> None:
    """While others wait, a long task goes on apart; one for which there is no place is begun anew, and all are done."""
    workers = Processes(1, max_bytes=MEBIBYTE, folder=tmp_path)
    run(workers, sleep, 0.0)
    first, second, hanging = (workers.submit(sleep, NOTHING, seconds, within=6.0) for seconds in (3.0, 2.5, 60.0))
    began = time.monotonic()
    assert run(workers, length, b"abc") == 3
    assert time.monotonic() - began < 10
    assert not hanging.done()
    assert len({first.result(), second.result()}) <= 2
    with pytest.raises(BatchError) as caught:
        hanging.result()
    workers.close()
    assert caught.value.reason == "timed_out"


def test_a_long_task_alone_keeps_its_turn(workers: Processes) -> None:
    """Nothing is begun anew while nobody waits."""
    pid = run(workers, sleep, 0.0)
    assert workers.submit(sleep, NOTHING, 1.5, within=6.0).result() == pid


def test_decoding_comes_last(workers: Processes) -> None:
    """Where processors are few, everything else gets them before the workers."""
    assert run(workers, niceness, 0) > os.nice(0)


def niceness(_: None, more: int) -> int:
    """Return the niceness of this process."""
    return os.nice(more)


def test_closing_ends_what_runs(workers: Processes) -> None:
    """A stop does not wait for a decoder, nor for what waits for a worker, and nothing can be started after it."""
    pid = run(workers, sleep, 0.0)
    running, waiting = (workers.submit(sleep, NOTHING, 60.0) for _ in range(2))
    time.sleep(0.2)
    workers.close()
    for future in (running, waiting, workers.submit(length, NOTHING, b"abc")):
        with pytest.raises(BatchError) as caught:
            future.result(5)
        assert caught.value.reason == "crashed"
    assert not Path(f"/proc/{pid}").exists()


def test_idle_workers_come_first(tmp_path: Path) -> None:
    """Starting a process takes longer than decoding a batch: as many run as tasks do at a time, however many may."""
    workers = Processes(4, max_bytes=MEBIBYTE, folder=tmp_path)
    pids = {run(workers, sleep, 0.0) for _ in range(6)}
    workers.close()

    assert len(pids) == 1


@pytest.mark.parametrize("depth", [1, 40])
def test_a_folder_that_went(tmp_path: Path, depth: int) -> None:
    """Workers start wherever the folder is, also when the one of an earlier executor is not there any more."""
    for number in range(2):
        folder = tmp_path.joinpath(*[f"shared{number}"] * depth)
        workers = Processes(1, max_bytes=MEBIBYTE, folder=folder)
        assert run(workers, length, b"abc") == 3
        workers.close()
        shutil.rmtree(tmp_path / f"shared{number}")


ABANDONED: Final = """
import os, signal, sys, time
from pathlib import Path
from driftgauge.pipeline.executor import NOTHING
from driftgauge.pipeline.processes import Processes
from pipeline.test_processes import relatives, sleep

if __name__ == "__main__":
    workers = Processes(1, max_bytes=1 << 20, folder=Path(sys.argv[1]))
    print(*workers.submit(relatives, NOTHING, os.getpid()).result(), flush=True)
    workers.submit(sleep, NOTHING, 600.0)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def relatives(_: None, exporter: int) -> tuple[int, int]:
    """Return this process and the one it was forked from, which is not the exporter."""
    assert os.getppid() != exporter
    return os.getpid(), os.getppid()


def scripted(script: Path, text: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in a process of its own, so with a server of its own that workers are forked from."""
    script.write_text(text)
    tests = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, *sys.path])} | environment
    return subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", ["shared", "s" * 100])
def test_killing_the_exporter_leaves_nothing(tmp_path: Path, name: str) -> None:
    """When the exporter is killed its workers end, busy ones as well, and the server they were forked from.

    What it leaves lies in its own folder, however long that is called, and the next process removes it.
    """
    folder, temporary = tmp_path / name, tmp_path / "tmp"
    temporary.mkdir()
    killed = scripted(tmp_path / "exporter.py", ABANDONED, str(folder), TMPDIR=str(temporary))

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    pids = [int(pid) for pid in killed.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if lives(pid)] == []
    assert list(temporary.iterdir()) == []
    left = {path.name for path in folder.iterdir()}
    scripted(tmp_path / "exporter.py", ABANDONED, str(folder), TMPDIR=str(temporary))
    assert len(left) == len(list(folder.iterdir())) == 1


IMPORTS: Final = """
import sys
from pathlib import Path
from driftgauge.pipeline.executor import NOTHING
from driftgauge.pipeline.processes import Processes

def imported(_, names):
    return [name in sys.modules for name in names]

if __name__ == "__main__":
    workers = Processes(1, max_bytes=1 << 20, folder=Path(sys.argv[1]))
    print(workers.submit(imported, NOTHING, ["driftgauge.batch", "pandas", "mlflow"]).result())
    workers.close()
"""


def test_workers_have_what_they_need(tmp_path: Path) -> None:
    """Decoders are there before the first file, and so is pandas, which pyarrow would import in each worker."""
    told = scripted(tmp_path / "exporter.py", IMPORTS, str(tmp_path / "shared"))

    assert told.stdout == "[True, True, False]\n", told.stderr


def lives(pid: int) -> bool:
    """Whether a process runs: one that ended may still be listed, for whoever asks how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
