"""The algebra every aggregate obeys, as one suite of laws over all of them.

Each subject folds the same kind of random rows. Counts must agree exactly and floating-point sums up to rounding.
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_builders import a_model, a_pane, a_reference, counted, features, fitted, folded, make_columns
from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.aggregates.strata import StrataSums
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.estimate.coding import coding_of, nothing_kept
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.signals import AGGREGATES, Basis, fit_all

NAN = float("nan")
BOUNDS = (0.1, 0.5, 1.0)
# Small limits, so that sketches collapse and unseen categories are cut off within a few rows.
KEYS, NAMES = 4, 2
REFERENCE = a_reference(features(x=np.array([0.0, 1.0, 2.0, 50.0]), plan=["a", "a", "b", "c"]), max_categories=2)
SCORES = np.random.default_rng(3).random(600).round(3)
MANY_ROWS = a_reference(
    make_columns(
        600,
        score=SCORES,
        predicted=(SCORES >= 0.5).astype(int).astype(str).tolist(),
        label=(np.random.default_rng(4).random(600) < SCORES).astype(int).astype(str).tolist(),
        numbers={
            "x": np.random.default_rng(1).integers(0, 3, 600).astype(float),
            "amount": np.random.default_rng(2).normal(0, 500, 600),
        },
        categories={"plan": ["a", "b", "c"] * 200},
    )
)
AMOUNTS = np.random.default_rng(5).uniform(-1e3, 1e3, 800)
REGRESSION = a_reference(
    make_columns(800, predicted=AMOUNTS, label=AMOUNTS * (1 + np.sin(AMOUNTS)), numbers={"x": AMOUNTS.round(-2)}),
    model=a_model(task="regression"),
)
TREE = coding_of(REGRESSION).tree
assert TREE
LEAVES = TREE.leaves
OTHER = a_reference(features(x=np.array([0.0, 1.0, 3.0, 50.0]), plan=["a", "a", "b", "c"]), max_categories=2)

Row = dict[str, Any]
ROW: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "time": st.integers(1, 10**15),
        "x": st.sampled_from([NAN, 0.0, 1.0, 2.0]) | st.floats(-1e3, 1e3),
        "plan": st.sampled_from([None, "a", "b", "c", "new", "newer", "newest"]),
        "latency": st.just(NAN) | st.floats(0, 2),
        "failed": st.booleans(),
        "score": st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5]) | st.floats(0, 1),
        "label": st.sampled_from(["0", "1"]),
        "amount": st.floats(-1e3, 1e3),
    }
)
ROWS = st.lists(ROW, max_size=12)


def as_columns(rows: Sequence[Row]) -> Columns:
    """Return the rows of a binary model; a failed request has no prediction."""
    answered = [not row["failed"] for row in rows]
    return make_columns(
        len(rows),
        time=[row["time"] for row in rows],
        latency=[row["latency"] for row in rows],
        failed=[row["failed"] for row in rows],
        score=[row["score"] if known else NAN for row, known in zip(rows, answered, strict=True)],
        predicted=[str(int(row["score"] >= 0.5)) if known else None for row, known in zip(rows, answered, strict=True)],
        label=[row["label"] for row in rows],
        numbers={"x": [row["x"] for row in rows]},
        categories={"plan": [row["plan"] for row in rows]},
    )


def fold_sketch(rows: Sequence[Row]) -> ValueSketch:
    """Sketch the amounts in two groups."""
    groups = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    return ValueSketch.fold(np.array([row["amount"] for row in rows]), groups, groups=2, limit=KEYS)


def fold_moments(rows: Sequence[Row]) -> Moments:
    """Summarise a numeric column and one that is text in half of the rows."""
    amounts, texts = np.array([row["amount"] for row in rows]), np.array([row["failed"] for row in rows], np.bool_)
    numbers = {"x": amounts, "mixed": np.where(texts, NAN, amounts)}
    (found,) = Moments.fold(numbers, {"mixed": texts}, np.array([len(rows)]))
    return found


def fold_unseen(rows: Sequence[Row]) -> Unseen:
    """Count the categories that the reference never had."""
    return counted(REFERENCE, as_columns(rows), limit=NAMES).unseen.get("plan", Unseen({}))


def fold_pane(rows: Sequence[Row]) -> Pane:
    """Fold all signals of predictions."""
    return a_pane(as_columns(rows), REFERENCE, category_limit=NAMES)


def fold_labelled(rows: Sequence[Row]) -> Pane:
    """Fold all signals of labelled rows."""
    return a_pane(as_columns(rows), REFERENCE, of="labelled")


def fold_multiclass(rows: Sequence[Row]) -> Outcomes:
    """Fold rows of three classes; of one label, `z`, the model knows nothing."""
    scores = {name: [row["score"] * share for row in rows] for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.2))}
    labels = ["z" if row["failed"] else "abc"[int(row["label"])] for row in rows]
    return folded(make_columns(len(rows), label=labels, predicted=[row["plan"] for row in rows], class_scores=scores))


def fold_regression(rows: Sequence[Row]) -> Outcomes:
    """Fold amounts predicted by `x`, which is sometimes missing."""
    # Fourth powers of larger numbers would be compared to more digits than they have.
    amounts, predicted = (np.array([row[name] for row in rows]) / 100 for name in ("amount", "x"))
    return folded(make_columns(len(rows), label=amounts, predicted=predicted))


def fold_strata(rows: Sequence[Row]) -> StrataSums:
    """Add up the errors of amounts predicted by `x`, some of them in rows that come back without codes."""
    signal: Any = fit_all(Basis(a_model(task="regression"), Limits(), REGRESSION))["strata_outcomes"]
    amounts, predicted = np.array([row["amount"] for row in rows]), np.array([row["x"] for row in rows])
    columns = make_columns(len(rows), label=amounts, predicted=predicted, numbers={"x": predicted})
    lost = np.array([row["failed"] for row in rows], np.bool_)
    parts = [columns.take(~lost), replace(columns.take(lost), numbers={}, codes=nothing_kept(int(lost.sum())))]
    return StrataSums.combine([signal.fold(part, np.array([len(part)]))[0] for part in parts])


def fold_totals(rows: Sequence[Row]) -> Totals:
    """Count rows under two versions, as the pipeline does."""
    versions = {}
    for version in sorted({row["label"] for row in rows}):
        own = [row for row in rows if row["label"] == version]
        latest = max(own, key=lambda row: row["time"])["time"]
        versions[version] = VersionTotals(
            predictions=len(own),
            failed=sum(row["failed"] for row in own),
            latency=Buckets.fold(np.array([row["latency"] for row in own]), LATENCY_BUCKETS),
            last_prediction=latest,
            origin=(f"run-{latest}", "1"),
        )
    reasons = [row["plan"] for row in rows if row["plan"]]
    return Totals(
        versions=versions,
        batches=len(rows),
        failures={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        last_batch=max((row["time"] for row in rows), default=None),
    )


@dataclass(frozen=True)
class Subject:
    """One aggregate: how rows become one, how several become one, and the identity."""

    name: str
    fold: Callable[[Sequence[Row]], Any]
    combine: Callable[[Sequence[Any]], Any]
    identity: Callable[[], Any]
    restore: Callable[[dict[str, Any]], Any] | None = None


def of_signal(name: str) -> Subject:
    """Return the aggregate of a signal, with what folds it fitted on a reference that suffices for all signals."""
    signal = fitted(MANY_ROWS, category_limit=NAMES)[name]

    def fold(rows: Sequence[Row]) -> Any:
        columns = as_columns(rows)
        columns = replace(columns, numbers={**columns.numbers, "amount": np.array([row["amount"] for row in rows])})
        return signal.fold(columns, np.array([len(rows)]))[0]

    return Subject(f"signal {name}", fold, AGGREGATES[name].combine, lambda: fold([]))


def restore_pane(state: dict[str, Any]) -> Pane:
    """Return the pane that was stored."""
    return Pane.from_state(state, AGGREGATES)


STORED = [
    Subject(
        "Buckets",
        lambda rows: Buckets.fold(as_columns(rows).latency, BOUNDS),
        Buckets.combine,
        lambda: Buckets.empty(BOUNDS),
    ),
    Subject("ValueSketch", fold_sketch, ValueSketch.combine, lambda: ValueSketch.empty(groups=2, limit=KEYS)),
    Subject("Moments", fold_moments, Moments.combine, lambda: Moments.combine([])),
    Subject(
        "Distribution",
        lambda rows: counted(REFERENCE, as_columns(rows), limit=NAMES),
        Distribution.combine,
        lambda: Distribution.empty(REFERENCE.layout, limit=NAMES),
    ),
    *(of_signal(name) for name in fitted(MANY_ROWS)),
    Subject("Pane of predictions", fold_pane, Pane.combine, Pane, restore_pane),
    Subject("Pane of labelled rows", fold_labelled, Pane.combine, Pane, restore_pane),
    Subject("Outcomes", lambda rows: folded(as_columns(rows)), Outcomes.combine, lambda: Outcomes.combine([])),
    Subject("Outcomes, multiclass", fold_multiclass, Outcomes.combine, lambda: Outcomes.combine([])),
    Subject("Outcomes, regression", fold_regression, Outcomes.combine, lambda: Outcomes.combine([])),
    Subject("Strata", fold_strata, StrataSums.combine, lambda: StrataSums.fold(np.zeros(0, int), None, leaves=LEAVES)),
    Subject("Totals", fold_totals, Totals.combine, lambda: Totals.combine([])),
]
# Stored inside a Distribution, so that it has no state of its own.
UNSEEN = Subject("Unseen", fold_unseen, lambda parts: Unseen.combine(parts, limit=NAMES), lambda: Unseen({}))

every_subject = pytest.mark.parametrize("subject", [*STORED, UNSEEN], ids=lambda subject: subject.name)
stored_subject = pytest.mark.parametrize("subject", STORED, ids=lambda subject: subject.name)


def plain(value: Any) -> Any:
    """Return an aggregate as nested dicts and lists, whatever the order of its mappings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def agree(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, floats up to rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(agree(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-7)
    return bool(one == other)


def assert_same(expected: Any, actual: Any) -> None:
    """Assert that two aggregates are the same."""
    assert agree(plain(expected), plain(actual)), f"{plain(expected)}\n{plain(actual)}"


@every_subject
@given(rows=ROWS)
def test_identity(subject: Subject, rows: list[Row]) -> None:
    """The identity changes nothing from either side, and no rows are the identity."""
    one = subject.fold(rows)

    assert_same(one, subject.combine([subject.identity(), one]))
    assert_same(one, subject.combine([one, subject.identity()]))
    assert_same(one, subject.combine([one, subject.fold([])]))


@every_subject
@given(parts=st.tuples(ROWS, ROWS, ROWS))
def test_associativity(subject: Subject, parts: tuple[list[Row], ...]) -> None:
    """It does not matter which parts are combined first."""
    a, b, c = (subject.fold(rows) for rows in parts)
    expected = subject.combine([a, b, c])

    assert_same(expected, subject.combine([subject.combine([a, b]), c]))
    assert_same(expected, subject.combine([a, subject.combine([b, c])]))


@every_subject
@given(parts=st.tuples(ROWS, ROWS))
def test_commutativity(subject: Subject, parts: tuple[list[Row], ...]) -> None:
    """It does not matter which part came first."""
    a, b = (subject.fold(rows) for rows in parts)

    assert_same(subject.combine([a, b]), subject.combine([b, a]))


@every_subject
@given(split=st.lists(st.tuples(st.integers(0, 3), ROW), max_size=20))
def test_any_split_equals_one_pass(subject: Subject, split: list[tuple[int, Row]]) -> None:
    """Rows divided at random over four parts give what one pass over all of them gives."""
    parts = [[row for part, row in split if part == number] for number in range(4)]

    assert_same(subject.fold([row for _, row in split]), subject.combine([subject.fold(rows) for rows in parts]))


@stored_subject
@given(rows=ROWS)
def test_round_trip(subject: Subject, rows: list[Row]) -> None:
    """What was stored comes back bit for bit, and can be combined again."""
    one = subject.fold(rows)

    restored = (subject.restore or type(one).from_state)(unpack(pack(one.to_state())))

    assert plain(one) == plain(restored)
    assert_same(subject.combine([one, one]), subject.combine([restored, restored]))


@every_subject
@given(parts=st.tuples(ROWS, ROWS))
def test_arguments_stay_unchanged(subject: Subject, parts: tuple[list[Row], ...]) -> None:
    """Combining leaves its arguments as they were."""
    aggregates = [subject.fold(rows) for rows in parts]
    before = copy.deepcopy([plain(one) for one in aggregates])

    subject.combine(aggregates)

    assert before == [plain(one) for one in aggregates]


LAYOUT, OTHER_LAYOUT = REFERENCE.layout, OTHER.layout


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        (Buckets.empty((1.0,)), Buckets.empty((2.0,)), ["(1.0,)", "(2.0,)"]),
        (ValueSketch.empty(groups=1, limit=8), ValueSketch.empty(groups=2, limit=8), ["(1, 8)", "(2, 8)"]),
        (ValueSketch.empty(groups=1, limit=8), ValueSketch.empty(groups=1, limit=9), ["(1, 8)", "(1, 9)"]),
        (
            StrataSums.fold(np.array([0]), None, leaves=2),
            StrataSums.fold(np.array([0]), None, leaves=3),
            ["[2, 3]"],
        ),
        (
            Distribution.empty(LAYOUT, limit=2),
            Distribution.empty(OTHER_LAYOUT, limit=2),
            [LAYOUT.fingerprint, OTHER_LAYOUT.fingerprint],
        ),
        (
            Distribution.empty(LAYOUT, limit=2),
            Distribution.empty(LAYOUT, limit=3),
            [f"('{LAYOUT.fingerprint}', 2)", f"('{LAYOUT.fingerprint}', 3)"],
        ),
        (
            a_pane(as_columns([]), REFERENCE, category_limit=2),
            a_pane(as_columns([]), OTHER, category_limit=2),
            ["distribution", f"{LAYOUT.fingerprint}:2", f"{OTHER_LAYOUT.fingerprint}:2"],
        ),
    ],
    ids=["bounds", "groups", "limit of keys", "strata", "layout", "limit of names", "pane"],
)
def test_refuses_what_does_not_fit(one: Any, other: Any, named: list[str]) -> None:
    """Aggregates with different parameters are not combined, and the message names both."""
    with pytest.raises(ValueError, match="cannot combine") as refused:
        type(one).combine([one, other])

    assert all(text in str(refused.value) for text in named)
