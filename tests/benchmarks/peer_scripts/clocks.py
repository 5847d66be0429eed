"""How a peer's script is timed, and how it answers: one line of JSON. Standard library only: it runs in any venv."""

import json
import resource
import sys
import time

Clocks = tuple[float, float]


def start() -> Clocks:
    """Return the time on the wall and the time this process has computed."""
    return time.perf_counter(), time.process_time()


def report(began: Clocks, complete: bool, **versions: str) -> None:  # noqa: FBT001 - a script's only caller
    """Print what has passed since `began`; refuse a result that is not complete."""
    seconds, computed = time.perf_counter() - began[0], time.process_time() - began[1]
    if not complete:
        sys.exit("the result is not complete")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": seconds, "cpu": computed, "peak": peak, "versions": versions}))  # noqa: T201 - the answer
