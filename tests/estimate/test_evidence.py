"""Evidence: reference numbers, what it must never do without a change, and that it does not depend on portions."""

from math import inf, log

import numpy as np
import numpy.typing as npt
import pytest

from data_builders import a_reference, counted, features
from driftgauge.codec import pack, unpack
from driftgauge.estimate.bins import Bins
from driftgauge.estimate.evidence import TOLERANCE, DriftBets, Evidence, FallBets, jaccard, log10_mean, stepped

SEED = 20261130
HOURS_A_YEAR = 8760
LIMIT = np.log10(HOURS_A_YEAR)
Counts = npt.NDArray[np.int64]


def natural(evidence: Evidence) -> float:
    """Return the natural logarithm of evidence."""
    assert evidence.log10 is not None
    return evidence.log10 * log(10)


def drift_bets(columns: int = 1, rows: int = 10_000) -> tuple[DriftBets, Counts]:
    """Return bets on normal columns, and the counts of the reference in their bins."""
    rng = np.random.default_rng(SEED)
    values = features(**{f"x{n}": rng.normal(size=rows) for n in range(columns)})
    reference = a_reference(values)
    bins = Bins.of(reference, [f"x{n}" for n in range(columns)])
    return DriftBets.on(bins, "m"), bins.counts(counted(reference, values))


def test_a_fall() -> None:
    """Good and bad rows of three hours, from a baseline of 0.9: direct products, to the digits."""
    bets = FallBets.of_accuracy(0.9, None)
    assert bets is not None
    evidence, found = None, []
    for hour, (good, bad) in enumerate([(95, 5), (80, 20), (70, 30)]):
        evidence = bets.bet(evidence, good, bad, hour)
        found.append(natural(evidence))

    assert found == pytest.approx([-1.23693852, 1.84963166, 9.99932663], abs=5e-9)


def test_against_direct_products() -> None:
    """The recursion is the sum, over the hours in which a bet may have begun, of the products from there on."""
    rng = np.random.default_rng(SEED)
    bets = FallBets(0.2)
    hours = rng.binomial(30, 0.3, size=40)
    evidence = None
    for hour, bad in enumerate(hours.tolist()):
        evidence = bets.bet(evidence, 30 - bad, bad, hour)
    growth = np.array([
        [(1 - s * 0.2) ** (30 - bad) * (1 + s * 0.8) ** bad for bad in hours] for s in (0.05, 0.1, 0.2, 0.4, 0.8)
    ])  # fmt: skip
    direct = np.mean([sum(np.prod(row[first:]) for first in range(40)) for row in growth])

    assert evidence is not None
    assert natural(evidence) == pytest.approx(np.log(direct))


def test_f1() -> None:
    """F1 is bet on through its share of good rows; a fall by the tolerance is none."""
    bets = FallBets.of_f1(0.8, None)
    assert bets is not None
    share = jaccard(0.8 - TOLERANCE)
    assert 2 * share / (1 + share) == pytest.approx(0.78)
    assert 1 - bets.limit == pytest.approx(share)
    rng = np.random.default_rng(SEED)
    evidence, highest = None, -inf
    for hour in range(1000):
        bad = int(rng.binomial(100, bets.limit))
        evidence = bets.bet(evidence, 100 - bad, bad, hour)
        highest = max(highest, evidence.log10 or -inf)
    assert highest < LIMIT


@pytest.mark.parametrize(
    ("baseline", "rows", "is_known"),
    [(0.9, None, True), (0.9, 10_000, True), (0.9, 864, False), (0.9, 865, True), (0.9, 0, False), (1.5, None, False)],
)
def test_a_baseline_of_few_rows(baseline: float, rows: int | None, *, is_known: bool) -> None:
    """A baseline that is not known within the tolerance would be a change that stays for ever."""
    assert (FallBets.of_accuracy(baseline, rows) is not None) == is_known


@pytest.mark.parametrize("lower", [TOLERANCE, 0.0], ids=["at the tolerance", "with a daily swing"])
def test_no_false_alarm_within_the_tolerance(lower: float) -> None:
    """Accuracy that is lower for good, or at times, by the tolerance, in bursts of rows: no alarm in once a year."""
    bets = FallBets.of_accuracy(0.9, None)
    assert bets is not None
    for stream in range(6):
        rng, evidence = np.random.default_rng([SEED, stream]), None
        for hour in range(1000):
            rows = int(rng.choice([5, 100, 400]))
            swing = (TOLERANCE - lower) * np.sin(hour / 24 * 2 * np.pi)
            bad = int(rng.binomial(rows, 0.1 + lower + swing))
            evidence = bets.bet(evidence, rows - bad, bad, hour)
            assert (evidence.log10 or -inf) < LIMIT


