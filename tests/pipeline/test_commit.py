"""Commits of any rows in any order, against a count of the rows themselves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders import a_reference, features, signals
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.codec import pack
from driftgauge.columns import Columns, Where
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.families import FAMILIES
from driftgauge.pipeline.commit import commit, forget
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.labels import fold_labels
from driftgauge.pipeline.pace import USUAL
from driftgauge.pipeline.rows import fold_predictions
from driftgauge.samples import Sample
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.store import Store
from driftgauge.store.panes import read
from driftgauge.windows import MICROSECONDS, Tiers
from pipeline.conftest import SECONDS, a_model

# Their panes are of one minute, two minutes and an hour, so that rows move from pane to pane within a few steps.
WINDOWS = (Window("30m", 1800), Window("1h", 3600), Window("24h", 86400))
TIERS = Tiers.of(WINDOWS)
AHEAD = 290


@dataclass(frozen=True)
class Prediction:
    """A prediction of the pool: seconds after SECONDS, version, and class."""

    at: int
    version: str
    predicted: str


@dataclass(frozen=True)
class Step:
    """What one commit brings: minutes since the one before, positions in the pool, and (position, delay, value)."""

    minutes: int
    predictions: list[int]
    labels: list[tuple[int, int, str]]


_POOL = st.lists(
    st.builds(
        Prediction,
        st.integers(-7500, 200) | st.integers(-100_000, -80_000),
        st.sampled_from("vw"),
        st.sampled_from("01"),
    ),
    min_size=1,
    max_size=6,
)
_INDEX = st.integers(0, 5)
_LABELS = st.lists(st.tuples(_INDEX, st.integers(0, 4000), st.sampled_from("01")), max_size=5)
_STEPS = st.lists(
    st.builds(Step, st.integers(0, 25) | st.integers(25, 200), st.lists(_INDEX, max_size=4), _LABELS),
    min_size=1,
    max_size=6,
)


def rows(keys: Sequence[int], times: Sequence[int], versions: Sequence[str], **values: Sequence[str]) -> Columns:
    """Return rows with keys k0, k1, … at times in seconds; `values` are predicted classes or labels."""
    absent = pa.nulls(len(keys), pa.string())
    nothing = np.full(len(keys), np.nan)
    return Columns(
        time=np.array(times, np.int64) * MICROSECONDS,
        version=pa.array(versions, pa.string()),
        key=pa.array([f"k{key}" for key in keys], pa.string()),
        predicted=pa.array(values["predicted"], pa.string()) if "predicted" in values else absent,
        label=pa.array(values["label"], pa.string()) if "label" in values else absent,
        score=nothing,
        latency=nothing,
        failed=np.zeros(len(keys), np.bool_),
        rows_read=len(keys),
        # Each row is in a file of its own, so that of two labels one comes after the other.
        where=Where(
            np.array([next(_FILES) for _ in keys], np.int64), np.arange(len(keys)), pa.nulls(len(keys), pa.int64())
        ),
    )


_FILES = count()


class Run:
    """Steps committed one after the other, and the rows they brought."""

    def __init__(self, store: Store, window_by: str, pool: Sequence[Prediction]) -> None:
        self._store, self._pool = store, pool
        self._by_label_time = window_by == "label_time"
        model = a_model(f"model{next(_NUMBERS)}", labels={"window_by": window_by})
        self.state = ModelState(ModelConfig.model_validate(model))
        self.now = SECONDS
        self._read: list[int] = []
        self._labels: list[tuple[int, int, str]] = []

    def step(self, step: Step) -> None:
        """Commit a step and forget what is old."""
        self.now += 60 * step.minutes
        new = [at for at in dict.fromkeys(step.predictions) if at < len(self._pool) and at not in self._read]
        chosen = [self._pool[at] for at in new]
        labels = [
            (at, min(SECONDS + self._pool[at].at + delay, self.now + AHEAD), value)
            for at, delay, value in step.labels
            if at < len(self._pool)
        ]
        self._read += new
        self._labels += labels
        terms = Terms(self.state.config, WINDOWS, signals(), self.now * MICROSECONDS)
        times, versions = [SECONDS + each.at for each in chosen], [each.version for each in chosen]
        predicted = rows(new, times, versions, predicted=[each.predicted for each in chosen])
        keys, times, values = ([label[part] for label in labels] for part in range(3))
        labelled = rows(keys, times, ["any"] * len(labels), label=values)
        delta = Delta.combine([fold_predictions(predicted, terms, origin=("run", "1")), fold_labels(labelled, terms)])
        self.state, _ = commit(self._store, self.state, delta, records=[], known=(), terms=terms)
        with self._store.transaction(terms.model.name, terms.model.task) as tx:
            self.state = forget(tx, self.state, terms)

    def last_labels(self) -> dict[int, tuple[int, str]]:
        """Return by prediction the time and value of its label: the latest, and of equal times the one read last."""
        found: dict[int, tuple[int, str]] = {}
        for at, time, value in self._labels:
            if at in self._read and (at not in found or time >= found[at][0]):
                found[at] = (time, value)
        return found

    def expected(self, window: Window) -> dict[str, Counter[tuple[str, str]]]:
        """Count (label, prediction) pairs by version, row by row."""
        found: dict[str, Counter[tuple[str, str]]] = {}
        for at, (label_time, value) in self.last_labels().items():
            prediction = self._pool[at]
            time = label_time if self._by_label_time else SECONDS + prediction.at
            if TIERS.first_second(window, self.now * MICROSECONDS) <= time <= self.now:
                found.setdefault(prediction.version, Counter())[value, prediction.predicted] += 1
        return found

    def counted(self, outcomes: Mapping[Any, Pane], window: Window) -> dict[str, Counter[tuple[str, str]]]:
        """Return the same counts from the panes that the window shows now."""
        found: dict[str, Counter[tuple[str, str]]] = {}
        for key in TIERS.visible(outcomes, window, self.now * MICROSECONDS):
            aggregate = outcomes[key].find("outcomes", Outcomes)
            assert aggregate is not None
            found.setdefault(key.version, Counter()).update(aggregate.confusion)
        return {version: counts for version, counts in found.items() if counts}

    def restored(self) -> Mapping[Any, Pane]:
        """Return the outcomes as a new process reads them."""
        with self._store.transaction(self.state.config.name, "binary") as tx:
            return read(tx).outcomes


_NUMBERS = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store for many examples, each under a model name of its own."""
    opened = Store.open(str(tmp_path_factory.mktemp("commit")))
    yield opened
    opened.close()


