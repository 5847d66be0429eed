"""The label join, against a list of rows in plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, permutations
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftgauge.schema import Task
from driftgauge.store import Joined, Store, Transaction
from driftgauge.store.join import (
    class_scores,
    expire,
    join,
    labelled_in,
    last_expiry,
    pending,
    staged_labels,
    staged_predictions,
)
from store.conftest import columns

HORIZON: Final = 10
FOREVER: Final = 10**6
VALUES: Final[dict[Task, list[Any]]] = {"binary": ["0", "1"], "multiclass": ["a", "b"], "regression": [0.5, 2.0]}


@dataclass(frozen=True)
class Label:
    """A label row: key, time and value."""

    key: str
    time: int
    value: Any


@dataclass
class Oracle:
    """All rows read so far, in order; predictions are (name, key, time)."""

    predictions: list[tuple[str, str, int]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def labelled(self) -> dict[str, tuple[int, Any]]:
        """Return by prediction the time and value of the label that counts: of those in time the latest, read last."""
        found = {}
        for name, key, time in self.predictions:
            in_time = [each for each in self.labels if each.key == key and each.time <= time + HORIZON]
            if in_time:
                best = max(enumerate(in_time), key=lambda item: (item[1].time, item[0]))[1]
                found[name] = (best.time, best.value)
        return found

    def late(self) -> int:
        """Return how many labels have met a prediction and count for none."""
        times = {each: [time for _, key, time in self.predictions if key == each.key] for each in self.labels}
        return sum(bool(times[each]) and each.time > max(times[each]) + HORIZON for each in self.labels)


def labels_table(labels: Sequence[Label], task: Task) -> pa.Table:
    """Return label rows as the join takes them."""
    kind = pa.float64() if task == "regression" else pa.string()
    return staged_labels(
        pa.array([each.key for each in labels], pa.string()),
        pa.array([each.time for each in labels], pa.int64()),
        pa.array([each.value for each in labels], kind),
    )


def predictions_table(rows: Sequence[tuple[str, str, int]], task: Task) -> pa.Table:
    """Return predictions as the join takes them; their name goes in as the version."""
    names, keys, times = zip(*rows, strict=True)
    predicted = [VALUES[task][0]] * len(rows)
    return staged_predictions(columns(key=keys, time=times, version=names, predicted=predicted))


def stored(tx: Transaction, names: Sequence[str]) -> dict[str, tuple[int, Any]]:
    """Return what `labelled_in` knows of each of these predictions."""
    found = {}
    for name in names:
        always = pa.table({"version": [name], "start": [0]})
        rows = labelled_in(tx, always, length=FOREVER, by_label_time=True, horizon=HORIZON).to_pylist()
        assert len(rows) <= 1
        if rows:
            found[name] = (rows[0]["label_time"], rows[0]["label"])
    return found


@dataclass(frozen=True)
class Step:
    """What one commit brings: keys of predictions, and labels as (key, time after the prediction, value 0 or 1)."""

    predictions: list[int]
    labels: list[tuple[int, int, int]]


_KEYS = st.integers(0, 4)
_STEPS = st.lists(
    st.builds(
        Step,
        st.lists(_KEYS, max_size=4),
        st.lists(st.tuples(_KEYS, st.sampled_from([-2, 5, HORIZON, HORIZON + 1]), st.integers(0, 1)), max_size=5),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store for many examples, each under a model name of its own."""
    opened = Store.open(str(tmp_path_factory.mktemp("join")))
    yield opened
    opened.close()


_NUMBERS = count()


@pytest.mark.no_cover
@settings(max_examples=30, deadline=None)
@given(steps=_STEPS, task=st.sampled_from(sorted(VALUES)))
def test_any_sequence_of_steps(shared: Store, steps: list[Step], task: Task) -> None:
    """However rows are spread over steps, each prediction has the label that counts, and is fresh once."""
    model, oracle = f"model{next(_NUMBERS)}", Oracle()
    fresh: list[str] = []
    late = 0
    for step in steps:
        # Rows of one key share their time, so that a label is in time for all of them or for none.
        new = [(f"p{len(oracle.predictions) + n}", f"k{key}", 100 + key * 5) for n, key in enumerate(step.predictions)]
        drawn = [Label(f"k{key}", 100 + key * 5 + delay, VALUES[task][value]) for key, delay, value in step.labels]
        before = oracle.labelled()
        oracle.predictions += new
        oracle.labels += drawn
        after = oracle.labelled()
        joined = _commit(shared, model, task, new, drawn)
        fresh += joined.fresh["version"].to_pylist()
        late += joined.late
        changes = zip(
            *(joined.corrected[name].to_pylist() for name in ("version", "old_time", "new_time")), strict=True
        )
        expected = {(n, before[n][0], after[n][0]) for n in before if before[n] != after[n]}
        assert expected == set(changes)
        with shared.transaction(model, task) as tx:
            assert stored(tx, [name for name, _, _ in oracle.predictions]) == after
            assert pending(tx) == len(oracle.predictions) - len(after)
    assert sorted(fresh) == sorted(oracle.labelled())
    assert late == oracle.late()


