"""What labelled rows cost in each slice of them: enough for a mean loss and its error, slice by slice."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from driftgauge.columns import CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SliceLosses:
    """Labelled `rows` (k,) in each of k slices, the sum of their losses and that of the squares.

    loss: (k,) int64 where a loss is 0 or 1, and `squares` is empty then, since the squares are the same; else float64.
    The slices of one column follow each other: those of its codes, and last that of its missing values.
    """

    rows: IntArray
    loss: IntArray | FloatArray
    squares: FloatArray

    @classmethod
    def fold(
        cls, codes: CodeArray, losses: FloatArray, ends: IntArray, counts: Sequence[int], *, is_binary: bool
    ) -> list[Self]:
        """Add up the losses (n,), NaN where there is none, of each group of rows.

        codes: (n, d), `counts` of each column; larger ones are missing values. ends: (p,) where each group ends.
        """
        known = np.isfinite(losses)
        group = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))[known]
        codes, losses = codes[known], losses[known]
        with np.errstate(over="ignore"):
            weights = [None, losses] if is_binary else [None, losses, np.square(losses)]
        found: list[list[Any]] = [[] for _ in weights]
        for column, count in enumerate(counts):
            width = count + 1
            keys = group * width + np.minimum(codes[:, column], count)
            for sums, weight in zip(found, weights, strict=True):
                sums.append(np.bincount(keys, weight, width * len(ends)).reshape(len(ends), width))
        nothing = np.zeros((len(ends), 0))
        rows, loss, *squares = (np.concatenate([nothing, *sums], axis=1) for sums in found)
        kind = np.int64 if is_binary else np.float64
        of_squares = squares[0] if squares else nothing
        return [cls(rows[at].astype(np.int64), loss[at].astype(kind), of_squares[at]) for at in range(len(ends))]

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add slice by slice at least one part; refuses parts with other slices."""
        if len(parts) == 1:
            return parts[0]
        sizes = {(len(part.rows), len(part.squares)) for part in parts}
        if len(sizes) > 1:
            raise ValueError(f"cannot combine losses of different slices: {sorted(sizes)}")
        sums = [[getattr(part, name) for part in parts] for name in ("rows", "loss", "squares")]
        with np.errstate(over="ignore"):
            return cls(*(np.sum(arrays, axis=0) for arrays in sums))

    @property
    def is_binary(self) -> bool:
        """Whether losses are 0 or 1, as far as there are any slices."""
        return self.loss.dtype.kind == "i"

    @property
    def means(self) -> FloatArray:
        """The mean loss of each slice (k,), NaN without rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.loss / self.rows)

    @property
    def variances(self) -> FloatArray:
        """The variance (k,) of losses about their mean (ddof = 1), NaN below 2 rows."""
        squares = self.loss if self.is_binary else self.squares
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            around = np.maximum(squares - self.means * self.loss, 0.0)
            return np.asarray(around / np.where(self.rows > 1, self.rows - 1.0, np.nan))

    @property
    def size(self) -> int:
        """A dozen slices for each feature are of no account beside its distribution."""
        return 0

    def of_columns(self, counts: Sequence[int]) -> list[slice]:
        """Return where the slices of each column are."""
        ends = np.cumsum([0, *(count + 1 for count in counts)]).tolist()
        return [slice(*bounds) for bounds in pairwise(ends)]

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"rows": self.rows, "loss": self.loss, "squares": self.squares}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the losses that `to_state` described."""
        return cls(state["rows"], state["loss"], state["squares"])
