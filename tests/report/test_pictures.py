"""Pictures as paths: where lines and bars lie, and that there are only numbers in them."""

import re

import pytest

from driftgauge.report.pictures import HEIGHT, LINE_HEIGHT, column_picture, day_lines


def test_bins_are_steps() -> None:
    """The highest bin reaches the top of the box but for its stroke; the reference's area is closed."""
    picture = column_picture({"edges": [0, 1, 2], "reference": [0.25, 0.75], "window": [0.5, 0.5]})

    assert picture is not None
    assert picture.reference == f"M0 {HEIGHT}V27.0H80V1.0H160V{HEIGHT}Z"
    assert picture.window == f"M0 {HEIGHT}V14.0H80V14.0H160V{HEIGHT}"
    assert not picture.filled


def test_values_are_bars() -> None:
    """Each value has two bars side by side."""
    picture = column_picture({"labels": ["a", "b"], "reference": [1.0, 0.0], "window": None})

    assert picture is not None
    assert picture.reference == f"M8.0 {HEIGHT}v-39.0h32.0v39.0zM88.0 {HEIGHT}v-0.0h32.0v0.0z"
    assert (picture.window, picture.filled) == ("", True)


def test_days_are_a_line() -> None:
    """It is broken where a day has no value, and knows where the baseline is."""
    lines = day_lines([0.8, None, 0.9, 1.0], 0.9)

    assert lines is not None
    assert re.fullmatch(r"M10\.0 [\d.]+M\d+\.\d [\d.]+L\d+\.\d [\d.]+", lines.path)
    assert len(lines.dots) == 3
    assert lines.baseline == lines.dots[1][1] == pytest.approx(LINE_HEIGHT / 2)
    assert (lines.low, lines.high) == (pytest.approx(0.78), pytest.approx(1.02))


@pytest.mark.parametrize(("values", "dots"), [([], 0), ([None], 0), ([0.5], 1), ([0.0, 0.0], 2)])
def test_few_days(values: list[float | None], dots: int) -> None:
    """One day is a dot, none is no picture, and days that are all alike are no division by zero."""
    lines = day_lines(values, None)

    assert (len(lines.dots) if lines else 0) == dots
    assert column_picture(None) is None
