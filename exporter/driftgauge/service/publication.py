"""What is served between two refreshes: one immutable value, swapped as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from driftgauge.collector import Page, render
from driftgauge.config import Config
from driftgauge.families import Samples
from driftgauge.pipeline.refresh import Report
from driftgauge.service.health import Health
from driftgauge.snapshot import ModelState, model_samples, within_limit


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

    def with_health(self, health: Health) -> "Publication":
        """Return the same samples with another health."""
        return replace(self, health=health, page=_with_health(self.about_models, health, self.series))


def publish(models: Mapping[str, Samples], health: Health, *, max_series: int) -> Publication:
    """Render the samples of all models, at most `max_series` of them, and of the exporter itself."""
    kept, dropped = within_limit(list(models.values()), max_series=max_series)
    health = replace(health, dropped=health.dropped + dropped)
    about_models, series = render(kept), sum(len(found) for found in kept.values())
    return Publication(models, health, series, about_models, _with_health(about_models, health, series))


def _with_health(about_models: Page, health: Health, series: int) -> Page:
    return about_models.followed_by(render(health.samples(series=series)))


def refreshed(
    config: Config, states: Sequence[ModelState], report: Report, before: Mapping[str, Samples], *, now: int
) -> dict[str, Samples]:
    """Return every model's samples at `now` (µs); a model that could not be refreshed keeps those it had."""
    return {
        state.config.name: before[state.config.name]
        if state.config.name in report.failures and state.config.name in before
        else model_samples(state, windows=config.windows, limits=config.limits, now=now)
        for state in states
    }
