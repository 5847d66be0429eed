"""Labels of a window against those of the reference: the statistics of any other column, from scipy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from data_builders import a_model, a_reference, fitted, make_columns
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns, Note
from driftgauge.config import ModelConfig
from driftgauge.drift import ColumnDrift, compare, flags
from driftgauge.grid import LABEL
from driftgauge.reference import Reference
from driftgauge.signals.labels import FittedLabels, labels_of, learn


def labelled(label: Any, **fields: Any) -> Columns:
    """Return rows with these labels, and something to monitor."""
    return make_columns(len(label), label=label, numbers={"x": np.zeros(len(label))}, **fields)


def model_of(rows: Columns) -> ModelConfig:
    """Return a model of the task that has such labels."""
    return a_model(task="regression" if pa.types.is_floating(rows.label.type) else "multiclass")


def drift_of(reference: Columns, window: Columns) -> ColumnDrift:
    """Return how far the window's labels are from the reference's."""
    found = fitted(a_reference(reference, model=model_of(reference)))["labels"]
    assert isinstance(found, FittedLabels)
    (counted,) = found.fold(window, np.array([len(window)]))
    return compare(found.reference, counted)[LABEL]


def test_classes() -> None:
    """Chi-square, its p-value and the distance of shares are scipy's and the formula's, a new class included."""
    rng = np.random.default_rng(91)
    before, now = rng.choice(["0", "1", "2"], 900, p=[0.5, 0.3, 0.2]), rng.choice(["0", "1", "9"], 400)
    table = [[(side == name).sum() for name in "0129"] for side in (before, now)]
    test = stats.chi2_contingency(table, correction=False)

    found = drift_of(labelled(before.tolist()), labelled(now.tolist()))

    assert found.statistics["chi2_statistic"] == pytest.approx(test.statistic, rel=1e-12)
    assert found.statistics["chi2_pvalue"] == pytest.approx(test.pvalue, rel=1e-9)
    shares = [np.array(side) / sum(side) for side in table]
    assert found.statistics["total_variation_distance"] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)
    assert found.unseen == table[1][3]
    assert flags({LABEL: found}, a_model().drift) == {LABEL: True}


def test_numbers() -> None:
    """Labels of a regression have the statistics of numbers."""
    rng = np.random.default_rng(92)
    before, now = rng.gamma(2, 10, 2000), rng.gamma(2, 13, 500)
    found = drift_of(labelled(before), labelled(now))
    test = stats.ks_2samp(before, now)

    assert found.statistics["ks_statistic"] == pytest.approx(test.statistic, abs=1e-12)
    assert found.statistics["ks_pvalue"] == pytest.approx(test.pvalue, rel=1e-6)
    assert found.statistics["wasserstein_distance"] == pytest.approx(
        stats.wasserstein_distance(before, now) / before.std(), rel=1e-3
    )


@pytest.mark.parametrize("seed", range(4))
def test_labels_like_the_references_are_not_flagged(seed: int) -> None:
    """Labels drawn from the same shares do not drift."""
    rng = np.random.default_rng([93, seed])
    before, now = (rng.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]).tolist() for rows in (3000, 300))

    assert flags({LABEL: drift_of(labelled(before), labelled(now))}, a_model().drift) == {LABEL: False}


@pytest.mark.parametrize(
    ("description", "rows", "reason"),
    [
        ("no labels", labelled([None] * 300), "labelled reference rows"),
        ("one label", labelled([None] * 299 + ["1"]), "labelled reference rows"),
        ("ids", labelled([f"id{number}" for number in range(300)]), "identifiers"),
        (
            "some cannot be read",
            replace(labelled(["0", "1"] * 150), notes=(Note("reference_bad_label", "label", "?", ""),)),
            "cannot be read",
        ),
    ],
)
def test_undefined(description: str, rows: Columns, reason: str) -> None:
    """Without labels that can be compared with there is no signal, and it is said why."""
    found = a_reference(rows, model=model_of(rows))

    assert reason in found.learned["labels"]["reason"], description
    assert labels_of(found) is None
    assert "labels" not in fitted(found)
    assert labels_of(None) is None


@pytest.mark.parametrize(
    "label", [["0", "1", "1", None], np.array([1.5, np.nan, 2.0, 2.0])], ids=["classes", "numbers"]
)
def test_stored_with_the_reference(label: Any) -> None:
    """What was learned survives the reference's state, and folds as before; so do constant labels."""
    rows = labelled(label)
    reference = a_reference(rows, model=model_of(rows))
    restored = Reference.from_state(unpack(pack(reference.to_state())))

    one, two = (fitted(of)["labels"] for of in (reference, restored))
    assert one.fingerprint == two.fingerprint
    assert "reason" not in learn([labelled(["1", "1"])], reference, a_model())
    (empty,) = one.fold(rows.take(np.zeros(0, np.int64)), np.array([0]))
    assert isinstance(one, FittedLabels)
    assert compare(one.reference, empty)[LABEL].statistics == {}
