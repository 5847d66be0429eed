"""The level of one look."""

import pytest

from driftgauge.estimate.budget import significance


@pytest.mark.parametrize(
    ("per_year", "pane", "expected"),
    [(1, 3600, 1 / 8760), (1, 120, 1 / 262_800), (12, 21_600, 12 / 1460), (1000, 86_400 * 2, 1.0)],
)
def test_level(per_year: float, pane: int, expected: float) -> None:
    """A year's looks have the budget together; a level is at most 1."""
    assert significance(per_year, pane) == pytest.approx(expected)
