"""Labels and their predictions."""

from typing import Any

from driftgauge.inspection.facts import Facts
from driftgauge.inspection.joining import key_columns, meet
from inspection.files import facts

NOON = 1_767_614_400


def made(*rows: Any, **settings: Any) -> Facts:
    """Return predictions, a second apart, with these columns."""
    return facts([{"ts": NOON + at, "prediction": 1, **row} for at, row in enumerate(rows)], labels={}, **settings)


def labelled(*rows: Any, **settings: Any) -> Facts:
    """Return labels that come a minute after their prediction, with these columns."""
    found = [{"ts": NOON + 60 + at, "label": 1, **row} for at, row in enumerate(rows)]
    return facts(found, "labels.jsonl", role="labels", labels={}, **settings)


def test_labels_that_match_and_their_delay() -> None:
    """Two of three labels have the key of a prediction, a minute later; the rest is shown by an example."""
    found = meet(made({"id": "a"}, {"id": "b"}, {"id": "x"}), labelled({"id": "a"}, {"id": "b"}, {"id": "c"}), joined=2,
                 complete=True)  # fmt: skip

    assert (found.labels, found.matched, found.joined, found.remedy) == (3, 2, 2, "")
    assert (found.delay_least, found.delay_median, found.delay_most) == (60, 60, 60)
    assert (found.unmatched_label, found.unmatched_prediction) == ("c", "x")


def test_keys_that_several_rows_share_are_counted() -> None:
    """One id for a whole batch is no mistake, but worth a word."""
    batch = [{"id": "batch"}] * 3
    found = meet(made(*batch, {"id": "x"}), labelled(*batch, {"id": "x"}), joined=4, complete=True)

    assert (found.matched, found.shared) == (4, 3)


def test_why_nothing_matches() -> None:
    """Other ids, ids under other names, no ids at all, and too few files read are told apart."""
    ids = [{"id": f"order-{at}"} for at in range(12)]
    numbers = [{"id": str(at)} for at in range(12)]

    assert "log the same ids" in meet(made(*ids), labelled(*numbers), joined=0, complete=True).remedy
    assert "older than those" in meet(made(*ids), labelled(*numbers), joined=0, complete=False).remedy
    assert "label rows have no key" in meet(made(*ids), labelled({}), joined=0, complete=True).remedy
    assert "predictions have no key" in meet(made({}), labelled(*ids), joined=0, complete=True).remedy


def test_rows_that_cannot_be_used_are_not_said_to_have_no_key() -> None:
    """Their keys may be fine: what is wrong with them is said elsewhere."""
    ids = [{"id": f"order-{at}"} for at in range(12)]
    bad = made(*({**row, "prediction": "12.5 EUR"} for row in ids), task="regression")

    assert "no row of the predictions can be used" in meet(bad, labelled(*ids), joined=0, complete=True).remedy


def test_key_columns_are_found_by_their_values() -> None:
    """Columns of ids that are equal on both sides, whatever their names; never columns of few values."""
    rows = [{"order_no": f"r{at}", "shop": "A"} for at in range(30)]
    labels = [{"ticket": f"r{at}", "shop": "A"} for at in range(30)]

    assert key_columns(made(*rows), labelled(*labels)) == ("order_no", "ticket")
    assert key_columns(made(*({"shop": "A"} for _ in range(30))), labelled(*labels)) is None
