"""Reconstruction error against scikit-learn, what lights it, and what it does with hostile values."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from data_builders import MICROS, a_model, a_pane, a_reference, features, fitted, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.families import FAMILIES as FAMILIES_TABLE
from driftgauge.reference import Reference
from driftgauge.samples import Sample
from driftgauge.signals import pane_samples
from driftgauge.signals.reconstruction import FittedReconstruction, Residuals
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.windows import PaneKey
from nannyml_data import data_set

Floats = npt.NDArray[np.float64]
NAN, INF = float("nan"), float("inf")
NAMES = tuple("abcdef")
FAMILIES = {
    "model_reconstruction_error",
    "model_reconstruction_error_baseline",
    "model_reconstruction_outlier_ratio",
    "model_reconstruction_drift_detected",
}
JUDGED = "model_reconstruction_drift_detected"
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


def is_number(column: pd.Series) -> bool:
    """Whether NannyML reads a column as numbers."""
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def oracle(reference: Floats, window: Floats) -> Floats:
    """Return the error of each row (n,) as scikit-learn computes it, missing values being the mean."""
    imputer = SimpleImputer().fit(reference)
    scaler = StandardScaler().fit(imputer.transform(reference))
    known, rows = (scaler.transform(imputer.transform(matrix)) for matrix in (reference, window))
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
    assert found.above == np.count_nonzero(expected > signal(reference).baseline.cut)
    assert family_values(pane, reference)["model_reconstruction_error"] == pytest.approx(expected.mean(), rel=1e-10)


COLUMNS = {
    "synthetic": """distance_from_office salary_range gas_price_per_litre public_transportation_cost wfh_prev_workday
        workday tenure""",
    "car_loan": """car_value salary_range debt_to_income_ratio loan_length repaid_loan_on_prev_car size_of_downpayment
        driver_tenure""",
    "multiclass": """acq_channel app_behavioral_score requested_credit_limit app_channel credit_bureau_score
        stated_income is_customer""",
}


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [("synthetic", 5000, 1.118536), ("car_loan", 5000, 1.141517), ("multiclass", 6000, 1.260385)],
)
def test_equals_nannyml(name: str, rows: int, expected: float) -> None:
    """The first chunk of NannyML's data sets has the value that its own calculator computes."""
    data, names = data_set(name), COLUMNS[name].split()

    def columns_of(frame: pd.DataFrame) -> Columns:
        found = {name: frame[name] for name in names}
        return features(
            **{
                name: column.to_numpy(np.float64) if is_number(column) else column.astype(str).tolist()
                for name, column in found.items()
            }
        )

    reference = a_reference(columns_of(data.reference))

    found = family_values(a_pane(columns_of(data.analysis[:rows]), reference), reference)

    assert round(found["model_reconstruction_error"], 6) == expected
    assert found["model_reconstruction_error_baseline"] == pytest.approx(expected, rel=0.02)
    assert found[JUDGED] == 0


def test_false_alarms_and_power() -> None:
    """Without drift at most 1 % of windows are flagged; one with a column shuffled in 30 % of its rows is."""
    flags = []
    for seed in range(5):
        judge = signal(a_reference(features(**named(correlated(1000 + seed, 2000)))))
        windows = judge.fold(features(**named(correlated(5000 + seed, 20_000))), np.arange(1000, 20_001, 1000))
        flags += [judge.is_detected(window, significance=judge.significance) for window in windows]
    moved = correlated(9, 1000)
    moved[:300, 2] = moved[:300, 2][::-1]

    assert np.mean(flags) <= 0.01
    (found,) = judge.fold(features(**named(moved)), np.array([1000]))
    assert judge.is_detected(found, significance=judge.significance) is True


def test_a_change_that_is_small_or_cannot_be_told() -> None:
    """Beyond chance is not enough, but with the plain rule; what is too large for a mean is not judged."""
    reference = a_reference(features(**named(correlated(1, 2000))))
    judge = signal(reference)
    base = judge.baseline
    mean = base.mean + 0.09 * base.variance**0.5
    many = Residuals(100_000, half_total=1e5 * mean, half_squares=1e5 * (mean**2 + base.variance))

    assert judge.is_detected(many, significance=0.01) is False
    assert replace(judge, by_effect=False).is_detected(many, significance=0.01) is True
    assert judge.is_detected(replace(many, rows=499), significance=0.01) is None
    assert judge.is_detected(replace(many, half_total=INF), significance=0.01) is None
    assert judge.is_detected(replace(many, half_total=1e300, half_squares=INF), significance=0.01) is None


def test_what_earlier_versions_learned_is_not_read() -> None:
    """A stored reference with other arrays has no signal until it is compiled again."""
    reference = a_reference(features(**named(correlated(1, 300))))
    old = {"columns": ["a", "b"], "means": np.zeros(2), "deviations": np.ones(2), "residual": np.eye(2), "cut": 1.0}

    assert "reconstruction" not in fitted(replace(reference, learned={"reconstruction": old}))


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

    assert signal(reference).baseline.cut == pytest.approx(np.quantile(np.concatenate(errors), 0.99), rel=1e-9)
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
    """Columns shuffled one by one keep every figure of theirs; only what looks at all of them tells."""
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
    assert (value(before, JUDGED), value(after, JUDGED)) == (0, 1)
    for family, found in before.items():
        if FAMILIES_TABLE[family].group != "All features together" and family not in FAMILIES:
            assert after[family] == pytest.approx(found, rel=1e-9), family


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": np.arange(500.0)}, "needs 2 features that vary in the reference, but has 1"),
        ({"a": np.arange(500.0), "b": np.full(500, 3.0)}, "needs 2 features that vary"),
        ({"a": np.arange(500.0), "b": np.full(500, NAN), "plan": ["x"] * 500}, "needs 2 features that vary"),
        ({"a": np.arange(500.0), "b": np.geomspace(1, 1e308, 500)}, "needs 2 features that vary"),
        (named(correlated(1, 199)), "needs 200 reference rows for 6 features, but has 199"),
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

    assert signal(reference).whole.directions.shape == (1, 2)


def test_one_row_is_no_mean() -> None:
    """From 2 rows on, as for other statistics."""
    reference = a_reference(features(**named(correlated(1, 300))))

    assert family_values(a_pane(features(**named(correlated(2, 1))), reference), reference) == {}
    assert family_values(a_pane(features(**named(correlated(2, 2))), reference), reference).keys() == FAMILIES - {
        JUDGED
    }


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
    means = {**window, "c": np.full(50, signal(reference).matrix.means[2])}

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
