"""Commands that are told to end: in order, soon, and with the exit status by which a shell knows the signal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

PATIENCE: Final = 60
# A command that has a temporary folder, and is in the middle of something.
COMMAND: Final = """
import sys, tempfile, time
from driftgauge import __main__, cli

def command_line():
    with tempfile.TemporaryDirectory() as folder:
        {work}

cli.main = command_line
sys.argv[1:] = ["once"]
__main__._LEAVING_SECONDS = 0.5
__main__.main()
"""
# It says where its folder is once it is in the middle.
WORKING: Final = "print(folder, flush=True); time.sleep({})"
ENDLESS: Final = f"""try:
            {WORKING.format(100)}
        finally:
            time.sleep(100)"""


def told(work: str, number: signal.Signals, folder: Path, *, prefix: tuple[str, ...] = ()) -> tuple[int, float, str]:
    """Tell a command to end while it works; return its exit status, how long that took (s), and what it left."""
    command = [*prefix, sys.executable, "-c", COMMAND.format(work=work)]
    env = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert str(folder) in process.stdout.readline()
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    left = [path.name for path in folder.iterdir()]
    return process.returncode, time.monotonic() - began, f"{said}{left or ''}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_command_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Its temporary folder goes with it, and nothing is printed."""
    status, took, left = told(WORKING.format(100), number, tmp_path)

    assert (status, left) == (128 + number, "")
    assert took < 5


def test_a_command_that_does_not_end(tmp_path: Path) -> None:
    """What takes too long to close is ended as it is."""
    status, took, _ = told(ENDLESS, signal.SIGTERM, tmp_path)

    assert status == 128 + signal.SIGTERM
    assert 0.4 < took < 10


def test_a_command_without_a_terminal(tmp_path: Path) -> None:
    """Started by nohup it lives on when the terminal goes."""
    status, _, left = told(WORKING.format(1), signal.SIGHUP, tmp_path, prefix=("nohup",))

    assert status == 0
    assert "[" not in left
