"""How cost grows: time by a fitted line, memory by a formula.

With rows per batch, features, categories, windows and grid size; with models, `fleet` says. Time is CPU time of folding
one batch and of all statistics of the windows it fell into, without files, MLflow, store and page. Memory is what a
reference and the panes of one batch keep, as Python's allocator counts it. Only one variable changes at a time; the
others stay at 20 numeric features, 10,000 rows, three windows and a grid of 10,000.
"""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.columns import Columns
from driftgauge.config import Window
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.reference import NumericProfile, Reference

from . import datasets, product
from .fitting import drawing, fitted
from .measuring import Figures, Notes, median, number, say, timed

ROWS: Final = 10_000
REFERENCE_ROWS: Final = 200_000
ROUNDS: Final = 5
# Rows of a batch lie in the last hour, as those of a fresh batch do.
_SECONDS: Final = 3600.0
_HOURS: Final = (1, 3, 6, 12, 24, 72, 168, 720)
# 24 bytes for each point of a numeric grid (the point, the area up to it, rows up to two cells),
# 16 for each occupied cell of a pane, 140 for each category with its name; objects around them come on top.
_POINT_BYTES: Final = 24
_OCCUPIED_BYTES: Final = 16
_CATEGORY_BYTES: Final = 140
_COLUMN_BYTES: Final = 2_000
_PANE_BYTES: Final = 6_000


@dataclass(frozen=True, slots=True)
class Case:
    """One point: what is folded, and by what."""

    x: int
    reference: Columns
    batch: Columns
    windows: Sequence[Window] = product.WINDOWS
    grid: int = 10_000


@dataclass(frozen=True, slots=True)
class Variable:
    """What grows, one of it in a word, under which heading, and its points."""

    file: str
    unit: str
    axis: str
    cases: Callable[[], Sequence[Case]]


def run(notes: Notes) -> None:
    """Measure all variables; leave a table and what the plots need."""
    drawn, lines = [], []
    for variable in VARIABLES:
        points = [(case.x, measured(case)) for case in variable.cases()]
        folding, computing = (
            fitted(words, variable.unit, [(x, figures[name]) for x, figures in points])
            for name, words in (("fold", "folding a batch"), ("statistics", "all statistics"))
        )
        memory = [(x, figures["kept"] / 1e6) for x, figures in points]
        checks = sorted(figures["kept"] / figures["formula"] for _, figures in points)
        drawn.append(drawing(variable.file, f"CPU time by {variable.axis}", variable.axis, [folding, computing]))
        found = f"{number(checks[0])} to {number(checks[-1])}"
        spread = f"{number(memory[0][1])} to {number(memory[-1][1])} MB"
        lines.append(f"| {variable.axis} | {folding['words']} | {computing['words']} | {spread} | {found} |\n")
        say(f"growth {lines[-1].strip()}")
    head = "| | folding a batch | all statistics | kept in memory | measured / formula |\n|---|---|---|---|---|\n"
    notes.figures |= {"drawings": drawn, "table": head + "".join(lines)}


def measured(case: Case) -> Figures:
    """Return the CPU milliseconds of folding and of the statistics, and the bytes kept and predicted."""
    reference = product.compiled(case.reference, grid=case.grid)
    by, pieces = product.terms(reference, case.windows), product.chunks(case.batch)
    delta = product.folded(pieces, by)
    folding = [timed(lambda: product.folded(pieces, by)) for _ in range(ROUNDS)]
    whole = Delta.combine([delta, *_older(case, by)])
    computing = [timed(lambda: product.statistics(whole, reference, by)) for _ in range(ROUNDS)]
    return {
        "fold": median(folding, "cpu") * 1e3,
        "statistics": median(computing, "cpu") * 1e3,
        "kept": kept(lambda: _held(case)),
        "formula": predicted(reference, delta),
    }


def _older(case: Case, by: Terms) -> list[Delta]:
    """Return a row more for each window than the next shorter one has: windows that hold the same are compared once."""
    lengths = sorted(window.seconds for window in case.windows)
    ages = np.array([(shorter + longer) / 2 for shorter, longer in pairwise(lengths)])
    rows = replace(case.batch.take(np.arange(len(ages))), time=((datasets.NOW - ages) * 1e6).astype(np.int64))
    return [product.folded([rows], by)] if len(ages) else []


