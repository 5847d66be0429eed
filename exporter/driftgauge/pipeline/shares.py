"""A chunk of a file that counts: its usable rows, and which of them have counted in an earlier reading."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import BoolArray
from driftgauge.pipeline.delta import Origin
from driftgauge.pipeline.panes import Usable
from driftgauge.pipeline.seen import ACCEPTED, FAILED, LABELLED, REJECTED, TIMED, Seen


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Rows that were read from `origin`. before: what of the same rows has counted, None where nothing can have."""

    usable: Usable
    origin: Origin = ("", "")
    before: Seen | None = None

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows are rejected for the first time, by reason."""
        found = {
            reason: len(at) if self.before is None else int(np.count_nonzero(self.before.new(REJECTED, at)))
            for reason, at in self.usable.rejected.items()
        }
        return {reason: count for reason, count in found.items() if count}

    @property
    def repeated(self) -> Totals:
        """What had counted before of the rows and of those that are rejected."""
        if self.before is None:
            return Totals()
        new = self.rejected
        rejected = {reason: len(at) - new.get(reason, 0) for reason, at in self.usable.rejected.items()}
        known = np.count_nonzero(~self.new(ACCEPTED))
        return Totals(versions={"": VersionTotals(predictions=int(known))}, rejected=rejected)

    def new(self, counter: str) -> BoolArray:
        """Return which of the usable rows (n,) have not counted yet."""
        at = self.usable.at
        return np.ones(len(at), np.bool_) if self.before is None else self.before.new(counter, at)

    @property
    def refused(self) -> Seen:
        """What has counted of a label file: the rows that were rejected."""
        refused = list(self.usable.rejected.values())
        return Seen.of(self.usable.rows_read, {REJECTED: np.concatenate(refused)} if refused else {})

    def seen(self, *, direct: bool) -> Seen:
        """Return what has counted of predictions. direct: labels in records count as they are, without a join."""
        rows, at = self.usable.rows, self.usable.at
        positions = {ACCEPTED: at, FAILED: at[rows.failed], TIMED: at[np.isfinite(rows.latency)]}
        labelled = pc.is_valid(rows.label).to_numpy(zero_copy_only=False)
        if labelled.any():
            joined = np.zeros(len(rows), np.bool_)
            if not direct:
                joined = pc.is_valid(rows.key).to_numpy(zero_copy_only=False)
            positions[LABELLED] = at[labelled & ~joined]
        return replace(Seen.of(self.usable.rows_read, positions).also(self.refused), names=self.usable.names)
