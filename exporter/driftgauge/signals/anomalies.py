"""Rows that are unlike the reference's: how many there are, and the most unusual of them.

The share of rows beyond the distances that 99 % and 99.9 % of the reference's rows keep to (see `estimate.distances`)
is published. The most unusual rows beyond the first of these are kept for reports, each by its request id and time:
never as labels of a metric. Ids are personal data where they name people; `keep_request_ids: false` leaves them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import Columns, FloatArray, IntArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.distances import LEVELS, Surroundings
from driftgauge.estimate.rows import Block, RowMatrix, digest_of, too_few
from driftgauge.reference import Reference
from driftgauge.samples import Sample, Samples
from driftgauge.signals.joint import fold_alone
from driftgauge.signals.signal import Basis, Learned, Signal

# Rows that are kept of a pane or window, and columns that are named of a row.
MOST_KEPT: Final = 10
NAMED: Final = 3
# Characters of a request id.
MOST_ID: Final = 100
# Rows that a reference needs in all, and for each column: half of them are for the cuts.
_FEW_ROWS: Final = 400
_ROWS_PER_COLUMN: Final = 2
_MIN_ROWS: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Unusual:
    """An unusual row; first comes the one that is farthest away, of these the earliest.

    nearness: the distance, negative, in single precision. time: µs since 1970. request: its id, "" if it has none.
    columns: positions of those that contribute most to the distance, the first one most.
    """

    nearness: float
    time: int
    request: str
    columns: tuple[int, ...]

    @property
    def distance(self) -> float:
        """Mahalanobis distance, squared."""
        return -self.nearness


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies:
    """`rows`, how many were beyond each of the reference's cuts (2,), and the `most` unusual, in their order."""

    rows: int = 0
    beyond: tuple[int, ...] = (0,) * len(LEVELS)
    most: tuple[Unusual, ...] = field(default=())

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add, and keep the most unusual of all; `combine([])` is the identity."""
        beyond = tuple(sum(part.beyond[at] for part in parts) for at in range(len(LEVELS)))
        most = tuple(sorted(row for part in parts for row in part.most)[:MOST_KEPT])
        return cls(sum(part.rows for part in parts), beyond, most)

    @property
    def size(self) -> int:
        """Ten rows are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        state: dict[str, Any] = {"rows": self.rows, "beyond": self.beyond}
        if self.most:
            state["most"] = {
                "nearness": np.array([row.nearness for row in self.most]),
                "time": np.array([row.time for row in self.most], np.int64),
                "request": [row.request for row in self.most],
                "columns": [row.columns for row in self.most],
            }
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the anomalies that `to_state` described."""
        rows = state.get("most", {"nearness": np.zeros(0), "time": np.zeros(0), "request": [], "columns": []})
        most = zip(
            rows["nearness"].tolist(), rows["time"].tolist(), rows["request"], map(tuple, rows["columns"]), strict=True
        )
        return cls(state["rows"], tuple(state["beyond"]), tuple(Unusual(*row) for row in most))


@dataclass(frozen=True, eq=False)
class FittedAnomalies:
    """digest: of all that distances depend on. keep_ids: whether request ids are kept."""

    matrix: RowMatrix
    surroundings: Surroundings
    digest: str
    keep_ids: bool

    @property
    def fingerprint(self) -> str:
        """Counts beyond other cuts do not add; ids that are not to be kept any more go with all that has them."""
        return self.digest if self.keep_ids else f"{self.digest}:without ids"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Anomalies]:
        """Count and choose the unusual rows of each group."""
        return fold_alone(self, Anomalies, rows, ends)

    def begin(self, rows: Columns, ends: IntArray) -> "_Adding":
        """Return counts of nothing."""
        return _Adding(self, rows, ends)


class _Adding:
    """beyond: (2, p) counts. rows, distances, columns: of the unusual rows that may be among the most so."""

    def __init__(self, fitted: FittedAnomalies, rows: Columns, ends: IntArray) -> None:
        self._fitted, self._rows, self._ends = fitted, rows, ends
        self._beyond = np.zeros((len(LEVELS), len(ends)), np.int64)
        self._most: list[list[Unusual]] = [[] for _ in ends]

    def add(self, block: Block) -> None:
        of = self._fitted.surroundings
        rows, distances = of.unusual(block.ranks)
        if not len(rows):
            return
        groups = block.first + block.starts.searchsorted(rows, side="right") - 1
        for at, cut in enumerate(of.cuts):
            self._beyond[at] += np.bincount(groups[distances > cut], minlength=len(self._ends))
        nearness = -distances.astype(np.float32).astype(np.float64)
        # Most groups have ten rows soon that most others do not come near.
        worst = np.array([most[-1].nearness if len(most) == MOST_KEPT else np.inf for most in self._most])
        hopeful = nearness <= worst[groups]
        rows, nearness, groups = rows[hopeful], nearness[hopeful], groups[hopeful]
        ends = np.flatnonzero(np.diff(groups, append=-1)) + 1
        for start, end in pairwise([0, *ends.tolist()]):
            most = self._first(block.start + rows[start:end], nearness[start:end]) + start
            self._keep(int(groups[start]), block, rows[most], nearness[most])

    def _first(self, rows: IntArray, nearness: FloatArray) -> IntArray:
        """Return the positions of the first `MOST_KEPT` of some rows, by `Unusual`."""
        if len(rows) <= MOST_KEPT:
            return np.arange(len(rows))
        # Rows at one distance may be many.
        at = np.flatnonzero(nearness <= np.partition(nearness, MOST_KEPT - 1)[MOST_KEPT - 1])
        keys = {"nearness": nearness[at], "time": self._rows.time[rows[at]], "request": self._requests(rows[at])}
        by = [(name, "ascending") for name in keys]
        order = pc.sort_indices(pa.table(keys), sort_keys=by).to_numpy()
        chosen: IntArray = at[order[:MOST_KEPT]]
        return chosen

    def _requests(self, rows: IntArray) -> Any:
        if not self._fitted.keep_ids:
            return pa.array([""] * len(rows))
        return pc.fill_null(pc.utf8_slice_codeunits(self._rows.key.take(pa.array(rows)), 0, MOST_ID), "")

    def _keep(self, group: int, block: Block, rows: IntArray, nearness: FloatArray) -> None:
        shares = self._fitted.surroundings.contributions(block.ranks[:, rows])
        named = np.argsort(-shares, axis=0, kind="stable")[:NAMED].T.tolist()
        within = block.start + rows
        found = zip(
            nearness.tolist(),
            self._rows.time[within].tolist(),
            self._requests(within).to_pylist(),
            map(tuple, named),
            strict=True,
        )
        self._most[group] = sorted([*self._most[group], *(Unusual(*row) for row in found)])[:MOST_KEPT]

    def aggregates(self) -> Sequence[Anomalies]:
        sizes = np.diff(self._ends, prepend=0).tolist()
        found = zip(sizes, self._beyond.T.tolist(), self._most, strict=True)
        return [Anomalies(rows, tuple(beyond), tuple(most)) for rows, beyond, most in found]


def learn(chunks: Sequence[Columns], reference: Reference, _model: ModelConfig) -> Learned:
    """Return center, covariance and cuts of the reference; or, as `reason`, why there are none."""
    matrix = RowMatrix.of(reference)
    reason = too_few(reference, len(matrix.rank_names), rows=_FEW_ROWS, per_column=_ROWS_PER_COLUMN)
    if reason:
        return {"reason": reason}
    ranks = matrix.sampled_ranks(chunks)
    surroundings = Surroundings.fit(ranks)
    state = surroundings.to_state()
    return {**state, "digest": digest_of(matrix.fingerprint, *state.values())}


def fit(basis: Basis) -> FittedAnomalies | None:
    """Return the signal as it was learned from the reference, None where it could not be."""
    found = basis.learned("anomalies", "digest")
    if found is None:
        return None
    reference, learned = found
    matrix, surroundings = RowMatrix.of(reference), Surroundings.from_state(learned)
    return FittedAnomalies(matrix, surroundings, learned["digest"], basis.model.keep_request_ids)


def values(anomalies: Anomalies, fitted: FittedAnomalies) -> Samples:
    """Return the shares of rows beyond the cuts that the reference has, from 2 rows on."""
    if anomalies.rows < _MIN_ROWS:
        return {}
    known = zip(LEVELS, anomalies.beyond, fitted.surroundings.cuts, strict=False)
    shares = [Sample((str(level),), beyond / anomalies.rows) for level, beyond, _ in known]
    return {"model_anomalous_rows_ratio": shares}


SIGNAL: Final = Signal("anomalies", "predictions", Anomalies, fit, values, learn)
