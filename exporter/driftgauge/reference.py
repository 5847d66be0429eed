"""A model's reference, compiled once: the grid everything is counted on and the reference's own counts there.

`compile_reference` turns decoded columns into a `Reference`. The module reads no file and knows no windows. `codec`
stores the result, so that it survives a restart without MLflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import Columns, Facts, FloatArray, IntArray, Note, TextArray
from driftgauge.config import Drift, Scalar
from driftgauge.errors import ReferenceUnusable
from driftgauge.grid import CLASS, DOUBLE, OUTPUT, CategoryGrid, Layout, NumericGrid, in_precision
from driftgauge.schema import ReadAs

# Wide gaps between reference values are divided into about this many parts of the range: the Wasserstein distance is
# exact except where the two distribution functions cross inside a cell, so cells have to be narrow.
_FINE: Final = 4096
# With fewer rows nothing can be compared.
MIN_REFERENCE_ROWS: Final = 2
_NO_POINTS: Final = np.zeros(0)
_OUTPUTS: Final = (OUTPUT, CLASS)
# From this many rows on, that all values differ is no chance.
_MANY_ROWS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile:
    """The reference's values of one numeric column, on its grid of G points.

    ends: (2 G + 1,) int32, how many rows lie up to the end of each cell.
    areas: (G - 1,) area under the distribution function between neighbouring points.
    rows: present values; missing: the others.
    bin_ends: (b - 1,) last cell of each PSI bin but the open last one. low, high: cells of the outlier fences.
    constant: fewer than two distinct values.
    """

    ends: npt.NDArray[np.int32]
    areas: FloatArray
    rows: int
    missing: int
    mean: float
    stddev: float
    bin_ends: IntArray
    low: int
    high: int
    constant: bool


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """The reference's counts (cells,) of one categorical column, `rows` present and `missing` absent values.

    counts: falling, but for the last cell. once, twice: categories with this many rows, also of those in the last cell.
    """

    counts: IntArray
    rows: int
    missing: int
    once: int
    twice: int


Profile = NumericProfile | CategoryProfile


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """`rows` of reference data on `layout`; one profile per column of it. `dropped` features exceed the limit.

    readings: how each feature is read, also those that are left out and have no column. roles: the columns that play a
    role in the reference, with that role; they are features where live rows have them as such. output: those of them
    that the output was read from.
    learned: what signals have to know of the reference's rows, arrays and JSON values by signal.
    """

    layout: Layout
    profiles: Mapping[str, Profile]
    rows: int
    dropped: tuple[str, ...]
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    readings: Mapping[str, ReadAs] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    output: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, ReadAs]:
        """How batches must deliver each feature, those in roles included."""
        of_grids: dict[str, ReadAs] = {
            name: "numeric" if isinstance(grid, NumericGrid) else "categorical"
            for name, grid in self.layout.grids.items()
            if name not in _OUTPUTS
        }
        return of_grids | dict(self.readings)

    @property
    def segment_values(self) -> Mapping[str, Sequence[Sequence[Scalar]]]:
        """By segment that stands for each value of the reference: which values of its features, in their order."""
        found: Mapping[str, Sequence[Sequence[Scalar]]] = self.learned.get("segments", {}).get("values", {})
        return found

    @property
    def features(self) -> tuple[str, ...]:
        """The features that every batch should have."""
        return tuple(name for name in self.layout.grids if name not in _OUTPUTS and name not in self.roles)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        columns = [
            {"name": name, "grid": _grid_state(grid), "profile": _profile_state(self.profiles[name])}
            for name, grid in self.layout.grids.items()
        ]
        return {
            "columns": columns,
            "rows": self.rows,
            "dropped": self.dropped,
            "learned": self.learned,
            "readings": self.readings,
            "roles": self.roles,
            "output": self.output,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the reference that `to_state` described."""
        grids = {column["name"]: _grid_from(column["grid"]) for column in state["columns"]}
        profiles = {column["name"]: _profile_from(column["profile"]) for column in state["columns"]}
        known = state["learned"], state["readings"], state["roles"], tuple(state["output"])
        return cls(Layout(grids), profiles, state["rows"], tuple(state["dropped"]), *known)


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A reference, and the metrics of its labelled rows: {} without labels. notes: what is to be said of its file."""

    reference: Reference
    metrics: Mapping[str, float]
    notes: tuple[Note, ...] = ()


def compile_reference(chunks: Sequence[Columns], *, drift: Drift, max_features: int, max_categories: int) -> Reference:
    """Compile decoded reference rows; raises `ReferenceUnusable` when there are none or no column to monitor."""
    rows = sum(len(chunk) for chunk in chunks)
    if rows < MIN_REFERENCE_ROWS:
        raise ReferenceUnusable(
            f"the reference has {rows} usable rows; drift needs at least {MIN_REFERENCE_ROWS}, better 1,000 or more"
        )
    numbers, categories = _gathered(chunks)
    facts = Facts.combine([chunk.facts for chunk in chunks])
    names = [name for name in (*numbers, *categories) if name not in facts.roles]
    in_roles = [name for name in facts.roles if name in numbers or name in categories]
    readings = dict(facts.readings)
    grids: dict[str, NumericGrid | CategoryGrid] = {}
    profiles: dict[str, Profile] = {}
    for name in (*names[:max_features], *in_roles):
        if name in numbers:
            grids[name], profiles[name] = _numeric(numbers[name], drift, facts.precision.get(name, DOUBLE))
        elif names_each_row(categories[name]):
            readings[name] = "left_out"
        else:
            grids[name], profiles[name] = _categorical(categories[name], max_categories)
    for name, output in _outputs(chunks, facts).items():
        bits = facts.precision.get(OUTPUT, DOUBLE)
        grids[name], profiles[name] = compile_column(output, drift, bits, max_categories)
    if not grids:
        raise ReferenceUnusable("the reference has no feature and no prediction column to compare with")
    dropped = tuple(names[max_features:])
    return Reference(Layout(grids), profiles, rows, dropped, readings=readings, roles=facts.roles, output=facts.output)


def compile_column(
    values: FloatArray | TextArray, drift: Drift, bits: int, max_categories: int
) -> tuple[NumericGrid | CategoryGrid, Profile]:
    """Return the grid of one column, numbers (n,) of so many bits or texts, and the reference's own counts on it."""
    return _numeric(values, drift, bits) if isinstance(values, np.ndarray) else _categorical(values, max_categories)


