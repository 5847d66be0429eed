"""Reconstruction error against scikit-learn, what lights it, and what it does with hostile values."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from data_builders import MICROS, a_model, a_pane, a_reference, features, fitted, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.codec import pack, unpack
from driftgauge.config import Limits, Window
from driftgauge.reference import Reference
from driftgauge.samples import Sample
from driftgauge.signals import pane_samples, reconstruction
from driftgauge.signals.reconstruction import FittedReconstruction, Residuals
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.windows import PaneKey

Floats = npt.NDArray[np.float64]
NAN, INF = float("nan"), float("inf")
NAMES = tuple("abcdef")
FAMILIES = {"model_reconstruction_error", "model_reconstruction_outlier_ratio"}
NOW = 1_767_609_000


def correlated(seed: int, rows: int) -> Floats:
    """Return rows (n, 6) of two hidden causes, on scales that differ a million times, with noise."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(rows, 2)) @ np.random.default_rng(0).normal(size=(2, len(NAMES)))
    return (causes + rng.normal(0, 0.3, causes.shape)) * 10.0 ** np.arange(-3, 3) + 7


def spread(seed: int, rows: int) -> Floats:
    """Return rows (n, 6) of which each component explains a good part."""
    return np.random.default_rng(seed).normal(size=(rows, 6)) @ np.random.default_rng(0).normal(size=(6, 6))


def named(matrix: Floats) -> dict[str, Floats]:
    """Return the columns of a matrix by name."""
    return dict(zip(NAMES, matrix.T, strict=True))


def signal(reference: Reference) -> FittedReconstruction:
    """Return the signal as it was fitted on the reference."""
    found = fitted(reference)["reconstruction"]
    assert isinstance(found, FittedReconstruction)
    return found


def residuals(pane: Pane) -> Residuals:
    """Return the signal's aggregate."""
    found = pane.find("reconstruction", Residuals)
    assert found is not None
    return found


def oracle(reference: Floats, window: Floats) -> Floats:
    """Return the error of each row (n,) as scikit-learn computes it, missing values being the mean."""
    scaler = StandardScaler().fit(reference)
    known, rows = (np.nan_to_num(scaler.transform(matrix), nan=0.0) for matrix in (reference, window))
    pca = PCA(n_components=0.65).fit(known)
    return np.linalg.norm(rows - pca.inverse_transform(pca.transform(rows)), axis=1)


def family_values(pane: Pane, reference: Reference) -> dict[str, float]:
    """Return what the signal says of a pane."""
    found = pane_samples(pane, fitted(reference))
    return {name: sample.value for name in FAMILIES for sample in found.get(name, ()) if isinstance(sample, Sample)}


@pytest.mark.parametrize("missing", [0.0, 0.1], ids=["nothing missing", "a tenth missing"])
@pytest.mark.parametrize("drawn", [correlated, spread])
def test_equals_scikit_learn(drawn: Callable[[int, int], Floats], missing: float) -> None:
    """Mean error and sums are those of scikit-learn's PCA on the same rows, also where values are missing."""
    known, window = drawn(1, 3000), drawn(2, 40_000) * 1.1
    rng = np.random.default_rng(3)
    for matrix in (known, window):
        matrix[rng.random(matrix.shape) < missing] = NAN
    reference = a_reference(features(**named(known)))
    expected = oracle(known, window)

    pane = a_pane(features(**named(window)), reference)

    found = residuals(pane)
    assert found.rows == len(window)
    assert found.total == pytest.approx(expected.sum(), rel=1e-10)
    assert found.squares == pytest.approx(np.square(expected).sum(), rel=1e-10)
    assert found.above == np.count_nonzero(expected > signal(reference).cut)
    assert family_values(pane, reference)["model_reconstruction_error"] == pytest.approx(expected.mean(), rel=1e-10)


