"""When a trigger may start."""

import pytest

from driftgauge.hook.deciding import Postponed, postponed
from driftgauge.hook.journal import Start, Trigger

from .samples import alert, one_action

NOW = 1_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ([], None),
        ([("retrain", "churn", NOW - 7201)], None),
        ([("retrain", "churn", NOW - 7199)], Postponed(NOW + 1, "cool_down")),
        ([("retrain", "other", NOW - 1)], None),
        ([("another", "churn", NOW - 1)], None),
        ([("retrain", f"m{n}", NOW - 100 - n) for n in range(3)], Postponed(NOW - 102 + DAY, "budget")),
        ([("retrain", f"m{n}", NOW - DAY - n) for n in range(3)], None),
        ([("another", f"m{n}", NOW - 100 - n) for n in range(5)], Postponed(NOW - 104 + DAY, "budget")),
    ],
)
def test_cool_down_and_budgets(starts: list[tuple[str, str, float]], expected: Postponed | None) -> None:
    """Cool-down of 2 h for each model, 3 a day of this action, 5 of all."""
    settings = one_action("command: [x], cool_down: 2h, per_day: 3", per_day="5")
    trigger = Trigger("0", "retrain", alert(), NOW, "waiting", NOW)

    found = postponed(trigger, settings.actions[0], settings, [Start(*each) for each in starts], now=NOW)

    assert expected == found


def test_what_has_started_waits_for_nothing() -> None:
    """Its own start does not count against its next attempt."""
    settings = one_action("command: [x]")
    trigger = Trigger("0", "retrain", alert(), NOW, "waiting", NOW, started=NOW - 30)

    assert postponed(trigger, settings.actions[0], settings, [Start("retrain", "churn", NOW - 30)], now=NOW) is None
