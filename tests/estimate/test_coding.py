"""Codes of features against the bins that drift is measured on, and what is kept of them against the rows."""

from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pytest

from data_builders import a_reference, counted, features
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns, Facts
from driftgauge.drift import compare
from driftgauge.estimate.coding import MISSING, CategoryCodes, Coding, NumericCodes, coding_of, nothing_kept

PLANS: Final = list("abcdefghijklmn")


def some_rows(seed: int, rows: int = 4000, shift: float = 0.0) -> Columns:
    """Return rows with numbers of several kinds, some of them missing, and categories."""
    random = np.random.default_rng(seed)
    age = random.gamma(3, 12, rows) + shift
    age[random.random(rows) < 0.05] = np.nan
    plans = random.choice(PLANS, rows, p=np.arange(14, 0, -1) / 105).tolist()
    return features(
        age=age,
        visits=random.poisson(2 + shift, rows).astype(np.float64),
        constant=np.full(rows, 3.0),
        plan=[None if random.random() < 0.1 else plan for plan in plans],
    )


def test_codes_are_the_bins_of_drift() -> None:
    """PSI from the shares of codes is the published one of each numeric column."""
    before, after = some_rows(1), some_rows(2, shift=3)
    reference = a_reference(before)
    coding = Coding.of(reference)
    drifted = compare(reference, counted(reference, after))

    for at, column in enumerate(coding.columns):
        if isinstance(column, NumericCodes):
            shares = []
            for rows in (before, after):
                codes = coding.codes(rows)[:, at]
                counts = np.bincount(codes[codes != MISSING], minlength=column.count)
                shares.append(np.maximum(counts / counts.sum(), 1e-4))
            expected = ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()
            assert drifted[column.name].statistics["psi"] == pytest.approx(expected, rel=1e-9)


def test_codes_of_categories() -> None:
    """The ten largest have their place, all others one more, and what is missing is missing."""
    coding = Coding.of(a_reference(some_rows(1, 20_000)))
    (at,) = (at for at, column in enumerate(coding.columns) if column.name == "plan")
    rows = features(plan=["a", "j", "k", "n", "never seen", None])

    assert coding.columns[at].names == (*(f"plan = {plan}" for plan in PLANS[:10]), "plan: others")
    assert coding.codes(rows)[:, at].tolist() == [0, 9, 10, 10, 10, MISSING]
    assert coding.codes(rows)[:, :at].tolist() == [[MISSING] * at] * 6


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([20, 30.5], ("age up to 20", "age 20 to 30.5", "age above 30.5")),
        ([1.00001, 1.00002], ("age up to 1.00001", "age 1.00001 to 1.00002", "age above 1.00002")),
        ([1, np.nextafter(1, 2)], ("age up to 1.0", f"age 1.0 to {1 + 2**-52}", f"age above {1 + 2**-52}")),
        ([], ("age",)),
    ],
)  # fmt: skip
def test_names_of_bins(edges: list[float], names: tuple[str, ...]) -> None:
    """Bins are called by their ends, with the digits that tell these apart."""
    column = NumericCodes("age", np.array(edges))

    assert (column.names, column.count) == (names, len(names))


def test_ends_belong_to_the_bin_below() -> None:
    """Bins are (edge, edge]; what is no number is missing."""
    column = NumericCodes("x", np.array([1.0, 2.0]))
    values = np.array([-5, 1, np.nextafter(1, 2), 2, 2.5, np.nan, np.inf])

    assert column.of(values, 64).tolist() == [0, 0, 1, 1, 2, MISSING, MISSING]


@pytest.mark.parametrize(("wide", "narrow"), [(64, 32), (32, 64)], ids=["rows are narrower", "reference is narrower"])
def test_precision(wide: int, narrow: int) -> None:
    """An edge is itself, also where one side was written with fewer digits."""
    edge = 0.1 if wide == 64 else float(np.float32(0.1))
    values = np.array([float(np.float32(0.1)) if narrow == 32 else 0.1, 0.2])

    assert NumericCodes("x", np.array([edge]), wide).of(values, narrow).tolist() == [0, 1]


