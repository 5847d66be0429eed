"""What is known of one model when the landing page is made: its samples, its journal, and the thresholds of all models.

What alerts say of it is in `judging`.
"""

from dataclasses import dataclass, field

from driftgauge.config import Config, ModelConfig, Window
from driftgauge.generator.thresholds import ModelThresholds, Thresholds
from driftgauge.pipeline.journal import Journal
from driftgauge.samples import Sample, Samples


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model: its samples, its journal, `now` in µs, and the thresholds of all models.

    looked_up: what `values` has returned, for a family of each feature is long and is asked for often.
    """

    model: ModelConfig
    config: Config
    samples: Samples
    journal: Journal
    now: int
    thresholds: Thresholds
    looked_up: dict[str, dict[tuple[str, ...], float]] = field(default_factory=dict)

    @property
    def own(self) -> ModelThresholds:
        """The thresholds of this model."""
        return self.thresholds.for_model(self.model.name)

    def values(self, family: str) -> dict[tuple[str, ...], float]:
        """Return the values of a family for all rows, by the labels after the model's name."""
        if family not in self.looked_up:
            found = self.samples.get(family, ())
            values = {s.labels[1:]: s.value for s in found if isinstance(s, Sample) and not s.segment}
            self.looked_up[family] = values
        return self.looked_up[family]

    def value(self, family: str, *labels: str) -> float | None:
        """Return one of them."""
        return self.values(family).get(labels)

    def window(self, kind: str) -> str:
        """Return the window to show of a kind of alert: the nearest where the exporter has none that alerts look at."""
        wanted: Window = getattr(self.own.windows, kind)
        return min(self.config.windows, key=lambda w: (abs(w.seconds - wanted.seconds), w.name != wanted.name)).name

    @property
    def versions(self) -> list[str]:
        """The versions, that of the newest prediction first."""
        return [labels[0] for labels in self.values("model_predictions_total")]
