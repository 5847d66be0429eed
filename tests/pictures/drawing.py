"""Draws a dashboard from what Prometheus answers: each panel where it stands, with its units, colours and legend.

An honest stand-in for Grafana, which is not there: it reads the dashboard's JSON, so that what is empty, unreadable or
in the wrong unit there looks so here as well.
"""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from e2e.grafana import ALL, Choice, Json, Prometheus, Series, Timing, answer, expand, legend
from pictures.looks import BACKGROUND, BORDER, FAINT, NAMED, PALETTE, PANEL, TEXT, colour, of_name, shown, worded

# Pixels of one unit of Grafana's grid, between panels, and of the line on top.
UNIT_WIDTH: Final = 52
UNIT_HEIGHT: Final = 30
GAP: Final = 5
HEAD: Final = 44
DPI: Final = 100
COLOURS: Final = 96
_LEGEND_ROWS: Final = 4

mpl.rcParams.update({"font.size": 7, "text.color": TEXT, "axes.labelcolor": TEXT, "font.family": "DejaVu Sans"})


class Picture:
    """One dashboard, with values chosen and a time range."""

    def __init__(self, dashboard: Json, chosen: Choice, prometheus: Prometheus, timing: Timing) -> None:
        self._dashboard, self._chosen, self._prometheus, self._timing = dashboard, chosen, prometheus, timing
        self._height = max(box["y"] + box["h"] for box in (each["gridPos"] for each in dashboard["panels"]))
        self._pixels = (24 * UNIT_WIDTH, self._height * UNIT_HEIGHT + HEAD)
        self._figure = Figure(figsize=tuple(size / DPI for size in self._pixels), dpi=DPI, facecolor=BACKGROUND)

    def draw(self, file: Path) -> None:
        """Write the picture as a small PNG file."""
        self._write_head()
        for panel in self._dashboard["panels"]:
            axes = self._axes(panel["gridPos"])
            if panel["type"] == "row":
                axes.text(0, 0.5, f"▾ {self._filled_in(panel['title'])}", fontsize=9, va="center", weight="bold")
                axes.axis("off")
            else:
                self._draw_panel(panel, axes)
        raw = file.with_suffix(".raw.png")
        self._figure.savefig(raw, facecolor=BACKGROUND)
        with Image.open(raw) as image:
            image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
        raw.unlink()

    def _write_head(self) -> None:
        chosen = {name: "All" if values == (ALL,) else " + ".join(values) for name, values in self._chosen.items()}
        until = datetime.fromtimestamp(self._timing.end, UTC)
        text = "     ".join(f"{name.title()}: {value}" for name, value in chosen.items())
        top = 1 - HEAD / 2 / self._pixels[1]
        self._figure.text(0.008, top, self._dashboard["title"], fontsize=12, weight="bold", va="center")
        span = f"{shown(self._timing.end - self._timing.start, 's')} until {until:%Y-%m-%d %H:%M} UTC"
        self._figure.text(0.992, top, f"{text}     {span}", fontsize=8, va="center", ha="right", color=FAINT)

    def _axes(self, box: Json) -> Axes:
        width, height = self._pixels
        left, top = box["x"] * UNIT_WIDTH + GAP, HEAD + box["y"] * UNIT_HEIGHT + GAP
        wide, high = box["w"] * UNIT_WIDTH - 2 * GAP, box["h"] * UNIT_HEIGHT - 2 * GAP
        return self._figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))

    def _inner(self, frame: Axes, *, left: float, bottom: float, right: float = 10, top: float = 26) -> Axes:
        """Return axes within a panel, with this margin in pixels."""
        place = frame.get_position()
        width, height = self._pixels
        return self._figure.add_axes(
            (
                place.x0 + left / width,
                place.y0 + bottom / height,
                place.width - (left + right) / width,
                place.height - (bottom + top) / height,
            )
        )

    def _filled_in(self, text: str) -> str:
        return expand(text, self._chosen, self._dashboard, self._timing)

    def _draw_panel(self, panel: Json, frame: Axes) -> None:
        frame.set(facecolor=PANEL, xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
        frame.spines[:].set_color(BORDER)
        high = frame.get_position().height * self._pixels[1]
        frame.text(0.015, 1 - 12 / high, self._filled_in(panel["title"]), fontsize=8, weight="bold", va="center")
        found = [
            (target, answer(target, self._chosen, self._dashboard, self._prometheus, self._timing))
            for target in panel["targets"]
        ]
        if not any(series for _, series in found):
            frame.text(0.5, 0.45, panel["fieldConfig"]["defaults"]["noValue"], ha="center", va="center", color=FAINT)
            return
        draw = {
            "timeseries": self._lines,
            "stat": self._figure_of,
            "table": self._table,
            "heatmap": self._heat,
            "state-timeline": self._states,
        }
        draw[panel["type"]](panel, frame, found)

    def _lines(self, panel: Json, frame: Axes, found: list[tuple[Json, list[Series]]]) -> None:
        field = panel["fieldConfig"]["defaults"]
        named = [(legend(target, labels), points) for target, series in found for labels, points in series]
        named.sort(key=lambda each: max(value for _, value in each[1]), reverse=True)
        order = sorted({name for name, _ in named})
        rows = min(len(named), _LEGEND_ROWS)
        axes = self._inner(frame, left=46, bottom=24 + 12 * rows)
        stacked = field["custom"]["drawStyle"] == "bars"
        # Bars of either sign are stacked from 0 for themselves.
        beneath = np.zeros((2, len(self._grid())))
        # All of a panel is filled down to one of its series, the lower end of an interval.
        lowest = field["custom"].get("fillBelowTo")
        floor = next((self._on_grid(points) for name, points in named if name == lowest), None)
        for row, (name, points) in enumerate(named):
            special = of_name(panel, name)
            fixed = special.get("color", {}).get("fixedColor")
            paint = NAMED[fixed] if fixed else PALETTE[order.index(name) % len(PALETTE)]
            values = self._on_grid(points)
            if stacked:
                heights = np.nan_to_num(values)
                width, lows = 0.9 * self._timing.interval / 3600, np.where(heights < 0, beneath[1], beneath[0])
                axes.bar(self._hours(), heights, width=width, bottom=lows, color=paint)
                beneath += np.array([np.maximum(heights, 0), np.minimum(heights, 0)])
            else:
                dash = "--" if "custom.lineStyle" in special else "-"
                axes.plot(self._hours(), values, dash, color=paint, linewidth=1.4)
                if floor is not None:
                    opacity = field["custom"]["fillOpacity"] / 100
                    axes.fill_between(self._hours(), floor, values, color=paint, alpha=opacity, linewidth=0)
            if row < _LEGEND_ROWS:
                self._legend_row(
                    frame, rows - 1 - row, paint, name, shown(points[-1][1], field["unit"], field.get("decimals"))
                )
        if field["custom"].get("thresholdsStyle", {}).get("mode") == "dashed":
            self._threshold_lines(axes, field)
        self._style(axes, field)

    def _legend_row(self, frame: Axes, row: int, paint: str, name: str, last: str) -> None:  # row: from below
        high = frame.get_position().height * self._pixels[1]
        y = (9 + 12 * row) / high
        frame.plot([0.02, 0.045], [y, y], color=paint, linewidth=2)
        frame.text(0.06, y, name, va="center", fontsize=6.5)
        frame.text(0.98, y, last, va="center", ha="right", fontsize=6.5)

    def _threshold_lines(self, axes: Axes, field: Json) -> None:
        low, high = axes.get_ylim()
        for step in field["thresholds"]["steps"]:
            # Like Grafana, which does not stretch the axis for a threshold far off.
            if step["value"] is not None and low <= step["value"] <= max(high, 0):
                axes.axhline(step["value"], color=NAMED[step["color"]], linestyle=":", linewidth=1)

    def _style(self, axes: Axes, field: Json) -> None:
        axes.set_facecolor(PANEL)
        axes.spines[:].set_visible(False)
        axes.grid(color=BORDER, linewidth=0.5)
        axes.tick_params(colors=FAINT, length=0, labelsize=6)
        low, high = axes.get_ylim()
        axes.set_ylim(field.get("min", low), field.get("max", high))
        axes.set_xlim(self._hours()[0], self._hours()[-1])
        axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: shown(value, field["unit"]))
        self._time_axis(axes)

    def _time_axis(self, axes: Axes) -> None:
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        seconds = self._timing.end - self._timing.start < 3600

        def label(hours: float, _: object) -> str:
            at = datetime.fromtimestamp(self._timing.end + hours * 3600, UTC)
            return f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"

        axes.xaxis.set_major_formatter(label)

    def _figure_of(self, panel: Json, frame: Axes, found: list[tuple[Json, list[Series]]]) -> None:
        target, series = found[0]
        labels, points = series[0]
        text, paint = worded(panel["fieldConfig"]["defaults"], points[-1][1])
        frame.text(0.5, 0.42, text, fontsize=19, ha="center", va="center", color=paint)
        if target.get("legendFormat"):
            frame.text(0.5, 0.14, legend(target, labels), ha="center", va="center", color=FAINT)

    def _matrix(self, panel: Json, frame: Axes, series: list[Series]) -> None:
        options, field = panel["transformations"][0]["options"], panel["fieldConfig"]["defaults"]
        cells = {(of[options["rowField"]], of[options["columnField"]]): points[-1][1] for of, points in series}
        rows, columns = (sorted({key[place] for key in cells}) for place in (0, 1))
        high = frame.get_position().height * self._pixels[1]
        corner = f"{options['rowField']}\\{options['columnField']}"
        wide = 1 / (len(columns) + 1)
        for place, name in enumerate((corner, *columns)):
            frame.text(0.012 + wide * place, 1 - 32 / high, name, va="center", color=NAMED["blue"])
        for line, row in enumerate(rows):
            y = 1 - (51 + 17 * line) / high
            frame.text(0.012, y, row, va="center")
            for place, column in enumerate(columns, start=1):
                if (row, column) in cells:
                    value, x = cells[row, column], wide * place
                    shade = mpl.colormaps["BuPu_r"](value)
                    frame.barh(y, 0.97 * wide, left=x, height=16 / high, color=shade)
                    frame.text(x + 0.01, y, shown(value, field["unit"], field.get("decimals")), va="center")

    def _table(self, panel: Json, frame: Axes, found: list[tuple[Json, list[Series]]]) -> None:
        if panel["transformations"][0]["id"] == "groupingToMatrix":
            self._matrix(panel, frame, found[0][1])
            return
        options = panel["transformations"][1]["options"]
        columns, rows = table(found, options["renameByName"], options["indexByName"])
        rows = rows[: int((frame.get_position().height * self._pixels[1] - 50) // 17)]
        widths = [max(len(name), *(len(row.get(name, ("", 0))[0]) for row in rows)) + 2 for name in columns]
        edges = list(itertools.accumulate(widths, initial=0))
        high = frame.get_position().height * self._pixels[1]
        for column, edge in zip(columns, edges, strict=False):
            x = 0.012 + 0.976 * edge / edges[-1]
            frame.text(x, 1 - 32 / high, column, va="center", fontsize=7, color=NAMED["blue"])
            thresholds = of_name(panel, column).get("thresholds")
            for number, row in enumerate(rows):
                text, value = row.get(column, ("", None))
                paint = colour(thresholds, value) if thresholds and value is not None else TEXT
                frame.text(x, 1 - (51 + 17 * number) / high, text, va="center", fontsize=7, color=paint)

    def _heat(self, panel: Json, frame: Axes, found: list[tuple[Json, list[Series]]]) -> None:
        ((target, series),) = found
        named = {legend(target, labels): self._on_grid(points) for labels, points in series}
        colours, unit = panel["options"]["color"], panel["fieldConfig"]["defaults"]["unit"]
        if target["format"] == "heatmap":
            bounds = sorted(named, key=float)
            counts = np.diff(np.array([named[bound] for bound in bounds]), axis=0, prepend=0)
            cells, names = np.where(counts > 0, counts, np.nan) ** 0.5, [shown(float(b), unit) for b in bounds]
        else:
            names = sorted(named)
            cells = np.array([named[name] for name in names])
        axes = self._inner(frame, left=30 + 4.5 * max(map(len, names)), bottom=26)
        # Grafana turns these schemes around in the dark theme.
        scheme = f"{colours['scheme']}_r"
        axes.pcolormesh(
            self._hours(), range(len(names)), cells, cmap=scheme, vmin=colours.get("min"), vmax=colours.get("max")
        )
        axes.set_yticks(range(len(names)), names)
        axes.set_facecolor(PANEL)
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=FAINT, length=0, labelsize=6)
        self._time_axis(axes)

    def _states(self, panel: Json, frame: Axes, found: list[tuple[Json, list[Series]]]) -> None:
        field = panel["fieldConfig"]["defaults"]
        named = [(legend(target, labels), points) for target, series in found for labels, points in series]
        axes = self._inner(frame, left=30 + 4.5 * max(len(name) for name, _ in named), bottom=20)
        hours, width = self._hours(), self._timing.interval / 3600
        for row, (_, points) in enumerate(reversed(named)):
            values = self._on_grid(points)
            for value, group in itertools.groupby(zip(hours, values, strict=True), key=lambda each: each[1]):
                spans = list(group)
                if np.isnan(value):
                    continue
                text, paint = worded(field, float(value))
                axes.barh(row, len(spans) * width, left=spans[0][0], height=0.8, color=paint, alpha=0.8)
                if len(spans) * width > 0.06 * (hours[-1] - hours[0]):
                    axes.text(spans[0][0] + len(spans) * width / 2, row, text, ha="center", va="center", color="black")
        axes.set(yticks=range(len(named)), yticklabels=[name for name, _ in reversed(named)])
        axes.set_facecolor(PANEL)
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=FAINT, length=0, labelsize=6.5)
        axes.set_xlim(hours[0], hours[-1])
        self._time_axis(axes)

    def _grid(self) -> Any:
        first = np.floor(self._timing.start / self._timing.interval) * self._timing.interval
        return np.arange(first, self._timing.end + 1e-6, self._timing.interval)

    def _hours(self) -> Any:
        return (self._grid() - self._timing.end) / 3600

    def _on_grid(self, points: list[tuple[float, float]]) -> Any:
        grid = self._grid()
        values = np.full(len(grid), np.nan)
        for at, value in points:
            values[round((at - grid[0]) / self._timing.interval)] = value
        return values


Cell = tuple[str, float | None]


def table(
    found: list[tuple[Json, list[Series]]], names: Mapping[str, str], order: Mapping[str, int]
) -> tuple[list[str], list[dict[str, Cell]]]:
    """Merge the results of a table's queries as Grafana does; return columns, and rows with the highest first."""
    shared = set.intersection(*({*labels} for _, series in found if series for labels, _ in series[:1]))
    rows: dict[tuple[str, ...], dict[str, Cell]] = {}
    for target, series in found:
        column = names[f"Value #{target['refId']}"]
        for labels, points in series:
            row = rows.setdefault(tuple(labels[name] for name in sorted(shared)), {})
            row.update({name: (value, None) for name, value in labels.items()})
            row[column] = (shown(points[-1][1], "short"), points[-1][1])
    present = {name for row in rows.values() for name in row}
    position = {names.get(name, name): place for name, place in order.items()}
    columns = sorted(present, key=lambda name: (position.get(name, len(position)), name))
    first = next(name for name in names.values())
    return columns, sorted(rows.values(), key=lambda row: -cast("float", row.get(first, ("", -1e9))[1]))
