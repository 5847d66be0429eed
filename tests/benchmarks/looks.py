"""False alarms over a thousand looks, and panes until an alarm: each rule, through the product.

Rows are folded into panes of an hour, panes are summed to a window of 24 hours, and the window is judged when each pane
closes. `make looks` prints the tables of docs/statistics.md (twenty minutes on one core); tests/test_looks.py runs a
small part. Everything is drawn from fixed seeds, and so is each stream whatever else runs.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

import numpy as np

from data_builders import MICROS, a_model, a_reference, features, make_columns
from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.drift import compare, flags
from driftgauge.estimate.evidence import Evidence
from driftgauge.pipeline.betting import bet_on
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.rows import fold_predictions
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import Basis, fit_all
from driftgauge.snapshot import ModelState
from driftgauge.snapshot.closing import closed_parts, levels
from driftgauge.snapshot.running_sums import RunningSums

SEED: Final = 20261201
COLUMNS: Final = 10
REFERENCE_ROWS: Final = 20_000
HOUR: Final = 3_600
START: Final = 1_790_000_000 // HOUR * HOUR
WINDOWS: Final = (Window("24h", 86_400),)
LIMITS: Final = Limits()
PANES: Final = 24
# A year of hours.
YEARLY: Final = float(np.log10(8_760))

# By name, the settings of a rule that flags.
RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "`significance`": {"drift": {"rule": "significance"}},
    "`effect`": {"drift": {"rule": "effect"}},
    "`budget`": {"drift": {"rule": "budget"}},
    "`budget`, divided by the columns": {
        "drift": {"rule": "budget", "correction": "none"},
        "alarms": {"per_year": 1 / COLUMNS},
    },
}
EVIDENCE: Final[Mapping[str, float]] = {"evidence, A = 1,000": 3.0, "evidence, A = 8,760": YEARLY}
NAMES: Final = (*RULES, *EVIDENCE)
Draw = Callable[[int], Columns]


@dataclass(frozen=True, slots=True)
class Look:
    """What was said when a pane closed: by rule, which columns were flagged, and the evidence."""

    flagged: Mapping[str, frozenset[str]]
    evidence: Mapping[str, Evidence]

    def __getitem__(self, name: str) -> frozenset[str]:
        """Return the columns that a rule flags, or the signals whose evidence is enough."""
        if name in self.flagged:
            return self.flagged[name]
        return frozenset(signal for signal, each in self.evidence.items() if (each.log10 or 0.0) >= EVIDENCE[name])


class Watched:
    """One version, hour by hour, under several rules."""

    def __init__(self, reference: Reference) -> None:
        fitted = {ALL_ROWS: fit_all(Basis(a_model(), LIMITS, reference))}
        totals = Totals(versions={"1": VersionTotals(last_prediction=START * MICROS)})
        self._terms = Terms(a_model(), WINDOWS, fitted, 0)
        self._sums = RunningSums()
        self.state = ModelState(a_model(), reference, totals=totals)

    def sees(self, hour: int, rows: Columns) -> Look:
        """Return what is said once an hour with these rows has closed; rows of it that come later are one look more."""
        now = (START + (hour + 1) * HOUR) * MICROS
        time = (START + hour * HOUR + np.linspace(0, HOUR - 1, len(rows)).astype(np.int64)) * MICROS
        delta = fold_predictions(replace(rows, time=time), replace(self._terms, now=now), origin=("", ""))
        first = self._terms.tiers.first_second(WINDOWS[0], now)
        kept = {key: pane for key, pane in self.state.predictions.items() if key.start >= first}
        panes = Delta.combine([Delta(predictions=kept), delta]).predictions
        evidence = bet_on(self.state, delta, {})["1"]
        self.state = replace(self.state, predictions=panes, evidence={"1": evidence})
        return Look(self._flags(now), evidence)

    def _flags(self, now: int) -> dict[str, frozenset[str]]:
        """Return by rule which columns of the window are flagged."""
        ((pane,),) = closed_parts(self.state.predictions, self._sums, WINDOWS, now, {}).values()
        window = pane.find("distribution", Distribution)
        assert self.state.reference is not None
        assert window is not None
        columns = compare(self.state.reference, window)
        found = {}
        for name, settings in RULES.items():
            model = a_model(**settings)
            level = levels(WINDOWS, model.alarms.per_year)["24h"] if model.drift.rule == "budget" else None
            verdicts = flags(columns, model.drift, level=level)
            found[name] = frozenset(column for column, is_drifted in verdicts.items() if is_drifted)
        return found


def a_stream(number: int, rows: int, shift: float = 0.0) -> tuple[Reference, Iterator[Columns]]:
    """Return a reference and hours of rows like it, of which the first column has moved."""
    rng = np.random.default_rng([SEED, number, rows, int(shift * 10)])
    reference = a_reference(_rows(rng, REFERENCE_ROWS, 0.0))
    return reference, iter(lambda: _rows(rng, rows, shift), None)


def _rows(rng: np.random.Generator, rows: int, shift: float) -> Columns:
    values = rng.normal(size=(COLUMNS, rows))
    values[0] += shift
    return features(**{f"x{n}": column for n, column in enumerate(values)})


def without_change(rows: int, *, streams: Sequence[int], looks: int) -> dict[str, tuple[int, float, float]]:
    """Return by rule how many streams ever alarmed, and the shares of looks and of columns' windows that did."""
    alarms = {name: np.zeros((len(streams), looks), np.int64) for name in NAMES}
    for place, number in enumerate(streams):
        reference, hours = a_stream(number, rows)
        watched = Watched(reference)
        for hour in range(looks):
            look = watched.sees(hour, next(hours))
            for name in NAMES:
                alarms[name][place, hour] = len(look[name])
    return {
        name: (int(found.any(axis=1).sum()), float((found > 0).mean()), float(found.mean()) / COLUMNS)
        for name, found in alarms.items()
    }


