"""Codes of features that wait for labels: in whatever step a label comes, the row has the codes that it had."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from data_builders import a_reference, features, make_columns
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.strata import StrataSums
from driftgauge.columns import Columns, IntArray, Where
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.estimate.coding import Coding, coding_of
from driftgauge.pipeline.commit import commit
from driftgauge.pipeline.delta import Delta, Signals, Terms, own_key
from driftgauge.pipeline.labels import fold_labels
from driftgauge.pipeline.rows import fold_predictions
from driftgauge.segments import Segment
from driftgauge.signals import Basis, Fitted, FittedOnCodes, fit_all
from driftgauge.signals.outcomes import FittedOutcomes
from driftgauge.snapshot import ModelState
from driftgauge.store import Store
from driftgauge.store.database import FILE_NAME
from driftgauge.store.panes import read
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import SECONDS, a_model

WINDOWS: Final = (Window("1h", 3600), Window("24h", 86400))
ROWS: Final = 40
NOTHING: Final = "nothing"


@dataclass(frozen=True)
class CodesForPredictions:
    """Outcomes in which each row is predicted to be its codes, so that the panes show which ones came."""

    coding: Coding
    fingerprint: str = "codes"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Outcomes]:
        """Count pairs of label and codes."""
        found = written(self.coding, rows)
        return FittedOutcomes().fold(replace(rows, predicted=pa.array(found, pa.string())), ends)


def written(coding: Coding, rows: Columns) -> list[str]:
    """Return the codes of each row as text."""
    codes, known = coding.codes(rows), coding.known(rows)
    return [row.tobytes().hex() if is_known else NOTHING for row, is_known in zip(codes, known, strict=True)]


def reference_of(seed: int) -> Coding:
    """Return the coding of a reference."""
    random = np.random.default_rng(seed)
    plans = random.choice(["a", "b", "c"], 500).tolist()
    return coding_of(a_reference(features(x=random.normal(size=500), plan=plans)))


FIRST: Final = reference_of(1)
SECOND: Final = reference_of(2)


def predictions(*, versions: Sequence[str] = ("1", "2"), **more: Any) -> Columns:
    """Return rows with keys and features."""
    random = np.random.default_rng(9)
    x = random.normal(size=ROWS)
    x[::7] = np.nan
    return Columns(
        time=np.full(ROWS, (SECONDS - 600) * MICROSECONDS),
        version=pa.array([versions[at % len(versions)] for at in range(ROWS)], pa.string()),
        key=pa.array([f"k{at}" for at in range(ROWS)], pa.string()),
        predicted=pa.array(["1"] * ROWS, pa.string()),
        label=more.get("label", pa.nulls(ROWS, pa.string())),
        score=np.full(ROWS, np.nan),
        latency=np.full(ROWS, np.nan),
        failed=np.zeros(ROWS, np.bool_),
        numbers={"x": x},
        categories={"plan": pa.array(random.choice(["a", "b", "c", "d"], ROWS).tolist(), pa.string())},
        rows_read=ROWS,
        where=Where(np.full(ROWS, 1), np.arange(ROWS), pa.nulls(ROWS, pa.int64())),
    )


def labels(value: str, *, file: int = 2, ago: int = 300) -> Columns:
    """Return a label for each row."""
    found = replace(predictions(), predicted=pa.nulls(ROWS, pa.string()), numbers={}, categories={})
    where = Where(np.full(ROWS, file), np.arange(ROWS), pa.nulls(ROWS, pa.int64()))
    time = np.full(ROWS, (SECONDS - ago) * MICROSECONDS)
    return replace(found, label=pa.array([value] * ROWS, pa.string()), time=time, where=where)


class Run:
    """Steps of one model, each in a process of its own."""

    def __init__(self, folder: Path, *, labelled: bool = True, segments: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        section: dict[str, Any] = {"labels": {}} if labelled else {}
        self.model = ModelConfig.model_validate(a_model(**section, segments=segments or {}))
        self.state = ModelState(self.model)

    def step(self, fitted: Signals, *, served: Columns | None = None, told: Columns | None = None) -> None:
        """Commit predictions and labels."""
        segments: tuple[Segment, ...] = tuple(
            Segment(name, conditions) for name, conditions in self.model.segments.items()
        )
        terms = Terms(self.model, WINDOWS, fitted, SECONDS * MICROSECONDS, segments)
        parts = [Delta()]
        parts += [fold_predictions(served, terms, origin=("run", "1"))] if served else []
        parts += [fold_labels(told, terms)] if told else []
        store = Store.open(str(self.folder))
        self.state, _ = commit(store, self.state, Delta.combine(parts), records=[], known=(), terms=terms)
        with store.transaction(self.model.name, self.model.task) as tx:
            restored = read(tx)
        store.close()
        self.state = replace(self.state, predictions=restored.predictions, outcomes=restored.outcomes)

    def counted(self, segment: str = "") -> Counter[tuple[str, str]]:
        """Count label and codes over all panes of all rows, or of a segment."""
        found: Counter[tuple[str, str]] = Counter()
        for key, pane in self.state.outcomes.items():
            outcomes = pane.find("outcomes", Outcomes)
            if key.segment == segment and outcomes:
                found.update(outcomes.confusion)
        return found

    def stored(self) -> list[tuple[Any, ...]]:
        """Return the codes of the predictions that are kept."""
        with duckdb.connect(str(self.folder / FILE_NAME)) as connection:
            return connection.execute("SELECT coding, codes FROM predictions_1 ORDER BY place").fetchall()


def by(coding: Coding | None) -> Signals:
    """Return signals that read codes, or none that do."""
    fitted: dict[str, Fitted] = {"outcomes": CodesForPredictions(coding) if coding else FittedOutcomes()}
    return {"": fitted}


def pairs(value: str, rows: Columns | None = None, coding: Coding = FIRST) -> Counter[tuple[str, str]]:
    """Return what the panes are to hold."""
    return Counter((value, codes) for codes in written(coding, rows or predictions()))


def test_what_needs_codes_is_told_apart() -> None:
    """A signal with a coding is one that needs it."""
    assert isinstance(CodesForPredictions(FIRST), FittedOnCodes)
    assert not isinstance(FittedOutcomes(), FittedOnCodes)


def test_labels_that_come_late(tmp_path: Path) -> None:
    """In a process after that of its prediction, a label meets the codes of the features."""
    run = Run(tmp_path)
    run.step(by(FIRST), served=predictions())
    run.step(by(FIRST), told=labels("1"))

    assert run.counted() == pairs("1")
    assert len(run.counted()) > 10


def test_labels_that_come_early(tmp_path: Path) -> None:
    """So does a label that waited for its prediction."""
    run = Run(tmp_path)
    run.step(by(FIRST), told=labels("0"))
    run.step(by(FIRST), served=predictions())

    assert run.counted() == pairs("0")


@pytest.mark.parametrize("labelled", [True, False], ids=["with label files", "without"])
def test_labels_in_the_same_row(tmp_path: Path, labelled: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Rows with their label have the same codes, whether they pass through the store or not."""
    rows = predictions(label=pa.array(["1"] * ROWS, pa.string()))
    run = Run(tmp_path, labelled=labelled)
    run.step(by(FIRST), served=rows)

    assert run.counted() == pairs("1")


