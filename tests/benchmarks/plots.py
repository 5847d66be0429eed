"""The plots of exporter/docs/performance.md: measured points and the fitted line, one small SVG for each variable.

matplotlib comes with MLflow. Text stays text, so that the files are small and can be searched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

_SIZE: Final = (5.2, 3.4)
_COLOURS: Final = ("#1f77b4", "#d95f02", "#2ca02c")


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
    for series, colour in zip(drawing["series"], _COLOURS, strict=False):
        points: Sequence[Sequence[float]] = series["points"]
        across, up = zip(*points, strict=True)
        axes.plot(across, up, "o", color=colour, label=series["name"])
        axes.plot(across, series["line"], "-", color=colour, linewidth=1, label=series["words"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(drawing["axis"])
    axes.set_ylabel("ms")
    axes.set_title(drawing["title"])
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False, fontsize=9)
    return figure