def until_alarm(rows: int, shift: float, *, streams: int, longest: int) -> dict[str, float]:
    """Return by rule the median number of panes from a shift until the alarm about it."""
    panes: dict[str, list[int]] = {name: [] for name in NAMES}
    for number in range(streams):
        reference, unmoved = a_stream(number, rows)
        _, moved = a_stream(number, rows, shift)
        watched = Watched(reference)
        for hour in range(PANES):
            watched.sees(hour, next(unmoved))
        waiting = set(NAMES)
        for hour in range(1, longest + 1):
            look = watched.sees(PANES + hour, next(moved))
            for name in sorted(waiting):
                if look[name] & {"x0", "inputs"}:
                    panes[name].append(hour)
                    waiting.discard(name)
            if not waiting:
                break
        for name in waiting:
            panes[name].append(longest)
    return {name: median(found) for name, found in panes.items()}


def late(rows: int, *, streams: int, looks: int, portions: int) -> tuple[int, float]:
    """Return what `budget` says of rows that come in portions after their hour has closed, with a look after each."""
    alarmed, flagged = 0, 0
    for number in range(streams):
        reference, hours = a_stream(number, rows // portions)
        watched = Watched(reference)
        found = [bool(watched.sees(hour, next(hours))["`budget`"]) for hour in range(looks) for _ in range(portions)]
        alarmed, flagged = alarmed + any(found), flagged + sum(found)
    return alarmed, flagged / (streams * looks * portions)


def accuracy(true: float, *, streams: int, looks: int, rows: int = 100) -> tuple[int, float]:
    """Return in how many streams evidence of a fall below 0.9 (of 20,000 rows) came up to once a year, and when.

    The panes until then are a median, infinite where it never came.
    """
    panes = []
    for number in range(streams):
        rng = np.random.default_rng([SEED, number, int(1000 * true)])
        baseline = float((rng.random(REFERENCE_ROWS) < 0.9).mean())
        model = a_model(task="multiclass", baseline={"accuracy": baseline})
        state = ModelState(model, baseline={"accuracy": baseline})
        terms = Terms(model, WINDOWS, {ALL_ROWS: fit_all(Basis(model, LIMITS, None))}, 0)
        panes.append(np.inf)
        for hour in range(looks):
            right = rng.random(rows) < true
            time = np.full(rows, START + hour * HOUR) * MICROS
            made = make_columns(rows, time=time, predicted=["a"] * rows, label=np.where(right, "a", "b").tolist())
            at = replace(terms, now=(START + (hour + 1) * HOUR) * MICROS)
            state = replace(state, evidence=bet_on(state, fold_predictions(made, at, origin=("", "")), {}))
            if (state.evidence["1"]["accuracy"].log10 or 0.0) >= YEARLY:
                panes[-1] = hour + 1
                break
    return int(np.isfinite(panes).sum()), median(panes)


def tell(*cells: object) -> None:
    """Print a line of a table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


SHIFTS: Final = (0.3, 0.5, 1.0)
SIZES: Final = (20, 100)
STREAMS: Final = 4


def quiet() -> None:
    """Print, stream by stream and together, what each rule says without a change."""
    for rows in SIZES:
        tell(f"{rows} rows a pane, 1,000 looks", "streams that alarmed", "looks", "columns")
        found = [without_change(rows, streams=[number], looks=1000) for number in range(STREAMS)]
        for name in NAMES:
            streams, looks, columns = np.array([each[name] for each in found]).T
            shares = (f"{100 * looks.mean():.2f} %", f"{100 * columns.mean():.3f} %")
            tell(name, f"{int(streams.sum())} of {STREAMS}", *shares)


def moved() -> None:
    """Print how long each rule takes to see one column that has moved."""
    tell("rule", *(f"{rows} rows, +{shift}" for rows in SIZES for shift in SHIFTS))
    found = [until_alarm(rows, by, streams=8, longest=80) for rows in SIZES for by in SHIFTS]
    for name in NAMES:
        tell(name, *(f"{each[name]:g}" for each in found))


def labelled() -> None:
    """Print in how many streams evidence came up to once a year, and after how many panes."""
    tell("accuracy", "streams that alarmed", "panes until then")
    for true, streams in {0.9: 60, 0.88: 60, 0.87: 12, 0.85: 12, 0.8: 12}.items():
        alarmed, panes = accuracy(true, streams=streams, looks=1000)
        tell(true, f"{alarmed} of {streams}", f"{panes:g}" if np.isfinite(panes) else "-")


def portions() -> None:
    """Print what `budget` says without a change where rows come late, in four portions of each hour."""
    for rows in SIZES:
        tell(f"late, {rows} rows", *late(rows, streams=STREAMS, looks=250, portions=4))


PARTS: Final = {"quiet": quiet, "moved": moved, "labelled": labelled, "late": portions}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
