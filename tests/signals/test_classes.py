"""Predicted classes counted, and their shares next to those of the reference's labels."""

from collections import Counter

import numpy as np
import pytest

from data_builders import a_model, a_reference, fitted, make_columns
from driftgauge.aggregates.outcomes import MAX_CLASSES
from driftgauge.codec import pack, unpack
from driftgauge.samples import Sample
from driftgauge.signals.classes import SIGNAL, Classes, FittedClasses

NOTHING = FittedClasses({})


def shares(found: Classes, known: dict[str, float] | None = None) -> dict[tuple[str, ...], float]:
    """Return the published shares by labels."""
    samples = SIGNAL.values(found, FittedClasses(known or {}))
    return {one.labels: one.value for of in samples.values() for one in of if isinstance(one, Sample)}


def test_each_group_is_counted() -> None:
    """Groups are counted apart, rows without a prediction in none."""
    predicted = ["a", "b", None, "a", "c", "a"]
    found = NOTHING.fold(make_columns(6, predicted=predicted), np.array([4, 6]))

    assert [dict(one.counts.named) for one in found] == [{"a": 2, "b": 1}, {"c": 1, "a": 1}]
    assert shares(Classes.combine(found)) == pytest.approx(
        {("a", "predicted"): 0.6, ("b", "predicted"): 0.2, ("c", "predicted"): 0.2}
    )


def test_a_regression_has_no_classes() -> None:
    """Numbers are no classes, and no rows have no shares."""
    (found,) = NOTHING.fold(make_columns(3, predicted=np.array([1.0, 2.0, 2.0])), np.array([3]))

    assert shares(found) == shares(Classes()) == {}


@pytest.mark.parametrize("seed", [81, 82])
def test_ids_in_place_of_classes(seed: int) -> None:
    """Of more classes than are told apart there are no shares, in whatever order parts come."""
    rng = np.random.default_rng(seed)
    names = [f"id{number}" for number in rng.integers(0, 3 * MAX_CLASSES, 6 * MAX_CLASSES)]
    parts = [NOTHING.fold(make_columns(len(some), predicted=some), np.array([len(some)]))[0]
             for some in (names[:500], names[500:4000], names[4000:])]  # fmt: skip
    whole, joined = Classes.combine(parts), Classes.combine([parts[2], Classes.combine([parts[1], parts[0]])])

    first = dict(sorted(Counter(names).items())[:MAX_CLASSES])
    assert whole.counts.named == joined.counts.named == first
    assert whole.counts.rest == len(names) - sum(first.values())
    assert shares(whole) == {}


def test_shares_of_the_reference() -> None:
    """The labels of the reference, where it has some, are published beside."""
    rows = make_columns(8, predicted=["x"] * 8, label=["a", "a", "b", "b", "b", "b", "b", None])
    known = fitted(a_reference(rows))["classes"]
    assert isinstance(known, FittedClasses)
    (found,) = known.fold(make_columns(2, predicted=["a", "b"]), np.array([2]))

    assert shares(found, known.known) == pytest.approx(
        {("a", "predicted"): 0.5, ("b", "predicted"): 0.5, ("a", "reference"): 2 / 7, ("b", "reference"): 5 / 7}
    )
    for without in (fitted(), fitted(a_reference(make_columns(4, predicted=["x"] * 4)))):
        assert shares(found, getattr(without["classes"], "known", None)) == {
            ("a", "predicted"): 0.5,
            ("b", "predicted"): 0.5,
        }
    assert a_model(signals=["labels"]).signals[-1] == "labels"


def test_hostile_names() -> None:
    """Quotes, lines and long names are names like others, stored and restored."""
    names = ['say "x"', "two\nlines", "x" * 10_000, "", "\x00array"]
    (found,) = NOTHING.fold(make_columns(5, predicted=names), np.array([5]))

    restored = Classes.from_state(unpack(pack(found.to_state())))

    assert restored.counts == found.counts
    assert {labels[0] for labels in shares(restored)} == set(names)
