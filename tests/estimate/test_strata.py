"""What strata say of rows, against the rows; and NannyML's data, for which there are other ways to know."""

from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from driftgauge.aggregates.strata import StrataSums
from driftgauge.codec import pack, unpack
from driftgauge.estimate.strata import LabelledStrata, Strata, rows_a_stratum

LEAVES: Final = 4


def some_rows(seed: int, rows: int, shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)) -> LabelledStrata:
    """Return rows whose errors depend on their stratum."""
    random = np.random.default_rng(seed)
    strata = random.choice(LEAVES, rows, p=shares)
    return LabelledStrata(strata, random.gamma(2.0, 1.0 + strata))


def test_estimates_by_hand() -> None:
    """Shares times means; the variance is the chance of the rows and the error of the means."""
    reference, window = some_rows(1, 2000), some_rows(2, 300, (0.1, 0.2, 0.3, 0.4))
    found = Strata.of(reference.sums(LEAVES)).judge(StrataSums.fold(window.strata, None, leaves=LEAVES))

    shares = np.bincount(window.strata, minlength=LEAVES) / 300
    for metric, power in (("mae", 1), ("mse", 2)):
        losses = [reference.errors[reference.strata == leaf] ** power for leaf in range(LEAVES)]
        value = sum(share * loss.mean() for share, loss in zip(shares, losses, strict=True))
        variance = sum(
            share * loss.var(ddof=1) / 300 + share**2 * loss.var(ddof=1) / len(loss)
            for share, loss in zip(shares, losses, strict=True)
        )
        assert found[metric] == pytest.approx((value, variance), rel=1e-9)
    assert found["rmse"][0] == pytest.approx(np.sqrt(found["mse"][0]))
    assert found["rmse"][1] == pytest.approx(found["mse"][1] / (4 * found["mse"][0]))


def test_the_reference_is_what_is_expected_of_itself() -> None:
    """Of its own rows the estimate is what came."""
    rows = some_rows(1, 2000)
    found = Strata.of(rows.sums(LEAVES)).judge(StrataSums.fold(rows.strata, None, leaves=LEAVES))

    assert {metric: value for metric, (value, _) in found.items()} == pytest.approx(rows.realised(), rel=1e-12)


def test_dispersion_widens() -> None:
    """Variances are multiplied by what blocks of the reference have shown."""
    strata = Strata.of(some_rows(1, 2000).sums(LEAVES))
    window = StrataSums.fold(some_rows(2, 100).strata, None, leaves=LEAVES)
    plain, wide = (each.judge(window) for each in (strata, replace(strata, dispersion={"mae": 4.0})))

    assert wide["mae"] == pytest.approx((plain["mae"][0], 4 * plain["mae"][1]))
    assert wide["mse"] == plain["mse"]


def test_one_row_is_no_change_of_all() -> None:
    """Where labelled rows scatter more than the reference's, that is their chance."""
    strata = Strata.of(some_rows(1, 2000).sums(LEAVES))
    rows = some_rows(2, 500)
    rows.errors[17] = 1e5
    (expected, usual), (_, wide) = (
        strata.judge(StrataSums.fold(rows.strata, errors, leaves=LEAVES))["mae"] for errors in (None, rows.errors)
    )

    assert (rows.errors.mean() - expected) / np.sqrt(usual) > 100
    assert (rows.errors.mean() - expected) / np.sqrt(wide) < 1.1


def test_a_stratum_without_rows() -> None:
    """What the reference does not have in a stratum is as in all of it; a single row has no variance of its own."""
    rows = some_rows(1, 500, (0.5, 0.5, 0, 0))
    rows.strata[0] = 2
    strata = Strata.of(rows.sums(LEAVES))

    assert strata.means[0, 3] == pytest.approx(rows.errors.mean())
    assert strata.variances[0, 2:] == pytest.approx(rows.errors.var(ddof=1))
    assert strata.rows[3] == 1


def test_a_part_of_the_rows() -> None:
    """Means are scaled to what a segment lost; how far that is known widens the bounds."""
    strata = Strata.of(some_rows(1, 5000).sums(LEAVES))
    part = some_rows(2, 400, (0.7, 0.1, 0.1, 0.1))
    part = LabelledStrata(part.strata, part.errors * 1.5)
    within = strata.within(part.sums(LEAVES))
    found = within.judge(StrataSums.fold(part.strata, None, leaves=LEAVES))
    plain = strata.judge(StrataSums.fold(part.strata, None, leaves=LEAVES))

    assert {metric: value for metric, (value, _) in found.items()} == pytest.approx(part.realised(), rel=1e-12)
    assert found["mae"][1] > 1.5**2 * plain["mae"][1]


@pytest.mark.parametrize("rows", [LabelledStrata(np.zeros(3, np.int64), np.zeros(3)), some_rows(1, 0)])
def test_odd_rows(rows: LabelledStrata) -> None:
    """Without rows, and without losses, nothing is divided by zero."""
    strata = Strata.of(LabelledStrata(np.zeros(5, np.int64), np.zeros(5)).sums(LEAVES))

    assert strata.within(LabelledStrata(np.zeros(5, np.int64), np.zeros(5)).sums(LEAVES)).factor.tolist() == [1, 1]
    expected = {"mae": (0.0, 0.0), "mse": (0.0, 0.0)} if len(rows) else {}
    assert strata.judge(rows.sums(LEAVES)) == expected


def test_small_references_have_smaller_strata() -> None:
    """About ten strata of at least fifty rows, until a hundred rows make one."""
    assert [rows_a_stratum(rows) for rows in (500, 700, 1000, 100_000)] == [50, 70, 100, 100]


def test_state() -> None:
    """Strata survive being stored."""
    strata = replace(Strata.of(some_rows(1, 2000).sums(LEAVES)), dispersion={"mae": 1.5})
    restored = Strata.from_arrays(unpack(pack(strata.arrays)))
    window = StrataSums.fold(some_rows(2, 100).strata, None, leaves=LEAVES)

    assert restored.judge(window) == strata.judge(window)
