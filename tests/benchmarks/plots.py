"""The plots of exporter/docs/performance.md: measured points and the fitted line, one small SVG for each variable.

matplotlib comes with MLflow. Text stays text, so that the files are small and can be searched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .measuring import number

_SIZE: Final = (5.2, 3.9)
_COLOURS: Final = ("#1f77b4", "#d95f02")
_LINE_POINTS: Final = 40
# Where x spans less, the axis is linear: of a logarithmic one there would be a corner only.
_DECADE: Final = 10


def draw(drawings: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Draw one SVG each into the folder."""
    folder.mkdir(exist_ok=True)
    # A fixed salt, so that unchanged results give an unchanged file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "driftgauge", "font.size": 10}):
        for drawing in drawings:
            _plot(drawing).savefig(folder / f"{drawing['file']}.svg", metadata={"Date": None, "Creator": None})


def _plot(drawing: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=_SIZE, layout="constrained", facecolor="white")
    axes = figure.subplots()
    for series, colour in zip(drawing["series"], _COLOURS, strict=True):
        _draw_series(axes, series, colour)
    reach = [x for series in drawing["series"] for x, _ in series["points"]]
    if max(reach) >= _DECADE * min(reach):
        axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(_some))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(drawing["axis"])
    axes.set_ylabel("ms")
    axes.set_title(drawing["title"], fontsize=11)
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=1)
    return figure


def _draw_series(axes: Axes, series: Mapping[str, Any], colour: str) -> None:
    across, up = (np.array(values) for values in zip(*series["points"], strict=True))
    constant, slope = series["line"]
    along = np.geomspace(across.min(), across.max(), _LINE_POINTS)
    line = constant + slope * along
    axes.plot(across, up, "o", color=colour, label=f"{series['name']}: {series['words']}")
    # Where the line falls below zero a logarithmic axis has no place for it.
    axes.plot(along, np.where(line > 0, line, np.nan), "-", color=colour, linewidth=1)


def _some(value: float, _: object) -> str:
    """Name the 2s and 5s between powers of ten: an axis that spans less than one has no other numbers."""
    digit = f"{value:e}"[0]
    return number(value) if digit in "25" else ""
