"""Incidents for a hook that is killed again and again: `PYTHONPATH=tests python -m hook.crash [--kills 50]`.

As Alertmanager does, each alert is posted until it is taken, and again and again while it fires. Actions are commands
that write a line. In the end each incident has exactly one line.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from .running import Hook
from .samples import alert

_ACTION: Final = """
state_dir: {folder}/state
concurrency: 4
per_day: 10000
actions:
  - name: retrain
    matchers: ['model=~".+"']
    cool_down: 0s
    per_day: 10000
    command: [sh, -c, 'sleep 0.0$((RANDOM % 5))5; echo "$0" >> {folder}/started', '{{{{ model }}}}']
"""
_PATIENCE: Final = 120.0


def crash(folder: Path, *, kills: int, seed: int) -> tuple[int, Counter[str]]:
    """Return how many incidents there were, and how often the action of each was started."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    (folder / "hook.yml").write_text(_ACTION.format(folder=folder))
    started = folder / "started"
    hook = Hook(folder / "hook.yml")
    hook.start()
    incidents = 0
    waiting: list[int] = []
    try:
        for _ in range(kills):
            waiting += range(incidents, incidents + 3)
            incidents += 3
            # Once they are taken they are repeated, as long as they fire.
            taken = hook.post(*(alert(f"{each:x}", model=f"m{each}") for each in waiting))
            again = drawn.sample(range(incidents), min(incidents, 5))
            hook.post(*(alert(f"{each:x}", model=f"m{each}") for each in again))
            time.sleep(drawn.expovariate(4))
            hook.end(signal.SIGKILL)
            if taken:
                waiting = []
            hook.start()
        assert not waiting or hook.post(*(alert(f"{each:x}", model=f"m{each}") for each in waiting))
        deadline = time.monotonic() + _PATIENCE
        while hook.value('driftgauge_hook_triggers_total{action="retrain",result="done"}') < incidents:
            assert time.monotonic() < deadline, hook.log.read_text()[-5000:]
            time.sleep(0.1)
    finally:
        hook.end(signal.SIGTERM)
    return incidents, Counter(started.read_text().split())


def main() -> None:
    """Print the figures; exit status 1 when an incident was forgotten or repeated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        incidents, starts = crash(Path(folder), kills=asked.kills, seed=asked.seed)
    more = sum(count > 1 for count in starts.values())
    print(  # noqa: T201
        f"{asked.kills} kills, {incidents} incidents, {starts.total()} starts: "
        f"{incidents - len(starts)} forgotten, {more} repeated"
    )
    sys.exit(starts.total() != incidents or bool(more))


if __name__ == "__main__":
    main()
