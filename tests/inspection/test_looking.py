"""What is found in one file is what decoding decided."""

import pytest

from driftgauge.inspection.facts import Facts, RejectedRow
from inspection.files import facts

ROWS = [
    {"id": "a", "ts": "2026-01-05T10:00:00Z", "features": {"age": 3, "plan": "A"}, "y_pred": 0.75},
    {"id": "b", "ts": "never", "features": {"age": None, "plan": "B"}, "y_pred": 0.25},
    {"id": "c", "ts": "2026-01-05T10:00:02Z", "features": {"age": 5, "plan": "A"}, "y_pred": "oops"},
    {"id": "d", "ts": "2026-01-05T10:00:03Z", "features": {"age": 5}, "y_pred": 0.5, "tags": [1, 2]},
]


def test_columns_rejected_rows_and_times() -> None:
    """Shares of missing values, one example, the rows that are rejected by their number, and the span of the others."""
    found = facts(ROWS)

    assert (found.rows, found.usable) == (4, 2)
    age = found.columns["features.age", "feature age"]
    assert (age.kind, age.present, age.rows, age.example) == ("numeric", 3, 4, "3")
    assert found.columns["features.plan", "feature plan"].kind == "categorical"
    assert found.columns["tags", "not used"].example == "(a list, an object or bytes)"
    assert found.rejected["bad_timestamp"].examples == (RejectedRow("p.jsonl", 2, "ts=never"),)
    assert found.rejected["bad_prediction"].examples == (RejectedRow("p.jsonl", 3, "y_pred=oops"),)
    assert (found.oldest, found.newest) == (1_767_607_200_000_000, 1_767_607_203_000_000)
    assert found.features["age"].numbers.tolist() == [3, 5, 5]
    assert found.features["plan"].categories == {"A": 2, "B": 1}


def test_outcomes() -> None:
    """Numbers, fractions and other values are counted apart, so that a mistake among scores stays one."""
    outcome = facts(ROWS).outcomes["prediction"]

    assert (outcome.numbers, outcome.others, outcome.fractions, outcome.low, outcome.high) == (3, 1, 3, 0.25, 0.75)
    assert outcome.classes == {"oops"}


def test_only_three_rows_of_each_reason_are_shown() -> None:
    """More of them are counted only, over several files too."""
    part = facts([{"y_pred": 1}, *({"y_pred": 1, "ts": "never"} for _ in range(5))])
    both = Facts.combine([part, part])

    assert (both.files, both.rows, both.rejected["bad_timestamp"].rows) == (2, 12, 10)
    assert [row.row for row in both.rejected["bad_timestamp"].examples] == [2, 3, 4]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [("p.parquet", b"no parquet", "invalid_parquet"), ("p.jsonl", b'{"alert": "x"}\n', "another_shape")],
)
def test_a_file_that_cannot_be_read_has_a_problem(name: str, data: bytes, reason: str) -> None:
    """It says what is wrong, and none of its rows counts."""
    found = facts(data, name)

    assert [(found.problems[name][0]), found.rows, found.rejected] == [reason, 0, {}]


def test_a_file_of_another_shape_says_nothing_about_the_others() -> None:
    """Its columns are shown only where there is nothing else."""
    report = facts([{"label": 1, "text": "report"}], "report.jsonl")
    both = Facts.combine([facts([{"y_pred": 1}]), report])

    assert list(report.columns) == [("label", "label"), ("text", "not used")]
    assert (list(both.columns), both.rows, list(both.problems)) == ([("y_pred", "prediction")], 1, ["report.jsonl"])


def test_label_files_are_read_with_their_own_columns() -> None:
    """What `labels.columns` maps is told as such."""
    labels = {"columns": {"request_id": "ticket", "label": "result"}}
    found = facts([{"ticket": "a", "result": 1}], role="labels", labels=labels)

    assert [(c.use.path, c.use.role, c.use.why) for c in found.columns.values()] == [
        ("ticket", "request_id", "labels.columns.request_id"),
        ("result", "label", "labels.columns.label"),
    ]
