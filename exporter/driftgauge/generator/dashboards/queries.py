"""PromQL of the dashboards: selectors narrowed by dashboard variables, and the few aggregations they need.

A selector can only name what `families` has, so no panel uses a metric or label that does not exist. This module does
not know panels.

Two exporters may watch the same models (replicas), so every figure is first reduced by `max by (…)` to one series per
model, version and further labels of the figure; sums come after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from driftgauge.families import FAMILIES
from driftgauge.generator.promql import all_rows

# The suffixes of a histogram's series.
Part = Literal["", "_bucket", "_count", "_sum", "_gcount", "_gsum"]
Form = Literal["time_series", "table", "heatmap"]

# Prometheus' own series about the scrape, and those that the Python client exposes about the front and the refresher.
SCRAPE: Final = frozenset({"up", "scrape_duration_seconds", "scrape_samples_scraped"})
PROCESS: Final = frozenset(
    {
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
        "driftgauge_refresher_process_resident_memory_bytes",
        "driftgauge_refresher_process_cpu_seconds_total",
    }
)
_TARGET: Final = 'job=~"$job", instance=~"$instance"'


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel. instant: only at the end of the time range."""

    expr: str
    legend: str = ""
    form: Form = "time_series"
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables of a dashboard that narrow series of models: those with one value, and multi-selects."""

    one: tuple[str, ...] = ()
    several: tuple[str, ...] = ()

    def of(self, family: str, part: Part = "", *, all_of: Sequence[str] = (), **labels: str | tuple[str, ...]) -> str:
        """Return the selector of a family.

        all_of: variables that do not narrow it. labels: further labels and their value, or several of which any fits.
        Raises KeyError when there is no such family or label.
        """
        about = FAMILIES[family]
        if unknown := labels.keys() - set(about.labels):
            raise KeyError(f"{family} has no label {', '.join(sorted(unknown))}")
        # The exporter's `version` is another one than the model's.
        variables = () if about.scope == "exporter" else (*self.one, *self.several)
        narrowed = [name for name in variables if name in about.labels and name not in all_of]
        wanted = [f'{name}{"=~" if name in self.several else "="}"${name}"' for name in narrowed]
        wanted += all_rows(family)
        wanted += [_matcher(name, value) for name, value in labels.items()]
        return f"{family}{part}{{{', '.join((_TARGET, *wanted))}}}"


def _matcher(name: str, value: str | tuple[str, ...]) -> str:
    return f'{name}="{value}"' if isinstance(value, str) else f'{name}=~"{"|".join(value)}"'


def about_target(name: str) -> str:
    """Return the selector of a series that Prometheus or the Python client provides."""
    if name not in SCRAPE | PROCESS:
        raise KeyError(name)
    return f"{name}{{{_TARGET}}}"


def highest(vector: str, *by: str) -> str:
    """Return the largest value per combination of labels: also what makes one of two replicas."""
    return _aggregated("max", vector, by)


def lowest(vector: str, *by: str) -> str:
    """Return the smallest value per combination of labels."""
    return _aggregated("min", vector, by)


def total(vector: str, *by: str) -> str:
    """Return the sum per combination of labels, of a vector that has replicas removed."""
    return _aggregated("sum", vector, by)


def _aggregated(how: str, vector: str, by: Sequence[str]) -> str:
    return f"{how} by ({', '.join(by)}) ({vector})" if by else f"{how}({vector})"


def per_second(counter: str) -> str:
    """Return how fast a counter grows."""
    return f"rate({counter}[$__rate_interval])"


def growth(counter: str, over: Literal["$__range", "$__rate_interval"] = "$__range") -> str:
    """Return by how much a counter grew, in the whole time range or in one step of it."""
    return f"increase({counter}[{over}])"


def grown(counter: str, over: Literal["$__range", "$__rate_interval"], *by: str) -> str:
    """Return by how much a counter grew per combination of labels, from 0 if it did not exist before.

    That is what `increase` cannot know, and what counters of rare events are about: they begin with the first one.
    """
    now, before = highest(counter, *by), highest(f"{counter} offset {over}", *by)
    return f"clamp_min({now} - ({before} or 0 * {now}), 0)"


def quantile(q: float, buckets: str) -> str:
    """Return a quantile of buckets that are summed by `le` and what else the result is about."""
    return f"histogram_quantile({q:g}, {buckets})"


def age(timestamp: str) -> str:
    """Return the seconds since a Unix time."""
    return f"time() - {timestamp}"


def among_highest(vector: str, *, of: str, by: str, count: int) -> str:
    """Return the part of `vector` whose `by` is among the `count` with the highest `of` in the whole time range.

    The choice is made once for the range, so lines do not come and go within it.
    """
    ranked = f"topk({count}, {highest(f'max_over_time({of}[$__range] @ end())', by)})"
    return f"{vector} and on ({by}) {ranked}"
