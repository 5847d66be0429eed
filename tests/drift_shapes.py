"""Columns of many shapes, and how often the product flags them without drift, or finds a shift.

`make alarms` prints the tables of docs/statistics.md; tests/test_drift_verdict.py runs a part of them. Everything is
drawn from fixed seeds.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from data_builders import a_model, make_columns
from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import Columns
from driftgauge.drift import compare, flags
from driftgauge.reference import Reference, compile_reference

SEED: Final = 20260105
LIMIT: Final = 200
DRIFT: Final = a_model().drift
Draw = Callable[[np.random.Generator, int], Any]


def categories(shares: Sequence[float] | np.ndarray[Any, Any]) -> Draw:
    """Return what draws categories, named by their numbers, with these shares."""
    edges = np.cumsum(np.asarray(shares) / np.sum(shares))
    names = pa.array([f"shop {number}" for number in range(len(edges))])

    def draw(rng: np.random.Generator, rows: int) -> Any:
        codes = np.minimum(np.searchsorted(edges, rng.random(rows)), len(edges) - 1)
        return names.take(pa.array(codes))

    return draw


def uniform(count: int) -> Draw:
    """Return what draws this many categories, equally frequent."""
    return categories(np.ones(count))


def zipf(count: int, exponent: float = 1) -> Draw:
    """Return what draws this many categories by Zipf's law."""
    return categories(1 / np.arange(1, count + 1) ** exponent)


CATEGORIES: Final[Mapping[str, Draw]] = {
    **{f"{count:,} categories, uniform": uniform(count) for count in (2, 20, 200, 500, 5000, 50_000)},
    **{f"{count:,} categories, Zipf": zipf(count) for count in (20, 200, 2000, 50_000)},
    "60 categories, nearly all in one": zipf(60, 2.5),
    "3 categories, one with 0.5 %": categories([0.6, 0.395, 0.005]),
    "2 categories, one with 0.1 %": categories([0.999, 0.001]),
}
NUMBERS: Final[Mapping[str, Draw]] = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "mixture of two": lambda rng, rows: np.where(
        rng.random(rows) < 0.3, rng.normal(-4, 1, rows), rng.normal(3, 0.2, rows)
    ),
    "rounded": lambda rng, rows: rng.normal(40, 12, rows).round(),
    "heavy ties": lambda rng, rows: rng.normal(0, 1, rows).round(),
    "integers 0 to 4": lambda rng, rows: rng.integers(0, 5, rows).astype(np.float64),
    "counts": lambda rng, rows: rng.poisson(3, rows).astype(np.float64),
    "zero or one": lambda rng, rows: (rng.random(rows) < 0.3).astype(np.float64),
    "zero or one, 0.1 % ones": lambda rng, rows: (rng.random(rows) < 0.001).astype(np.float64),
    "prices": lambda rng, rows: rng.choice([0.99, 4.99, 9.99, 19.99], rows, p=[0.4, 0.3, 0.2, 0.1]),
    "zero-inflated": lambda rng, rows: np.where(rng.random(rows) < 0.7, 0, rng.lognormal(2, 1, rows).round(2)),
    "skewed": lambda rng, rows: rng.lognormal(0, 2, rows),
    "heavy-tailed": lambda rng, rows: rng.standard_cauchy(rows),
    "times in seconds": lambda rng, rows: 1.76e9 + rng.integers(0, 86_400 * 30, rows),
    "nearly constant": lambda rng, rows: np.where(rng.random(rows) < 0.002, rng.normal(size=rows), 7.0),
    "constant": lambda _, rows: np.full(rows, 7.0),
}
SHAPES: Final = {**CATEGORIES, **NUMBERS}


def rows_of(columns: Mapping[str, Draw], rng: np.random.Generator, rows: int) -> Columns:
    """Draw rows of these columns."""
    drawn = {name: draw(rng, rows) for name, draw in columns.items()}
    texts = {name: values for name, values in drawn.items() if isinstance(values, pa.Array)}
    return make_columns(rows, numbers={n: v for n, v in drawn.items() if n not in texts}, categories=texts)


def judged(
    reference: Reference,
    columns: Mapping[str, Draw],
    rng: np.random.Generator,
    windows: Sequence[int],
    limit: int = LIMIT,
) -> Iterator[dict[str, bool]]:
    """Yield the flags of each window, of so many rows, of these columns."""
    live, ends = rows_of(columns, rng, sum(windows)), np.cumsum(windows)
    for window in Distribution.fold(reference.layout, live.numbers, live.categories, ends, limit=limit):
        yield flags(compare(reference, window), DRIFT)


def compiled(columns: Mapping[str, Draw], rng: np.random.Generator, rows: int, limit: int = LIMIT) -> Reference:
    """Draw and compile a reference of these columns."""
    return compile_reference([rows_of(columns, rng, rows)], drift=DRIFT, max_features=500, max_categories=limit)


@dataclass
class Share:
    """How many of the judged columns were flagged."""

    flagged: int = 0
    judged: int = 0

    def add(self, flags: Mapping[str, bool]) -> None:
        """Count the flags of a window."""
        self.flagged, self.judged = self.flagged + sum(flags.values()), self.judged + len(flags)

    def __add__(self, other: "Share") -> "Share":
        """Return both together."""
        return Share(self.flagged + other.flagged, self.judged + other.judged)

    def __str__(self) -> str:
        """Return the share in per cent."""
        return f"{100 * self.flagged / self.judged:.1f} %"


