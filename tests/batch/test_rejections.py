"""What is said of rows that cannot be used, with the first such value and the remedy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch.samples import decoded
from batch.test_decoding import jsonl

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LATEST = int(NOON.timestamp() * 1e6)
TIME = "2026-01-05T11:00:00Z"


@pytest.mark.parametrize(
    ("role", "bad", "reason", "column", "example"),
    [
        ("predictions", {"ts": "soon", "prediction": 1}, "bad_timestamp", "ts", "soon"),
        ("predictions", {"ts": 17, "prediction": 1}, "bad_timestamp", "ts", "17"),
        ("predictions", {"prediction": "ten"}, "bad_prediction", "prediction", "ten"),
        ("predictions", {"note": "x"}, "no_prediction", "prediction", ""),
        ("labels", {"request_id": "a", "actual": "ten"}, "bad_label", "actual", "ten"),
        ("labels", {"actual": 1}, "missing_key", "", ""),
        ("labels", {"request_id": "a", "actual": None}, "missing_label", "actual", ""),
    ],
)
def test_rejected_rows_are_said(role: str, bad: dict[str, Any], reason: str, column: str, example: str) -> None:
    """Once for a file and reason, by the first of them."""
    fine = {"request_id": "r", "ts": TIME, "prediction": 1, "actual": 1}
    (chunk,) = decoded(jsonl([fine, bad, bad]), role=role, task="regression")
    assert chunk.rejected == {reason: 2}
    (note,) = [each for each in chunk.notes if each.reason == reason]
    assert note.column == column
    assert note.example.startswith(example)
    assert ":" in note.text or "name" in note.text


@pytest.mark.parametrize(
    ("description", "values", "counted"),
    [
        ("large numbers in another notation", ["1,234.56", "2,000.00", *["999.5"] * 98], 0),
        ("lists", [[1, 2], [3, 4], *[999.5] * 98], 0),
        ("words say nothing of the value", ["pending", "pending", *[999.5] * 98], 98),
        ("one may be an accident", ["1,234.56", *[999.5] * 99], 99),
        ("and so may two of a thousand", ["1,234.56", "2,000.00", *[999.5] * 998], 998),
    ],
)
def test_no_biased_remainder(description: str, values: list[Any], counted: int) -> None:
    """Where many values are in a notation that is not read, the others are no sample: none counts, and that is said."""
    for role, column in (("labels", "label"), ("predictions", "prediction")):
        rows = [{"request_id": f"r{at}", "ts": TIME, column: value} for at, value in enumerate(values)]
        (chunk,) = decoded(jsonl(rows), role=role, task="regression")
        assert (len(chunk), chunk.rejected) == (counted, {f"bad_{column}": len(values) - counted}), description
        (note,) = chunk.notes
        assert ("none counts" in note.text) == (counted == 0)
        assert note.example == ("a list or an object" if isinstance(values[0], list) else values[0])


def test_soft_labels_of_a_binary_model_leave_no_remainder() -> None:
    """Of labels 0.7 and 0, those that are 0 alone would give an accuracy of their own."""
    rows = [{"request_id": f"r{at}", "ts": TIME, "label": 0.7 if at % 2 else 0} for at in range(40)]
    (chunk,) = decoded(jsonl(rows), role="labels")
    assert (len(chunk), chunk.rejected) == (0, {"bad_label": 40})


def test_scores_without_a_scale_cost_no_class() -> None:
    """Rows with a class of their own count, and the scores are said with their own remedy alone."""
    rows = [{"ts": TIME, "score": 50.0 + at, "prediction": at % 2 if at < 8 else None} for at in range(12)]
    (chunk,) = decoded(jsonl(rows))
    assert (len(chunk), chunk.rejected) == (8, {"bad_prediction": 4})
    assert [(note.reason, note.column) for note in chunk.notes] == [("score_scale", "score")]


def test_scores_of_a_reference_that_have_no_scale_are_said_once() -> None:
    """By their own column, and not as predictions that no column has."""
    (chunk,) = decoded(jsonl([{"age": at, "score": 10 * at} for at in range(9)]), role="reference")
    assert [(note.reason, note.column) for note in chunk.notes] == [("score_scale", "score")]


def test_each_reason_is_said_once() -> None:
    """By whoever rejected the rows, or else here."""
    big = [{"request_id": 1e17 + n, "label": 1} for n in range(3)]
    (chunk,) = decoded(jsonl(big), role="labels")
    assert chunk.rejected == {"inexact_key": 3}
    assert len(chunk.notes) == 1


def test_lines_that_are_no_records_are_said() -> None:
    """They have no column."""
    fine = jsonl([{"ts": TIME, "prediction": 1}])
    (chunk,) = decoded(fine + b"{oops\n[1]\n" + fine)
    assert {note.reason for note in chunk.notes} == {"invalid_json", "not_an_object"}
    assert {note.column for note in chunk.notes} == {""}


@pytest.mark.parametrize(
    ("ahead", "shape", "remedy", "distance"),
    [
        (timedelta(hours=5, minutes=29), "%Y-%m-%dT%H:%M:%S", "timezone:", "5:30 h or more"),
        (timedelta(minutes=59), "%Y-%m-%d %H:%M:%S.%f", "timezone:", "1:00 h or more"),
        (timedelta(hours=14), "%Y%m%dT%H%M%S", "timezone:", "14:00 h or more"),
        (timedelta(hours=5, minutes=29), "%Y-%m-%dT%H:%M:%SZ", "correct the clock", "5:29 h"),
        (timedelta(hours=5), "%Y-%m-%dT%H:%M:%S+00:00", "correct the clock", "5:00 h"),
        (timedelta(days=40), "%Y-%m-%dT%H:%M:%S", "correct the clock", "40 days"),
        (timedelta(hours=15), "%Y-%m-%dT%H:%M:%S", "correct the clock", "15:00 h"),
        (timedelta(hours=5), "%s", "correct the clock", "5:00 h"),
    ],
)
def test_times_ahead_of_the_clock(ahead: timedelta, shape: str, remedy: str, distance: str) -> None:
    """When they carry no zone and fit another clock, the remedy is `timezone:`, else what writes them is wrong."""
    shown = (NOON + ahead).strftime(shape)
    time = (NOON + ahead).timestamp()
    written = [NOON.timestamp(), time] if shape == "%s" else [shown, NOON.strftime(shape)]
    rows = [{"timestamp": each, "prediction": 1} for each in written]
    (chunk,) = decoded(jsonl(rows), latest=LATEST)
    assert len(chunk) == 2
    (note,) = chunk.notes
    assert (note.reason, note.column) == ("future_timestamp", "timestamp")
    assert remedy in note.text
    assert distance in note.text
    assert note.example == (f"{time:.0f}" if shape == "%s" else shown)
    assert not decoded(jsonl(rows))[0].notes


def test_the_configured_clock_is_named() -> None:
    """With a zone that does not fit, the distance is from its clocks."""
    rows = [{"timestamp": "2026-01-05T15:30:00", "prediction": 1}]
    (note,) = decoded(jsonl(rows), latest=LATEST, timezone="Europe/Berlin")[0].notes
    assert "taken for Europe/Berlin" in note.text
    assert "2:30 h or more ahead of it" in note.text
