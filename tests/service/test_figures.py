"""What of a model goes to the landing page."""

import json

import pytest

from driftgauge.pipeline.journal import Journal, Remark
from driftgauge.service.landing import model_status
from driftgauge.web.status import ModelStatus
from driftgauge.windows import MICROSECONDS

from . import test_judging
from .test_judging import FINE, NOW, Values, config


def shown(values: Values, journal: Journal | None = None) -> ModelStatus:
    """Return the row of the page, after the way to the front."""
    whole, found = config(), test_judging.shown(values, journal)
    return model_status(whole.models[0], whole, json.loads(json.dumps(found)), error=None)


def test_the_worst_features() -> None:
    """Three, by PSI; a feature without PSI comes last, by KS."""
    row = shown({
        **FINE,
        "model_feature_psi": {("1", "24h", name): value for name, value in {"a": 0.1, "b": 0.4, "c": 0.2}.items()},
        "model_feature_ks_statistic": {("1", "24h", "b"): 0.3, ("1", "24h", "d"): 0.9, ("1", "1h", "a"): 1.0},
        "model_feature_drift_detected": {("1", "24h", "b"): 1.0},
    })  # fmt: skip
    assert [(each.feature, each.psi, each.ks, each.drifted) for each in row.worst] == [
        ("b", 0.4, 0.3, True), ("c", 0.2, None, False), ("a", 0.1, None, False),
    ]  # fmt: skip


def test_what_was_said_within_the_longest_window() -> None:
    """The latest first, with file, example and remedy; older things are gone from the page."""
    at = [(NOW - 8 * 86400, "old"), (NOW - 3600, "ts"), (NOW - 60, "score")]
    journal = Journal()
    for seconds, column in at:
        time = seconds * MICROSECONDS
        journal = journal.saying(Remark("doubt", "bad", column, "x", "do this", "a.csv", first=time, last=time))
    row = shown(FINE, journal)
    assert [(each.subject, each.example, each.text, each.file) for each in row.remarks] == [
        ("score", "x", "do this", "a.csv"), ("ts", "x", "do this", "a.csv"),
    ]  # fmt: skip
    assert row.remarks[0].last.timestamp() == NOW - 60


def test_what_is_in_no_figure() -> None:
    """Rejected rows and files by reason, since the start, the most frequent first."""
    row = shown({
        **FINE,
        "model_rows_rejected_total": {("bad_label",): 3, ("bad_timestamp",): 17},
        "model_batch_failures_total": {("another_shape",): 1},
        "model_files_not_read_total": {(): 2},
    })  # fmt: skip
    assert row.counts == (
        ("files set aside", "another_shape", 1),
        ("rows rejected", "bad_timestamp", 17),
        ("rows rejected", "bad_label", 3),
        ("files not read", "suffix", 2),
    )  # fmt: skip


@pytest.mark.parametrize("found", [None, {}])
def test_a_model_that_no_refresh_has_seen(found: dict[str, object] | None) -> None:
    """It waits, and nothing else is known."""
    whole = config()
    row = model_status(whole.models[0], whole, found, error=None)
    assert (row.state, row.has_details, row.predictions) == ("waiting", False, None)
