"""The row matrix against scikit-learn, scipy and tables made by hand."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import rankdata
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from data_builders import a_reference, features, make_columns
from driftgauge.columns import Columns
from driftgauge.estimate import rows as of_rows
from driftgauge.estimate.rows import RowMatrix, halves, too_few

Floats = npt.NDArray[np.float64]
NAN = float("nan")


def matrix_of(rows: Columns, **settings: int) -> RowMatrix:
    """Return the matrix of a reference of these rows."""
    return RowMatrix.of(a_reference(rows, **settings))


def whole(matrix: RowMatrix, rows: Columns) -> tuple[Floats, Floats]:
    """Return the shares and ranks of all rows."""
    found = [(block.shares.copy(), block.ranks.copy()) for block in matrix.blocks(rows, np.array([len(rows)]))]
    return np.concatenate([one for one, _ in found], axis=1), np.concatenate([two for _, two in found], axis=1)


def mixed(seed: int, rows: int) -> Columns:
    """Return numbers, a tenth of them missing, and categories of which some are."""
    rng = np.random.default_rng(seed)
    number = rng.gamma(2, 3, rows)
    number[rng.random(rows) < 0.1] = NAN
    plans = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    return features(x=number, y=rng.normal(size=rows), plan=[None if rng.random() < 0.1 else str(p) for p in plans])


def test_equals_scikit_learn() -> None:
    """Numbers imputed by the mean, categories by the most frequent one and counted, and standardised."""
    known, window = mixed(1, 3000), mixed(2, 500)
    plans = [np.array(rows.categories["plan"].to_pylist(), object)[:, np.newaxis] for rows in (known, window)]
    imputer = SimpleImputer(missing_values=None, strategy="most_frequent").fit(plans[0])
    filled = [imputer.transform(plan)[:, 0] for plan in plans]
    names, counts = np.unique(filled[0].astype(str), return_counts=True)
    share = dict(zip(names, counts / 3000, strict=True))
    columns = []
    for rows, plan in zip((known, window), filled, strict=True):
        numbers = np.stack([rows.numbers["x"], rows.numbers["y"]], axis=1)
        columns.append(np.column_stack([[share[name] for name in plan], numbers]))
    numeric = SimpleImputer().fit(columns[0])
    expected = StandardScaler().fit(numeric.transform(columns[0])).transform(numeric.transform(columns[1]))

    matrix = matrix_of(known)
    shares, _ = whole(matrix, window)

    assert matrix.share_names == ("plan", "x", "y")
    assert shares == pytest.approx(expected.T, rel=1e-12, abs=1e-12)


def test_midranks() -> None:
    """A category is where the middle of its rows would be, the most frequent first; a missing one is in the middle."""
    known = mixed(1, 3000)
    plans = known.categories["plan"].to_pylist()
    order = {"a": 0, "b": 1, "c": 2, "d": 3}
    present = np.array([order[plan] for plan in plans if plan is not None])
    ranks = (rankdata(present) - 0.5) / len(present)
    filled = np.full(3000, ranks.mean())
    filled[[plan is not None for plan in plans]] = ranks

    matrix = matrix_of(known)
    _, found = whole(matrix, known)

    assert matrix.rank_names == ("x", "y", "plan")
    assert found[2] == pytest.approx((filled - filled.mean()) / filled.std(), rel=1e-9, abs=1e-12)
    assert found.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-9)
    assert found.std(axis=1) == pytest.approx(np.ones(3))


def test_by_hand() -> None:
    """Of 10 rows 6, 3 and 1: shares .6, .3, .1; midranks .3, .75, .95; unseen 0 and 1; missing the first, and 0."""
    matrix = matrix_of(features(plan=["a"] * 6 + ["b"] * 3 + ["c"]))
    weights = np.array([6, 3, 1]) / 10

    shares, ranks = whole(matrix, features(plan=["a", "b", "c", "new", None]))

    for found, values in ((shares[0], [0.6, 0.3, 0.1, 0.0, 0.6]), (ranks[0], [0.3, 0.75, 0.95, 1.0])):
        mean = weights @ values[:3]
        deviation = np.sqrt(weights @ np.square(np.array(values[:3]) - mean))
        assert found[: len(values)] == pytest.approx((np.array(values) - mean) / deviation)
    assert ranks[0, 4] == 0


def test_categories_beyond_the_limit() -> None:
    """They share a midrank, and the mean of their shares."""
    matrix = matrix_of(features(plan=["a"] * 5 + ["b"] * 3 + ["c", "d"]), max_categories=1)

    shares, ranks = whole(matrix, features(plan=["a", "b", "c", "d"]))

    assert shares[0, 1] == shares[0, 2] == shares[0, 3] < shares[0, 0]
    assert ranks[0, 1] == ranks[0, 2] == ranks[0, 3] > ranks[0, 0]


def test_categories_of_one_size() -> None:
    """Shares cannot tell them apart, so there is no such column; midranks can."""
    matrix = matrix_of(features(plan=["a", "b"] * 5, x=np.arange(10.0)))

    shares, ranks = whole(matrix, features(plan=["b", "a"], x=np.zeros(2)))

    assert (matrix.share_names, matrix.rank_names) == (("x",), ("x", "plan"))
    assert (shares.shape, ranks[1].tolist()) == ((1, 2), [1.0, -1.0])


def test_columns_left_out() -> None:
    """Constant and empty columns, and numbers whose deviation is none, are no columns; with none there is no block."""
    rows = features(
        a=np.ones(4), b=np.full(4, NAN), c=np.array([0, 1e308, -1e308, 1e308]), d=["x"] * 4, e=[None, None, None, None]
    )
    matrix = matrix_of(rows)

    assert (matrix.share_names, matrix.rank_names) == ((), ())
    assert list(matrix.blocks(rows, np.array([4]))) == []


def test_missing_columns() -> None:
    """A column that a batch lacks, or has as the other kind, is missing in all rows."""
    matrix = matrix_of(mixed(1, 300))
    swapped = make_columns(3, numbers={"plan": np.ones(3)}, categories={"x": ["1", "2", "3"]})

    for rows in (make_columns(3), swapped):
        shares, ranks = whole(matrix, rows)
        assert ranks.tolist() == [[0.0] * 3] * 3
        assert shares.tolist() == [[matrix.categories[0].missing] * 3, [0.0] * 3, [0.0] * 3]


def test_wild_values() -> None:
    """What is not finite is missing; what cannot be standardised is infinitely far out."""
    matrix = matrix_of(features(x=np.array([0.0, 1e-100]), y=np.arange(2.0)))

    _, ranks = whole(matrix, features(x=np.array([np.inf, -np.inf, NAN, 1e300]), y=np.zeros(4)))

    assert ranks[0].tolist() == [0.0, 0.0, 0.0, np.inf]


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are the same in blocks of any size, and so are the sums of groups."""
    matrix, rows = matrix_of(mixed(1, 300)), mixed(2, 1000)
    ends = np.array([1, 5, 100, 101, 640, 999, 1000])
    at_once = whole(matrix, rows)
    for name in ("_BLOCK", "_SMALL_BLOCK"):
        monkeypatch.setattr(of_rows, name, 64)
    sums = np.zeros((3, len(ends)))
    for block in matrix.blocks(rows, ends):
        block.add_to(sums, block.ranks)

    for found, expected in zip(whole(matrix, rows), at_once, strict=True):
        assert np.array_equal(found, expected)
    assert sums == pytest.approx(np.add.reduceat(at_once[1], [0, *ends[:-1]], axis=1), rel=1e-12)


