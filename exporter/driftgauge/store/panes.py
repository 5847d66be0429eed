"""Panes, totals and the compiled reference of a model, as the bytes that `codec` makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.aggregates.totals import Totals
from driftgauge.codec import pack, unpack
from driftgauge.reference import Reference
from driftgauge.store.database import Transaction
from driftgauge.store.ledger import delete, replace
from driftgauge.windows import PaneKey

_PREDICTIONS: Final = "predictions"
_OUTCOMES: Final = "outcomes"
_KEY: Final = ("version", "start", "length", "visible", "rebuilt", "part")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """All that is kept of a model beside what waits to be joined.

    reference_identity: "" without a reference. windows: names of those the panes were made for, empty when it is new.
    """

    totals: Totals
    predictions: Mapping[PaneKey, PredictionPane]
    outcomes: Mapping[PaneKey, Outcomes]
    reference: Reference | None
    reference_identity: str
    baseline: Mapping[str, float]
    windows: tuple[str, ...]
    pending: int


def read(tx: Transaction) -> Stored:
    """Return what is stored of the model, empty when it is new."""
    ((totals, reference, identity, baseline, windows, pending),) = tx.fetch_all(
        "SELECT totals, reference, reference_identity, baseline, windows, pending FROM models WHERE id = ?", [tx.model]
    )
    return Stored(
        totals=Totals.from_state(unpack(totals)) if isinstance(totals, bytes) else Totals(),
        predictions={key: PredictionPane.from_state(state) for key, state in _panes(tx, _PREDICTIONS)},
        outcomes={key: Outcomes.from_state(state) for key, state in _panes(tx, _OUTCOMES)},
        reference=Reference.from_state(unpack(reference)) if isinstance(reference, bytes) else None,
        reference_identity=str(identity or ""),
        baseline=unpack(baseline) if isinstance(baseline, bytes) else {},
        windows=tuple(windows) if isinstance(windows, list) else (),
        pending=int(str(pending)),
    )


def write_totals(tx: Transaction, totals: Totals) -> None:
    """Replace the model's counters."""
    tx.run("UPDATE models SET totals = ? WHERE id = ?", [pack(totals.to_state()), tx.model])


def write_reference(tx: Transaction, reference: Reference | None, identity: str, baseline: Mapping[str, float]) -> None:
    """Replace the model's compiled reference, the identity it was compiled from, and the baseline computed on it."""
    data = None if reference is None else pack(reference.to_state())
    tx.run(
        "UPDATE models SET reference = ?, reference_identity = ?, baseline = ? WHERE id = ?",
        [data, identity, pack(baseline), tx.model],
    )


def write_predictions(tx: Transaction, panes: Mapping[PaneKey, PredictionPane]) -> None:
    """Insert or replace prediction panes."""
    _write(tx, _PREDICTIONS, {key: pack(pane.to_state()) for key, pane in panes.items()})


def write_outcomes(tx: Transaction, panes: Mapping[PaneKey, Outcomes]) -> None:
    """Insert or replace outcome panes."""
    _write(tx, _OUTCOMES, {key: pack(pane.to_state()) for key, pane in panes.items()})


def delete_predictions(tx: Transaction, keys: Iterable[PaneKey]) -> None:
    """Remove prediction panes."""
    _delete(tx, _PREDICTIONS, list(keys))


def delete_outcomes(tx: Transaction, keys: Iterable[PaneKey]) -> None:
    """Remove outcome panes."""
    _delete(tx, _OUTCOMES, list(keys))


def delete_versions(tx: Transaction, versions: Iterable[str]) -> None:
    """Remove the panes of model versions."""
    tx.run("DELETE FROM panes WHERE model = ? AND version IN (SELECT unnest(?::VARCHAR[]))", [tx.model, list(versions)])


def write_windows(tx: Transaction, windows: Sequence[str]) -> None:
    """Remember for which windows the model's panes were made."""
    tx.run("UPDATE models SET windows = ? WHERE id = ?", [list(windows), tx.model])


def _panes(tx: Transaction, kind: str) -> list[tuple[PaneKey, dict[str, Any]]]:
    names = ", ".join(f'"{name}"' for name in _KEY)
    rows = tx.connection.execute(
        f"SELECT {names}, data FROM panes WHERE model = ? AND kind = ? ORDER BY {names}", [tx.model, kind]
    ).fetchall()
    return [(PaneKey(*row[:-1]), unpack(row[-1])) for row in rows]


def _write(tx: Transaction, kind: str, panes: Mapping[PaneKey, bytes]) -> None:
    if panes:
        table = _key_table(tx, kind, list(panes)).append_column("data", pa.array(list(panes.values()), pa.binary()))
        replace(tx, "panes", table, keys=("model", "kind", *_KEY))


def _delete(tx: Transaction, kind: str, keys: Sequence[PaneKey]) -> None:
    if keys:
        delete(tx, "panes", _key_table(tx, kind, keys))


def _key_table(tx: Transaction, kind: str, keys: Sequence[PaneKey]) -> pa.Table:
    columns: dict[str, Any] = {
        "model": pa.array([tx.model] * len(keys), pa.int32()),
        "kind": pa.array([kind] * len(keys), pa.string()),
    }
    return pa.table(columns | {name: pa.array([getattr(key, name) for key in keys]) for name in _KEY})
