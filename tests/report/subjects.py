"""Subjects of reports, made as a refresh makes them: a model with a reference, some days of rows and their labels."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from data_builders import MICROS, a_model, a_pane, a_reference, make_columns
from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.families import LABEL_DELAY_BUCKETS
from driftgauge.generator.alerts import Severity
from driftgauge.generator.thresholds import shipped
from driftgauge.reference import Reference
from driftgauge.report import Subject
from driftgauge.snapshot import Identity, Joining, ModelState, model_samples
from driftgauge.verdict import Finding, Rules
from driftgauge.windows import PaneKey

WINDOWS: Final = (Window("1h", 3600), Window("24h", 86_400), Window("7d", 7 * 86_400))
# A Thursday, 13:00 UTC.
NOW: Final = 1_767_618_000 * MICROS
HOUR: Final = 3600
ROWS: Final = 400
RULES: Final = Rules.of(shipped())


def rows_of(
    count: int, *, seed: int, shift: float = 0.0, wrong: float = 0.1, features: int = 3, names: Sequence[str] = ()
) -> Columns:
    """Return labelled rows: `features` numbers, the first of them shifted, and a plan; `wrong` of the answers."""
    random = np.random.default_rng(seed)
    known = [*names, *(f"f{at}" for at in range(len(names), features))]
    numbers = {name: random.normal(shift if at == 0 else 0.0, 1.0, count) for at, name in enumerate(known)}
    plans = random.choice(["A", "B", "C"], count, p=[0.6 - shift / 5, 0.3, 0.1 + shift / 5]).tolist()
    truth = random.random(count) < 0.4
    said = truth ^ (random.random(count) < wrong)
    score = np.clip(0.5 + np.where(said, 0.3, -0.3) + random.normal(0, 0.08, count), 0.01, 0.99)
    return make_columns(
        count,
        time=np.full(count, NOW - HOUR * MICROS),
        score=score,
        predicted=np.where(said, "1", "0").tolist(),
        label=np.where(truth, "1", "0").tolist(),
        latency=random.exponential(0.02, count),
        numbers=numbers,
        categories={"plan": plans},
    )


@cache
def reference_of(features: int = 3, names: tuple[str, ...] = ()) -> Reference:
    """Return the compiled reference of such rows."""
    return a_reference(rows_of(2_000, seed=1, features=features, names=names))


def panes_of(
    rows: Columns, reference: Reference | None, *, version: str, hours_ago: int
) -> tuple[dict[PaneKey, Pane], dict[PaneKey, Pane]]:
    """Return the rows as a pane of predictions and one of outcomes, an hour long, so many hours ago."""
    start = NOW // MICROS // HOUR * HOUR - hours_ago * HOUR
    key = PaneKey(version, start, HOUR)
    return {key: a_pane(rows, reference)}, {key: a_pane(rows, reference, of="labelled")}


def a_state(
    *,
    shift: float = 0.0,
    wrong: float = 0.1,
    features: int = 3,
    names: tuple[str, ...] = (),
    days: int = 3,
    **settings: Any,
) -> ModelState:
    """Return a model with versions 1 and 2, the newer of which has rows on some days, the last of them as asked for."""
    reference = reference_of(features, names)
    predictions: dict[PaneKey, Pane] = {}
    outcomes: dict[PaneKey, Pane] = {}
    for day in range(days):
        last = day == 0
        rows = rows_of(
            ROWS,
            seed=10 + day,
            shift=shift if last else 0.0,
            wrong=wrong if last else 0.1,
            features=features,
            names=names,
        )
        made = panes_of(rows, reference, version="2", hours_ago=24 * day + 2)
        predictions |= made[0]
        outcomes |= made[1]
    made = panes_of(rows_of(ROWS, seed=20, features=features, names=names), reference, version="1", hours_ago=5)
    return ModelState(
        a_model(**settings),
        reference=reference,
        baseline={"accuracy": 0.9, "f1": 0.88},
        totals=Totals(
            {
                "1": VersionTotals(predictions=ROWS, labels=ROWS, last_prediction=NOW - 5 * HOUR * MICROS),
                "2": VersionTotals(
                    predictions=days * ROWS,
                    labels=days * ROWS,
                    last_prediction=NOW - HOUR * MICROS,
                    label_delay=Buckets.fold(np.full(days * ROWS, 1800.0), LABEL_DELAY_BUCKETS),
                ),
            },
            batches=days + 1,
            rejected={"bad_label": 3},
            last_label=NOW,
            last_batch=NOW,
        ),
        predictions=predictions | made[0],
        outcomes=outcomes | made[1],
        identities={"2": Identity("run 7", "12", "models:/churn/2")},
        joining=Joining(predictions=5, waiting=2, matched=98),
    )


def a_subject(state: ModelState, *, now: int = NOW, **known: Any) -> Subject:
    """Return a subject of a state, with the samples that a snapshot gives."""
    samples = model_samples(state, windows=WINDOWS, limits=Limits(), now=now)
    return Subject(state, samples, WINDOWS, Limits(), now, RULES, **known)


def a_finding(alert: str, severity: Severity, sentence: str, *, runbook: str = "", **labels: str) -> Finding:
    """Return a finding that says so."""
    links = {"runbook_url": runbook, "dashboard_url": "https://grafana/d/x"}
    return Finding(alert, severity, labels, 1.0, "", f"{alert} in short", sentence, "Look there.", links, unsure=False)