def test_precision_is_that_of_the_rows() -> None:
    """What is known of a column's digits is used."""
    coding = Coding((NumericCodes("x", np.array([0.1])),))
    rows = features(x=np.array([float(np.float32(0.1))]))

    assert coding.codes(rows).tolist() == [[1]]
    assert coding.codes(replace(rows, facts=Facts(precision={"x": 32}))).tolist() == [[0]]


def kept(coding: Coding, rows: Columns) -> Columns:
    """Return rows as they come back: without features, with what was kept of them."""
    return replace(rows, numbers={}, categories={}, codes=coding.kept(rows))


def test_what_was_kept_comes_back() -> None:
    """Codes of rows that come back are those of the rows, whichever are taken, in any order."""
    rows = some_rows(3, 500)
    coding = Coding.of(a_reference(some_rows(1)))
    back = kept(coding, rows)
    at = np.random.default_rng(4).permutation(500)[:200]

    assert coding.codes(back).tolist() == coding.codes(rows).tolist()
    assert coding.codes(back.take(at)).tolist() == coding.codes(rows)[at].tolist()
    assert coding.codes(Columns.concat([back.span(slice(7, 90)), back])).tolist()[83:] == coding.codes(rows).tolist()
    assert coding.known(back).all()
    assert coding.known(rows).all()


def test_codes_of_another_reference_are_not_read() -> None:
    """Rows coded by another reference, by none, or with too few bytes are rows of which nothing is known."""
    rows = some_rows(3, 6)
    coding, other = (Coding.of(a_reference(some_rows(seed))) for seed in (1, 2))
    assert coding.fingerprint != other.fingerprint
    cut = coding.kept(rows)
    cut = replace(cut, values=pa.array([value[:-1] for value in cut.values.to_pylist()], pa.binary()))
    parts = [kept(coding, rows), kept(other, rows), replace(kept(coding, rows), codes=nothing_kept(6))]
    back = Columns.concat([*parts, replace(parts[0], codes=cut)])

    assert coding.known(back).tolist() == [True] * 6 + [False] * 18
    assert coding.codes(back)[:6].tolist() == coding.codes(rows).tolist()
    assert (coding.codes(back)[6:] == MISSING).all()
    assert other.known(back).tolist() == [False] * 6 + [True] * 6 + [False] * 12


def test_rows_with_and_without_codes_do_not_mix() -> None:
    """A whole of which a part has its features is none of codes alone."""
    rows = replace(some_rows(3, 2), numbers={}, categories={})

    assert Columns.concat([rows, replace(rows, codes=nothing_kept(2))]).codes is None


def test_state() -> None:
    """A coding survives being stored, also for a slice of the reference."""
    reference = a_reference(some_rows(1))
    coding = Coding.of(reference)
    restored = Coding.from_state(unpack(pack(coding.to_state())))
    part = a_reference(some_rows(5, 300))

    assert restored.fingerprint == coding.fingerprint
    assert coding_of(reference).fingerprint == coding.fingerprint
    assert coding_of(replace(part, learned={"coding": coding.to_state()})).fingerprint == coding.fingerprint
    assert coding_of(part).fingerprint != coding.fingerprint


def test_fingerprint_sees_every_field() -> None:
    """Names, ends, digits and categories all make another coding."""
    columns = [
        NumericCodes("x", np.array([1.0])),
        NumericCodes("y", np.array([1.0])),
        NumericCodes("x", np.array([2.0])),
        NumericCodes("x", np.array([1.0]), 32),
        CategoryCodes("x", ("a",)),
        CategoryCodes("x", ("a", "b")),
    ]

    assert len({Coding((column,)).fingerprint for column in columns}) == len(columns)


def test_odd_references() -> None:
    """Without features there is nothing to keep; a column without values has one code."""
    empty = Coding(())
    rows = some_rows(3, 3)
    assert empty.codes(kept(empty, rows)).shape == (3, 0)
    assert empty.codes(kept(empty, rows.span(slice(0, 0)))).shape == (0, 0)

    nothing = Coding.of(a_reference(features(x=np.full(5, np.nan), y=np.arange(5.0))))
    assert nothing.columns[0].count == 1
    assert nothing.codes(features(x=np.array([1.0, np.nan])))[:, 0].tolist() == [0, MISSING]
