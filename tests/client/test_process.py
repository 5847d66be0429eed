"""Forks, exits and signals: no row in memory is lost or doubled, and nothing hangs."""

import signal
from pathlib import Path
from typing import Final

import pytest

from client.spools import ended, files, ids, program

# The parent has a row in memory when it forks; so do its children when they end.
FORKING: Final = """
log = a_logger()
log.log({}, 1, request_id="before")
for child in range(3):
    if os.fork() == 0:
        log.log({}, 1, request_id=f"child-{child}")
        sys.exit()
for _ in range(3):
    os.wait()
log.log({}, 1, request_id="after")
"""
WORKING: Final = """
import multiprocessing

log = a_logger()

def work(number):
    log.log({}, 1, request_id=f"worker-{number}")

context = multiprocessing.get_context("fork")
workers = [context.Process(target=work, args=(number,)) for number in range(2)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""
# Forks at every moment of the life of the background threads, with a writer that is never at rest.
BUSY: Final = """
log = a_logger(max_file_rows=20)
busy = threading.Event()
rows = []

def serve():
    while not busy.wait(0.001):
        rows.append(log.log({"a": 1}, 1))

threads = [threading.Thread(target=serve) for _ in range(2)]
for thread in threads:
    thread.start()
for child in range(20):
    if os.fork() == 0:
        log.log({}, 1, request_id=f"child-{child}")
        os._exit(0 if log.flush(50) else 1)
    if os.wait()[1]:
        os._exit(2)
busy.set()
for thread in threads:
    thread.join()
say(sum(row is not None for row in rows))
"""
WAITING: Final = """
log.log({}, 1, request_id="a")
say("ready")
# Not `signal.pause`: a signal just before it would be waited for in vain.
while True:
    time.sleep(0.1)
"""


def terminated(spool: Path, setup: str, status: int) -> str:
    """Send SIGTERM to a program that has logged a row; return what it said."""
    process = program(spool, setup + WAITING)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    return ended(process, status)


def test_the_end_of_a_program_is_no_loss(tmp_path: Path) -> None:
    """What is in memory is written when the interpreter exits."""
    ended(program(tmp_path, 'log = a_logger()\nlog.log({}, 1, request_id="a")'))
    assert ids(tmp_path) == ["a"]


def test_sigterm_is_no_loss(tmp_path: Path) -> None:
    """Rows are saved, and the process ends by the signal as it would have."""
    terminated(tmp_path, "log = a_logger()", -signal.SIGTERM)
    assert ids(tmp_path) == ["a"]


def test_sigterm_reaches_the_handler_of_the_host(tmp_path: Path) -> None:
    """It is called after the rows are saved, and decides what happens; what is logged afterwards is not lost."""
    setup = f"""
from pathlib import Path

def handler(number, frame):
    say("handled", len(list(Path({str(tmp_path)!r}).glob("*/*.parquet"))))
    log.log({{}}, 1, request_id="b")
    sys.exit(7)

signal.signal(signal.SIGTERM, handler)
log = a_logger()
"""
    assert terminated(tmp_path, setup, 7) == "handled 1\n"
    assert ids(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    "setup",
    [
        "log = a_logger(handle_sigterm=False)",
        "thread = threading.Thread(target=lambda: globals().update(log=a_logger()))\nthread.start()\nthread.join()",
    ],
    ids=["opted out", "made in another thread"],
)
def test_signals_can_be_left_alone(tmp_path: Path, setup: str) -> None:
    """On request, and where Python does not let a handler be set."""
    # Coverage has a handler of its own.
    before = "before = signal.getsignal(signal.SIGTERM)"
    after = "assert signal.getsignal(signal.SIGTERM) is before"
    terminated(tmp_path, f"{before}\n{setup}\n{after}", -signal.SIGTERM)
    assert files(tmp_path) == []


@pytest.mark.parametrize("status", [0, -signal.SIGTERM], ids=["exit", "SIGTERM"])
def test_nothing_hangs_longer_than_the_timeout(tmp_path: Path, status: int) -> None:
    """With a background thread that never answers, the process ends when `flush_timeout` is over."""
    setup = "log = a_logger(flush_timeout=0.2, on_spooled=lambda file: threading.Event().wait())\n"
    if status:
        terminated(tmp_path, setup, status)
    else:
        ended(program(tmp_path, f'{setup}log.log({{}}, 1, request_id="a")'))
    assert ids(tmp_path) == ["a"]


def test_a_fork_shares_nothing(tmp_path: Path) -> None:
    """Each row is written once, by the process that logged it, into a lane of its own."""
    ended(program(tmp_path, FORKING))
    assert sorted(ids(tmp_path)) == ["after", "before", "child-0", "child-1", "child-2"]
    assert len({path.parent for path in files(tmp_path)}) == 4


def test_workers_of_multiprocessing_lose_nothing(tmp_path: Path) -> None:
    """They end without what `atexit` has registered."""
    ended(program(tmp_path, WORKING))
    assert sorted(ids(tmp_path)) == ["worker-0", "worker-1"]


def test_forks_of_a_busy_process(tmp_path: Path) -> None:
    """No child inherits a lock that nobody frees, and no row is lost or doubled."""
    accepted = int(ended(program(tmp_path, BUSY)))
    found = ids(tmp_path)
    assert len(found) == len(set(found)) == accepted + 20
