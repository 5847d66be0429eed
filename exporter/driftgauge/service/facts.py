"""What is known of one model when the landing page is made: its samples, its journal, and the thresholds of all models.

What alerts would say of it is in `verdicts` and `expectations`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from driftgauge.config import Config, ModelConfig, Window
from driftgauge.generator.alerts import OnLabels, OnPredictions
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
        """Return the window of a kind of alert, or the one nearest to it where the exporter has no such window."""
        wanted: Window = getattr(self.own.windows, kind)
        return min(self.config.windows, key=lambda w: (abs(w.seconds - wanted.seconds), w.name != wanted.name)).name

    @property
    def versions(self) -> list[str]:
        """The versions, that of the newest prediction first."""
        return [labels[0] for labels in self.values("model_predictions_total")]


def current(facts: Facts) -> list[str]:
    """Return the versions that alerts look at: only the newest one, if others are no longer asked."""
    traffic = facts.window("traffic")
    asked = [v for v in facts.versions if facts.value("model_window_predictions", v, traffic)]
    return asked or facts.versions[:1]


def watched(facts: Facts, kind: str, limits: OnLabels | OnPredictions) -> Iterator[tuple[str, str]]:
    """Yield the versions that have enough rows in the window of an alert, with that window."""
    window = facts.window(kind)
    family = "model_window_labels" if isinstance(limits, OnLabels) else "model_window_predictions"
    for version in current(facts):
        if (facts.value(family, version, window) or 0) >= limits.least:
            yield version, window