def _held(case: Case) -> tuple[Reference, Delta]:
    reference = product.compiled(case.reference, grid=case.grid)
    by = product.terms(reference, case.windows)
    # Folded as in a worker, on a layout of its own: the exporter itself makes no tables to look values up in.
    return reference, product.folded(product.chunks(case.batch), replace(by, fitted=deepcopy(by.fitted)))


def kept(make: Callable[[], object]) -> float:
    """Return the bytes that a value holds on to, after everything else made on the way is gone."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        value = make()
        gc.collect()
        allocated = tracemalloc.get_traced_memory()[0] - before
        del value
        return float(allocated)
    finally:
        tracemalloc.stop()


def predicted(reference: Reference, delta: Delta) -> float:
    """Return what the formula of performance.md says that a reference and panes hold (bytes)."""
    points = sum(
        len(profile.areas) * _POINT_BYTES
        if isinstance(profile, NumericProfile)
        else len(profile.counts) * _CATEGORY_BYTES
        for profile in reference.profiles.values()
    )
    columns, panes = len(reference.profiles), delta.predictions.values()
    cells = [grid.cells for grid in reference.layout.grids.values()]
    occupied = sum(min(pane.rows, size) for pane in panes for size in cells)
    objects = columns * _COLUMN_BYTES + len(panes) * (_PANE_BYTES + columns * 400)
    return float(points + occupied * _OCCUPIED_BYTES + objects)


def _rows() -> list[Case]:
    reference = _numeric(1, REFERENCE_ROWS)
    return [Case(rows, reference, _numeric(2, rows)) for rows in (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)]


def _features() -> list[Case]:
    sizes = (5, 10, 20, 50, 100, 200)
    return [Case(n, _numeric(1, 20_000, features=n), _numeric(2, ROWS, features=n)) for n in sizes]


def _categories() -> list[Case]:
    sizes = (10, 30, 100, 300, 1_000, 3_000)
    return [Case(n, _categorical(1, REFERENCE_ROWS, n), _categorical(2, ROWS, n)) for n in sizes]


def _windows() -> list[Case]:
    """Spread the batch over the longest window, so that all panes are there."""
    reference = _numeric(1, REFERENCE_ROWS)
    windows = [Window(f"{hours}h", hours * 3600) for hours in _HOURS]
    return [
        Case(count, reference, _numeric(2, ROWS, seconds=windows[count - 1].seconds), windows[:count])
        for count in range(1, len(windows) + 1)
    ]


def _grids() -> list[Case]:
    reference, batch = _numeric(1, REFERENCE_ROWS), _numeric(2, ROWS)
    return [Case(grid, reference, batch, grid=grid) for grid in (1_000, 3_000, 10_000, 30_000, 100_000)]


def _numeric(seed: int, rows: int, *, features: int = 20, seconds: float = _SECONDS) -> Columns:
    numbers = datasets.numbers(seed, rows=rows, features=features, shift=0.05 * (seed - 1))
    return product.columns(numbers, seconds=seconds)


def _categorical(seed: int, rows: int, categories: int) -> Columns:
    """Return 20 categorical columns with that many categories, the first ones more frequent."""
    rng = np.random.default_rng(seed)
    names = pa.array([f"category {n}" for n in range(categories)])
    drawn = ((rng.random(rows) ** 2 * categories).astype(np.int32) for _ in range(20))
    columns = {f"c{n:02d}": pa.DictionaryArray.from_arrays(pa.array(at), names) for n, at in enumerate(drawn)}
    text = {name: column.cast(pa.string()) for name, column in columns.items()}
    return product.columns({}, categories=text, seconds=_SECONDS)


VARIABLES: Final = (
    Variable("rows", "row", "rows per batch", _rows),
    Variable("features", "feature", "features", _features),
    Variable("categories", "category", "categories of each of 20 features", _categories),
    Variable("windows", "window", "windows", _windows),
    Variable("grid", "point", "grid points (drift.grid)", _grids),
)