@pytest.mark.parametrize("order", list(permutations(("prediction", "good", "late"))), ids="-".join)
def test_late_label_never_hides_a_good_one(store: Store, order: tuple[str, ...]) -> None:
    """In whatever order the three are read, the label within the horizon counts and the other is counted as late."""
    rows = {
        "prediction": ([("p", "k", 0)], []),
        "good": ([], [Label("k", HORIZON, "1")]),
        "late": ([], [Label("k", HORIZON + 1, "0")]),
    }
    joined = [_commit(store, "churn", "binary", *rows[name]) for name in order]
    assert [row["label"] for each in joined for row in each.fresh.to_pylist()] == ["1"]
    assert sum(each.late for each in joined) == 1


def _commit(store: Store, model: str, task: Task, new: Sequence[tuple[str, str, int]], labels: list[Label]) -> Joined:
    with store.transaction(model, task) as tx:
        predictions = [predictions_table(new, task)] if new else []
        return join(tx, predictions, [labels_table([each], task) for each in labels], horizon=HORIZON)


def test_everything_of_a_prediction_survives(store: Store) -> None:
    """A prediction comes back as it was stored: class scores of files with other classes, NaN and none included."""
    with store.transaction("churn", "multiclass") as tx:
        first = columns(
            key=["a", "b"], time=[1, 2], predicted=["x", "y"], class_scores={"y": [0.1, 0.9], "x": [0.75, np.nan]}
        )
        join(tx, [staged_predictions(first)], [], horizon=HORIZON)
        second = columns(key=["c"], time=[3], predicted=["z"], score=[0.25])
        third = columns(key=["d"], time=[4], predicted=["x"], class_scores={"é z": [1.0]})
        waiting = [staged_predictions(second), staged_predictions(third)]
        found = join(tx, waiting, [labels_table([Label(key, 5, "y") for key in "abcd"], "multiclass")], horizon=HORIZON)
    rows = sorted(found.fresh.to_pylist(), key=lambda row: row["time"])
    kept = [(row["time"], row["predicted"], row["score"], row["label_time"], row["label"]) for row in rows]
    nan = pytest.approx(np.nan, nan_ok=True)
    assert kept == [(1, "x", nan, 5, "y"), (2, "y", nan, 5, "y"), (3, "z", 0.25, 5, "y"), (4, "x", nan, 5, "y")]
    scores = [dict(zip(class_scores(row["classes"]), row["class_scores"] or [], strict=True)) for row in rows]
    assert scores == [{"x": 0.75, "y": 0.1}, {"x": nan, "y": 0.9}, {}, {"é z": 1.0}]


@pytest.mark.parametrize(
    ("time", "value", "expected"),
    [
        pytest.param(6, "0", (6, "0"), id="newer"),
        pytest.param(4, "0", (5, "1"), id="older"),
        pytest.param(5, "0", (5, "0"), id="same-time-read-later"),
        pytest.param(HORIZON + 1, "0", (5, "1"), id="newer-but-late"),
    ],
)
def test_second_label(store: Store, time: int, value: str, expected: tuple[int, str]) -> None:
    """The latest label in time counts, and of equal times the one read last; only a change is a correction."""
    with store.transaction("churn", "binary") as tx:
        rows = [predictions_table([("p", "k", 0)], "binary")]
        join(tx, rows, [labels_table([Label("k", 5, "1")], "binary")], horizon=HORIZON)
        joined = join(tx, [], [labels_table([Label("k", time, value)], "binary")], horizon=HORIZON)
        assert stored(tx, ["p"]) == {"p": expected}
        assert (len(joined.fresh), len(joined.corrected)) == (0, int(expected != (5, "1")))


@pytest.mark.parametrize(("by_label_time", "expected"), [(True, ["b", "c", "other f"]), (False, ["c", "d", "other e"])])
def test_labelled_in(store: Store, *, by_label_time: bool, expected: list[str]) -> None:
    """A stretch has its start and not its end, on the time that counts, and rows of one version."""
    times = {"a": (4, 9), "b": (5, 10), "c": (10, 19), "d": (19, 20), "e": (20, 21), "f": (9, 30)}
    rows = columns(key=list(times), time=[time for time, _ in times.values()], predicted=list(times))
    others = [f"other {key}" for key in "bef"]
    other = columns(key=list("bef"), time=[5, 30, 9], version=["w"] * 3, predicted=others)
    labels = [Label(key, time, "1") for key, (_, time) in times.items()]
    stretches = pa.table({"version": ["v", "w"], "start": [10, 30]})
    with store.transaction("churn", "binary") as tx:
        tables = [staged_predictions(rows), staged_predictions(other)]
        join(tx, tables, [labels_table(labels, "binary")], horizon=1000)
        found = labelled_in(tx, stretches, length=10, by_label_time=by_label_time, horizon=1000)
    assert sorted(found["predicted"].to_pylist()) == expected


