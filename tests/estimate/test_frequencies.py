"""The test at random frequencies: against formulas written out, and what it says with and without drift."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from driftgauge.codec import pack, unpack
from driftgauge.estimate.components import Components
from driftgauge.estimate.components import errors as reconstruction_errors
from driftgauge.estimate.frequencies import Comparison, Spectrum, is_detected

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = npt.NDArray[np.float64]


def drawn(seed: int, rows: int, columns: int = 6) -> Floats:
    """Return columns (d, n) of independent numbers: normal, uniform, two-valued, heavy-tailed, and again."""
    rng = np.random.default_rng(seed)
    kinds: list[Callable[[], Floats]] = [
        lambda: rng.normal(size=rows),
        lambda: rng.uniform(-1.7, 1.7, rows),
        lambda: rng.choice([-1.0, 1.0], rows),
        lambda: rng.standard_t(4, rows) / np.sqrt(2),
    ]
    return np.stack([kinds[at % 4]() for at in range(columns)])


def fitted(columns: Floats, seed: int = 5) -> Spectrum:
    """Return the spectrum of reference rows."""
    found = Spectrum.fit(columns, seed=seed)
    assert found is not None
    return found


def compared(spectrum: Spectrum, columns: Floats) -> Comparison:
    """Return how far rows are from the reference."""
    return spectrum.compare(columns.shape[1], spectrum.values(columns).sum(axis=1, dtype=np.float64))


def test_formula() -> None:
    """φ, q, p and MMD² are what their formulas say, in double precision."""
    known, window = drawn(1, 700), drawn(2, 300) * 1.1
    spectrum = fitted(known)
    weights = np.ldexp(spectrum.frequencies.astype(float), spectrum.exponent)

    def phi(columns: Floats) -> Floats:
        phases = weights @ (np.rint(np.clip(columns, -4, 4) * 128) / 128)
        return np.concatenate([np.cos(phases), np.sin(phases)])

    of_known, of_window = phi(known), phi(window)
    change = of_window.mean(axis=1) - of_known.mean(axis=1)
    covariance = np.cov(of_known)
    ridge = 0.1 * np.diagonal(covariance).mean() * np.eye(64)
    q = change @ np.linalg.solve(covariance + ridge, change) / (1 / 300 + 1 / 700)
    smoother = np.linalg.solve(covariance + ridge, covariance)
    scale = np.trace(smoother @ smoother) / np.trace(smoother)
    spans = np.trace(smoother) / scale
    mean = of_known.mean(axis=1)
    chance = (1 - mean @ mean / 32) * (1 / 300 + 1 / 700)

    found = compared(spectrum, window)

    assert spectrum.values(window) == pytest.approx(of_window, abs=1e-5)
    assert found.pvalue == pytest.approx(
        stats.f.sf(q / scale * (700 - spans) / (spans * 699), spans, 700 - spans), rel=1e-3
    )
    assert found.mmd2 == pytest.approx(change @ change / 32 - chance, rel=1e-4)


def test_distance_is_that_of_a_kernel() -> None:
    """Without the share of chance, ‖Δ‖² / 32 is the mean of the kernel cos(w·(x - y)) over pairs of rows."""
    known, window = drawn(1, 200), drawn(2, 100) + 0.5
    spectrum = fitted(known)
    sides = [spectrum.values(columns).astype(float) for columns in (known, window)]
    within, across, other = sides[0].T @ sides[0], sides[0].T @ sides[1], sides[1].T @ sides[1]
    spread = 1 - float(spectrum.means @ spectrum.means) / 32

    biased = (within.mean() + other.mean() - 2 * across.mean()) / 32

    assert compared(spectrum, window).mmd2 == pytest.approx(biased - spread * (1 / 100 + 1 / 200), rel=1e-4)


def test_scale_of_frequencies() -> None:
    """√2 over the median distance of rows, as precise as whole steps are; the seed decides the rest."""
    known = drawn(1, 1000, columns=50)
    differences = known[:, :, np.newaxis] - known[:, np.newaxis, :]
    median = np.median(np.sqrt(np.square(differences[:, :200, :200]).sum(axis=0))[np.triu_indices(200, 1)])
    spectrum = fitted(known)

    scale = np.ldexp(spectrum.frequencies.astype(float), spectrum.exponent).std()

    assert scale == pytest.approx(np.sqrt(2) / median, rel=0.06)
    assert np.array_equal(spectrum.frequencies, fitted(known).frequencies)
    assert not np.array_equal(spectrum.frequencies, fitted(known, seed=6).frequencies)


@pytest.mark.parametrize("columns", [2, 20, 500])
def test_a_row_is_the_same_in_any_company(columns: int) -> None:
    """Bit for bit: what is added up for parts is what is added up for the whole."""
    spectrum = fitted(drawn(1, 300, columns=columns))
    rows = drawn(2, 777, columns=columns) * 3
    whole = spectrum.values(rows)

    for size in (1, 2, 7, 64, 100, 500):
        assert np.array_equal(spectrum.values(rows[:, 77 : 77 + size]), whole[:, 77 : 77 + size])


def test_wild_values() -> None:
    """A value beyond the clip is at it, also an infinite one."""
    spectrum = fitted(drawn(1, 300))
    rows = np.zeros((6, 4))
    rows[1] = 4.0, 5.0, 1e300, np.inf

    found = spectrum.values(rows)

    assert np.array_equal(found, np.repeat(found[:, :1], 4, axis=1))


@pytest.mark.parametrize("columns", [2, 8])
def test_false_alarms(columns: int) -> None:
    """Without drift p is below .05 in at most 12 % of windows, and flagged at the level of the signal in 1 %."""
    pvalues, flags = [], []
    # One window each: those of one reference share its luck.
    for seed in range(120):
        spectrum = fitted(drawn(1000 + seed, 2000, columns), seed=seed)
        found = compared(spectrum, drawn(50_000 + seed, 2000 + 1000 * (seed % 2), columns))
        assert found.pvalue is not None
        pvalues.append(found.pvalue)
        flags.append(is_detected(found, 2000, least=0.0005, significance=0.005, min_rows=500))

    assert np.mean(np.array(pvalues) < 0.05) <= 0.12
    assert np.mean(flags) <= 0.01


def test_power_on_dependence_that_correlation_does_not_show() -> None:
    """Columns that keep their distributions and stay uncorrelated, but no longer depend on each other, are seen."""

    def dependent(seed: int, rows: int) -> Floats:
        rng = np.random.default_rng(seed)
        columns = rng.normal(size=(5, rows))
        columns[4] = columns[0] * columns[1] + 0.3 * columns[4]
        return columns

    spectrum, flags, errors = fitted(dependent(1, 5000)), [], []
    kept = Components.fit(dependent(1, 5000))
    for seed in range(10):
        window = dependent(100 + seed, 2000)
        (before,) = reconstruction_errors([kept], window)
        window[4] = np.random.default_rng(seed).permutation(window[4])
        (after,) = reconstruction_errors([kept], window)
        found = compared(spectrum, window)
        flags.append(is_detected(found, 2000, least=0.0005, significance=0.01, min_rows=500))
        errors.append(after.mean() / before.mean())

    assert np.mean(flags) >= 0.9
    assert np.mean(errors) == pytest.approx(1, abs=0.03)


def test_few_directions() -> None:
    """Rows of four kinds vary in three directions: p is as it should be; a fifth kind is far out."""
    spectrum = fitted(np.random.default_rng(1).choice([-1.0, 1.0], (2, 4000)))
    windows = [np.random.default_rng(seed).choice([-1.0, 1.0], (2, 1000)) for seed in range(100, 300)]

    pvalues = [compared(spectrum, window).pvalue or 0.0 for window in windows]
    windows[0][:, :20] = 0.0

    assert stats.kstest(pvalues, "uniform").pvalue > 0.001
    assert compared(spectrum, windows[0]).pvalue == pytest.approx(0, abs=1e-12)


def test_rows_that_are_alike() -> None:
    """There is nothing to compare where all rows of the reference are the same; but where two kinds are, there is."""
    assert Spectrum.fit(np.ones((3, 50)), seed=1) is None
    mostly = np.zeros((3, 500))
    mostly[:, 0] = 1.0
    assert compared(fitted(mostly), mostly).pvalue == pytest.approx(1)


def test_no_pvalue() -> None:
    """A reference whose rows differ by less than a step gives a distance, and no p-value."""
    found = compared(fitted(np.linspace(0, 1e-4, 20).reshape(2, 10)), drawn(2, 50, columns=2))

    assert found.pvalue is None
    assert is_detected(found, 500, least=0, significance=1, min_rows=500) is None


@pytest.mark.parametrize(
    ("mmd2", "pvalue", "rows", "expected"),
    [
        (0.001, 0.001, 500, True),
        (0.0004, 0.001, 500, False),
        (0.001, 0.02, 500, False),
        (0.001, 0.001, 499, None),
        (0.001, None, 500, None),
    ],
)
def test_flag(mmd2: float, pvalue: float | None, rows: int, expected: bool | None) -> None:  # noqa: FBT001 - a table
    """Far, beyond chance, and from enough rows."""
    assert is_detected(Comparison(mmd2, pvalue), rows, least=0.0005, significance=0.01, min_rows=500) is expected


def test_state() -> None:
    """What was learned comes back as it was."""
    spectrum = fitted(drawn(1, 300))
    restored = Spectrum.from_state(unpack(pack(spectrum.to_state())))

    assert compared(restored, drawn(2, 100)) == compared(spectrum, drawn(2, 100))
