"""A regression tree as arrays: fitted by scikit-learn once, stored without pickle, and followed by numpy.

It divides rows by their inputs into leaves. What is known of the rows of a leaf is not the tree's affair (`strata`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import FloatArray, IntArray

SingleArray = npt.NDArray[np.float32]
# A leaf has no children.
_LEAF: Final = -1
# Rows that go down the tree together, so that their columns stay in the processor's cache.
_AT_ONCE: Final = 2**16
# Far beyond what means anything, and the sum of as many rows as there can be is a number.
_LARGEST: Final = 1e30


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes (m,) in which a row goes left if its `column` is at most `threshold`, or where `missing`, if it is missing.

    left, right: the children, -1 of a leaf. The leaves are numbered from 0 in the order of the nodes.
    Columns are read in single precision, as scikit-learn does.
    """

    column: npt.NDArray[np.int32]
    threshold: FloatArray
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing: npt.NDArray[np.bool_]

    @classmethod
    def fitted(cls, columns: Sequence[SingleArray], target: FloatArray, *, leaves: int, rows_a_leaf: int) -> Self:
        """Fit a tree of at most so many leaves to the target (n,), each with at least so many rows.

        columns: (n,) each, as `single` returns them.
        """
        from sklearn.tree import DecisionTreeRegressor

        fitted = DecisionTreeRegressor(max_leaf_nodes=max(2, leaves), min_samples_leaf=rows_a_leaf, random_state=0)
        found = fitted.fit(np.stack(columns, axis=1), target).tree_
        return cls(
            column=found.feature.astype(np.int32),
            threshold=found.threshold.astype(np.float64),
            left=found.children_left.astype(np.int32),
            right=found.children_right.astype(np.int32),
            missing=found.missing_go_to_left.astype(np.bool_),
        )

    @property
    def leaves(self) -> int:
        """How many leaves there are."""
        return int(np.count_nonzero(self.left == _LEAF))

    @property
    def columns(self) -> list[int]:
        """The columns that rows are divided by."""
        found: list[int] = np.unique(self.column[self.left != _LEAF]).tolist()
        return found

    def apply(self, columns: Sequence[SingleArray], rows: int) -> IntArray:
        """Return the leaf of each of n rows; columns (n,) that the tree does not ask for may be empty."""
        numbers = np.cumsum(self.left == _LEAF) - 1
        found = np.empty(rows, np.int64)
        for start in range(0, rows, _AT_ONCE):
            some = [column[start : start + _AT_ONCE] for column in columns]
            self._descend(some, numbers, found[start : start + _AT_ONCE])
        return found

    def _descend(self, columns: Sequence[SingleArray], numbers: IntArray, found: IntArray) -> None:
        incomplete = [bool(np.isnan(column).any()) for column in columns]
        waiting = [(0, np.arange(len(found), dtype=np.int32))]
        while waiting:
            node, rows = waiting.pop()
            if self.left[node] == _LEAF:
                found[rows] = numbers[node]
            elif len(rows):
                at = int(self.column[node])
                values = columns[at][rows]
                # A number that is missing is not at most anything.
                goes_left = values <= self.threshold[node]
                if incomplete[at] and self.missing[node]:
                    goes_left |= np.isnan(values)
                waiting += [(int(self.left[node]), rows[goes_left]), (int(self.right[node]), rows[~goes_left])]

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest: leaves of equal ones are the same."""
        digest = blake2b(digest_size=8)
        for values in self.to_state().values():
            digest.update(values.astype("<f8").tobytes())
        return digest.hexdigest()

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return found | {"missing": self.missing.astype(np.int8)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the tree that `to_state` described."""
        return cls(**(state | {"missing": state["missing"].astype(np.bool_)}))


def single(values: FloatArray) -> SingleArray:
    """Return numbers (n,) in single precision as trees read them, NaN where they are not finite."""
    found = np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)
    found[~np.isfinite(values)] = np.nan
    return found
