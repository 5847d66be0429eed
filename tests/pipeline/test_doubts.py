"""What is said of a model whose predictions, labels and reference do not speak of the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from data_builders import a_model, a_pane, a_reference, make_columns
from driftgauge.aggregates.outcomes import MAX_CLASSES
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import Columns, Facts
from driftgauge.feed import Cursor
from driftgauge.pipeline.doubts import say_doubts
from driftgauge.pipeline.memory import Memory
from driftgauge.snapshot import ModelState
from driftgauge.windows import PaneKey

KEY = PaneKey("1", 0, 3600)
HALF = np.linspace(0, 1, 40)


def rows(**fields: Any) -> Columns:
    """Return 40 rows; without classes of their own where these follow from scores."""
    found = make_columns(40, numbers={"x": HALF}, **fields)
    return replace(found, facts=Facts(has_classes="score" not in fields))


CLASSES = rows(predicted=["0", "1"] * 20)
WORDS = rows(predicted=["no", "yes"] * 20)
SCORED = rows(predicted=["0", "1"] * 20, score=HALF)
BOTH = replace(SCORED, facts=Facts(has_classes=True))


def said(reference: Columns | None = None, live: Columns | None = None, labelled: Columns | None = None) -> list[str]:
    """Return the reasons that are said of a model, all of them twice asked for."""
    compiled = None if reference is None else a_reference(reference)
    predictions = {} if live is None else {KEY: a_pane(live, compiled)}
    outcomes = {} if labelled is None else {KEY: a_pane(labelled, of="labelled")}
    totals = Totals(versions={"1": VersionTotals()})
    state = ModelState(a_model(), compiled, totals=totals, predictions=predictions, outcomes=outcomes)
    memory = Memory(state, "", {}, Cursor({}))
    with capture_logs() as logs:
        say_doubts(memory, state, 1)
        say_doubts(memory, state, 2)
    remarks = memory.journal.remarks.values()
    assert [(remark.reason, remark.count) for remark in remarks] == [(log["reason"], 1) for log in logs]
    # The next process says it again, and counts nothing again.
    anew = Memory(state, "", {}, Cursor({}), journal=memory.journal)
    with capture_logs() as again:
        say_doubts(anew, state, 3)
    assert again == logs
    assert [(remark.count, remark.last) for remark in anew.journal.remarks.values()] == [(1, 3)] * len(logs)
    return [log["reason"] for log in logs]


@pytest.mark.parametrize(
    ("description", "reference", "live", "expected"),
    [
        ("scores on both sides", SCORED, SCORED, []),
        ("classes on both sides", CLASSES, CLASSES, []),
        ("a reference with both has either", BOTH, CLASSES, []),
        ("classes against scores", SCORED, CLASSES, ["output_not_in_reference"]),
        ("scores against classes", CLASSES, SCORED, ["output_not_in_reference"]),
        ("other classes", CLASSES, WORDS, ["output_not_in_reference"]),
        ("nothing yet", CLASSES, None, []),
    ],
)
def test_outputs_that_do_not_meet(description: str, reference: Columns, live: Any, expected: list[str]) -> None:
    """Then there is no drift of the output, and that is said once."""
    assert said(reference, live) == expected, description


def test_labels_that_speak_of_other_classes() -> None:
    """Then there is no score of performance, and that is said once."""
    assert said(labelled=rows(predicted=["no", "yes"] * 20, label=["0", "1"] * 20)) == ["no_class_in_common"]
    assert said(labelled=rows(predicted=["0", "1"] * 20, label=["1", "0"] * 20)) == []
    assert said(labelled=rows(predicted=["no", "yes"] * 20, label=["no"] * 40)) == []


def test_too_many_classes() -> None:
    """Ids in place of classes are named as that."""
    names = [f"id-{number}" for number in range(MAX_CLASSES + 1)]
    assert said(labelled=make_columns(len(names), label=names, predicted=names)) == ["too_many_classes"]
