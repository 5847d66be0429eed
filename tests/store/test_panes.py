"""Panes, totals and the reference of a model, written and read back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data_builders import a_pane, a_reference, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.codec import pack
from driftgauge.config import Drift
from driftgauge.errors import StateError
from driftgauge.reference import Compiled, Reference, compile_reference
from driftgauge.store import Store
from driftgauge.store.panes import (
    Stored,
    delete_panes,
    delete_versions,
    packed_ahead,
    read,
    write_panes,
    write_reference,
    write_totals,
)
from driftgauge.windows import PaneKey
from store.conftest import columns

ROWS = columns(key=["a", "b", "c"], time=[0, 1, 2], score=[0.2, 0.9, np.nan], predicted=["0", "1", "1"])
KEY = PaneKey("v", 3600, 120)


def reference() -> Reference:
    """Return the reference compiled from three scores."""
    return compile_reference([ROWS], drift=Drift(), max_features=10, max_categories=10)


def outcomes(score: float) -> Pane:
    """Return a pane of one labelled row."""
    return a_pane(make_columns(1, label=["1"], predicted=["1"], score=[score]), of="labelled")


def reopened(store: Store) -> Stored:
    """Return what a later transaction reads."""
    with store.transaction("churn", "binary") as tx:
        return read(tx)


def same(left: Any, right: Any) -> bool:
    """Tell whether two aggregates have the same bytes."""
    return pack(left.to_state()) == pack(right.to_state())


def test_new_model_is_empty(store: Store) -> None:
    """A model that was never written has no panes, no reference and zero counters."""
    stored = reopened(store)
    assert (stored.predictions, stored.outcomes, stored.references) == ({}, {}, {})
    assert stored.reference_identity == ""
    assert same(stored.totals, Totals())


def test_everything_round_trips(store: Store) -> None:
    """Totals, reference, baseline and both kinds of panes come back equal, each under its own key."""
    compiled, other = reference(), a_reference(ROWS.take(np.array([0, 1])))
    pane = a_pane(ROWS, compiled)
    totals = Totals(versions={"v": VersionTotals(predictions=3, origin=("run", "7"))}, rejected={"bad_label": 2})
    joined = {PaneKey("v", 0, 120, 120, rebuilt=True): outcomes(0.9), KEY: outcomes(0.1)}
    with store.transaction("churn", "binary") as tx:
        write_totals(tx, totals)
        write_reference(tx, {"": Compiled(compiled, {"accuracy": 0.75}), "a": Compiled(other, {})}, "identity")
        write_panes(tx, "predictions", {KEY: pane}, known=())
        write_panes(tx, "outcomes", joined, known=())
    stored = reopened(store)
    assert same(stored.totals, totals)
    assert stored.reference_identity == "identity"
    assert {segment: found.metrics for segment, found in stored.references.items()} == {"": {"accuracy": 0.75}, "a": {}}
    assert same(stored.references[""].reference, compiled)
    assert same(stored.references["a"].reference, other)
    assert list(stored.predictions) == [KEY]
    assert same(stored.predictions[KEY], pane)
    assert stored.outcomes.keys() == joined.keys()
    assert all(same(stored.outcomes[key], found) for key, found in joined.items())


def test_panes_packed_ahead(store: Store) -> None:
    """Bytes made before the transaction are those that are stored; none are made of what takes much memory."""
    pane, other = (a_pane(ROWS, compiled) for compiled in (reference(), None))
    ahead = packed_ahead({KEY: pane})
    with store.transaction("churn", "binary") as tx:
        write_panes(tx, "predictions", {KEY: other, replace(KEY, start=0): other}, known=(), ahead=ahead)
    stored = reopened(store).predictions
    assert same(stored[KEY], pane)
    assert same(stored[replace(KEY, start=0)], other)

    assert packed_ahead({KEY: pane}, most_bytes=1) == {}


def test_pane_is_replaced(store: Store) -> None:
    """Writing a pane again replaces it and leaves those that differ in any part of the key, or in kind."""
    others = [
        PaneKey("w", 3600, 120), PaneKey("v", 3600, 3600), PaneKey("v", 0, 120), PaneKey("v", 3600, 120, 60),
        PaneKey("v", 3600, 120, rebuilt=True), PaneKey("v", 3600, 120, part=1),
        PaneKey("v", 3600, 120, segment="germany"),
    ]  # fmt: skip
    pane = Pane()
    with store.transaction("churn", "binary") as tx:
        write_panes(tx, "predictions", {KEY: pane}, known=())
        write_panes(tx, "outcomes", dict.fromkeys([KEY, *others], outcomes(0.5)), known=())
        write_panes(tx, "outcomes", {KEY: outcomes(0.9)}, known=[KEY])
    stored = reopened(store)
    assert set(stored.outcomes) == {KEY, *others}
    assert [key for key, found in stored.outcomes.items() if same(found, outcomes(0.9))] == [KEY]
    assert list(stored.predictions) == [KEY]


def test_deletions(store: Store) -> None:
    """Panes leave by their whole key, one kind and one model at a time, and with their version."""
    leaving, gone = PaneKey("v", 120, 120, 240, rebuilt=True), PaneKey("w", 120, 120)
    keys = [KEY, replace(leaving, rebuilt=False), replace(leaving, visible=0), leaving, gone]
    pane = Pane()
    for model in ("churn", "fraud"):
        with store.transaction(model, "binary") as tx:
            write_panes(tx, "outcomes", dict.fromkeys(keys, outcomes(0.5)), known=())
            write_panes(tx, "predictions", dict.fromkeys(keys, pane), known=())
    with store.transaction("churn", "binary") as tx:
        delete_panes(tx, "outcomes", [leaving])
        delete_panes(tx, "predictions", [KEY])
        delete_versions(tx, ["w"])
        found = read(tx)
    assert set(found.outcomes) == set(keys) - {leaving, gone}
    assert set(found.predictions) == set(keys) - {KEY, gone}
    with store.transaction("fraud", "binary") as tx:
        assert set(read(tx).outcomes) == set(read(tx).predictions) == set(keys)


def test_damaged_pane(store: Store) -> None:
    """Bytes that are no pane are a StateError, never an exception of another kind."""
    with store.transaction("churn", "binary") as tx:
        write_panes(tx, "outcomes", {KEY: outcomes(0.5)}, known=())
        tx.run(f"UPDATE {tx.panes(KEY.length)} SET data = 'no pane'::BLOB")  # noqa: S608 - a number
    with pytest.raises(StateError, match="damaged"):
        reopened(store)
