"""Reports made on request: once per snapshot, on a thread of their own; one that fails costs nothing else."""

import json
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any, Final

import pytest

from driftgauge.config import Config, Limits, parse
from driftgauge.pipeline.journal import Journal
from driftgauge.service import reports
from driftgauge.service.channel import Document
from driftgauge.service.reporting import Captured
from driftgauge.service.reports import MOST_KEPT, Known, Reports
from driftgauge.snapshot import model_samples
from report.subjects import NOW, WINDOWS, a_state
from report.test_document import SCHEMA

CONFIG: Final[Config] = parse(
    "models: [{name: churn, predictions: {files: in}}]", filename="driftgauge.yml", environ={}
)
PATIENCE: Final = 60


def a_snapshot() -> Captured:
    """Return what a snapshot knows."""
    state = a_state(days=1)
    return Captured(state, Journal(), WINDOWS, model_samples(state, windows=WINDOWS, limits=Limits(), now=NOW), NOW)


SNAPSHOT: Final = a_snapshot()


class Asked:
    """Reports of one model that is known as a test says, and what they answer."""

    def __init__(self, known: Callable[[str], Known] = lambda _: Known(SNAPSHOT)) -> None:
        self.answers: Queue[Document] = Queue()
        self.reports = Reports(CONFIG, known, answer=self.answers.put)

    def __call__(self, **asked: Any) -> Document:
        """Return the answer to a question."""
        self.reports.ask({"number": 7, "model": "churn", "form": "json", "home": "/", **asked})
        return self.answers.get(timeout=PATIENCE)


def test_a_report_in_each_form() -> None:
    """The answer has the number of the question and the report; secrets and homes are as they should be."""
    ask = Asked()
    found = {form: b"".join(ask(form=form).part(0)).decode() for form in ("json", "html", "md")}

    SCHEMA.validate(json.loads(found["json"]))
    assert '<a href="/">All models</a>' in found["html"]
    assert found["md"].startswith("# churn version 2\n")


@pytest.mark.parametrize(
    ("known", "asked", "status", "said"),
    [
        (Known(None), {}, 503, "the first refresh of this model is under way"),
        (Known(SNAPSHOT), {"version": "9"}, 404, 'churn has no version "9" that is published; it has 2, 1'),
        (Known(SNAPSHOT), {"window": "9y"}, 404, 'there is no window "9y"; there are 1h, 24h, 7d'),
        (Known(SNAPSHOT), {"form": "pdf"}, 500, "this report could not be made"),
    ],
    ids=["not yet", "version", "window", "a mistake of ours"],
)
def test_what_cannot_be_answered(known: Known, asked: Any, status: int, said: str) -> None:
    """It is said, with the names that exist, and the next question is answered."""
    ask = Asked(lambda _: known)
    answer = ask(**asked)

    assert (answer.header["number"], answer.header["status"]) == (7, status)
    assert answer.header["text"].startswith(said)
    assert ask(number=8).header["number"] == 8


def test_once_for_each_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is made again for another snapshot or failure, and few are kept."""
    made: list[str | None] = []
    monkeypatch.setattr(reports, "report_of", lambda *_, version, **__: made.append(version) or {})
    monkeypatch.setattr(reports, "written", lambda *_, **__: "{}")
    known = Known(SNAPSHOT)
    ask = Asked(lambda _: known)

    for version in ("1", "1", "2", "1"):
        ask(version=version)
    assert made == ["1", "2"]
    for known in (Known(SNAPSHOT, ("reference", "gone")), Known(a_snapshot())):  # noqa: B007 - what the lambda returns
        ask(version="1")
    assert made == ["1", "2", "1", "1"]
    for n in range(MOST_KEPT):
        ask(version=f"other {n}")
    ask(version="1")
    assert made[-1] == "1"


def test_nobody_waits_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking returns at once while another report is being made; what nobody waits for any more is not made."""
    going_on, begun = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> dict[str, Any]:
        begun.set()
        going_on.wait(PATIENCE)
        return {}

    monkeypatch.setattr(reports, "report_of", slow)
    monkeypatch.setattr(reports, "written", lambda *_, **__: "{}")
    ask = Asked()
    for number in (1, 2):
        ask.reports.ask({"number": number, "model": "churn", "version": str(number), "form": "json", "home": "/"})
    assert begun.wait(PATIENCE)
    monkeypatch.setattr(reports, "PATIENCE", 0)
    going_on.set()
    assert ask.answers.get(timeout=PATIENCE).header["number"] == 1
    monkeypatch.setattr(reports, "PATIENCE", PATIENCE)
    assert ask(number=3, version="3").header["number"] == 3
