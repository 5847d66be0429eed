"""Which runs a pass lists again: the rules that keep a pass with nothing new cheap. Pure.

A run is listed at every pass until a listing began after it had ended: then it is settled. Files of settled
runs may still grow (`MlflowClient.log_table(run_id=…)`), so each pass lists a few of them too, in turn.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from driftgauge.source.values import RunState

FINISHED: Final = frozenset({"FINISHED", "FAILED", "KILLED"})
# `end_time` is the clock of the machine that logged the run and `listed_at` is ours.
SETTLE_MS: Final = 5_000
# Runs that started or ended this long before the last pass are searched for again: clocks differ by minutes, and
# a server makes a run visible only after the start it was given.
OVERLAP_MS: Final = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Portions:
    """How much a pass does at a time.

    page: runs or experiments per request of a search. pages: requests of one search at most. threads: runs listed in
    parallel. relisted: settled runs listed again; with no more than these, every pass lists all. files, folders: of one
    run at most. patience: for how long (s) a request waits for its turn at a server that limits requests.
    """

    page: int = 1_000
    pages: int = 500
    threads: int = 8
    relisted: int = 8
    files: int = 100_000
    folders: int = 10_000
    patience: float = 30.0


DEFAULT_PORTIONS: Final = Portions()


def is_settled(state: RunState) -> bool:
    """Return whether the run had ended when it was last listed."""
    return state.status in FINISHED and state.listed_at >= (state.end_time or 0) + SETTLE_MS


def is_news(state: RunState, *, before: RunState | None) -> bool:
    """Return whether the state of a run has to be stored again, given the state `before` that is stored.

    A new `listed_at` alone is not stored: it changes in many passes, and without it a run is only listed sooner.
    """
    return before is None or _lasting(before) != _lasting(state)


def is_due(status: str, end_time: int | None, known: RunState | None) -> bool:
    """Return whether a run seen now with `status` and `end_time` (ms) must be listed: new, changed or not settled."""
    return known is None or (known.status, known.end_time) != (status, end_time) or not is_settled(known)


def unsettled(known: Mapping[str, RunState]) -> set[str]:
    """Return the ids of known runs that must be listed even if no search finds them."""
    return {run_id for run_id, state in known.items() if not is_settled(state)}


def stalest(known: Mapping[str, RunState], count: int, *, without: AbstractSet[str], now: int) -> set[str]:
    """Return the `count` runs whose last listing is oldest, except those in `without`."""
    waiting = ((_listed_at(state, now), run_id) for run_id, state in known.items() if run_id not in without)
    return {run_id for _, run_id in nsmallest(count, waiting)}


def watermark(known: Mapping[str, RunState], *, now: int) -> int:
    """Return the time (ms) since when there can be runs that `known` does not have; 0 when that is not known.

    The times of runs are from the clocks of the machines that log them. Neither clock is trusted alone: one run dated
    into the future would hide all later ones, and so would our own clock when it is ahead of theirs.
    """
    listed = max((_listed_at(state, now) for state in known.values()), default=0)
    ended = max((state.end_time or 0 for state in known.values()), default=0)
    return max(0, min(listed, ended) - OVERLAP_MS)


def _lasting(state: RunState) -> tuple[str, int | None, bool]:
    return state.status, state.end_time, is_settled(state)


def _listed_at(state: RunState, now: int) -> int:
    # Our clock was ahead then, or is behind now: the time means nothing, so the run counts as never listed.
    return state.listed_at if state.listed_at <= now else 0