def _gathered(chunks: Sequence[Columns]) -> tuple[dict[str, FloatArray], dict[str, TextArray]]:
    """Concatenate the chunks column by column; a column that a chunk lacks is missing in its rows."""
    number_names = dict.fromkeys(name for chunk in chunks for name in chunk.numbers)
    text_names = dict.fromkeys(name for chunk in chunks for name in chunk.categories)
    numbers = {
        name: np.concatenate([chunk.numbers.get(name, np.full(len(chunk), np.nan)) for chunk in chunks])
        for name in number_names
        if name not in text_names
    }
    categories = {
        name: pa.concat_arrays(
            [chunk.categories.get(name, pa.nulls(len(chunk), pa.string())).cast(pa.string()) for chunk in chunks]
        )
        for name in text_names
    }
    return numbers, categories


def names_each_row(text: TextArray) -> bool:
    """Tell whether every value is another, of enough to know: then it is an identifier, or text that people wrote."""
    present = len(text) - text.null_count
    return bool(present >= _MANY_ROWS and pc.count_distinct(text, mode="only_valid").as_py() == present)


def _outputs(chunks: Sequence[Columns], facts: Facts) -> dict[str, FloatArray | TextArray]:
    """Return the reference's scores, regression predictions or predicted classes, the first of these it has.

    Beside scores there are the classes, none where these only follow from scores.
    """
    scores = np.concatenate([chunk.score for chunk in chunks])
    predicted = pa.concat_arrays([chunk.predicted for chunk in chunks])
    if pa.types.is_floating(predicted.type):
        values = predicted.to_numpy(zero_copy_only=False)
        return {OUTPUT: values} if predicted.null_count < len(predicted) else {}
    if facts.has_scores:
        # What stands for a class in a column of scores is a score.
        bare = pc.if_else(pc.is_in(predicted, value_set=pa.array(["0", "1"])), predicted, pa.scalar(None, pa.string()))
        values = pc.fill_null(bare.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
        scores = np.where(np.isnan(scores), values, scores)
    if np.isfinite(scores).any():
        written = facts.has_classes and not facts.has_scores
        return {OUTPUT: scores, CLASS: predicted if written else pa.nulls(len(predicted), pa.string())}
    return {OUTPUT: predicted} if predicted.null_count < len(predicted) else {}


def _numeric(values: FloatArray, drift: Drift, bits: int) -> tuple[NumericGrid, NumericProfile]:
    ordered = np.sort(in_precision(values[np.isfinite(values)], bits))
    missing = len(values) - len(ordered)
    if not len(ordered):
        grid = NumericGrid(_NO_POINTS, bits)
        none, empty = np.zeros(0, np.int64), np.zeros(1, np.int32)
        return grid, NumericProfile(empty, _NO_POINTS, 0, missing, 0.0, 0.0, none, 0, 0, constant=True)
    edges, fences = _bin_edges(ordered, drift), _fences(ordered)
    grid = NumericGrid(np.union1d(_points(ordered, drift.grid), np.concatenate([edges, fences])), bits)
    ((cells, *tally),) = grid.tallies(ordered, np.array([len(ordered)]))
    counts, sums = np.zeros(grid.cells, np.int64), np.zeros(grid.cells)
    counts[cells], sums[cells] = tally
    ends = counts.cumsum()
    # Values near the largest double overflow; what is not finite is left out.
    with np.errstate(over="ignore", invalid="ignore"):
        distances = ordered - grid.center
        mean, stddev = grid.center + float(distances.mean()), float(distances.std())
    profile = NumericProfile(
        ends=ends.astype(np.int32),  # No machine has the memory for rows that 32 bits could not count.
        areas=areas_under(grid.centered, ends, counts, sums),
        rows=len(ordered),
        missing=missing,
        mean=mean,
        stddev=stddev,
        bin_ends=grid.locate(edges),
        low=grid.cell_at(fences[0]),
        high=grid.cell_at(fences[1]),
        constant=bool(ordered[0] == ordered[-1]),
    )
    return grid, profile


def areas_under(points: FloatArray, ends: IntArray, counts: IntArray, sums: FloatArray) -> FloatArray:
    """Return the area (G - 1,) under a distribution function between neighbouring `points` (G,).

    ends, counts, sums: (2 G + 1,) values up to the end of each cell, in it, and their sum, counted from the same zero
    as `points`; at least one value.
    """
    # Values near the largest double overflow; a distance that is not finite is left out.
    with np.errstate(over="ignore", invalid="ignore"):
        # Each value between two points adds to the area from itself on.
        inside = points[1:] * counts[2:-1:2] - sums[2:-1:2]
        return np.asarray((ends[1:-2:2] * np.diff(points) + inside) / ends[-1])


def _bin_edges(ordered: FloatArray, drift: Drift) -> FloatArray:
    """Return the inner edges of the PSI bins; bins are (edge, edge] with open ends. Ties merge quantile bins."""
    inner = np.linspace(0, 1, drift.bins + 1)[1:-1]
    half = _halving(ordered)
    if drift.binning == "quantile":
        return np.unique(np.quantile(ordered * half, inner) / half)
    low, high = ordered[[0, -1]] * half
    return np.unique((low + inner * (high - low)) / half)


def _fences(ordered: FloatArray) -> FloatArray:
    """Return the two outlier fences; the largest doubles where they are beyond these."""
    half, largest = _halving(ordered), np.finfo(np.float64).max
    q1, q3 = np.quantile(ordered * half, [0.25, 0.75])
    with np.errstate(over="ignore"):
        fences: FloatArray = np.array([q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)]) / half
    return fences.clip(-largest, largest)


