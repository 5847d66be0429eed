"""How a cost grows with one variable: a fitted line, and what `plots` draws of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .measuring import number

# A measured curve and its line, as JSON takes it.
Series = dict[str, Any]


def fitted(name: str, unit: str, points: Sequence[tuple[float, float]]) -> Series:
    """Fit a + b x to milliseconds by x; relative deviations have equal weight, in R² too. `unit` is one of x."""
    x, y = np.array(points, dtype=np.float64).T
    slope, constant = (float(value) for value in np.polyfit(x, y, 1, w=1 / y))
    line = constant + slope * x
    middle = np.average(y, weights=1 / y**2)
    explained = 1 - np.square((y - line) / y).sum() / np.square((y - middle) / y).sum()
    each = f"{number(slope * 1e3)} µs" if abs(slope) < 1 else f"{number(slope)} ms"
    return {
        "name": name,
        "points": [[float(a), float(b)] for a, b in points],
        "line": [constant, slope],
        "words": f"{number(constant)} ms + {each} per {unit} (R² {explained:.3f})",
    }


def drawing(file: str, title: str, axis: str, series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one plot: `file` without its suffix."""
    return {"file": file, "title": title, "axis": axis, "series": list(series)}
