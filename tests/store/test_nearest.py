"""Labels and predictions that are nearest to each other, against all pairs in plain Python."""

from itertools import count

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftgauge.staging import staged_labels, staged_predictions
from driftgauge.store import Store
from driftgauge.store.expiry import expire
from driftgauge.store.join import join, kept
from driftgauge.store.nearest import nearest
from store.conftest import columns

TOLERANCE = 5
FOREVER = 10**6
_TIMES = st.lists(st.integers(0, 60), max_size=12).map(sorted)
_NUMBERS = count()


def closest_first(first: list[int], second: list[int]) -> set[tuple[int, int]]:
    """Return the pairs: the closest first, each time at most once."""
    pairs = sorted((abs(a - b), i, j) for i, a in enumerate(first) for j, b in enumerate(second))
    found: set[tuple[int, int]] = set()
    for distance, i, j in pairs:
        if distance <= TOLERANCE and all(i != at and j != other for at, other in found):
            found.add((i, j))
    return found


@given(_TIMES, _TIMES)
def test_closest_first(first: list[int], second: list[int]) -> None:
    """Mutual nearest pairs, again and again, are all pairs by their distance."""
    here, there = nearest(np.array(first, np.int64), np.array(second, np.int64), tolerance=TOLERANCE)
    assert set(zip(here.tolist(), there.tolist(), strict=True)) == closest_first(first, second)


@pytest.mark.no_cover
@settings(deadline=None)
@given(data=st.data())
def test_any_steps(shared: Store, data: st.DataObject) -> None:
    """However rows of two devices are spread over steps, the pairs are those of one pass."""
    # No time twice, so that what is read last does not matter.
    times = st.lists(st.integers(0, 60), max_size=6, unique=True)
    rows = [(role, key, at) for role in "pl" for key in "ab" for at in data.draw(times)]
    model, read = f"near{next(_NUMBERS)}", []
    for role, key, at in data.draw(st.permutations(rows)):
        read.append((role, key, at))
        made = columns(key=[key], time=[at], number=[at], label=[str(at % 2)], version=[str(at)])
        tables = ([staged_predictions(made)], []) if role == "p" else ([], [staged_labels(made)])
        with shared.transaction(model, "binary") as tx:
            join(tx, *tables, horizon=FOREVER, tolerance=TOLERANCE)
            pairs = tx.connection.table(tx.pairs).filter("label IS NOT NULL")
            found = tx.connection.table(tx.predictions).join(pairs, "file, place").project("key, time, label_time")
            answered = set(found.fetchall())
            counts = kept(tx)
        expected = set()
        for device in "ab":
            served, told = (sorted(at for what, who, at in read if (what, who) == (each, device)) for each in "pl")
            expected |= {(device, served[i], told[j]) for i, j in closest_first(served, told)}
        assert answered == expected
        assert (counts.matched, counts.waiting) == (
            len(expected),
            sum(what == "l" for what, _, _ in read) - len(expected),
        )


def test_expiry(store: Store) -> None:
    """As time goes on, what is past the horizon and the window goes, and labels that met nothing are counted."""
    with store.transaction("churn", "binary") as tx:
        made = columns(key=[""] * 3, time=[0, 100, 200], number=[0, 100, 200])
        labels = columns(key=[""] * 3, time=[1, 50, 201], number=[1, 50, 201], label=["1", "1", "1"])
        join(tx, [staged_predictions(made)], [staged_labels(labels)], horizon=60, tolerance=TOLERANCE)
        assert (kept(tx).predictions, kept(tx).matched, kept(tx).waiting) == (1, 2, 1)
        assert expire(tx, now=220, horizon=60, keep=30, by_label_time=True, tolerance=TOLERANCE) == 1
        assert (kept(tx).predictions, kept(tx).matched, kept(tx).waiting) == (0, 1, 0)


def test_versions_share_a_label(store: Store) -> None:
    """Two versions that answered at one instant have the same label, and a copy of a file counts once."""
    with store.transaction("churn", "binary") as tx:
        made = [columns(key=[""] * 2, time=[0, 0], number=[0, 0], version=["1", "2"]) for _ in range(2)]
        label = columns(key=[""], time=[1], number=[1], label=["1"])
        staged = [staged_predictions(each) for each in made]
        joined = join(tx, staged, [staged_labels(label)], horizon=60, tolerance=TOLERANCE)
        assert joined.fresh["version"].to_pylist() in (["1", "2"], ["2", "1"])
        assert isinstance(joined.fresh, pa.Table)
