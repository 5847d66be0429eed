"""What is known of one model between refreshes: values, of which nothing is changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals
from driftgauge.config import ModelConfig
from driftgauge.estimate.evidence import Evidence
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS, Segment
from driftgauge.windows import PaneKey


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a model version is found in MLflow; the fields are label values of `model_info`, empty if unknown."""

    run_id: str
    experiment_id: str
    model_uri: str


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A pane that took the place of others is the sum of these: `of` are those, and what is new."""

    pane: Pane
    of: tuple[Pane, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A segment, and what its windows are compared with: the same slice of the reference and its baseline.

    reference: None where the model has none, or too few rows of it are in the segment.
    """

    segment: Segment
    reference: Reference | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joining:
    """Rows that are kept: predictions without a label; labels that wait, have met their prediction, or do not count.

    A label is kept for the horizon, and longer where a window needs it. Those in the rows of predictions are none.
    """

    predictions: int = 0
    waiting: int = 0
    matched: int = 0
    rejected: int = 0

    @property
    def match_ratio(self) -> float | None:
        """Of the labels the share that has met its prediction, None without labels."""
        labels = self.waiting + self.matched + self.rejected
        return self.matched / labels if labels else None


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """What a version is compared with that has a reference of its own; see `ModelState`."""

    reference: Reference
    baseline: Mapping[str, float]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ModelState:
    """All that is known of one model.

    reference, baseline: of all rows. slices: those of the segments in effect, in the order of the configuration.
    own: by version, what takes the place of these three. evidence: by version and signal, of all rows.
    grown: which panes have grown since the last snapshot, as far as is known. apart: of a reading that is not served
    yet, what it has counted of labels; None of one that is.
    """

    config: ModelConfig
    reference: Reference | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    predictions: Mapping[PaneKey, Pane] = field(default_factory=dict)
    outcomes: Mapping[PaneKey, Pane] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    grown: tuple[Grown, ...] = ()
    slices: tuple[Slice, ...] = ()
    apart: Totals | None = None
    joining: Joining = field(default_factory=Joining)
    own: Mapping[str, Standard] = field(default_factory=dict)
    evidence: Mapping[str, Mapping[str, Evidence]] = field(default_factory=dict)

    def of(self, version: str) -> Self:
        """Return the model as a version sees it, with the reference and baseline that it is compared with."""
        if version not in self.own:
            return self
        own = self.own[version]
        return replace(self, reference=own.reference, baseline=own.baseline, slices=own.slices)

    @property
    def subjects(self) -> dict[str, Self]:
        """The model as each segment sees it, with its own reference and baseline; first as all rows do."""
        of_segments = {
            each.segment.name: replace(self, reference=each.reference, baseline=each.baseline) for each in self.slices
        }
        return {ALL_ROWS: self, **of_segments}
