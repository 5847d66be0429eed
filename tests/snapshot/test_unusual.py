"""The most unusual rows of a window, read for a report."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from data_builders import MICROS, a_model, a_reference, features
from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.reference import Reference
from driftgauge.signals import Basis, fit_all, fold_one
from driftgauge.snapshot import ModelState, UnusualRow, unusual_rows
from driftgauge.snapshot.state import Standard
from driftgauge.windows import PaneKey

NOW = 1_767_609_000
WINDOWS = (Window("1h", 3600), Window("24h", 86400))


def drawn(seed: int, rows: int, **far: float) -> Columns:
    """Return rows, the first of which has the values that are given."""
    rng = np.random.default_rng(seed)
    found = {name: rng.normal(size=rows) for name in "xyz"}
    for name, value in far.items():
        found[name][0] = value
    ids = pa.array([f"{seed}-{at}" for at in range(rows)])
    return replace(features(**found), key=ids, time=np.full(rows, NOW * MICROS))


REFERENCE = a_reference(drawn(1, 1000))


def folded(rows: Columns, reference: Reference = REFERENCE, **settings: Any) -> Pane:
    """Fold rows into one pane."""
    return fold_one(rows, fit_all(Basis(a_model(**settings), Limits(), reference)), "predictions")


def rows_of(state: ModelState, window: Window = WINDOWS[0], version: str = "1", **where: str) -> tuple[UnusualRow, ...]:
    """Return the rows of a window that ends now."""
    return unusual_rows(
        state, version=version, window=window, windows=WINDOWS, limits=Limits(), now=NOW * MICROS, **where
    )


def test_of_a_window() -> None:
    """Rows of all panes of the window and version, the farthest first, with the features that made them so."""
    start = NOW // 120 * 120
    state = ModelState(
        a_model(),
        reference=REFERENCE,
        predictions={
            PaneKey("1", start, 120): folded(drawn(2, 40, x=20)),
            PaneKey("1", start - 600, 120): folded(drawn(3, 40, y=-40, z=10)),
            PaneKey("1", start - 7200, 120): folded(drawn(4, 40, z=80)),
            PaneKey("2", start, 120): folded(drawn(5, 40, x=90)),
            PaneKey("1", start, 120, segment="gold"): folded(drawn(6, 40, x=90)),
        },
    )

    first, second, *_ = rows_of(state)

    assert [(row.request, row.columns[0], row.time) for row in (first, second)] == [
        ("3-0", "y", NOW * MICROS),
        ("2-0", "x", NOW * MICROS),
    ]
    assert first.columns[:2] == ("y", "z")
    assert first.distance > second.distance > 300
    assert rows_of(state, WINDOWS[1])[0].request == "4-0"
    assert rows_of(state, version="2")[0].request == "5-0"
    assert rows_of(state, version="3") == rows_of(state, segment="gold") == ()


def test_none() -> None:
    """There are none without a reference, with the signal switched off, or folded by another reference."""
    panes = {PaneKey("1", NOW // 120 * 120, 120): folded(drawn(2, 40, x=20))}
    state = ModelState(a_model(), reference=REFERENCE, predictions=panes)
    other = Standard(a_reference(drawn(9, 1000)), {}, ())

    assert rows_of(state)
    assert rows_of(replace(state, reference=None)) == ()
    assert rows_of(replace(state, config=a_model(signals=["reconstruction"]))) == ()
    assert rows_of(replace(state, own={"1": other})) == ()
    assert rows_of(replace(state, config=a_model(keep_request_ids=False))) == ()


def test_without_ids() -> None:
    """Where ids are not kept, rows are there without them."""
    pane = folded(drawn(2, 40, x=20), keep_request_ids=False)
    state = ModelState(
        a_model(keep_request_ids=False), reference=REFERENCE, predictions={PaneKey("1", NOW // 120 * 120, 120): pane}
    )

    first, *_ = rows_of(state)

    assert (first.request, first.columns[0]) == ("", "x")
