"""Fuzz decoding: `python -m tests.fuzz --minutes 10`. Findings go to tests/data/fuzz, where the tests replay them."""

import argparse
import sys
import time

from .sessions import has_atheris, keep, sessions


def say(line: str) -> None:
    """Print at once, for this runs in the background."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print a line per child and a total; return 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--unguided", action="store_true", help="mutate valid files only, without atheris")
    chosen = parser.parse_args()
    guided = has_atheris() and not chosen.unguided
    executions = findings = 0
    for done in sessions(chosen.minutes * 60, seed=chosen.seed, guided=guided):
        executions += done.executions
        if done.finding is not None:
            findings += 1
            say(f"{keep(done.finding)}\n{done.words}")
        say(f"{executions} executions, {findings} findings")
    say(f"{'guided' if guided else 'unguided'}: {executions} executions, {findings} findings")
    return 1 if findings else 0


sys.exit(main())