@pytest.mark.parametrize("stream", range(3))
def test_drift_at_the_tolerance(stream: int) -> None:
    """A column that has moved by the tolerance, to either side or outwards, is no evidence."""
    bets, _ = drift_bets()
    shares = bets.bins.shares[0].copy()
    gain, lose = [([-1], [0]), ([0, -1], [4, 5]), ([4, 5], [0, -1])][stream]
    shares[gain] += TOLERANCE / len(gain)
    shares[lose] -= TOLERANCE / len(lose)
    rng, evidence = np.random.default_rng([SEED, stream]), None
    for hour in range(1000):
        evidence = bets.bet(evidence, rng.multinomial(100, shares)[None], hour)
        assert (evidence.log10 or -inf) < LIMIT


@pytest.mark.parametrize(("shift", "hours"), [(0.3, 12), (0.5, 5), (1.0, 2), (-0.5, 5)])
def test_a_shift_is_found(shift: float, hours: int) -> None:
    """One of ten columns that moves, in 100 rows an hour."""
    bets, _ = drift_bets(10)
    rng, evidence = np.random.default_rng(SEED), None
    edges = np.quantile(rng.normal(size=100_000), np.linspace(0, 1, 11)[1:-1])
    for hour in range(30):
        values = rng.normal(size=(10, 100))
        values[3] += shift
        counts = np.array([np.bincount(edges.searchsorted(column), minlength=10) for column in values])
        evidence = bets.bet(evidence, counts, hour)
        if (evidence.log10 or -inf) >= LIMIT:
            break
    assert hour < hours


def test_a_middle_that_empties_is_learned() -> None:
    """A change that neither rank nor spread sees well is found by the bet that learns."""
    bets, _ = drift_bets()
    shares = bets.bins.shares[0] * np.tile([1.6, 0.4], 5)
    rng, evidence = np.random.default_rng(SEED), None
    for hour in range(30):
        evidence = bets.bet(evidence, rng.multinomial(100, shares)[None], hour)

    assert evidence is not None
    assert np.argmax(evidence.wealth[0]) >= 12
    assert (evidence.log10 or 0) > LIMIT


def test_portions() -> None:
    """However the rows of hours are divided, evidence is the same; a late row counts in the hour there is."""
    bets, _ = drift_bets(2)
    rng = np.random.default_rng(SEED)
    hours = [rng.multinomial(50, [0.1] * 10, size=(3, 2)) for _ in range(20)]
    whole = parts = None
    for hour, portions in enumerate(hours):
        whole = bets.bet(whole, portions.sum(axis=0), hour)
        for portion in portions:
            parts = bets.bet(parts, portion, hour)
    assert whole is not None
    assert parts is not None
    np.testing.assert_allclose(parts.wealth, whole.wealth, rtol=1e-12)
    late = bets.bet(whole, hours[0][0], 3)
    assert late.hour == 19
    assert (late.current == whole.current + hours[0][0]).all()


def test_bounded() -> None:
    """A year of change is a finite number and takes no more memory."""
    bets, _ = drift_bets(2)
    counts = np.zeros((2, 10), np.int64)
    counts[:, 0] = 100_000
    evidence = None
    for hour in range(HOURS_A_YEAR // 20):
        evidence = bets.bet(evidence, counts, hour)
    assert evidence is not None
    assert np.isfinite(natural(evidence))
    assert len(pack(evidence.to_state())) < 4000


def test_a_column_without_rows_does_not_begin() -> None:
    """Only columns that have rows in an hour begin a bet in it."""
    bets, counts = drift_bets(2)
    counts[1] = 0

    found = bets.bet(None, counts, 0).wealth

    assert np.isfinite(found[0]).all()
    assert (found[1] == -inf).all()


def test_other_bets_begin_anew() -> None:
    """Evidence of another reference, or of another baseline, is not gone on with."""
    bets, counts = drift_bets()
    before = bets.bet(bets.bet(None, counts, 0), counts, 1)
    other = DriftBets.on(bets.bins, "another")
    assert natural(other.bet(before, counts, 2)) == natural(other.bet(None, counts, 2))
    fall = FallBets(0.1).bet(None, 10, 90, 0)
    assert FallBets(0.2).bet(fall, 1, 0, 1).wealth == pytest.approx(FallBets(0.2).bet(None, 1, 0, 1).wealth)


def test_state() -> None:
    """Evidence is the same after it was stored."""
    bets, counts = drift_bets(3)
    for evidence in (bets.bet(None, counts, 7), FallBets(0.1).bet(None, 3, 2, 5)):
        again = Evidence.from_state(unpack(pack(evidence.to_state())))
        assert (again.mark, again.hour, again.log10) == (evidence.mark, evidence.hour, evidence.log10)
        for name in ("wealth", "past", "current"):
            np.testing.assert_array_equal(getattr(again, name), getattr(evidence, name))


def test_formulas() -> None:
    """The mean is taken of R, not of its logarithm, and nothing is known before the first row."""
    assert log10_mean(np.log([1.0, 3.0])) == pytest.approx(np.log10(2))
    assert log10_mean(np.full(3, -inf)) is None
    assert log10_mean(np.zeros(0)) is None
    assert stepped(np.array([-inf, 0.0]), np.array([1.0, 1.0]), begins=True).tolist() == pytest.approx([1, 1 + log(2)])
    assert stepped(np.array([0.0]), np.array([1.0]), begins=False).tolist() == [1]
