"""When a run is listed again."""

import pytest

from driftgauge.source import RunState
from driftgauge.source.schedule import OVERLAP_MS, SETTLE_MS, is_due, is_news, stalest, unsettled, watermark

END = 1_000_000
NOW = 10 * END
RELISTED = 8
SETTLED = RunState("FINISHED", END, END + SETTLE_MS)


@pytest.mark.parametrize(
    ("description", "status", "end", "known", "expected"),
    [
        ("never seen", "FINISHED", END, None, True),
        ("settled", "FINISHED", END, SETTLED, False),
        ("failed and killed runs settle too", "KILLED", END, RunState("KILLED", END, END + SETTLE_MS), False),
        ("listed just before it was over", "FINISHED", END, RunState("FINISHED", END, END + SETTLE_MS - 1), True),
        ("still running", "RUNNING", None, RunState("RUNNING", None, END), True),
        ("scheduled", "SCHEDULED", None, RunState("SCHEDULED", None, END), True),
        ("resumed", "RUNNING", None, SETTLED, True),
        ("resumed and ended again", "FINISHED", END + 1, SETTLED, True),
        ("ended without a time", "FINISHED", None, RunState("FINISHED", None, END), False),
        ("never listed with success", "FINISHED", None, RunState("FINISHED", None, 0), True),
    ],
)
def test_is_due(description: str, status: str, end: int | None, known: RunState | None, *, expected: bool) -> None:
    """A run is due until a listing began after its end."""
    assert is_due(status, end, known) is expected, description


def test_unsettled() -> None:
    """Only runs that were not listed after their end are owed a listing."""
    known = {"done": SETTLED, "open": RunState("RUNNING", None, END), "failed": RunState("FINISHED", END, 0)}
    assert unsettled(known) == {"open", "failed"}


def test_stalest_takes_turns() -> None:
    """The runs listed longest ago come first, so that in time every run is listed again."""
    known = {f"run-{number:03}": RunState("FINISHED", 0, 10_000 + number) for number in range(RELISTED + 5)}
    first = stalest(known, RELISTED, without=set(), now=NOW)
    assert first == {f"run-{number:03}" for number in range(RELISTED)}
    known |= {run_id: RunState("FINISHED", 0, 99_999) for run_id in first}
    assert {f"run-{RELISTED + number:03}" for number in range(5)} < stalest(known, RELISTED, without=set(), now=NOW)


def test_stalest_without_some() -> None:
    """Runs that are listed anyway take no place."""
    known = {"a": SETTLED, "b": SETTLED}
    assert stalest(known, RELISTED, without={"a"}, now=NOW) == {"b"}


def test_stalest_after_the_clock_was_ahead() -> None:
    """A run listed in what is now the future does not wait for that time to come."""
    known = {f"run-{number:03}": RunState("FINISHED", 0, number) for number in range(RELISTED)}
    known["ahead"] = RunState("FINISHED", 0, NOW + 1)
    assert "ahead" in stalest(known, RELISTED, without=set(), now=NOW)


@pytest.mark.parametrize(
    ("description", "known", "expected"),
    [
        ("nothing is known", {}, 0),
        (
            "the last pass, however far ahead a run is dated",
            {"a": RunState("FINISHED", 99 * END, 2 * END), "b": RunState("FINISHED", END, END)},
            2 * END - OVERLAP_MS,
        ),
        (
            "our clock is ahead: the last run that ended",
            {"a": RunState("FINISHED", 3 * END, 9 * END), "b": RunState("FINISHED", 2 * END, 9 * END)},
            3 * END - OVERLAP_MS,
        ),
        ("our clock went back behind the last pass", {"a": RunState("FINISHED", 2 * END, NOW + 1)}, 0),
        ("no run has ended yet", {"a": RunState("RUNNING", None, 2 * END)}, 0),
    ],
)
def test_watermark(description: str, known: dict[str, RunState], expected: int) -> None:
    """Runs are asked for since the last pass or the last end, whichever is earlier, less the overlap."""
    assert watermark(known, now=NOW) == expected, description


@pytest.mark.parametrize(
    ("description", "before", "state", "expected"),
    [
        ("first seen", None, SETTLED, True),
        ("ended", RunState("RUNNING", None, END), RunState("FINISHED", END, END), True),
        ("listed after its end", RunState("FINISHED", END, END), SETTLED, True),
        ("listed again", SETTLED, RunState("FINISHED", END, NOW), False),
        ("still running", RunState("RUNNING", None, END), RunState("RUNNING", None, NOW), False),
    ],
)
def test_is_news(description: str, before: RunState | None, state: RunState, *, expected: bool) -> None:
    """When it was last listed is not written down again and again."""
    assert is_news(state, before=before) is expected, description
