"""How a cost grows with one variable: a fitted line, and what `plots` draws of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .measuring import number

# A measured curve and its line, as JSON takes it.
Series = dict[str, Any]


def fitted(name: str, unit: str, points: Sequence[tuple[float, float]]) -> Series:
    """Fit a + b x to milliseconds by x, each point's relative deviation counting alike; `unit` is one of x."""
    x, y = np.array(points, dtype=np.float64).T
    slope, constant = (float(value) for value in np.polyfit(x, y, 1, w=1 / y))
    line = constant + slope * x
    explained = 1 - np.square(y - line).sum() / np.square(y - y.mean()).sum()
    # Below the smallest the line says nothing, and a logarithmic axis has no place for it.
    drawn = np.maximum(line, y.min() / 10)
    each = f"{number(slope * 1e3)} µs" if abs(slope) < 1 else f"{number(slope)} ms"
    return {
        "name": name,
        "points": [[float(a), float(b)] for a, b in points],
        "line": [float(value) for value in drawn],
        "words": f"{number(constant)} ms + {each} per {unit} (R² {explained:.3f})",
    }


def drawing(file: str, title: str, axis: str, series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one plot: `file` without its suffix."""
    return {"file": file, "title": title, "axis": axis, "series": list(series)}
