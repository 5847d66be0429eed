"""What pictures are drawn of, as SVG paths: numbers only, so nothing that came from outside is in them.

Pictures have a viewBox of their own and take their colours from the page's classes, for dark, light and print alike.
Names and figures are beside them, as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Of the small pictures of columns, and of lines over days.
WIDTH: Final = 160
HEIGHT: Final = 40
LINE_WIDTH: Final = 640
LINE_HEIGHT: Final = 140
_GAP: Final = 0.2
_MARGIN: Final = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """Two paths in a box of `WIDTH` by `HEIGHT`: what the reference has, filled, and the window over it.

    filled: whether the window's path is an area as well, as bars are, and not a line.
    """

    reference: str
    window: str
    filled: bool


def column_picture(shape: Mapping[str, Any] | None) -> Picture | None:
    """Return the picture of a column, None of one that has no shape."""
    if shape is None:
        return None
    sides = [shape[side] or [] for side in ("reference", "window")]
    highest = max((value for side in sides for value in side), default=0.0) or 1.0
    heights = [[value / highest * (HEIGHT - 1) for value in side] for side in sides]
    if "edges" in shape:
        return Picture(_steps(heights[0], closed=True), _steps(heights[1], closed=False), filled=False)
    return Picture(_bars(heights[0], 0), _bars(heights[1], 1), filled=True)


def _steps(heights: Sequence[float], *, closed: bool) -> str:
    """Return the outline of bins of equal width; closed: along the bottom as well."""
    if not heights:
        return ""
    width = WIDTH / len(heights)
    steps = (f"V{HEIGHT - height:.1f}H{(at + 1) * width:g}" for at, height in enumerate(heights))
    return "".join([f"M0 {HEIGHT}", *steps, f"V{HEIGHT}", "Z" if closed else ""])


def _bars(heights: Sequence[float], side: int) -> str:
    """Return bars side by side, `side` 0 or 1 of each pair."""
    if not heights:
        return ""
    slot = WIDTH / len(heights)
    width = slot * (1 - _GAP) / 2
    starts = (number * slot + slot * _GAP / 2 + side * width for number in range(len(heights)))
    bars = zip(starts, heights, strict=True)
    return "".join(f"M{at:.1f} {HEIGHT}v-{height:.1f}h{width:.1f}v{height:.1f}z" for at, height in bars)


@dataclass(frozen=True, slots=True)
class Lines:
    """A metric over days in a box of `LINE_WIDTH` by `LINE_HEIGHT`: path, dots (x, y), and the height of the baseline.

    low, high: the values at the bottom and the top.
    """

    path: str
    dots: tuple[tuple[float, float], ...]
    baseline: float | None
    low: float
    high: float


def day_lines(values: Sequence[float | None], baseline: float | None) -> Lines | None:
    """Return a line through the days that have a value, broken where there is none; None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    shown = known if baseline is None else [*known, baseline]
    low, high = min(shown), max(shown)
    room = (high - low) or abs(high) or 1.0
    low, high = low - room / 10, high + room / 10

    def down(value: float) -> float:
        return round(LINE_HEIGHT - (value - low) / (high - low) * LINE_HEIGHT, 1)

    step = (LINE_WIDTH - 2 * _MARGIN) / max(1, len(values) - 1)
    parts, dots, drawing = [], [], False
    for number, value in enumerate(values):
        if value is not None:
            at = round(_MARGIN + number * step, 1)
            parts.append(f"{'L' if drawing else 'M'}{at} {down(value)}")
            dots.append((at, down(value)))
        drawing = value is not None
    return Lines("".join(parts), tuple(dots), None if baseline is None else down(baseline), low, high)