def test_sampled_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a reference, or of a large one rows at even distances over all of its chunks."""
    rows = mixed(1, 6000)
    chunks = [rows.span(slice(0, 1001)), rows.span(slice(1001, 2500)), rows.span(slice(2500, 6000))]
    matrix = matrix_of(rows)
    expected = whole(matrix, rows)

    for step in (1, 6):
        if step > 1:
            monkeypatch.setattr(of_rows, "MOST_VALUES", 4 * 1000)
        found = matrix.sampled_shares(chunks), matrix.sampled_ranks(chunks)
        for some, all_rows in zip(found, expected, strict=True):
            assert np.array_equal(some, all_rows[:, ::step])


def test_fingerprint() -> None:
    """It changes with the reference, and with nothing else."""
    one, same, other = matrix_of(mixed(1, 300)), matrix_of(mixed(1, 300)), matrix_of(mixed(2, 300))

    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (1, "needs 2 features that vary in the reference, but has 1"),
        (501, "looks at up to 500 features together, but the reference has 501"),
        (40, "needs 400 reference rows for 40 features, but has 300"),
        (2, ""),
    ],
)
def test_too_few(columns: int, reason: str) -> None:
    """What a reference must have is said with numbers."""
    assert too_few(a_reference(mixed(1, 300)), columns, rows=200, per_column=10) == reason


def test_halves() -> None:
    """Every other row, so that both are of all times."""
    one, other = halves(np.arange(10.0).reshape(2, 5))

    assert (one.tolist(), other.tolist()) == ([[0, 2, 4], [5, 7, 9]], [[1, 3], [6, 8]])
