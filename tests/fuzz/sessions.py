"""Fuzzing in child processes: start one, wait, keep what it died of, start the next."""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .fuzz_batch import HANG_SECONDS, STATE, STATE_BYTES

FINDINGS: Final = Path(__file__).parent.parent / "data" / "fuzz"
# A child is replaced now and then, so that what it accumulated does not count against a later input.
_CHILD_SECONDS: Final = 120
_START_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Session:
    """What one child did: inputs decoded, and the input it died of with the last words of its stderr, if any."""

    executions: int
    finding: bytes | None
    words: str


def sessions(seconds: float, *, seed: int, guided: bool) -> Iterator[Session]:
    """Yield sessions until the time is up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 1:
        yield session(seed=seed, seconds=min(left, _CHILD_SECONDS), guided=guided)
        seed += 1


def session(*, seed: int, seconds: float, guided: bool = False, executions: int | None = None) -> Session:
    """Run one child to its end."""
    module = f"{__package__}.fuzz_batch"
    with tempfile.NamedTemporaryFile() as state:
        state.truncate(STATE_BYTES)
        command = [sys.executable, "-m", module, f"--state={state.name}", f"--seed={seed}", f"--seconds={seconds}"]
        command += ["--guided"] if guided else []
        command += [] if executions is None else [f"--executions={executions}"]
        try:
            timeout = seconds + HANG_SECONDS + _START_SECONDS
            done = subprocess.run(command, check=False, capture_output=True, timeout=timeout, cwd=_root())
            code, words = done.returncode, done.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired:
            code, words = -1, "hung, and could not be ended by its alarm"
        count, length = STATE.unpack(state.read(STATE.size))
        finding = state.read(length) if code else None
    return Session(count, finding, f"exit {code}: {words[-2_000:]}" if code else "")


def keep(finding: bytes) -> Path:
    """Store an input among those that the tests replay."""
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{hashlib.blake2b(finding, digest_size=6).hexdigest()}.bin"
    path.write_bytes(finding)
    return path


def has_atheris() -> bool:
    """Tell whether coverage can guide the fuzzing."""
    return importlib.util.find_spec("atheris") is not None


def _root() -> Path:
    """Return the folder that this package was imported from."""
    return Path(__file__).parents[len(__package__.split("."))]
