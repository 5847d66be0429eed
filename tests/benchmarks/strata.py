"""How far estimates of regressions may be trusted: bands and concept test over many references, windows and shifts.

`python -m tests.benchmarks.strata` prints the tables of statistics.md. Some minutes.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

sys.path.insert(0, str(Path(__file__).parents[1]))

from data_builders import a_model, make_columns
from driftgauge.columns import Columns, FloatArray
from driftgauge.config import Drift, Limits
from driftgauge.reference import compile_reference
from driftgauge.signals import Basis
from driftgauge.signals.strata import FittedLabelledStrata, fit_labelled, learn
from nannyml_data import data_set

METRICS: Final = ("mae", "mse", "rmse")
MODEL: Final = a_model(task="regression")
# How strongly a random shift weighs rows by the ranks of two columns.
_TILT: Final = 2.0


class Pool(NamedTuple):
    """Rows to draw from: features (n, d), of which the last `categories` are codes, predictions and labels (n,)."""

    features: FloatArray
    categories: int
    predicted: FloatArray
    label: FloatArray

    def columns(self, at: Any, label: FloatArray | None = None) -> Columns:
        """Return some of the rows, maybe with other labels."""
        rows = self.features[at]
        numeric = rows.shape[1] - self.categories
        return make_columns(
            len(rows),
            predicted=self.predicted[at],
            label=self.label[at] if label is None else label,
            numbers={f"x{column}": rows[:, column] for column in range(numeric)},
            categories={
                f"c{column}": [f"v{value:.0f}" for value in rows[:, column]] for column in range(numeric, rows.shape[1])
            },
        )


def _made_up(rows: int = 90_000) -> Pool:
    random = np.random.default_rng(2718)
    x = random.normal(size=(rows, 8))
    codes = random.integers(0, 5, (rows, 1)).astype(np.float64)
    signal = 4 * np.tanh(x[:, 0]) + x[:, 1] * x[:, 2] + codes[:, 0]
    spread = 0.5 + np.exp(0.4 * x[:, 3]) + (codes[:, 0] == 3) * np.abs(x[:, 4])
    label = signal + spread * random.standard_t(5, rows)
    predicted = signal - 0.6 * np.sin(2 * x[:, 5]) * (x[:, 0] > 0)
    return Pool(np.hstack([x, codes]), 1, predicted, label)


def _of_a_table(name: str, target: str, numbers: list[str], categories: list[str]) -> Pool:
    data = data_set(name)
    frame = pd.concat([data.reference, data.analysis], ignore_index=True)
    frame = frame[frame[target].notna()].sample(frac=1, random_state=3)
    codes = np.stack([pd.factorize(frame[each])[0] for each in categories], axis=1).astype(np.float64)
    x = np.hstack([frame[numbers].to_numpy(np.float64), codes])
    label = frame[target].to_numpy(np.float64)
    trained = len(frame) // 5
    filled = np.nan_to_num(x)
    model = Ridge().fit(filled[:trained], label[:trained])
    return Pool(x[trained:], len(categories), model.predict(filled[trained:]), label[trained:])


POOLS: Final[Mapping[str, Callable[[], Pool]]] = {
    "made up, errors of Student's t with 5 degrees": _made_up,
    "car loans, their length": lambda: _of_a_table(
        "car_loan", "loan_length", ["car_value", "debt_to_income_ratio", "driver_tenure"], ["salary_range"]
    ),
    "three classes, a score of creditworthiness": lambda: _of_a_table(
        "multiclass", "credit_bureau_score", ["requested_credit_limit", "app_behavioral_score"], ["acq_channel"]
    ),
}


class Fold(NamedTuple):
    """A reference of a pool, and the rows that it has not seen."""

    fitted: FittedLabelledStrata
    rest: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    baseline: float


def _folds(pool: Pool, rows: int, count: int) -> Iterator[tuple[Fold, np.random.Generator]]:
    for seed in range(count):
        random = np.random.default_rng(1000 + seed)
        order = random.permutation(len(pool.label))
        known, rest = order[:rows], order[rows:]
        chunk = pool.columns(known)
        reference = compile_reference([chunk], drift=Drift(), max_features=500, max_categories=200)
        learned = learn([chunk], reference, MODEL)
        assert "reason" not in learned, learned
        fitted = fit_labelled(Basis(MODEL, Limits(), replace(reference, learned={"strata": learned})))
        assert fitted is not None
        yield Fold(fitted, rest, float(np.abs(pool.predicted[known] - pool.label[known]).mean())), random


def _tilted(pool: Pool, rest: Any, rows: int, random: np.random.Generator) -> Any:
    """Return rows drawn with weights that depend on two columns: the inputs change, their relation does not."""
    weight = np.zeros(len(rest))
    for column in random.choice(pool.features.shape[1], 2, replace=False):
        ranks = pool.features[rest, column].argsort(kind="stable").argsort() / len(rest) - 0.5
        weight += random.normal() * _TILT * ranks
    share = np.exp(weight)
    return random.choice(rest, min(rows, len(rest) // 3), replace=False, p=share / share.sum())


def bands(
    pool: Pool, rows: int, sizes: Sequence[int], *, folds: int = 40, windows: int = 3
) -> dict[int, dict[str, float]]:
    """Return by size of window and metric how often what came is within the bounds, under shifts of inputs alone."""
    inside = {size: dict.fromkeys(METRICS, 0) for size in sizes}
    for fold, random in _folds(pool, rows, folds):
        for size in [*sizes] * windows:
            at = _tilted(pool, fold.rest, size, random)
            errors = np.abs(pool.predicted[at] - pool.label[at])
            came = {"mae": errors.mean(), "mse": (errors**2).mean(), "rmse": np.sqrt((errors**2).mean())}
            sums = fold.fitted.strata.tally_of(_Stratified(fold.fitted.by.strata(pool.columns(at)).astype(int)))
            for metric, (value, variance) in fold.fitted.strata.judge(sums).items():
                inside[size][metric] += abs(came[metric] - value) <= 1.959964 * np.sqrt(variance)
    return {size: {name: count / (folds * windows) for name, count in of.items()} for size, of in inside.items()}


class _Stratified(NamedTuple):
    strata: Any


def flags(pool: Pool, kind: str, *, rows: int = 10_000, window: int = 3000, folds: int = 60, windows: int = 2) -> float:
    """Return in which share of windows the concept is flagged: |z| >= 3 and 2 % of the baseline, in any metric.

    Of many references, for windows of one share its luck.
    """
    found = 0
    for fold, random in _folds(pool, rows, folds):
        for _ in range(windows):
            at = _tilted(pool, fold.rest, window, random) if kind == "inputs" else random.choice(fold.rest, window)
            error = pool.label[at] - pool.predicted[at]
            if kind == "errors 15 % larger":
                error = error * 1.15
            elif kind == "4 % of labels off":
                error = error + (random.random(len(at)) < 0.04) * 3 * fold.baseline
            columns = pool.columns(at, pool.predicted[at] + error)
            (sums,) = fold.fitted.fold(columns, np.array([len(at)]))
            estimates = fold.fitted.estimates(sums, rows=len(at), scored=False)
            came = {"mae": np.abs(error).mean(), "mse": (error**2).mean(), "rmse": np.sqrt((error**2).mean())}
            found += any(
                abs(came[metric] - each.value) >= max(3 * (each.stderr or np.inf), 0.02 * each.value)
                for metric, each in estimates.items()
            )
    return found / (folds * windows)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print both tables."""
    pools = {name: make() for name, make in POOLS.items()}
    say("| rows | reference | window | MAE | MSE | RMSE |\n|---|---|---|---|---|---|")
    for name, pool in pools.items():
        for rows in (1000, 5000, 20_000):
            for window, found in bands(pool, rows, (300, 2000, 10_000)).items():
                cells = " | ".join(f"{found[metric]:.2f}" for metric in METRICS)
                say(f"| {name} | {rows:,} | {window:,} | {cells} |")
    kinds = ("nothing", "inputs", "errors 15 % larger", "4 % of labels off")
    say(f"| rows | {' | '.join(kinds)} |\n|---|---|---|---|---|")
    for name, pool in pools.items():
        say(f"| {name} | {' | '.join(f'{flags(pool, kind):.3f}' for kind in kinds)} |")


if __name__ == "__main__":
    main()
