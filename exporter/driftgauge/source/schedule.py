"""Which runs a pass lists again: the rules that keep a pass with nothing new cheap. Pure.

A run is listed at every pass until a listing began after it had ended: then it is settled. Files of settled
runs may still grow (`MlflowClient.log_table(run_id=…)`), so each pass lists a few of them too, in turn.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from typing import Final

from driftgauge.source.values import RunState

FINISHED: Final = frozenset({"FINISHED", "FAILED", "KILLED"})
# `end_time` is the clock of the machine that logged the run and `listed_at` is ours.
SETTLE_MS: Final = 5_000
# Runs that started or ended this long before the last pass are asked for again: clocks differ by minutes, and
# a server makes a run visible only after the start it was given.
OVERLAP_MS: Final = 10 * 60 * 1000
# As many settled runs as are listed again per pass; with no more than this, every pass sees everything.
RELISTED: Final = 8


def is_settled(state: RunState) -> bool:
    """Tell whether the run had ended when it was last listed."""
    return state.status in FINISHED and state.listed_at >= (state.end_time or 0) + SETTLE_MS


def is_news(state: RunState, *, before: RunState | None) -> bool:
    """Tell whether the state of a run must outlast this process, which has written down what it was `before`.

    When a run was last listed changes at many passes. If that is lost, it is listed again a little sooner.
    """
    return before is None or _lasting(before) != _lasting(state)


def is_due(status: str, end_time: int | None, known: RunState | None) -> bool:
    """Tell whether a run seen now with `status` and `end_time` (ms) must be listed: new, changed or not settled."""
    return known is None or (known.status, known.end_time) != (status, end_time) or not is_settled(known)


def unsettled(known: Mapping[str, RunState]) -> set[str]:
    """Return the ids of known runs that are owed a listing whatever a search finds."""
    return {run_id for run_id, state in known.items() if not is_settled(state)}


def stalest(known: Mapping[str, RunState], *, besides: AbstractSet[str], now: int) -> set[str]:
    """Return the `RELISTED` runs that were listed the longest time ago, those in `besides` left out."""
    waiting = ((_listed_at(state, now), run_id) for run_id, state in known.items() if run_id not in besides)
    return {run_id for _, run_id in nsmallest(RELISTED, waiting)}


def watermark(known: Mapping[str, RunState], *, now: int) -> int:
    """Return the time (ms) since which runs can have come that `known` does not have; 0 when it cannot be told.

    Runs carry the clocks of the machines that log them. Neither clock is believed alone: one run dated into the
    future would hide all that follow, and so would our own clock when it is ahead of theirs.
    """
    listed = max((_listed_at(state, now) for state in known.values()), default=0)
    ended = max((state.end_time or 0 for state in known.values()), default=0)
    return max(0, min(listed, ended) - OVERLAP_MS)


def _lasting(state: RunState) -> tuple[str, int | None, bool]:
    return state.status, state.end_time, is_settled(state)


def _listed_at(state: RunState, now: int) -> int:
    # Our clock was ahead then, or is behind now: the time says nothing, so the run counts as never listed.
    return state.listed_at if state.listed_at <= now else 0