@pytest.mark.no_cover
@settings(deadline=None)
@given(pool=_POOL, steps=_STEPS, window_by=st.sampled_from(["label_time", "prediction_time"]))
def test_windows_equal_the_rows(shared: Store, pool: list[Prediction], steps: list[Step], window_by: str) -> None:
    """After every step each window counts its labelled rows once, with their last label, up to now and no further."""
    run = Run(shared, window_by, pool)
    for step in steps:
        run.step(step)
        restored = run.restored()
        for window in WINDOWS:
            assert run.counted(run.state.outcomes, window) == run.expected(window)
        assert {key: pack(pane.to_state()) for key, pane in restored.items()} == {
            key: pack(pane.to_state()) for key, pane in run.state.outcomes.items()
        }
    labelled = len(run.last_labels())
    assert run.state.joining.predictions == len(run._read) - labelled
    assert sum(totals.labels for totals in run.state.totals.versions.values()) == labelled


def test_pane_becomes_visible(shared: Store) -> None:
    """A label a little ahead of the clock counts when the clock has reached it, also when it was corrected before."""
    run = Run(shared, "label_time", [Prediction(0, "v", "1"), Prediction(0, "v", "1")])
    run.step(Step(0, [0, 1], [(0, 119, "0"), (1, 119, "1")]))
    seen = [run.counted(run.state.outcomes, WINDOWS[0])]
    run.step(Step(0, [], [(0, 120, "1")]))
    for minutes in (1, 1):
        run.step(Step(minutes, [], []))
        seen.append(run.counted(run.state.outcomes, WINDOWS[0]))
    assert seen == [{}, {}, {"v": Counter({("1", "1"): 2})}]


def test_expiry_runs_once_an_hour(shared: Store) -> None:
    """Labels that met no prediction within the horizon are counted as rejected, once."""
    run = Run(shared, "label_time", [Prediction(0, "v", "1")])
    run.step(Step(0, [], [(0, 10, "0")]))
    counted = []
    for days in (29, 2, 1):
        run.step(Step(days * 24 * 60, [], []))
        counted.append(dict(run.state.totals.rejected))
    assert counted == [{}, {"label_without_prediction": 1}, {"label_without_prediction": 1}]