def test_the_cut_is_of_rows_that_were_not_fitted() -> None:
    """The cut is the 99 % point of errors by components of the other half of the rows; 1 % of fresh rows exceed it."""
    known = correlated(1, 20_000)
    reference = a_reference(features(**named(known)))
    scaled = StandardScaler().fit_transform(known)
    kept = PCA(n_components=0.65).fit(scaled).n_components_
    errors = []
    for part, other in ((scaled[::2], scaled[1::2]), (scaled[1::2], scaled[::2])):
        components = PCA(n_components=kept).fit(other).components_
        errors.append(np.linalg.norm(part - part @ components.T @ components, axis=1))

    assert signal(reference).cut == pytest.approx(np.quantile(np.concatenate(errors), 0.99), rel=1e-9)
    found = family_values(a_pane(features(**named(correlated(2, 100_000))), reference), reference)
    assert found["model_reconstruction_outlier_ratio"] == pytest.approx(0.01, abs=0.003)


def said(window: Floats, reference: Reference) -> dict[str, Mapping[tuple[str, ...], float]]:
    """Return everything that a snapshot says of one window."""
    key = PaneKey("1", NOW // 120 * 120, 120)
    state = ModelState(
        a_model(),
        reference=reference,
        totals=Totals(versions={"1": VersionTotals(last_prediction=NOW * MICROS)}),
        predictions={key: a_pane(features(**named(window)), reference)},
    )
    samples = model_samples(state, windows=[Window("1h", 3600)], limits=Limits(), now=NOW * MICROS)
    return {
        name: {sample.labels: sample.value for sample in found if isinstance(sample, Sample)}
        for name, found in samples.items()
    }


def test_broken_correlations_light_it_and_nothing_else() -> None:
    """Columns shuffled one by one keep every figure of theirs; error and share of outliers rise, and no flag does."""
    known, fresh = correlated(1, 5000), correlated(2, 5000)
    reference = a_reference(features(**named(known)))
    rng = np.random.default_rng(3)
    shuffled = np.stack([rng.permutation(column) for column in fresh.T], axis=1)

    before, after = said(fresh, reference), said(shuffled, reference)

    def value(found: Mapping[str, Mapping[tuple[str, ...], float]], family: str) -> float:
        return found[family]["churn", "1", "1h"]

    expected = float(oracle(known, correlated(4, 5000)).mean())
    assert value(before, "model_reconstruction_error") == pytest.approx(expected, rel=0.02)
    assert value(before, "model_reconstruction_outlier_ratio") < 0.02
    assert value(after, "model_reconstruction_error") > 2 * expected
    assert value(after, "model_reconstruction_outlier_ratio") > 0.5
    assert value(after, "model_drifted_features") == value(before, "model_drifted_features") == 0
    for family, found in before.items():
        if family not in FAMILIES:
            assert after[family] == pytest.approx(found, rel=1e-9), family


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": np.arange(500.0)}, "needs 2 numeric features that vary in the reference, but has 1"),
        ({"a": np.arange(500.0), "b": np.full(500, 3.0)}, "needs 2 numeric features that vary"),
        ({"a": np.arange(500.0), "b": np.full(500, NAN), "plan": ["x"] * 500}, "needs 2 numeric features that vary"),
        ({"a": np.arange(500.0), "b": np.geomspace(1, 1e308, 500)}, "needs 2 numeric features that vary"),
        (named(correlated(1, 199)), "needs 200 reference rows for 6 numeric features, but has 199"),
    ],
    ids=["one column", "a constant one", "an empty one", "a deviation beyond the largest double", "few rows"],
)
def test_undefined(columns: Mapping[str, Floats], reason: str) -> None:
    """Without two columns that vary, or with few rows, there is no signal, no series, and a reason for the log."""
    reference = a_reference(features(**columns))

    assert reference.learned["reconstruction"]["reason"].startswith(reason)
    assert "reconstruction" not in fitted(reference)
    assert family_values(a_pane(features(**columns), reference), reference) == {}


def test_two_columns_that_hardly_correlate() -> None:
    """One direction is always left to see, though both were needed to explain 65 %."""
    rng = np.random.default_rng(1)
    reference = a_reference(features(a=rng.normal(size=1000), b=rng.normal(size=1000)))

    assert signal(reference).residual.shape == (1, 2)


def test_one_row_is_no_mean() -> None:
    """From 2 rows on, as for other statistics."""
    reference = a_reference(features(**named(correlated(1, 300))))

    assert family_values(a_pane(features(**named(correlated(2, 1))), reference), reference) == {}
    assert family_values(a_pane(features(**named(correlated(2, 2))), reference), reference).keys() == FAMILIES


