"""What looks at all features together, without drift, with it, and in seconds.

Run by `PYTHONPATH=tests python -m tests.benchmarks.together`. The tables go into exporter/docs/statistics.md. The data
and seeds are not those that methods were chosen on.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from data_builders import a_model, features
from driftgauge.columns import Columns
from driftgauge.config import Drift, Limits
from driftgauge.reference import Reference, compile_reference
from driftgauge.signals import Basis, anomalies, fit_all, fold_one, multivariate, reconstruction
from driftgauge.signals.anomalies import Anomalies, FittedAnomalies
from driftgauge.signals.joint import fold_jointly
from driftgauge.signals.multivariate import FittedMultivariate, Frequencies
from driftgauge.signals.reconstruction import FittedReconstruction, Residuals

Floats = npt.NDArray[np.float64]
JOINT: Final = {"reconstruction": reconstruction, "multivariate": multivariate, "anomalies": anomalies}
SIZES: Final = ((500, 500), (2_000, 2_000), (2_000, 20_000), (20_000, 2_000))
# One window each: windows of one reference are hardly more than one where they have more rows than it has.
REFERENCES: Final = 200


def correlated(rng: np.random.Generator, rows: int) -> Columns:
    """Return ten numbers of three hidden causes with t-distributed noise."""
    mixing = np.random.default_rng(77).normal(size=(10, 3))
    found = mixing @ rng.normal(size=(3, rows)) + rng.standard_t(4, (10, rows))
    return features(**{f"x{at}": column for at, column in enumerate(found)})


def mixed(rng: np.random.Generator, rows: int) -> Columns:
    """Return skewed numbers with gaps, and categories of which some are rare, that depend on each other."""
    size = rng.lognormal(0, 1, rows)
    plan = np.clip(np.floor(np.log(size) + rng.normal(0, 0.7, rows)) + 2, 0, 5).astype(int)
    region = rng.choice(12, rows, p=np.arange(12, 0, -1) / 78)
    age = rng.normal(40, 12, rows)
    age[rng.random(rows) < 0.08] = np.nan
    return features(
        size=size,
        age=age,
        visits=rng.poisson(1 + plan).astype(float),
        flag=(rng.random(rows) < 0.03).astype(float),
        plan=[f"p{at}" for at in plan],
        region=[f"r{at}" for at in region],
    )


def bent(rng: np.random.Generator, rows: int) -> Columns:
    """Return eight numbers that depend on each other, but hardly by correlation."""
    x = rng.normal(size=(6, rows))
    found = [*x[:4], np.cos(2 * x[0]) + 0.3 * x[4], x[1] * x[2] + 0.3 * x[5], np.abs(x[3]), rng.uniform(size=rows)]
    return features(**{f"x{at}": column for at, column in enumerate(found)})


KINDS: Final[dict[str, Callable[[np.random.Generator, int], Columns]]] = {
    "correlated10": correlated,
    "mixed6": mixed,
    "bent8": bent,
}


def changed(rows: Columns, how: str, rng: np.random.Generator) -> Columns:
    """Return rows of which no feature moves but its dependence on the others does, or of which some are odd."""
    numbers = {name: column.copy() for name, column in rows.numbers.items()}
    name = list(numbers)[5 if len(numbers) > 5 else 0]
    share = {"a column shuffled": 1.0, "shuffled in 30 %": 0.3}[how]
    at = np.flatnonzero(rng.random(len(rows)) < share)
    numbers[name][at] = numbers[name][rng.permutation(at)]
    return Columns(**{field: getattr(rows, field) for field in rows.__slots__} | {"numbers": numbers})


def learned(rows: Columns) -> Reference:
    """Compile a reference, with what the joint signals learn of it only."""
    found = compile_reference([rows], drift=Drift(grid=100), max_features=500, max_categories=200)
    return replace(found, learned={name: each.learn([rows], found, a_model()) for name, each in JOINT.items()})


def verdicts(reference: Reference, rows: Columns, size: int) -> Iterator[tuple[Any, ...]]:
    """Yield for each window of so many rows: p, both flags, and the shares beyond both cuts."""
    basis = Basis(a_model(), Limits(), reference)
    fitted = {name: each.fit(basis) for name, each in JOINT.items()}
    judge, errors, far = fitted["multivariate"], fitted["reconstruction"], fitted["anomalies"]
    assert isinstance(judge, FittedMultivariate)
    assert isinstance(errors, FittedReconstruction)
    assert isinstance(far, FittedAnomalies)
    found = fold_jointly(
        {"multivariate": judge, "reconstruction": errors, "anomalies": far}, rows, np.arange(size, len(rows) + 1, size)
    )
    of_windows = zip(found["multivariate"], found["reconstruction"], found["anomalies"], strict=True)
    for sums, residuals, unusual in of_windows:
        assert isinstance(sums, Frequencies)
        assert isinstance(residuals, Residuals)
        assert isinstance(unusual, Anomalies)
        compared = judge.compare(sums)
        yield (
            compared.pvalue if compared else None,
            judge.is_detected(sums, significance=judge.significance),
            errors.is_detected(residuals, significance=errors.significance),
            *(beyond / size for beyond in unusual.beyond[: len(far.surroundings.cuts)]),
        )


def report(label: str, found: Sequence[tuple[Any, ...]]) -> None:
    """Print a row of a table."""
    ps, joint, errors, *shares = zip(*found, strict=True)
    flagged = " | ".join(f"{np.mean([flag is True for flag in flags]):.3f}" for flags in (joint, errors))
    few = f"{np.mean(np.array(ps) < 0.05):.3f} | {flagged}"
    print(f"| {label} | {few} | {' '.join(f'{np.mean(share):.4f}' for share in shares)} |", flush=True)  # noqa: T201


def without_drift() -> None:
    """Print how often flags are raised where nothing changed."""
    for kind, draw in KINDS.items():
        for known, size in SIZES:
            found: list[tuple[Any, ...]] = []
            for seed in range(REFERENCES):
                rng = np.random.default_rng([seed, known, size, 9])
                found += verdicts(learned(draw(rng, known)), draw(rng, size), size)
            report(f"{kind} | {known:,} | {size:,}", found)


def with_drift() -> None:
    """Print how often flags are raised where the dependence of one column on the others changed."""
    for kind, draw in KINDS.items():
        for how in ("a column shuffled", "shuffled in 30 %"):
            found: list[tuple[Any, ...]] = []
            for seed in range(REFERENCES // 4):
                rng = np.random.default_rng([seed, 31])
                found += verdicts(learned(draw(rng, 5_000)), changed(draw(rng, 2_000), how, rng), 2_000)
            report(f"{kind}, {how} | 5,000 | 2,000", found)


def cost(columns: int, rows: int) -> None:
    """Print CPU seconds per million rows of the fold without the three signals, with each and with all."""
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(columns, columns)) / np.sqrt(columns)
    known, live = (
        features(**{f"x{at}": column for at, column in enumerate(mixing @ rng.normal(size=(columns, count)))})
        for count in (20_000, rows)
    )
    started = time.process_time()
    reference = compile_reference([known], drift=Drift(), max_features=500, max_categories=200)
    plain = time.process_time() - started
    found = {}
    for name, each in JOINT.items():
        started = time.process_time()
        found[name] = each.learn([known], reference, a_model())
        print(f"{columns} columns, learn {name}: {time.process_time() - started:.2f} s")  # noqa: T201
    print(f"{columns} columns, compile: {plain:.2f} s")  # noqa: T201
    reference = replace(reference, learned=found)
    for names in ((), *((name,) for name in JOINT), tuple(JOINT)):
        fitted = fit_all(Basis(a_model(signals=list(names)), Limits(), reference))
        best = np.inf
        for _ in range(3):
            started = time.process_time()
            fold_one(live, fitted, "predictions")
            best = min(best, time.process_time() - started)
        of = ", ".join(names) or "none of the three"
        print(f"{columns} columns, {of}: {best * 1e6 / rows:.3f} s per million rows", flush=True)  # noqa: T201


if __name__ == "__main__":
    with threadpool_limits(1):
        wanted = sys.argv[1:] or ["cost", "without", "with"]
        if "cost" in wanted:
            cost(20, 131_072)
            cost(500, 16_384)
        if "without" in wanted:
            without_drift()
        if "with" in wanted:
            with_drift()
