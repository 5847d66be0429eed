"""Verdicts on rows."""

import numpy as np

from driftgauge.batch.reasons import CODES, FILE_REASONS, ROW_REASONS, all_fine, reject, tally


def test_the_first_reason_stays() -> None:
    """A row that was rejected already keeps its reason."""
    reasons = all_fine(3)
    reject(reasons, np.array([True, False, False]), "bad_timestamp")
    reject(reasons, np.array([True, True, False]), "bad_label")
    assert reasons.tolist() == [CODES["bad_timestamp"], CODES["bad_label"], 0]


def test_tally_leaves_out_what_did_not_occur() -> None:
    """Only reasons with rows are counted."""
    reasons = all_fine(4)
    reject(reasons, np.array([True, False, True, False]), "missing_key")
    assert tally(reasons) == {"missing_key": 2}
    assert tally(all_fine(4)) == {}


def test_reasons_are_label_values() -> None:
    """Reasons become values of a metric label, so they are distinct short words."""
    for reasons in (ROW_REASONS, FILE_REASONS):
        assert len(set(reasons)) == len(reasons)
        assert all(reason.isidentifier() and reason.islower() for reason in reasons)