def feature_rows(seed: int, count: int) -> Columns:
    """Return rows of the last half hour with a feature that hardly repeats."""
    random = np.random.default_rng(seed)
    found = rows([0] * count, (SECONDS - random.integers(0, 1800, count)).tolist(), ["v"] * count)
    return replace(found, numbers={"x": random.normal(size=count)})


def test_panes_grow_by_parts(shared: Store) -> None:
    """What a commit writes follows its own rows; few parts stay, they add up to all rows, and are joined in the end."""
    reference = a_reference(features(x=np.random.default_rng(0).normal(size=5000)))
    model = ModelConfig.model_validate(a_model("in parts"))
    terms = Terms(model, WINDOWS, signals(reference), SECONDS * MICROSECONDS)
    state = ModelState(model, reference=reference)
    batches = [feature_rows(seed, 3000) for seed in range(20)]
    written = 0
    for batch in batches:
        before = state
        delta = fold_predictions(batch, terms, origin=("run", "1"))
        state, _ = commit(shared, state, delta, records=[], known=(), terms=terms)
        written += sum(pane.size for key, pane in state.predictions.items() if before.predictions.get(key) is not pane)
    everything = fold_predictions(joined(batches), terms, origin=("run", "1"))
    keys = {replace(key, part=0) for key in state.predictions}
    assert keys == everything.predictions.keys()
    assert 0 < max(key.part for key in state.predictions) < 8
    # Each value is written again each time its part doubles, and not by every batch that follows.
    assert written < 5 * sum(pane.size for pane in state.predictions.values())
    assert sampled(state, terms) == pytest.approx(
        sampled(replace(state, predictions=everything.predictions), terms), rel=1e-9
    )
    with shared.transaction(model.name, "binary") as tx:
        restored = read(tx).predictions
    assert {key: pack(pane.to_state()) for key, pane in restored.items()} == {
        key: pack(pane.to_state()) for key, pane in state.predictions.items()
    }
    later = replace(terms, now=terms.now + 4 * 3600 * MICROSECONDS)
    with shared.transaction(terms.model.name, terms.model.task) as tx:
        state = forget(tx, state, later)
    assert {key.part for key in state.predictions} == {0}
    assert sum(pane.rows for pane in state.predictions.values()) == 20 * 3000


@pytest.mark.parametrize(
    ("few_cells", "parts"), [(USUAL.few_cells, [1, 2, 3, 4, 5, 6, 7, 1]), (0, [1, 1, 1, 2, 1, 2, 2, 1])]
)
def test_small_parts_are_joined_eight_at_a_time(shared: Store, few_cells: int, parts: list[int]) -> None:
    """Parts of about the same size wait until there are eight; large ones are joined as soon as a new one is half."""
    reference = a_reference(features(x=np.random.default_rng(0).normal(size=5000)))
    model = ModelConfig.model_validate(a_model(f"parts {few_cells}"))
    terms = Terms(model, WINDOWS, signals(reference), SECONDS * MICROSECONDS)
    state = ModelState(model, reference=reference)
    found = []
    for seed in range(8):
        rows_of_one_pane = replace(feature_rows(seed, 200), time=np.full(200, (SECONDS - 60) * MICROSECONDS))
        delta = fold_predictions(rows_of_one_pane, terms, origin=("run", "1"))
        state, _ = commit(shared, state, delta, records=[], known=(), terms=terms, few_cells=few_cells)
        found.append(len(state.predictions))
        assert sum(pane.rows for pane in state.predictions.values()) == 200 * (seed + 1)
    assert found == parts


def joined(batches: Sequence[Columns]) -> Columns:
    """Return all rows of the batches."""
    first = batches[0].take(np.zeros(sum(map(len, batches)), np.int64))
    return replace(
        first,
        time=np.concatenate([batch.time for batch in batches]),
        numbers={"x": np.concatenate([batch.numbers["x"] for batch in batches])},
    )


def sampled(state: ModelState, terms: Terms) -> dict[tuple[str, ...], float]:
    """Return the gauges of all windows by family and labels."""
    samples = model_samples(state, windows=terms.windows, limits=Limits(), now=terms.now)
    return {
        (family, *sample.labels): sample.value
        for family, found in samples.items()
        for sample in found
        if isinstance(sample, Sample) and "window" in FAMILIES[family].labels
    }
