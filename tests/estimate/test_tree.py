"""Trees against scikit-learn's own: the same leaf for every row."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from driftgauge.codec import pack, unpack
from driftgauge.columns import FloatArray
from driftgauge.estimate.tree import SingleArray, Tree, single

ROWS: Final = 3000


def rows_of(seed: int, rows: int = ROWS, *, missing: float = 0.1) -> FloatArray:
    """Return rows (n, 5): numbers, ties, codes, and a constant, some of them missing."""
    random = np.random.default_rng(seed)
    found = np.stack(
        [
            random.normal(size=rows),
            random.integers(0, 6, rows).astype(np.float64),
            random.lognormal(10, 3, rows),
            random.normal(size=rows).round(1),
            np.full(rows, 2.0),
        ],
        axis=1,
    )
    found[:, :4][random.random((rows, 4)) < missing] = np.nan
    return found


def target(rows: FloatArray) -> FloatArray:
    """Return what depends on the columns, and on what is missing."""
    filled = np.nan_to_num(rows, nan=-3.0)
    noise = np.random.default_rng(5).normal(size=len(rows))
    return np.asarray(filled[:, 0] * (filled[:, 1] > 2) + np.log1p(np.abs(filled[:, 2])) + noise)


def columns(rows: FloatArray) -> list[SingleArray]:
    """Return rows as trees take them."""
    return [single(rows[:, at]) for at in range(rows.shape[1])]


def leaves_of(found: "np.ndarray[tuple[int], np.dtype[np.int64]]", nodes: Sequence[int]) -> list[int]:
    """Return scikit-learn's leaves, numbered in the order of its nodes."""
    return np.searchsorted(nodes, found).tolist()


@pytest.mark.parametrize("missing", [0.0, 0.1], ids=["complete", "some missing"])
@pytest.mark.parametrize(("leaves", "rows_a_leaf"), [(128, 5), (20, 40), (2, 1)])
def test_leaves_are_those_of_scikit_learn(missing: float, leaves: int, rows_a_leaf: int) -> None:
    """Each row, of the fitted ones and of others, is in the leaf that scikit-learn's `apply` says."""
    known, others = rows_of(1, missing=missing), rows_of(2, 70_000)
    others[::50, 0] = np.float32(0.25)
    tree = Tree.fitted(columns(known), target(known), leaves=leaves, rows_a_leaf=rows_a_leaf)
    oracle = DecisionTreeRegressor(max_leaf_nodes=leaves, min_samples_leaf=rows_a_leaf, random_state=0)
    oracle.fit(known.astype(np.float32), target(known))
    nodes = np.flatnonzero(oracle.tree_.children_left == -1).tolist()

    assert tree.leaves == len(nodes) > 1
    for rows in (known, others):
        expected = leaves_of(oracle.apply(rows.astype(np.float32)), nodes)
        assert tree.apply(columns(rows), len(rows)).tolist() == expected


def test_columns_that_are_not_asked_for_may_be_empty() -> None:
    """Only the columns that it divides by are read."""
    known = rows_of(1)
    tree = Tree.fitted(columns(known), np.nan_to_num(known[:, 0]), leaves=4, rows_a_leaf=50)
    some = [column if at in tree.columns else np.zeros(0, np.float32) for at, column in enumerate(columns(known))]

    assert 0 < len(tree.columns) < 5
    assert tree.apply(some, ROWS).tolist() == tree.apply(columns(known), ROWS).tolist()


def test_nothing_to_divide_by() -> None:
    """Of constant columns all rows are in one leaf."""
    tree = Tree.fitted(columns(np.ones((50, 2))), np.arange(50.0), leaves=8, rows_a_leaf=5)

    assert (tree.leaves, tree.columns) == (1, [])
    assert tree.apply(columns(rows_of(1)), 4).tolist() == [0, 0, 0, 0]
    assert tree.apply([], 0).tolist() == []


def test_what_is_no_number_is_missing() -> None:
    """Infinities are missing, and numbers that nothing has are the largest that are told apart."""
    large = float(np.float32(1e30))

    assert single(np.array([1e300, -1e300, np.inf, -np.inf, np.nan, 0.5])).tolist() == pytest.approx(
        [large, -large, np.nan, np.nan, np.nan, 0.5], nan_ok=True
    )


def test_state() -> None:
    """A tree survives being stored, and another tree has another fingerprint."""
    known = rows_of(1)
    trees = [Tree.fitted(columns(known), target(known), leaves=leaves, rows_a_leaf=20) for leaves in (16, 17)]
    restored = Tree.from_state(unpack(pack(trees[0].to_state())))
    rows = rows_of(3)

    assert restored.fingerprint == trees[0].fingerprint != trees[1].fingerprint
    assert restored.apply(columns(rows), ROWS).tolist() == trees[0].apply(columns(rows), ROWS).tolist()
