"""What Grafana does with a dashboard before anything is drawn: variables get values, and queries are sent.

After Grafana's Prometheus data source (`interpolateQueryExpr`, `getRateIntervalScopedVariable`, `metricFindQuery`) as
documented; https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/.
"""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlencode

from e2e.exporter import request

Json = dict[str, Any]
Series = tuple[Mapping[str, str], list[tuple[float, float]]]
ALL: Final = "$__all"

_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})")
_LABEL_VALUES: Final = re.compile(r"label_values\((?:(?P<series>.*), *)?(?P<label>\w+)\)")


@dataclass(frozen=True)
class Timing:
    """A time range (s since 1970), and how far apart the points of a panel are."""

    start: float
    end: float
    interval: float
    scrape_interval: float

    @property
    def globals(self) -> dict[str, str]:
        """Return the variables that Grafana has of its own."""
        rate = max(self.interval + self.scrape_interval, 4 * self.scrape_interval)
        span = round(self.end - self.start)
        return {
            "__interval": f"{self.interval:g}s",
            "__rate_interval": f"{rate:g}s",
            "__range": f"{span}s",
            "__range_s": f"{span}",
            "__interval_ms": f"{self.interval * 1000:g}",
        }


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def instant(self, expr: str, at: float) -> list[Series]:
        """Return the series of a query at one time, without values that are no numbers."""
        found = self._get("query", query=expr, time=at)["result"]
        return _finite({**each, "values": [each["value"]]} for each in found)

    def over(self, expr: str, timing: Timing) -> list[Series]:
        """Return the series of a query over a time range, without values that are no numbers."""
        # As Grafana does, so that points stay where they are when time moves on.
        start = math.floor(timing.start / timing.interval) * timing.interval
        wanted = {"start": start, "end": timing.end, "step": timing.interval}
        return _finite(self._get("query_range", query=expr, **wanted)["result"])

    def label_values(self, label: str, series: str | None, timing: Timing) -> list[str]:
        """Return the values of a label, of the series that match."""
        match = {"match[]": series} if series else {}
        return cast("list[str]", self._get(f"label/{label}/values", start=timing.start, end=timing.end, **match))

    def _get(self, path: str, **parameters: object) -> Any:
        status, _, body = request(self.url, f"/api/v1/{path}?{urlencode(parameters)}")
        assert status == 200, (parameters, body)
        return json.loads(body)["data"]


def _finite(found: Iterable[Json]) -> list[Series]:
    series = ((each["metric"], [(float(t), float(v)) for t, v in each["values"]]) for each in found)
    kept = ((labels, [(t, v) for t, v in points if math.isfinite(v)]) for labels, points in series)
    return [(labels, points) for labels, points in kept if points]


# The values chosen of each variable; `ALL` stands alone.
Choice = Mapping[str, tuple[str, ...]]


def panels(dashboard: Json) -> list[Json]:
    """Return the panels of a dashboard, without rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard: Json) -> dict[str, Json]:
    """Return the variables that are queries, by name, in their order."""
    return {each["name"]: each for each in dashboard["templating"]["list"] if each["type"] == "query"}


def options(variable: Json, chosen: Choice, dashboard: Json, prometheus: Prometheus, timing: Timing) -> list[str]:
    """Return the values that can be chosen, given those of the variables before it."""
    match = _LABEL_VALUES.fullmatch(variable["query"])
    assert match, variable["query"]
    series = expand(match["series"], chosen, dashboard, timing) if match["series"] else None
    return prometheus.label_values(match["label"], series, timing)


def choices(dashboard: Json, prometheus: Prometheus, timing: Timing, *, everything: bool) -> list[Choice]:
    """Return every way to choose values: of single ones each in turn, of multi-selects all of them.

    everything: multi-selects say "All"; otherwise each value is picked by hand.
    """
    chosen: list[Choice] = [{}]
    for name, variable in variables(dashboard).items():
        longer = []
        for before in chosen:
            found = options(variable, before, dashboard, prometheus, timing)
            assert found, f"{dashboard['title']}: ${name} has no values: {variable['query']}"
            picked = [(ALL,) if everything else tuple(found)] if variable["multi"] else [(value,) for value in found]
            longer += [{**before, name: values} for values in picked]
        chosen = longer
    return chosen


def expand(text: str, chosen: Choice, dashboard: Json, timing: Timing) -> str:
    """Replace the variables of a query as Grafana does for Prometheus."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in timing.globals:
            return timing.globals[name]
        return interpolated(chosen[name], variables(dashboard)[name], match[3])

    return _VARIABLE.sub(value, text)


def interpolated(values: tuple[str, ...], variable: Json, form: str | None = None) -> str:
    """Return chosen values as they stand in a query."""
    if values == (ALL,):
        return str(variable["allValue"])
    if form == "regex":
        return "|".join(map(re.escape, values))
    if not variable["multi"] and not variable["includeAll"]:
        return values[0].replace("\\", "\\\\").replace('"', '\\"')
    escaped = [re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def answer(target: Json, chosen: Choice, dashboard: Json, prometheus: Prometheus, timing: Timing) -> list[Series]:
    """Return what a panel's query gives: at the end of the range, or over it."""
    expr = expand(target["expr"], chosen, dashboard, timing)
    return prometheus.instant(expr, timing.end) if target.get("instant") else prometheus.over(expr, timing)


def legend(target: Json, labels: Mapping[str, str]) -> str:
    """Return the name of a series."""
    text = target.get("legendFormat") or ""
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda match: labels.get(match[1], ""), text) or ", ".join(
        f"{name}={value}" for name, value in labels.items() if name != "__name__"
    )


def queries(dashboard: Json) -> list[tuple[Json, Json]]:
    """Return every panel with each of its queries."""
    return list(
        itertools.chain.from_iterable(((panel, each) for each in panel["targets"]) for panel in panels(dashboard))
    )
