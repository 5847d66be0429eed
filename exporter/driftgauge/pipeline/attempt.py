"""One model is tried: a failure is logged, costs that model alone, and says when it is tried again."""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from driftgauge.errors import (
    ConfigError,
    DriftgaugeError,
    ReferenceUnusable,
    RefreshUnfinished,
    SourceDown,
    SourceMissing,
    SourceUnavailable,
    StateError,
    Stopped,
)
from driftgauge.pipeline.memory import UNFINISHED, Failure, Memory

_log = structlog.get_logger("driftgauge.pipeline")

# The `reason` label of driftgauge_refresh_failures_total by what a model's refresh raised; others bring their own.
_REASONS: Final[Mapping[type[DriftgaugeError], str]] = {
    ConfigError: "monitoring",
    SourceMissing: "missing",
    ReferenceUnusable: "reference",
    RefreshUnfinished: UNFINISHED,
    StateError: "state",
}


def attempt(memory: Memory, refresh: Callable[[], None], now: int, *, wait: float) -> Failure | None:
    """Refresh a model and return why that failed, if it did; wait: how long (s) it then rests at first.

    Raises Stopped if the refresh was given up.
    """
    failure = None
    try:
        refresh()
    except Stopped:
        raise
    except SourceDown as error:
        # That costs no time, and the next refresh is to notice when it is over.
        return error.reason, str(error)
    except SourceUnavailable as error:
        failure = error.reason, str(error)
    except DriftgaugeError as error:
        failure = _REASONS.get(type(error), "other"), str(error)
    except Exception as error:  # noqa: BLE001 - the comment below
        # A mistake of ours in one model must not take the others' figures down with it.
        _log.exception("model not refreshed: this is a bug in driftgauge", model=memory.state.config.name)
        failure = "internal", repr(error)
    _complain(memory, failure)
    memory.postpone(failure, now, wait=wait)
    return failure


def _complain(memory: Memory, failure: Failure | None) -> None:
    """Log a failure when it begins or changes, and its end; not at every refresh in between."""
    if failure and failure[0] == UNFINISHED:
        # How much is left is another number each time.
        if not memory.failure or memory.failure[0] != UNFINISHED:
            _log.warning("model refreshed in part", model=memory.state.config.name, reason=UNFINISHED, error=failure[1])
    elif failure and failure != memory.failure:
        _log.error("model not refreshed", model=memory.state.config.name, reason=failure[0], error=failure[1])
    if memory.failure and not failure:
        _log.info("model refreshed again", model=memory.state.config.name)
