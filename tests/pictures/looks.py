"""Numbers and colours as Grafana shows them: units, thresholds, value mappings, the dark theme."""

import math
from typing import Final

from e2e.grafana import Json

BACKGROUND: Final = "#111217"
PANEL: Final = "#181b1f"
BORDER: Final = "#2c3235"
TEXT: Final = "#ccccdc"
FAINT: Final = "#7b8087"
NAMED: Final = {
    "green": "#73bf69",
    "yellow": "#fade2a",
    "orange": "#ff9830",
    "red": "#f2495c",
    "dark-red": "#c4162a",
    "blue": "#5794f2",
    "text": TEXT,
}
PALETTE: Final = (
    *("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a"),
    *("#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477"),
)
_SECONDS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (0, "µs"))
_SCALES: Final = {
    "bytes": (1024, ("B", "KiB", "MiB", "GiB")),
    "short": (1000, ("", " K", " Mil", " Bil")),
    "cps": (1000, (" c/s", " Kc/s", " Mc/s")),
}


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value in its unit."""
    if math.isinf(value):
        return "+Inf"
    if unit == "percentunit":
        return f"{_rounded(value * 100, decimals)}%"
    if unit == "s":
        size, name = next(each for each in _SECONDS if abs(value) >= each[0]) if value else (1, "s")
        return f"{_rounded(value / (size or 1e-6), decimals)} {name}"
    if unit == "sci":
        return f"{value:.{decimals if decimals is not None else 1}e}"
    base, names = _SCALES.get(unit, (1000, ("",)))
    step = 0
    while abs(value) >= base and step < len(names) - 1:
        value, step = value / base, step + 1
    return f"{_rounded(value, decimals)}{names[step]}"


def _rounded(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def colour(thresholds: Json, value: float) -> str:
    """Return the colour of a value by its thresholds."""
    reached = [step["color"] for step in thresholds["steps"] if step["value"] is None or value >= step["value"]]
    return NAMED[reached[-1]]


def worded(field: Json, value: float) -> tuple[str, str]:
    """Return text and colour of a value: its word, where it has one, else the number."""
    for mapping in field.get("mappings") or []:
        word = mapping["options"].get(f"{value:g}")
        if word:
            return word["text"], NAMED[word["color"]]
    return shown(value, field["unit"], field.get("decimals")), colour(field["thresholds"], value)


def of_name(panel: Json, name: str) -> dict[str, Json]:
    """Return what a panel overrides for the series or column of that name."""
    overrides = panel["fieldConfig"]["overrides"]
    fitting = [each["properties"] for each in overrides if name in each["matcher"]["options"]["names"]]
    return {one["id"]: one["value"] for properties in fitting for one in properties}
