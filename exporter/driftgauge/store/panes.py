"""Panes, totals and the compiled reference of a model, as the bytes that `codec` makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.aggregates.totals import Totals
from driftgauge.codec import pack, unpack
from driftgauge.reference import Reference
from driftgauge.store.database import Transaction
from driftgauge.store.ledger import replace
from driftgauge.windows import PaneKey

_PREDICTIONS: Final = "predictions"
_OUTCOMES: Final = "outcomes"
_KEY: Final = ("version", "window", "start", "visible", "rebuilt")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """All that is kept of a model beside what waits to be joined. `reference_identity` is "" without a reference."""

    totals: Totals
    predictions: Mapping[PaneKey, PredictionPane]
    outcomes: Mapping[PaneKey, Outcomes]
    reference: Reference | None
    reference_identity: str
    baseline: Mapping[str, float]
    pending: int


def read(tx: Transaction) -> Stored:
    """Return what is stored of the model, empty when it is new."""
    ((totals, reference, identity, baseline, pending),) = tx.fetch_all(
        "SELECT totals, reference, reference_identity, baseline, pending FROM models WHERE id = ?", [tx.model]
    )
    return Stored(
        totals=Totals.from_state(unpack(totals)) if isinstance(totals, bytes) else Totals(),
        predictions={key: PredictionPane.from_state(state) for key, state in _panes(tx, _PREDICTIONS)},
        outcomes={key: Outcomes.from_state(state) for key, state in _panes(tx, _OUTCOMES)},
        reference=Reference.from_state(unpack(reference)) if isinstance(reference, bytes) else None,
        reference_identity=str(identity or ""),
        baseline=unpack(baseline) if isinstance(baseline, bytes) else {},
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


def delete_joined_outcomes(tx: Transaction, places: Iterable[tuple[str, str, int]]) -> None:
    """Remove the joined outcomes of panes given by version, window and start."""
    for place in places:
        _delete(tx, 'kind = ? AND rebuilt AND version = ? AND "window" = ? AND start = ?', [_OUTCOMES, *place])


def delete_before(tx: Transaction, window: str, start: int) -> None:
    """Remove every pane of a window that begins before `start` (seconds)."""
    _delete(tx, '"window" = ? AND start < ?', [window, start])


def stored_windows(tx: Transaction) -> set[str]:
    """Return the names of the windows that have panes."""
    return {str(name) for (name,) in tx.fetch_all('SELECT DISTINCT "window" FROM panes WHERE model = ?', [tx.model])}


def delete_versions(tx: Transaction, versions: Iterable[str]) -> None:
    """Remove the panes of model versions."""
    _delete(tx, "version IN (SELECT unnest(?::VARCHAR[]))", [list(versions)])


def delete_windows_except(tx: Transaction, windows: Iterable[str]) -> None:
    """Remove the panes of windows that are no longer configured."""
    _delete(tx, '"window" NOT IN (SELECT unnest(?::VARCHAR[]))', [list(windows)])


def _delete(tx: Transaction, condition: str, parameters: list[Any]) -> None:
    tx.run(f"DELETE FROM panes WHERE model = ? AND {condition}", [tx.model, *parameters])


def _panes(tx: Transaction, kind: str) -> list[tuple[PaneKey, dict[str, Any]]]:
    names = ", ".join(f'"{name}"' for name in _KEY)
    rows = tx.connection.execute(
        f"SELECT {names}, data FROM panes WHERE model = ? AND kind = ? ORDER BY {names}", [tx.model, kind]
    ).fetchall()
    return [(PaneKey(*row[:-1]), unpack(row[-1])) for row in rows]


def _write(tx: Transaction, kind: str, panes: Mapping[PaneKey, bytes]) -> None:
    if not panes:
        return
    columns: dict[str, Any] = {
        "model": pa.array([tx.model] * len(panes), pa.int32()),
        "kind": pa.array([kind] * len(panes), pa.string()),
    }
    for name in _KEY:
        columns[name] = pa.array([getattr(key, name) for key in panes])
    columns["data"] = pa.array(list(panes.values()), pa.binary())
    replace(tx, "panes", pa.table(columns), keys=("model", "kind", *_KEY))
