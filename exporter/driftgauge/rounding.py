"""A column in fewer bits: reference and window as they are when all values are rounded to single or half precision.

A column that is float32 on either side is compared in float32. Where the reference has fewer bits, its grid says so and
window values are rounded before they are counted. Where the window has fewer, its values are counted on the points they
come from (`NumericGrid.tallies`), and the points that become one value are joined here, on both sides.
"""

from dataclasses import replace

import numpy as np

from driftgauge.columns import FloatArray, IntArray
from driftgauge.grid import NumericGrid, in_precision
from driftgauge.reference import NumericProfile, areas_under


def coarsened(
    grid: NumericGrid, profile: NumericProfile, counts: IntArray, sums: FloatArray, *, bits: int
) -> tuple[NumericGrid, NumericProfile, IntArray, FloatArray]:
    """Return grid, profile, and a window's counts and sums (2 G + 1,) on it, all of them in the precision of `bits`."""
    points = in_precision(grid.points, bits)
    if not profile.rows or (len(points) > 1 and (np.diff(points) > 0).all()):
        # The points stay apart, so the cells are the same ones.
        return grid, profile, counts, sums
    coarse, group = np.unique(points, return_inverse=True)
    target = NumericGrid(coarse, bits)
    cells = _cells(group)
    own = np.diff(profile.ends, prepend=np.int32(0)).astype(np.int64)
    of_window = np.bincount(cells, counts, target.cells).astype(np.int64)
    return target, _profile(grid, profile, target, cells, own), of_window, _sums(grid, target, cells, counts, sums)


def _cells(group: IntArray) -> IntArray:
    """Return the new cell (2 G + 1,) of each old one; group: (G,) the new point of each old one."""
    cells = np.empty(2 * len(group) + 1, np.int64)
    cells[1::2] = 2 * group + 1
    cells[0], cells[-1] = 0, 2 * group[-1] + 2
    # A gap between two points that become one becomes part of that.
    cells[2:-1:2] = np.where(group[1:] == group[:-1], 2 * group[1:] + 1, 2 * group[1:])
    return cells


def _sums(grid: NumericGrid, target: NumericGrid, cells: IntArray, counts: IntArray, sums: FloatArray) -> FloatArray:
    """Return the sums on the new cells, which are of distances from another center."""
    with np.errstate(over="ignore", invalid="ignore"):
        moved = sums + counts * (grid.center - target.center)
        return np.asarray(np.bincount(cells, moved, target.cells), np.float64)


def _profile(
    grid: NumericGrid, profile: NumericProfile, target: NumericGrid, cells: IntArray, own: IntArray
) -> NumericProfile:
    counts = np.bincount(cells, own, target.cells).astype(np.int64)
    sums = _sums(grid, target, cells, own, _own_sums(grid, profile, own))
    ends = counts.cumsum()
    return replace(
        profile,
        ends=ends.astype(np.int32),
        areas=areas_under(target.centered, ends, counts, sums),
        bin_ends=np.unique(cells[profile.bin_ends]),
        low=int(cells[profile.low]),
        high=int(cells[profile.high]),
        constant=int(np.count_nonzero(counts)) < 2,
    )


def _own_sums(grid: NumericGrid, profile: NumericProfile, own: IntArray) -> FloatArray:
    """Return the sums (2 G + 1,) of the reference's values between points, from the areas; 0 elsewhere."""
    points, sums = grid.centered, np.zeros(grid.cells)
    with np.errstate(over="ignore", invalid="ignore"):
        inside = profile.areas * profile.rows - profile.ends[1:-2:2] * np.diff(points)
        sums[2:-1:2] = points[1:] * own[2:-1:2] - inside
    return sums