# At 100, with a horizon of 10 and a longest window of 30: (prediction, label) -> whether it is kept.
EXPIRY = [
    ("waits within the horizon", 90, None, True),
    ("waited too long", 89, None, False),
    ("labelled in the window", 61, 70, True),
    ("labelled before the window", 60, 69, False),
    ("labelled early, made in the window", 70, 69, False),
    ("labelled and within the horizon", 95, 60, True),
]


@pytest.mark.parametrize(("made", "labelled", "kept"), [case[1:] for case in EXPIRY], ids=[case[0] for case in EXPIRY])
def test_expiry_by_label_time(store: Store, made: int, labelled: int | None, *, kept: bool) -> None:
    """A prediction goes when it is past its horizon and its label, if any, has left the longest window."""
    _expire_one(store, made, labelled, by_label_time=True)
    assert _is_kept(store, labelled) == kept


@pytest.mark.parametrize(("made", "labelled", "kept"), [(70, 75, True), (69, 75, False), (95, 96, True)])
def test_expiry_by_prediction_time(store: Store, made: int, labelled: int, *, kept: bool) -> None:
    """Where outcomes count at the prediction's time, that time decides."""
    _expire_one(store, made, labelled, by_label_time=False)
    assert _is_kept(store, labelled) == kept


def _expire_one(store: Store, made: int, labelled: int | None, *, by_label_time: bool) -> None:
    with store.transaction("churn", "binary") as tx:
        labels = [] if labelled is None else [labels_table([Label("k", labelled, "1")], "binary")]
        join(tx, [predictions_table([("p", "k", made)], "binary")], labels, horizon=HORIZON)
        assert expire(tx, now=100, horizon=HORIZON, keep=30, by_label_time=by_label_time) == 0
        assert last_expiry(tx) == 100


def _is_kept(store: Store, labelled: int | None) -> bool:
    """Tell whether the prediction is there, which a label in time would show, and check that its label went with it."""
    with store.transaction("churn", "binary") as tx:
        waiting = pending(tx)
        again = [predictions_table([("later", "k", 95)], "binary")]
        fresh = join(tx, again, [], horizon=HORIZON).fresh["version"].to_pylist()
        here = bool(stored(tx, ["p"])) if labelled is not None else waiting == 1
        assert fresh == (["later"] if here and labelled is not None else [])
        return here


def test_expiry_spares_a_younger_prediction_of_the_same_key(store: Store) -> None:
    """Of two predictions with one key the older goes; the younger, still in a window, stays with its label."""
    with store.transaction("churn", "binary") as tx:
        rows = [predictions_table([("older", "k", 0), ("younger", "k", 20)], "binary")]
        join(tx, rows, [labels_table([Label("k", 5, "1")], "binary")], horizon=HORIZON)
        assert sorted(stored(tx, ["older", "younger"])) == ["older", "younger"]
        expire(tx, now=40, horizon=HORIZON, keep=30, by_label_time=False)
        assert stored(tx, ["older", "younger"]) == {"younger": (5, "1")}


def test_expiry_of_orphans(store: Store) -> None:
    """A label that found no prediction within the horizon is counted and forgotten; a younger one still waits."""
    with store.transaction("churn", "binary") as tx:
        join(tx, [], [labels_table([Label("old", 89, "1"), Label("young", 90, "1")], "binary")], horizon=HORIZON)
        assert expire(tx, now=100, horizon=HORIZON, keep=30, by_label_time=True) == 1
        assert expire(tx, now=100, horizon=HORIZON, keep=30, by_label_time=True) == 0
        rows = [predictions_table([("p", "old", 88), ("q", "young", 88)], "binary")]
        assert join(tx, rows, [], horizon=HORIZON).fresh["version"].to_pylist() == ["q"]


def test_late_label_leaves_a_prediction_waiting(store: Store) -> None:
    """A prediction whose only label came too late still waits until its horizon has passed, then goes."""
    with store.transaction("churn", "binary") as tx:
        join(tx, [], [labels_table([Label("k", 105, "1")], "binary")], horizon=HORIZON)
        assert join(tx, [predictions_table([("p", "k", 94)], "binary")], [], horizon=HORIZON).late == 1
        waiting = [pending(tx)]
        for now in (104, 105):
            expire(tx, now=now, horizon=HORIZON, keep=30, by_label_time=True)
            waiting.append(pending(tx))
    assert waiting == [1, 1, 0]
