"""When a trigger may start: not within the cool-down of its model, nor beyond a budget of starts in 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.hook.journal import DAY_SECONDS, Start, Trigger
from driftgauge.hook.settings import Action, Settings


@dataclass(frozen=True, slots=True)
class Postponed:
    """A trigger has to wait until a time (s since 1970), and why: `cool_down` or `budget`."""

    until: float
    reason: str


def postponed(
    trigger: Trigger, action: Action, settings: Settings, starts: Sequence[Start], *, now: float
) -> Postponed | None:
    """Return until when a trigger has to wait, None if it may start now.

    starts: those of the last 24 hours, and the last one of each action and model. What was started once, and is tried
    again, waits for nothing.
    """
    if trigger.started is not None:
        return None
    own = [start.time for start in starts if (start.action, start.model) == (action.name, trigger.alert.model)]
    cooled = max(own, default=float("-inf")) + action.cool_down
    if own and cooled > now:
        return Postponed(cooled, "cool_down")
    of_action = [start.time for start in starts if start.action == action.name]
    free = max(_free([start.time for start in starts], settings.per_day, now), _free(of_action, action.per_day, now))
    return Postponed(free, "budget") if free > now else None


def _free(times: Sequence[float], limit: int, now: float) -> float:
    """Return when the next start is within the limit."""
    recent = sorted(time for time in times if time > now - DAY_SECONDS)
    return recent[-limit] + DAY_SECONDS if len(recent) >= limit else now
