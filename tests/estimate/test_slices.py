"""The verdict on slices against scipy, how often it is wrong, how often it finds what is there, and what is shown."""

import numpy as np
import pytest
from scipy import stats

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.columns import IntArray
from driftgauge.estimate import slices
from driftgauge.estimate.slices import concept_parts, steady, verdict


def shares(rows: list[int], hits: list[int]) -> SliceLosses:
    """Return slices with these rows and 0/1 losses."""
    return SliceLosses(np.array(rows), np.array(hits), np.zeros(0))


def errors(*values: np.ndarray) -> SliceLosses:  # type: ignore[type-arg]
    """Return slices with these errors."""
    rows = np.array([len(each) for each in values])
    return SliceLosses(rows, np.array([each.sum() for each in values]), np.array([(each**2).sum() for each in values]))


def test_shares_by_scipy() -> None:
    """The p-value is that of half the likelihood-ratio test of the 2 x 2 table, on the side of a rise."""
    before, now = shares([1000, 1000, 80], [100, 100, 8]), shares([200, 200, 60], [31, 12, 20])

    found = slices._of_shares(before, now)

    for at in range(3):
        table = [[side.loss[at], side.rows[at] - side.loss[at]] for side in (before, now)]
        both = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
        expected = both / 2 if now.means[at] > before.means[at] else 1 - both / 2
        assert found[at] == pytest.approx(expected, rel=1e-9)


def test_bounds_of_shares_by_scipy() -> None:
    """The lower bound is Newcombe's, made of Wilson's intervals; so is the one in his paper (56/70 - 48/80, 95 %)."""
    assert slices._lower_of_shares(shares([80], [48]), shares([70], [56]), 0.025)[0] == pytest.approx(0.0524, abs=5e-5)

    def wilson(hits: int, rows: int) -> tuple[float, float]:
        found = stats.binomtest(hits, rows).proportion_ci(0.98, method="wilson")
        return float(found.low), float(found.high)

    (_, high), (low, _) = wilson(30, 300), wilson(40, 120)
    expected = 40 / 120 - 0.1 - np.hypot(40 / 120 - low, high - 0.1)
    assert slices._lower_of_shares(shares([300], [30]), shares([120], [40]), 0.01)[0] == pytest.approx(expected)


def test_errors_by_scipy() -> None:
    """Mean errors are compared by the logarithm of their ratio, each side with its own variance."""
    rng = np.random.default_rng(1)
    old, new = rng.gamma(2, 3, 400), rng.gamma(2, 4, 90)
    before, now = errors(old), errors(new)

    ratio = np.log(new.mean() / old.mean())
    error = np.hypot(stats.sem(new) / new.mean(), stats.sem(old) / old.mean())
    assert slices._of_means(before, now)[0] == pytest.approx(stats.t.sf(ratio / error, 89), rel=1e-9)
    low = np.exp(ratio - stats.t.ppf(0.99, 89) * error) - 1
    assert slices._lower_of_means(before, now, 0.01)[0] == pytest.approx(low, rel=1e-9)


@pytest.mark.parametrize(
    ("before", "now", "judged", "worse"),
    [
        (shares([500], [50]), shares([49], [49]), False, False),
        (shares([49], [5]), shares([500], [250]), False, False),
        (shares([500], [50]), shares([500], [150]), True, True),
        (shares([500], [50]), shares([500], [5]), True, False),
        (shares([10**6], [10**5]), shares([10**6], [149_000]), True, False),
        (shares([500], [0]), shares([500], [0]), True, False),
        (shares([500], [0]), shares([500], [30]), True, True),
        (shares([500], [500]), shares([500], [500]), True, False),
        (shares([0], [0]), shares([0], [0]), False, False),
        (errors(np.full(99, 2.0)), errors(np.full(99, 2.0)), False, False),
        (errors(np.zeros(99)), errors(np.ones(99)), False, False),
        (errors(np.arange(99.0)), errors(np.arange(99.0) * 3), True, True),
    ],
    ids=["few now", "few before", "worse", "better", "too little", "all right", "from right", "all wrong", "nothing",
         "constant errors", "no errors before", "larger errors"],
)  # fmt: skip
def test_odd_slices(before: SliceLosses, now: SliceLosses, *, judged: bool, worse: bool) -> None:
    """A slice with few rows, or whose test is not defined, is not judged; a small rise is none."""
    found = verdict(before, now)

    assert (found.judged.tolist(), found.worse.tolist()) == ([judged], [worse])
    assert found.ranking == ([0] if worse else [])
    if worse:
        assert 0 < found.lower[0] < found.rise[0]


