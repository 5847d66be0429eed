"""What tests look at: files of a spool, and programs that log in processes of their own."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

SECONDS: Final = 180

# Logs without MLflow and pandas, which take seconds to import: what is sent fails, what is spooled stays.
_OFFLINE: Final = """
import os, signal, sys, threading, time

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mlflow", "pandas"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from driftgauge.client import PredictionLogger

def a_logger(**settings):
    return PredictionLogger("/e", "1", spool_dir=sys.argv[1], tracking_uri="http://127.0.0.1:9", **settings)

def say(*words):
    print(*words, flush=True)
"""


def program(spool: Path, body: str) -> subprocess.Popen[str]:
    """Start a program that has `a_logger` for this spool and `say`, without MLflow."""
    command = [sys.executable, "-c", _OFFLINE + body, str(spool)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for the end of a program with this status, and return what it said."""
    said, complaints = process.communicate(timeout=SECONDS)
    assert process.returncode == status, complaints
    return said


def files(spool: Path) -> list[Path]:
    """Return the files that wait, oldest first."""
    return sorted(spool.glob("*/*.parquet"), key=lambda path: path.name.partition("-")[2])


def rows(spool: Path) -> list[dict[str, Any]]:
    """Return the rows that wait, oldest first."""
    return [row for path in files(spool) for row in pq.read_table(path).to_pylist()]


def ids(spool: Path) -> list[str]:
    """Return the request ids that wait, oldest first."""
    return [row["request_id"] for row in rows(spool)]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail when it never does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("waited in vain")
        time.sleep(0.02)
