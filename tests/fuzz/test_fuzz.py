"""Decoding survives any bytes: what fuzzing once found, and a short run that is the same every time."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from . import sessions
from .mutations import mutated, seeds
from .target import NAMES, check, variant

FINDINGS = sorted(sessions.FINDINGS.glob("*.bin"))


def test_seeds_are_valid() -> None:
    """Fuzzing starts from files of every format that decode."""
    assert {variant(seed)[0] for seed in seeds()} == set(NAMES)
    for seed in seeds():
        check(seed)


def test_the_same_seed_gives_the_same_inputs() -> None:
    """A finding of the short run can be found again."""
    first, second = ([mutated(seed, seed, Random(7)) for seed in seeds()] for _ in range(2))  # noqa: S311 - no secret
    assert first == second


@pytest.mark.parametrize("path", FINDINGS, ids=[path.stem for path in FINDINGS])
def test_findings_stay_fixed(path: Path) -> None:
    """Each input that once crashed, hung or raised is decoded in a process of its own."""
    code = "import pathlib, sys; from fuzz.target import check; check(pathlib.Path(sys.argv[1]).read_bytes())"
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=60, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_run_finds_nothing(seed: int) -> None:
    """Some hundred broken files neither crash nor hang, and raise nothing but BatchError."""
    done = sessions.session(seed=seed, seconds=60, executions=400)
    assert (done.executions, done.finding, done.words) == (400, None, "")


def test_a_death_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ends by a failure hands over the input it was at."""
    monkeypatch.setattr(sessions, "STATE_BYTES", 64)  # too small for the input: the child cannot even note it
    done = sessions.session(seed=1, seconds=10, executions=1)
    assert done.finding is not None
    assert "exit 1" in done.words