def test_the_worst_first() -> None:
    """Slices are ordered by how much they are worse at least, not by their rise."""
    before = shares([5000, 5000, 5000], [500, 500, 500])
    found = verdict(before, shares([60, 3000, 5000], [30, 1200, 500]))

    assert found.rise[0] > found.rise[1]
    assert found.ranking == [1, 0]


@pytest.mark.parametrize(
    ("rankings", "shown"),
    [
        ([], []),
        ([[3, 1]], [3, 1]),
        ([[0, 1, 2, 3, 4], [9, 0, 1, 2, 3], [0, 1, 2, 3, 4]], [0, 1, 2, 3, 4]),
        ([[0, 1, 2, 3, 4], [9, 0, 1, 2, 3], [9, 0, 1, 2, 3]], [0, 1, 2, 3, 4]),
        ([[0, 1, 2, 3, 4], *([[9, 0, 1, 2, 3]] * 3)], [0, 1, 2, 3, 9]),
        ([[0, 1, 2, 3, 4], [9, 8, 0, 1, 2, 3], [9, 0, 1, 2, 3, 4], [9, 8, 0, 1, 2]], [0, 1, 2, 3, 9]),
        ([[7], [], []], [7]),
        ([[7], [], [], []], []),
        ([[1], [2], [3], [4], [5], [6]], [4, 5, 6]),
    ],
    ids=["nothing", "first", "came back", "two panes", "three panes", "another meanwhile", "stays", "gone", "passing"],
)
def test_steady(rankings: list[list[int]], shown: list[int]) -> None:
    """A slice keeps its place until it was not among the worst five for three panes in a row."""
    assert steady(rankings) == shown


def test_two_that_take_turns() -> None:
    """Where the fifth place is another's at every pane, the first who had it keeps it."""
    turns = [[0, 1, 2, 3, 4 + pane % 2] for pane in range(12)]

    assert {tuple(steady(turns[: pane + 1])) for pane in range(12)} == {(0, 1, 2, 3, 4)}


def test_concept_parts_and_mix() -> None:
    """The concept parts of a column's slices and the parts of its mix make up the change of the mean loss."""
    before = SliceLosses(np.array([60, 40, 0]), np.array([6, 20, 0]), np.zeros(0))
    now = SliceLosses(np.array([20, 70, 10]), np.array([4, 35, 5]), np.zeros(0))

    found = concept_parts(before, now, [slice(0, 3)])

    assert found.tolist() == pytest.approx([0.2 * (0.2 - 0.1), 0, 0])
    mix = (0.2 - 0.6) * 0.1 + (0.7 - 0.4) * 0.5
    new = 0.1 * 0.5
    assert found.sum() + mix + new == pytest.approx(44 / 100 - 26 / 100)
    assert concept_parts(before, shares([0, 0, 0], [0, 0, 0]), [slice(0, 3)]).tolist() == [0, 0, 0]


def binned(rng: np.random.Generator, rows: int, columns: int) -> IntArray:
    """Return codes (n, d) of columns that correlate a little, ten even bins each."""
    common = rng.normal(size=(rows, 1))
    values = 0.6 * common + 0.8 * rng.normal(size=(rows, columns))
    return np.asarray(stats.norm.cdf(values) * 10, np.int64).clip(0, 9)


def sliced(codes: IntArray, losses: "np.ndarray[tuple[int], np.dtype[np.float64]]", *, binary: bool) -> SliceLosses:
    """Return the losses by slice."""
    counts = (10,) * codes.shape[1]
    return SliceLosses.fold(codes.astype(np.uint8), losses, np.array([len(losses)]), counts, is_binary=binary)[0]


@pytest.mark.parametrize("kind", ["wrong", "errors"])
def test_false_and_missed_findings(kind: str) -> None:
    """Of 120 windows without change hardly one has a finding; a fifth flipped, or half again the error, is found."""
    rng = np.random.default_rng(31)
    false, found = 0, 0
    for trial in range(120):
        codes, now = binned(rng, 8000, 8), binned(rng, 2500, 8)
        risk, chance = (0.05 + 0.2 * (of[:, 0] / 9) ** 2 for of in (codes, now))
        if kind == "wrong":
            before, after = ((rng.random(len(of)) < of).astype(np.float64) for of in (risk, chance))
            flipped = np.where((now[:, 3] == trial % 10) & (rng.random(2500) < 0.2), 1 - after, after)
        else:
            before, after = (of * rng.lognormal(0, 1, len(of)) for of in (risk, chance))
            flipped = np.where(now[:, 3] == trial % 10, 2 * after, after)
        known = sliced(codes, before, binary=kind == "wrong")
        false += verdict(known, sliced(now, after, binary=kind == "wrong")).worse.any()
        planted = 3 * 11 + trial % 10
        found += verdict(known, sliced(now, flipped, binary=kind == "wrong")).worse[planted]

    assert false <= 3
    assert found >= 0.8 * 120