def without_drift(
    columns: Mapping[str, Draw], *, references: int, rows: int, windows: Sequence[int], seed: int, limit: int = LIMIT
) -> dict[int, Share]:
    """Return, by the rows of the window, how many columns are flagged that did not move, over so many references."""
    found = {size: Share() for size in windows}
    for number in range(references):
        rng = np.random.default_rng([SEED, seed, rows, number])
        reference = compiled(columns, rng, rows, limit)
        for size, of_window in zip(windows, judged(reference, columns, rng, windows, limit), strict=True):
            found[size].add(of_window)
    return found


def caught(
    columns: Mapping[str, Draw], moved: Draw, *, references: int, rows: int, windows: Sequence[int], seed: int
) -> Share:
    """Return in how many windows the first column is flagged, which has moved; the others have not."""
    found, first = Share(), next(iter(columns))
    for number in range(references):
        rng = np.random.default_rng([SEED, seed, rows, number])
        reference = compiled(columns, rng, rows)
        for of_window in judged(reference, {**columns, first: moved}, rng, windows):
            found.add({first: of_window[first]})
    return found


def with_new(draw: Draw, share: float, names: int = 1) -> Draw:
    """Replace this share of the rows by new categories."""

    def moved(rng: np.random.Generator, rows: int) -> Any:
        fresh = np.char.add("new ", rng.integers(0, names, rows).astype(str))
        return pa.array(np.where(rng.random(rows) < share, fresh, draw(rng, rows).to_numpy(zero_copy_only=False)))

    return moved


def shifted(by: float) -> Draw:
    """Return a normal distribution that has moved by so many deviations."""
    return lambda rng, rows: rng.normal(by, 1, rows)


def with_more(draw: Draw, share: float, name: str) -> Draw:
    """Replace this share of the rows by a category that there was."""
    return lambda rng, rows: pa.array(
        np.where(rng.random(rows) < share, name, draw(rng, rows).to_numpy(zero_copy_only=False))
    )


SHIFTS: Final[Mapping[str, tuple[Mapping[str, Draw], Draw]]] = {
    "a number moved by 0.3 deviations": ({"x": NUMBERS["normal"]}, shifted(0.3)),
    "the same, one of twenty columns": (
        {"x": NUMBERS["normal"], **{f"y{number}": NUMBERS["normal"] for number in range(19)}},
        shifted(0.3),
    ),
    **{
        f"a new category with 10 %, {count:,} {words}": ({"x": of(count)}, with_new(of(count), 0.1))
        for words, of in (("uniform", uniform), ("Zipf", zipf))
        for count in (20, 200, 2000)
    },
    "ten new categories with 10 % together, 200 Zipf": ({"x": zipf(200)}, with_new(zipf(200), 0.1, 10)),
    "a rare category rose to 10 %, 200 Zipf": ({"x": zipf(200)}, with_more(zipf(200), 0.1, "shop 180")),
    "a constant of which a tenth moved": (
        {"x": NUMBERS["constant"]},
        lambda rng, rows: np.where(rng.random(rows) < 0.1, 8.0, 7.0),
    ),
    "one in a thousand ones became one in ten": (
        {"x": NUMBERS["zero or one, 0.1 % ones"]},
        lambda rng, rows: (rng.random(rows) < 0.1).astype(np.float64),
    ),
}
# Rows of a window, and how many of these are drawn against each reference; rows of references, and how many of these.
WINDOWS: Final = {50: 10, 200: 10, 1000: 5, 5000: 2}
REFERENCES: Final = {50: 80, 1000: 80, 5000: 20, 100_000: 4, 1_000_000: 1}
LARGE: Final = (100_000, 1_000_000)


def tell(*cells: object) -> None:
    """Print a line of a table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def table() -> None:
    """Print how often columns are flagged, by shape and rows of the window, and which shifts are found."""
    windows = [size for size, times in WINDOWS.items() for _ in range(times)]
    tell("shape", *(f"{size:,} rows" for size in WINDOWS))
    tell("---", *("---:" for _ in WINDOWS))
    for seed, (name, draw) in enumerate(SHAPES.items()):
        found = {size: Share() for size in WINDOWS}
        for rows, references in REFERENCES.items():
            more = without_drift({"x": draw}, references=references, rows=rows, windows=windows, seed=seed)
            found = {size: found[size] + share for size, share in more.items()}
        tell(name, *found.values())
    large = dict.fromkeys(LARGE, Share())
    for rows in REFERENCES:
        for seed, draw in enumerate(SHAPES.values()):
            found = without_drift({"x": draw}, references=1, rows=rows, windows=LARGE, seed=seed)
            large = {size: large[size] + share for size, share in found.items()}
    tell("all shapes", *(f"{size:,} rows: {share}" for size, share in large.items()))
    for seed, (name, (columns, moved)) in enumerate(SHIFTS.items()):
        tell(name, caught(columns, moved, references=10, rows=5000, windows=[500] * 20, seed=seed))


if __name__ == "__main__":
    table()
