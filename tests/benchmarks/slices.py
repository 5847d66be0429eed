"""How often slices and causes are wrong, as the tables of `exporter/docs/statistics.md`.

Run it with `python -m tests.benchmarks.slices [repeats]`. Each repeat draws a reference and a window of its own.
Columns correlate, and half of them are skewed.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.spatial.distance import jensenshannon

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.columns import CodeArray
from driftgauge.estimate.causes import CellLosses, impact, ranked
from driftgauge.estimate.slices import verdict

Floats = npt.NDArray[np.float64]
# In which features can be ranked.
ORDERS = ("PSI", "impact", "PSI x impact", "JS distance x impact")
Draw = Callable[[np.random.Generator, CodeArray], Floats]
BINS = 10
SEED = 20_261_130


def codes(rng: np.random.Generator, rows: int, columns: int) -> CodeArray:
    """Return bins (n, d); half of the columns are skewed so that their bins have very different shares."""
    values = 0.5 * rng.normal(size=(rows, 1)) + 0.87 * rng.normal(size=(rows, columns))
    ranks = special.ndtr(values)
    ranks[:, 1::2] **= 3
    return np.minimum(ranks * BINS, BINS - 1).astype(np.uint8)


def risk(of: CodeArray, level: float) -> Floats:
    """Return an expected loss of each row that depends on two columns."""
    slope = 0.5 + of[:, 0] / 9 * 0.7 + of[:, 1] / 9 * 0.6
    return np.asarray(level * slope / slope.mean())


def wrong(level: float) -> Draw:
    """Return what draws losses of 0 and 1."""
    return lambda rng, of: (rng.random(len(of)) < risk(of, level)).astype(np.float64)


LOSSES: Mapping[str, Draw] = {
    "2 % wrong": wrong(0.02),
    "8 % wrong": wrong(0.08),
    "25 % wrong": wrong(0.25),
    "normal errors": lambda rng, of: np.abs(rng.normal(size=len(of))) * risk(of, 1),
    "errors with t(3) tails": lambda rng, of: np.abs(rng.standard_t(3, len(of))) * risk(of, 1),
    "lognormal errors": lambda rng, of: rng.lognormal(0, 1, len(of)) * risk(of, 1),
}


def totals(of: CodeArray, losses: Floats, *, binary: bool) -> SliceLosses:
    """Return the losses by slice."""
    counts = (BINS,) * of.shape[1]
    return SliceLosses.fold(of, losses, np.array([len(losses)]), counts, is_binary=binary)[0]


def false_findings(shape: tuple[int, int, int], repeats: int) -> dict[str, float]:
    """Return by kind the share of windows without change that have a finding; shape: both sides' rows, and columns."""
    rng = np.random.default_rng([SEED, *shape])
    *sizes, columns = shape
    found = dict.fromkeys(LOSSES, 0)
    for _ in range(repeats):
        drawn = [codes(rng, rows, columns) for rows in sizes]
        for kind, draw in LOSSES.items():
            sides = [totals(of, draw(rng, of), binary="wrong" in kind) for of in drawn]
            found[kind] += int(verdict(*sides).worse.any())
    return {kind: count / repeats for kind, count in found.items()}


def planted(share: float, rows: int, repeats: int) -> dict[str, float]:
    """Return how often a slice of this share is found in which a fifth of 0/1 losses flip, or errors double."""
    rng = np.random.default_rng([SEED, int(1000 * share), rows])
    found = dict.fromkeys(LOSSES, 0)
    for _ in range(repeats):
        drawn = codes(rng, 20_000, 10), codes(rng, rows, 10)
        # One column has two values, one of the wanted share.
        for of in drawn:
            of[:, 5] = rng.random(len(of)) < share
        at = drawn[1][:, 5] == 1
        for kind, draw in LOSSES.items():
            known, losses = (draw(rng, of) for of in drawn)
            worse = np.where(rng.random(rows) < 0.2, 1 - losses, losses) if "wrong" in kind else 2 * losses
            sides = zip(drawn, (known, np.where(at, worse, losses)), strict=True)
            one, other = (totals(*side, binary="wrong" in kind) for side in sides)
            found[kind] += int(verdict(one, other).worse[5 * (BINS + 1) + 1])
    return {kind: count / repeats for kind, count in found.items()}


def causes(drift: float, noise: float, rows: tuple[int, int], repeats: int) -> dict[str, Any]:
    """Return how often the column that moved is first, or among three, in three orders."""
    rng = np.random.default_rng([SEED, int(100 * drift), int(100 * noise), *rows])
    hits = {name: np.zeros(2) for name in ORDERS}
    edges = special.ndtri(np.arange(1, BINS) / BINS)
    for repeat in range(repeats):
        cause = repeat % 4
        move = np.array([drift * (at == cause) for at in range(4)] + [noise] * 3)
        before, now = rng.normal(size=(rows[0], 7)), rng.normal(size=(rows[1], 7)) + move
        pull = np.maximum(before[:, :4], 0) @ np.array([0.08, 0.12, 0.16, 0.2])
        loss = (rng.random(rows[0]) < 0.05 + 0.5 * np.tanh(pull)).astype(np.float64)
        psi, distances, impacts = {}, {}, {}
        for at in range(7):
            cells = edges.searchsorted(before[:, at])
            of = CellLosses.of(cells, loss[None], BINS)
            p = np.bincount(cells, minlength=BINS) / rows[0]
            q = np.bincount(edges.searchsorted(now[:, at]), minlength=BINS) / rows[1]
            impacts[f"x{at}"] = float(impact(p, q, of.means())[0])
            distances[f"x{at}"] = float(jensenshannon(p, q, base=2))
            p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
            psi[f"x{at}"] = float(((q - p) * np.log(q / p)).sum())
        ones = dict.fromkeys(psi, 1.0)
        pairs = ((psi, ones), (ones, impacts), (psi, impacts), (distances, impacts))
        for name, pair in zip(hits, pairs, strict=True):
            order = ranked(*pair)
            hits[name] += np.array([order[0] == f"x{cause}", f"x{cause}" in order[:3]])
    return {name: (of / repeats).round(3).tolist() for name, of in hits.items()}


def main(repeats: int) -> None:
    """Print the tables."""
    shapes = ((5000, 1000, 20), (20_000, 5000, 12), (5000, 20_000, 8))
    false = [false_findings(shape, repeats) for shape in shapes]
    say(["window without change: share with a finding", *(f"{n:,} / {m:,} rows, {d} columns" for n, m, d in shapes)])
    for kind in LOSSES:
        say([kind, *(f"{100 * of[kind]:.1f} %" for of in false)])
    shares = (0.03, 0.05, 0.1, 0.2, 0.4)
    for rows in (3000, 10_000):
        found = [planted(share, rows, max(20, repeats // 4)) for share in shares]
        say([f"planted change found, {rows:,} rows", *(f"in {share:.0%}" for share in shares)])
        for kind in LOSSES:
            say([kind, *(f"{of[kind]:.2f}" for of in found)])
    say(["true column moved / noise moved, rows", *ORDERS])
    for drift, noise, sizes in (
        (0.8, 1.0, (20_000, 3000)), (0.5, 1.0, (20_000, 3000)), (0.5, 1.0, (5000, 1000)), (0.3, 0.6, (20_000, 3000)),
    ):  # fmt: skip
        orders = causes(drift, noise, sizes, max(40, repeats // 2))
        say([f"{drift} / {noise} sd, {sizes[0]:,} / {sizes[1]:,}", *(f"{a:.2f} / {b:.2f}" for a, b in orders.values())])


def say(cells: list[str]) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