def test_labels_that_are_corrected(tmp_path: Path) -> None:
    """Counted again, a row has the codes it had."""
    run = Run(tmp_path)
    run.step(by(FIRST), served=predictions(), told=labels("0"))
    assert run.counted() == pairs("0")
    run.step(by(FIRST), told=labels("1", file=3, ago=200))

    assert run.counted() == pairs("1")


def test_codes_of_another_reference(tmp_path: Path) -> None:
    """After the reference has changed, predictions that waited before count as rows without codes."""
    run = Run(tmp_path)
    run.step(by(FIRST), served=predictions())
    run.step(by(SECOND), told=labels("1"))

    assert run.counted() == {("1", NOTHING): ROWS}


def test_versions_with_references_of_their_own(tmp_path: Path) -> None:
    """Each version's rows are coded by the reference they are compared with."""
    own = {"outcomes": CodesForPredictions(SECOND)}
    fitted: Signals = {**by(FIRST), own_key("2", ""): own}
    run = Run(tmp_path)
    run.step(fitted, served=predictions())
    run.step(fitted, told=labels("1"))

    rows = predictions()
    assert run.counted() == pairs("1", rows.take(np.arange(0, ROWS, 2))) + pairs(
        "1", rows.take(np.arange(1, ROWS, 2)), SECOND
    )
    assert [coding for coding, _ in run.stored()] == [FIRST.fingerprint, SECOND.fingerprint] * (ROWS // 2)


def test_a_version_whose_reference_has_no_signal(tmp_path: Path) -> None:
    """Rows of a version without such a signal keep nothing, those of the others do."""
    fitted: Signals = {**by(FIRST), own_key("2", ""): {"outcomes": FittedOutcomes()}}
    run = Run(tmp_path)
    run.step(fitted, served=predictions())

    assert [coding for coding, _ in run.stored()] == [FIRST.fingerprint, None] * (ROWS // 2)


def test_segments_read_the_codes_of_all_rows(tmp_path: Path) -> None:
    """A row is coded once: what a segment counts late has the codes of the whole reference."""
    run = Run(tmp_path, segments={"plan a": {"plan": "a"}})
    fitted: Signals = {**by(FIRST), "plan a": by(FIRST)[""]}
    run.step(fitted, served=predictions())
    run.step(fitted, told=labels("1"))

    rows = predictions()
    members = np.array([plan == "a" for plan in rows.categories["plan"].to_pylist()])
    assert run.counted("plan a") == pairs("1", rows.take(members))


def test_nothing_is_kept_that_nobody_needs(tmp_path: Path) -> None:
    """Without a signal that needs codes none are stored, and those that were are left where they are."""
    run = Run(tmp_path)
    run.step(by(None), served=predictions())
    assert run.stored() == [(None, None)] * ROWS

    run.step(by(FIRST), told=labels("1"))
    assert run.counted() == {("1", NOTHING): ROWS}


def test_one_byte_a_feature(tmp_path: Path) -> None:
    """What is kept are as many bytes as there are features."""
    run = Run(tmp_path)
    run.step(by(FIRST), served=predictions())

    assert [len(codes) for _, codes in run.stored()] == [2] * ROWS


def regression(label: Sequence[float] | None = None, **more: Any) -> Columns:
    """Return the same rows of a regression."""
    rows = predictions(versions=["1"])
    known = pa.nulls(ROWS, pa.float64()) if label is None else pa.array(label, pa.float64())
    return replace(rows, predicted=pa.array(np.arange(ROWS, dtype=np.float64)), label=known, **more)


def test_strata_of_late_labels(tmp_path: Path) -> None:
    """A regression's strata say of labels that come a process later, and are corrected, what they say of early ones."""
    random = np.random.default_rng(4)
    x = random.normal(size=800)
    model = ModelConfig.model_validate(a_model(labels={}, task="regression"))
    known = make_columns(800, predicted=x, label=x + x * random.normal(size=800), numbers={"x": x})
    reference = a_reference(known, model=model)
    fitted: Signals = {"": fit_all(Basis(model, Limits(), reference))}
    truth = random.normal(size=ROWS) * 30
    told = replace(labels("1"), predicted=pa.nulls(ROWS, pa.float64()), label=pa.array(truth + 1))
    corrected = replace(labels("1", file=3, ago=200), predicted=told.predicted, label=pa.array(truth))
    runs = []
    for name, steps in (
        ("late", [(regression(), None), (None, told), (None, corrected)]),
        ("same row", [(regression(truth.tolist()), None)]),
    ):
        run = Run(tmp_path / name)
        run.model = model
        run.state = ModelState(model, reference=reference)
        for served, labelled in steps:
            run.step(fitted, served=served, told=labelled)
        found = [pane.find("strata_outcomes", StrataSums) for pane in run.state.outcomes.values()]
        runs.append(StrataSums.combine([each for each in found if each]))

    late, early = runs
    assert (late.rows, late.known, late.unknown) == (ROWS, ROWS, 0)
    assert late.counts.tolist() == early.counts.tolist()
    assert late.losses.ravel() == pytest.approx(early.losses.ravel(), rel=1e-12)
