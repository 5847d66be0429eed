"""A process that does what one trigger is for: `python -m driftgauge.hook.worker FOLDER TRIGGER`, its plan on stdin.

It outlives the receiver. It holds a lock for as long as it lives, so that everybody can see whether somebody still
works on what is `running`, and claims the trigger before it does anything.
"""

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from driftgauge.errors import SourceError
from driftgauge.hiding import guard_output
from driftgauge.hook.calls import Outcome, carry_out
from driftgauge.hook.journal import Journal, opened
from driftgauge.hook.plans import Plan

# Hexadecimal digits of an id that make an offset in a file.
_LOCK_DIGITS: Final = 15
_LONGEST_PAUSE: Final = 3600.0
# How long until MLflow is told again, where that failed.
_RECORD_AGAIN: Final = 300.0


@contextmanager
def alone(folder: Path, trigger: str) -> Iterator[bool]:
    """Yield whether no other process works on a trigger, and have it so for as long as the block lasts.

    Each trigger has a byte of one file that is locked; the file stays empty, and the kernel unlocks what dies.
    """
    at = int(trigger[:_LOCK_DIGITS], 16)
    with (folder / "workers.lock").open("a", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
        except OSError:
            yield False
            return
        yield True


def work(folder: Path, trigger: str, plan: Plan) -> None:
    """Do what a trigger is for unless another worker does, and put on record what came of it."""
    with alone(folder, trigger) as is_free, opened(folder) as journal:
        if not is_free:
            return
        if journal.claim(trigger, now=time.time()):
            _finish(journal, trigger, plan, carry_out(plan))
        record(journal, trigger, plan)


def _finish(journal: Journal, trigger: str, plan: Plan, outcome: Outcome) -> None:
    known = journal.find(trigger)
    if known is None:
        return
    result, answer = outcome.result, outcome.answer
    repeat = result == "again" or (result == "unclear" and plan.repeat_unanswered)
    if repeat and known.attempts < plan.attempts:
        pause = min(plan.backoff * 2 ** (known.attempts - 1), _LONGEST_PAUSE)
        journal.again(trigger, action=known.action, at=time.time() + pause, answer=answer)
    else:
        state = "failed" if result == "again" else result
        journal.end(trigger, action=known.action, state=state, answer=answer, now=time.time())


def record(journal: Journal, trigger: str, plan: Plan) -> None:
    """Tell MLflow of a trigger that has ended; where that fails, it is done later."""
    known = journal.find(trigger)
    if known is None or known.ended is None:
        return
    if plan.mlflow is None:
        journal.recorded(trigger)
        return
    from driftgauge.hook.recording import record_run

    try:
        record_run(known, **plan.mlflow)
    except SourceError as error:
        sys.stderr.write(f"driftgauge: {trigger}: not recorded in MLflow: {error}\n")
        journal.record_later(trigger, at=time.time() + _RECORD_AGAIN)
    else:
        journal.recorded(trigger)


def main() -> None:
    """Run a worker; see above."""
    guard_output()
    folder, trigger = sys.argv[1:]
    work(Path(folder), trigger, Plan.from_json(sys.stdin.read()))


if __name__ == "__main__":
    main()
