"""What is served between two refreshes: one immutable value, swapped as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from driftgauge.collector import Page, render
from driftgauge.families import Samples
from driftgauge.service.health import Health


@dataclass(frozen=True, slots=True, eq=False)
class Publication:
    """The samples of each model by name, and the health.

    series: how many samples are within the limit. about_models: the page of those. page: that and the health.
    """

    models: Mapping[str, Samples]
    health: Health
    series: int
    about_models: Page
    page: Page

    @classmethod
    def of(cls, models: Mapping[str, Samples], kept: Samples, health: Health) -> "Publication":
        """Render the samples that were kept and those of the exporter itself."""
        about_models, series = render(kept), sum(len(found) for found in kept.values())
        return cls(models, health, series, about_models, _with_health(about_models, health, series))

    def with_health(self, health: Health) -> "Publication":
        """Return the same samples with another health."""
        return replace(self, health=health, page=_with_health(self.about_models, health, self.series))


def _with_health(about_models: Page, health: Health, series: int) -> Page:
    return about_models.followed_by(render(health.samples(series=series)))
