"""The label join, against a list of rows in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, permutations
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftgauge.schema import Task
from driftgauge.snapshot import Joining
from driftgauge.staging import class_scores, staged_labels, staged_predictions
from driftgauge.store import Joined, Store, Transaction
from driftgauge.store.expiry import expire, last_expiry
from driftgauge.store.join import join, kept, labelled_in
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
    predicted = pa.nulls(len(labels), pa.float64() if task == "regression" else pa.string())
    keys, times, values = [each.key for each in labels], [each.time for each in labels], [each.value for each in labels]
    return staged_labels(columns(key=keys, time=times, predicted=predicted, label=values))


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
        rows = labelled_in(tx, always, length=FOREVER, by_label_time=True).to_pylist()
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


_NUMBERS = count()


@pytest.mark.no_cover
@settings(deadline=None)
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
            assert kept(tx).predictions == len(oracle.predictions) - len(after)
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
        third = columns(key=["d"], time=[4], predicted=["x"], class_scores={"é z": [1.0], "a\x1fb": [0.5]})
        waiting = [staged_predictions(second), staged_predictions(third)]
        found = join(tx, waiting, [labels_table([Label(key, 5, "y") for key in "abcd"], "multiclass")], horizon=HORIZON)
    rows = sorted(found.fresh.to_pylist(), key=lambda row: row["time"])
    kept = [(row["time"], row["predicted"], row["score"], row["label_time"], row["label"]) for row in rows]
    nan = pytest.approx(np.nan, nan_ok=True)
    assert kept == [(1, "x", nan, 5, "y"), (2, "y", nan, 5, "y"), (3, "z", 0.25, 5, "y"), (4, "x", nan, 5, "y")]
    scores = [dict(zip(class_scores(row["classes"]), row["class_scores"] or [], strict=True)) for row in rows]
    assert scores == [{"x": 0.75, "y": 0.1}, {"x": nan, "y": 0.9}, {}, {"a\x1fb": 0.5, "é z": 1.0}]


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
        found = labelled_in(tx, stretches, length=10, by_label_time=by_label_time)
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
        waiting = kept(tx).predictions
        again = [predictions_table([("later", "k", 95)], "binary")]
        fresh = join(tx, again, [], horizon=HORIZON).fresh["version"].to_pylist()
        here = bool(stored(tx, ["p"])) if labelled is not None else waiting == 1
        assert fresh == (["later"] if here and labelled is not None else [])
        return here


def test_expiry_of_one_key(store: Store) -> None:
    """Predictions with one key go together, with their label, since their number decides what belongs together."""
    with store.transaction("churn", "binary") as tx:
        rows = [predictions_table([("older", "k", 0), ("younger", "k", 20)], "binary")]
        join(tx, rows, [labels_table([Label("k", 5, "1")], "binary")], horizon=HORIZON)
        assert sorted(stored(tx, ["older", "younger"])) == ["older", "younger"]
        expire(tx, now=40, horizon=HORIZON, keep=30, by_label_time=False)
        assert stored(tx, ["older", "younger"]) == {"older": (5, "1"), "younger": (5, "1")}
        expire(tx, now=51, horizon=HORIZON, keep=30, by_label_time=False)
        assert stored(tx, ["older", "younger"]) == {}
        assert kept(tx) == Joining()


def test_expiry_of_a_key_that_is_used_again(store: Store) -> None:
    """Of a key with a prediction each day two files stay, which show that it is ambiguous, and never a label."""
    for day in range(0, 100, 20):
        with store.transaction("churn", "binary") as tx:
            rows = staged_predictions(columns(key=["k"], time=[day]))
            joined = join(tx, [rows], [labels_table([Label("k", day + 1, "1")], "binary")], horizon=HORIZON)
            expire(tx, now=day + 5, horizon=HORIZON, keep=30, by_label_time=True)
            assert (len(joined.fresh), joined.ambiguous) == ((1, 0) if day == 0 else (0, 2 if day == 20 else 1))
            assert kept(tx).predictions == min(2, day // 20 + 1) - (day == 0)


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
        waiting = [kept(tx).predictions]
        for now in (104, 105):
            expire(tx, now=now, horizon=HORIZON, keep=30, by_label_time=True)
            waiting.append(kept(tx).predictions)
    assert waiting == [1, 1, 0]


@dataclass(frozen=True)
class Row:
    """A row of a file: its key, a value (a class, None if the row was rejected), its time and number."""

    key: str
    value: str | None
    time: int = 100
    number: int | None = None


@dataclass
class Files:
    """What has been read of each file so far; the rule of the join, row by row."""

    predictions: dict[int, list[Row]] = field(default_factory=dict)
    labels: dict[int, list[Row]] = field(default_factory=dict)
    turns: dict[tuple[int, int], int] = field(default_factory=dict)

    def read(self, role: str, file: int, rows: list[Row]) -> int:
        """Take in the next rows of a file and return the place of the first."""
        known = (self.predictions if role == "predictions" else self.labels).setdefault(file, [])
        first = len(known)
        if role == "labels":
            self.turns |= {(file, first + at): len(self.turns) + at for at in range(len(rows))}
        known.extend(rows)
        return first

    def joined(self) -> dict[tuple[int, int], tuple[int, str]]:
        """Return time and value of the label of each prediction (file, place) that has one."""
        found: dict[tuple[int, int], tuple[int, str]] = {}
        for key in {row.key for rows in self.predictions.values() for row in rows}:
            found |= self._of_key(key)
        return found

    def _of_key(self, key: str) -> dict[tuple[int, int], tuple[int, str]]:
        files = {n: [(at, r) for at, r in enumerate(rows) if r.key == key] for n, rows in self.predictions.items()}
        files = {n: rows for n, rows in files.items() if rows}
        if len({tuple((r.time, r.value) for _, r in rows) for rows in files.values()}) > 1:
            return {}
        file = min(files)
        asked = files[file]
        told = {n: [(at, r) for at, r in enumerate(rows) if r.key == key] for n, rows in self.labels.items()}
        told = {n: rows for n, rows in told.items() if rows}
        found: dict[tuple[int, int], tuple[int, str]] = {}
        for order, (place, row) in enumerate(asked):
            if len(asked) == 1:
                candidates = [(r.time, self.turns[n, at], n, r.value) for n, rows in told.items() for at, r in rows]
            elif self._numbered(asked, told):
                candidates = [
                    (r.time, self.turns[n, at], n, r.value)
                    for n, rows in told.items() for at, r in rows if r.number == row.number
                ]  # fmt: skip
            elif any(len(rows) != len(asked) for rows in told.values()) or self._shuffled(asked, told):
                return {}
            else:
                candidates = [
                    (rows[order][1].time, self.turns[n, rows[order][0]], n, rows[order][1].value)
                    for n, rows in told.items()
                ]
            known = [each for each in candidates if each[3] is not None and each[0] <= row.time + HORIZON]
            if known and row.value is not None:
                time, _, source, value = max(known)
                rivals = {r.value for _, r in told[source] if r.time == time and r.value is not None}
                if len(asked) > 1 or len(rivals) == 1:
                    found[file, place] = (time, str(value))
        return found

    @staticmethod
    def _all_numbered(rows: list[tuple[int, Row]]) -> bool:
        numbers = [row.number for _, row in rows]
        return None not in numbers and len(set(numbers)) == len(numbers)

    def _numbered(self, asked: list[tuple[int, Row]], told: dict[int, list[tuple[int, Row]]]) -> bool:
        numbers = {row.number for _, row in asked}
        inside = all(row.number in numbers for rows in told.values() for _, row in rows)
        return inside and all(self._all_numbered(rows) for rows in [asked, *told.values()])

    def _shuffled(self, asked: list[tuple[int, Row]], told: dict[int, list[tuple[int, Row]]]) -> bool:
        """Tell whether numbers contradict the order of the rows."""
        each = [asked, *told.values()]
        if not all(self._all_numbered(rows) for rows in each):
            return False
        return any([r.number for _, r in rows] != sorted(r.number or 0 for _, r in rows) for rows in each)


_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["0", "1", None]),
        st.sampled_from([100, 100, 104, 100 + HORIZON + 5]),
        st.sampled_from([None, 0, 1]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.no_cover
@settings(deadline=None)
@given(data=st.data())
def test_any_split_of_files_with_keys_that_repeat(shared: Store, data: st.DataObject) -> None:
    """However files are cut and in whatever order their parts come, what counts is what one pass over all says."""
    files = [
        *(("predictions", n, rows) for n, rows in enumerate(data.draw(st.lists(_ROWS, min_size=1, max_size=2)))),
        *(("labels", 10 + n, rows) for n, rows in enumerate(data.draw(st.lists(_ROWS, min_size=1, max_size=3)))),
    ]
    parts = []
    for role, file, rows in files:
        # The time of a prediction does not matter here, and every third row or so is one that was rejected.
        known = [Row(r.key, r.value, 100 if role == "predictions" else r.time, r.number) for r in rows]
        cut = data.draw(st.integers(0, len(known)))
        parts.append([(role, file, part) for part in (known[:cut], known[cut:]) if part])
    model, oracle = f"split{next(_NUMBERS)}", Files()
    fresh = 0
    while any(parts):
        role, file, rows = data.draw(st.sampled_from([waiting for waiting in parts if waiting])).pop(0)
        first = oracle.read(role, file, rows)
        table = _staged(role, file, rows, first)
        with shared.transaction(model, "binary") as tx:
            tables = ([table], []) if role == "predictions" else ([], [table])
            joined = join(tx, *tables, horizon=HORIZON)
            fresh += len(joined.fresh)
            expected = oracle.joined()
            assert _pairs(tx) == expected
            counts = kept(tx)
            assert counts.predictions == sum(
                row.value is not None for rows in oracle.predictions.values() for row in rows
            ) - len(expected)
    known = sum(row.value is not None for rows in oracle.labels.values() for row in rows)
    assert counts.waiting + counts.matched + counts.rejected == known
    assert fresh >= len(expected)


def _staged(role: str, file: int, rows: list[Row], first: int) -> pa.Table:
    """Return rows of a file as the join takes them, rejected ones as gaps."""
    kinds: dict[str, Any] = {"key": [r.key for r in rows], "time": [r.time for r in rows]}
    values = [row.value for row in rows]
    found = columns(
        **kinds, file=file, first=first, number=[r.number for r in rows],
        predicted=values if role == "predictions" else ["0"] * len(rows), label=values,
    )  # fmt: skip
    return staged_predictions(found) if role == "predictions" else staged_labels(found)


def _pairs(tx: Transaction) -> dict[tuple[int, int], tuple[int, str]]:
    rows = tx.fetch_all(f"FROM {tx.pairs}")
    return {
        (int(str(file)), int(str(place))): (int(str(time)), str(value))
        for file, place, time, value in rows if value is not None
    }  # fmt: skip
