"""PromQL from parts: selectors that can only name families that exist, and label lists that merge replicas.

Two exporters may watch the same models, so every value is first reduced to one series per job, configured target labels
and model labels, without `instance` and the like. This module does not know the thresholds.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from driftgauge.config.units import format_duration
from driftgauge.families import FAMILIES
from driftgauge.generator.thresholds import Thresholds

# Series that Prometheus and the Python client library add to those of `families`.
TARGET_SERIES: Final = frozenset({"up", "process_start_time_seconds"})
# About the slices that are worst: these have no series about all rows.
_OF_SLICES: Final = frozenset({"model_segment_performance", "model_segment_rows", "model_segment_degradation_lower"})


@dataclass(frozen=True, slots=True)
class Target:
    """The scrape job of all selectors, and the labels by which two scraped installations differ."""

    job: str
    labels: tuple[str, ...]

    @classmethod
    def of(cls, thresholds: Thresholds) -> "Target":
        """Return the target that the thresholds name."""
        return cls(thresholds.exporter.job, ("job", *thresholds.exporter.target_labels))

    def apart_from(self, label: str) -> "Target":
        """Return the same without one of the labels, if it has it."""
        return replace(self, labels=tuple(each for each in self.labels if each != label))

    def series(self, name: str, narrower: str = "", **labels: str) -> str:
        """Return the selector of a scraped series.

        narrower: a further matcher, such as one of models. Raises KeyError when the series or a label does not exist.
        """
        known = () if name in TARGET_SERIES else FAMILIES[name].labels
        if unknown := labels.keys() - set(known):
            raise KeyError(f"{name} has no label {', '.join(sorted(unknown))}")
        return narrowed(
            name, (matcher("job", self.job), narrower, *all_rows(name), *(matcher(*pair) for pair in labels.items()))
        )

    def by(self, *labels: str) -> str:
        """Return a list of labels for `by` and `on`, the target's first."""
        return f"({', '.join((*self.labels, *labels))})"


def quoted(text: str) -> str:
    """Return a PromQL string, which is also one of Go's templates."""
    return json.dumps(text, ensure_ascii=False)


def matcher(label: str, value: str) -> str:
    """Return the matcher of one value."""
    return f"{label}={quoted(value)}"


def all_rows(family: str) -> tuple[str, ...]:
    """Return the matchers of a series about all rows, where there may be others about segments: no alert is for these.

    A label that a series does not have is empty to PromQL. Of families that only slices have, all of them match.
    """
    if family in _OF_SLICES:
        return ('segment!=""',)
    return (matcher("segment", ""),) if family in FAMILIES and FAMILIES[family].segmented else ()


def any_of(label: str, values: Iterable[str]) -> str:
    """Return the matcher of one of several values."""
    names = list(values)
    return matcher(label, names[0]) if len(names) == 1 else f"{label}=~{quoted(_pattern(names))}"


def none_of(label: str, values: Iterable[str]) -> str:
    """Return the matcher of all but some values."""
    names = list(values)
    return f"{label}!={quoted(names[0])}" if len(names) == 1 else f"{label}!~{quoted(_pattern(names))}"


def _pattern(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)


def narrowed(name: str, matchers: Iterable[str]) -> str:
    """Return a series with matchers, without braces when there are none."""
    inside = ", ".join(each for each in matchers if each)
    return f"{name}{{{inside}}}" if inside else name


def either(parts: Iterable[str]) -> str:
    """Return an expression with the series of the first part, and those of the others that it lacks."""
    return "\nor\n".join(parts)


def duration(seconds: float) -> str:
    """Return a duration as Prometheus reads it."""
    return format_duration(seconds)


def number(value: float) -> str:
    """Return a number without needless digits, exactly."""
    return f"{value:.15g}"