def test_hostile_values() -> None:
    """What is not finite is missing; a value too far out counts above the cut, and the mean error is absent."""
    reference = a_reference(features(**named(correlated(1, 300))))
    rows = {name: np.full(4, column.mean()) for name, column in named(correlated(1, 300)).items()}
    wild = {**rows, "a": np.array([INF, -INF, NAN, rows["a"][0]])}
    far = {**rows, "a": np.array([1e308, -1e308, 1e308, rows["a"][0]]), "b": np.array([-1e308, 0.0, 1e308, 0.0])}

    assert residuals(a_pane(features(**wild), reference)).total == pytest.approx(0, abs=1e-9)
    found = residuals(a_pane(features(**far), reference))
    assert (found.total, found.above) == (INF, 4)
    assert not np.isfinite(family_values(a_pane(features(**far), reference), reference)["model_reconstruction_error"])
    matrix = np.stack(list(far.values()), axis=1)
    samples = said(matrix, reference)
    assert "model_reconstruction_error" not in samples
    assert samples["model_reconstruction_outlier_ratio"] == {("churn", "1", "1h"): 1.0}


def test_missing_columns() -> None:
    """A column that a batch lacks, or has as text, counts as its mean in all rows; others are not looked at."""
    reference = a_reference(features(**named(correlated(1, 300))))
    window = named(correlated(2, 50))
    lacking = {name: column for name, column in window.items() if name != "c"}
    means = {**window, "c": np.full(50, signal(reference).scale.means[2])}

    expected = residuals(a_pane(features(**means), reference)).total
    for rows in (
        features(**lacking, new=np.arange(50.0)),
        make_columns(50, numbers=lacking, categories={"c": ["x"] * 50}),
    ):
        assert residuals(a_pane(rows, reference)).total == pytest.approx(expected)
    nothing = residuals(a_pane(make_columns(3), reference))
    assert (nothing.rows, nothing.total, nothing.above) == (3, 0, 0)


def test_columns_that_determine_each_other() -> None:
    """Rounding of columns that determine each other is no outlier; when one moves alone, all rows are."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    reference = a_reference(features(x=x, doubled=2 * x, plus=x + 1))

    rounded = family_values(a_pane(features(x=x, doubled=(2 * x).round(9), plus=x + 1), reference), reference)
    apart = family_values(a_pane(features(x=x, doubled=rng.permutation(2 * x), plus=x + 1), reference), reference)

    assert rounded["model_reconstruction_outlier_ratio"] == 0
    assert apart["model_reconstruction_outlier_ratio"] > 0.99


def test_stored_with_the_reference() -> None:
    """What was learned comes back with the reference: same fingerprint, same errors; another reference has another."""
    reference = a_reference(features(**named(correlated(1, 300))))
    other = a_reference(features(**named(correlated(2, 300))))

    restored = Reference.from_state(unpack(pack(reference.to_state())))

    assert signal(restored).fingerprint == signal(reference).fingerprint != signal(other).fingerprint
    rows = features(**named(correlated(3, 50)))
    assert residuals(a_pane(rows, restored)).total == residuals(a_pane(rows, reference)).total


def test_large_references_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reference beyond the limit, rows at even distances over all of its chunks are fitted."""
    known = correlated(1, 6000)
    chunks = [features(**named(part)) for part in np.split(known, [1001, 2500])]
    reference = a_reference(features(**named(known)))
    monkeypatch.setattr(reconstruction, "_MOST_VALUES", 6 * 1000)

    rows = reconstruction._sampled(signal(reference).scale, chunks, 6000)

    scale = signal(reference).scale
    assert rows == pytest.approx((known[::6] - scale.means) / scale.deviations)


def test_many_small_panes_lose_nothing() -> None:
    """A window of a thousand panes says what one pane of all rows says, to rounding."""
    reference = a_reference(features(**named(correlated(1, 300))))
    window = correlated(2, 10_000)
    rows = features(**named(window))
    parts = signal(reference).fold(rows, np.arange(10, 10_001, 10))

    whole, (alone,) = Residuals.combine(list(parts)), signal(reference).fold(rows, np.array([10_000]))

    assert (whole.rows, whole.above) == (alone.rows, alone.above)
    assert whole.total == pytest.approx(alone.total, rel=1e-12)
    assert whole.squares == pytest.approx(alone.squares, rel=1e-12)
