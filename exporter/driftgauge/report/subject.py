"""What a report is made of: everything that is known of a model at one instant, and which part of it was asked for.

Values only; who knows them is the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftgauge.config import Limits, Window
from driftgauge.errors import ConfigError
from driftgauge.generator.thresholds import Thresholds
from driftgauge.reference import Reference
from driftgauge.samples import HistogramSample, Sample, Samples
from driftgauge.snapshot import ModelState
from driftgauge.verdict import Finding, Rules


class NotPublished(ConfigError):
    """A report was asked for of a model, version or window that there is not; the message names those there are."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said of `count` files: what it is, why, of which column, an example, the remedy, a file.

    last: when, in s since 1970.
    """

    what: str
    reason: str
    subject: str
    example: str
    text: str
    file: str
    count: int
    last: float


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is known of a model at `now` (µs since 1970).

    samples: of the snapshot, all versions and windows. rules: by which it is judged. findings: what holds now, the
    gravest first. said: of its files, the latest first. failure: why it was not refreshed in full.
    """

    state: ModelState
    samples: Samples
    windows: tuple[Window, ...]
    limits: Limits
    now: int
    rules: Rules
    findings: tuple[Finding, ...] = ()
    said: tuple[Said, ...] = ()
    failure: str | None = None

    @property
    def thresholds(self) -> Thresholds:
        """What the rules were made of."""
        return self.rules.thresholds

    @property
    def versions(self) -> list[str]:
        """The versions that are published, that of the newest prediction first."""
        return self.state.totals.newest(self.limits.max_versions)

    def chosen(self, version: str | None = None, window: str | None = None) -> "Chosen":
        """Return the part that is asked for: by default the newest version, in the window of the alerts on drift.

        Raises NotPublished when there is no such version or window.
        """
        names = [each.name for each in self.windows]
        if window is not None and window not in names:
            raise NotPublished(f'there is no window "{window}"; there are {", ".join(names)}')
        if version is not None and version not in self.versions:
            known = ", ".join(self.versions) or "none yet"
            raise NotPublished(f'{self.state.config.name} has no version "{version}" that is published; it has {known}')
        wanted = self.thresholds.for_model(self.state.config.name).windows.drift
        nearest = min(self.windows, key=lambda each: (abs(each.seconds - wanted.seconds), each.name != wanted.name))
        found = next((each for each in self.windows if each.name == window), nearest)
        return Chosen(self, next(iter(self.versions), "") if version is None else version, found, Found(self.samples))


@dataclass(frozen=True, slots=True)
class Found:
    """Samples by what they are looked up by; families are long, and asked for often."""

    samples: Samples
    looked_up: dict[str, dict[tuple[str, ...], float]] = field(default_factory=dict)

    def values(self, family: str) -> dict[tuple[str, ...], float]:
        """Return the values of a family for all rows, by the labels after the model's name."""
        if family not in self.looked_up:
            found = self.samples.get(family, ())
            self.looked_up[family] = {s.labels[1:]: s.value for s in found if isinstance(s, Sample) and not s.segment}
        return self.looked_up[family]

    def of_segments(self, family: str) -> dict[tuple[str, ...], float]:
        """Return the values of a family for segments: by segment, and the labels after the model's name."""
        found = self.samples.get(family, ())
        return {(s.segment, *s.labels[1:]): s.value for s in found if isinstance(s, Sample) and s.segment}

    def histogram(self, family: str, *labels: str) -> HistogramSample | None:
        """Return one histogram for all rows."""
        found = (s for s in self.samples.get(family, ()) if isinstance(s, HistogramSample) and not s.segment)
        return next((s for s in found if s.labels[1:] == labels), None)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A version, "" while there is none, and a window of a subject."""

    subject: Subject
    version: str
    window: Window
    found: Found

    @property
    def model(self) -> str:
        """The model's name."""
        return self.subject.state.config.name

    @property
    def reference(self) -> Reference | None:
        """What the version is compared with."""
        return self.subject.state.of(self.version).reference

    def value(self, family: str, *labels: str) -> float | None:
        """Return a value of the window."""
        return self.found.values(family).get((self.version, self.window.name, *labels))

    def values(self, family: str) -> Mapping[str, float]:
        """Return the values of the window by the first label that is left."""
        here = (self.version, self.window.name)
        return {labels[2]: value for labels, value in self.found.values(family).items() if labels[:2] == here}

    def of_version(self, family: str, *labels: str) -> float | None:
        """Return a value of the version."""
        return self.found.values(family).get((self.version, *labels))

    def of_model(self, family: str) -> float | None:
        """Return a value of the model."""
        return self.found.values(family).get(())