def _halving(ordered: FloatArray) -> float:
    """Return by what ascending values are multiplied so that the distance of any two is a number: mostly 1."""
    with np.errstate(over="ignore"):
        return 1.0 if np.isfinite(ordered[-1] - ordered[0]) else 0.5


def _points(ordered: FloatArray, limit: int) -> FloatArray:
    """Return every distinct value, or `limit` of them at even ranks: between two lie < 1 / limit of the rows.

    Points between them are added wherever the gap is wide, and evenly where there are few values.
    """
    # Not np.unique, which would sort again.
    distinct: FloatArray = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    if len(distinct) > limit:
        distinct = np.unique(ordered[np.linspace(0, len(ordered) - 1, limit).round().astype(np.int64)])
    if len(distinct) < 2:
        return distinct
    half = _halving(distinct)
    gaps = np.diff(distinct * half)
    parts = np.maximum(np.ceil(gaps / gaps.sum() * _FINE), _FINE // len(distinct) + 1).astype(np.int64)
    ends = np.cumsum(parts)
    at = np.arange(ends[-1] + 1)
    return np.union1d(distinct, np.interp(at, np.concatenate([[0], ends]), distinct * half) / half)


def _categorical(text: TextArray, limit: int) -> tuple[CategoryGrid, CategoryProfile]:
    counted = text.drop_null().value_counts()
    pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
    ranked = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
    kept, others = ranked[:limit], ranked[limit:]
    counts = np.array([*(count for count, _ in kept), sum(count for count, _ in others)], dtype=np.int64)
    grid = CategoryGrid(tuple(name for _, name in kept), frozenset(name for _, name in others))
    once, twice = (sum(count == times for count, _ in ranked) for times in (1, 2))
    return grid, CategoryProfile(counts, int(counts.sum()), len(text) - int(counts.sum()), once, twice)


def _grid_state(grid: NumericGrid | CategoryGrid) -> dict[str, Any]:
    if isinstance(grid, NumericGrid):
        return {"points": grid.points, "bits": grid.bits}
    return {"categories": grid.categories, "others": sorted(grid.others)}


def _grid_from(state: dict[str, Any]) -> NumericGrid | CategoryGrid:
    if "points" in state:
        return NumericGrid(state["points"], state["bits"])
    return CategoryGrid(tuple(state["categories"]), frozenset(state["others"]))


def _profile_state(profile: Profile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in profile.__slots__}


def _profile_from(state: dict[str, Any]) -> Profile:
    if "ends" in state:
        return NumericProfile(**(state | {"ends": state["ends"].astype(np.int32)}))
    return CategoryProfile(**state)
