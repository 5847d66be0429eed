"""The journal: each incident once, whoever asks and whatever was killed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftgauge.errors import StateError, StateInUse
from driftgauge.hook.journal import Journal, Start, only_one, opened, trigger_id

from .samples import alert

NOW = 1_780_000_000.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Return an empty journal."""
    with opened(tmp_path) as found:
        yield found


def test_an_incident_is_one_trigger(journal: Journal) -> None:
    """However often it is sent; a new start or another alert is another."""
    sent = [alert("a"), alert("a"), alert("b"), alert("a", starts_at="2026-01-06T00:00:00Z")]

    found = journal.receive([(each, "retrain") for each in sent], now=NOW)

    assert found == {"triggered": 3, "duplicate": 1}
    assert journal.receive([(alert("a"), "retrain")], now=NOW + 9) == {"duplicate": 1}
    assert len(journal.due(NOW)) == 3


def test_what_ended_is_known_still(journal: Journal) -> None:
    """Alertmanager repeats an alert for as long as it fires."""
    identity = trigger_id(alert(), "retrain")
    journal.receive([(alert(), "retrain")], now=NOW)
    assert journal.claim(identity, now=NOW)
    journal.end(identity, action="retrain", state="done", answer="", now=NOW)

    assert journal.receive([(alert(), "retrain")], now=NOW + 90_000) == {"duplicate": 1}
    assert journal.due(NOW + 90_000) == []


def test_an_alert_without_action_is_counted(journal: Journal) -> None:
    """And starts nothing."""
    assert journal.receive([(alert(), None)], now=NOW) == {"no_action": 1}
    assert journal.due(NOW) == []


def test_what_is_resolved_before_it_starts_is_cancelled(journal: Journal) -> None:
    """What runs goes on."""
    journal.receive([(alert("a"), "retrain"), (alert("b"), "retrain")], now=NOW)
    running = trigger_id(alert("b"), "retrain")
    journal.claim(running, now=NOW)

    journal.receive([(alert("a", firing=False), "retrain"), (alert("b", firing=False), "retrain")], now=NOW + 1)

    assert journal.due(NOW + 1) == []
    assert [trigger.id for trigger in journal.running()] == [running]
    assert journal.counts().totals["triggers", "retrain", "cancelled"] == 1


def test_one_of_many_claims_succeeds(tmp_path: Path) -> None:
    """Each has a connection of its own, as processes have."""
    with opened(tmp_path) as journal:
        journal.receive([(alert(), "retrain")], now=NOW)

    def claim(_: int) -> bool:
        with opened(tmp_path) as own:
            return own.claim(trigger_id(alert(), "retrain"), now=NOW)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(24))) == 1


def test_starts_remember_the_last_of_each_model(journal: Journal) -> None:
    """However long ago, for cool-downs are longer than the day of a budget."""
    for at, name in enumerate(("old", "older", "new")):
        sent = alert(str(at), model=name)
        journal.receive([(sent, "retrain")], now=NOW)
        journal.claim(trigger_id(sent, "retrain"), now=NOW + (0 if name == "new" else -10_000_000 - at))

    found = journal.starts(since=NOW - 86_400)

    assert set(found) == {
        Start("retrain", "old", NOW - 10_000_000),
        Start("retrain", "older", NOW - 10_000_001),
        Start("retrain", "new", NOW),
    }


def test_a_second_attempt_is_no_second_start(journal: Journal) -> None:
    """Budgets and cool-downs count incidents."""
    identity = trigger_id(alert(), "retrain")
    journal.receive([(alert(), "retrain")], now=NOW)
    journal.claim(identity, now=NOW)
    journal.again(identity, action="retrain", at=NOW + 30, answer="503")
    assert journal.due(NOW + 29) == []
    journal.claim(identity, now=NOW + 30)

    found = journal.find(identity)
    assert found is not None
    assert (found.attempts, found.started, journal.counts().totals["retries", "retrain", ""]) == (2, NOW, 1)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """It is one error with the file's name; so is a file that is no journal."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="journal"):
        Journal(tmp_path / "file")
    (tmp_path / "journal.sqlite").write_text("this is no database" * 100)
    with pytest.raises(StateError, match="journal"):
        Journal(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The second one is told."""
    with only_one(tmp_path), pytest.raises(StateInUse), only_one(tmp_path):
        pass
