"""The evidence of each version of a model, in a table of its own, which changes with nearly every step."""

from collections.abc import Mapping
from typing import Any

from driftgauge.codec import pack, unpack
from driftgauge.estimate.evidence import Evidence
from driftgauge.store.database import Store, Transaction

# By version and signal.
Found = Mapping[str, Mapping[str, Evidence]]


def read_evidence(tx: Transaction) -> dict[str, dict[str, Evidence]]:
    """Return the evidence of the reading."""
    rows = tx.connection.execute(f"SELECT version, data FROM {tx.evidence}").fetchall()
    return {version: _from_state(unpack(data)) for version, data in sorted(rows)}


def write_evidence(tx: Transaction, found: Found) -> None:
    """Replace the evidence of these versions."""
    delete_evidence(tx, list(found))
    for version, evidence in found.items():
        state = {signal: each.to_state() for signal, each in evidence.items()}
        tx.run(f"INSERT INTO {tx.evidence} VALUES (?, ?)", [version, pack(state)])


def delete_evidence(tx: Transaction, versions: list[str]) -> None:
    """Forget the evidence of versions."""
    if versions:
        tx.run(f"DELETE FROM {tx.evidence} WHERE version IN (SELECT unnest(?::VARCHAR[]))", [versions])


def reset_evidence(store: Store, model: str, *, version: str = "", signal: str = "") -> dict[str, list[str]]:
    """Forget the evidence of a model, of one version or signal if it is given; return by version the signals it had.

    A reading that is being built takes over what is left. Raises StateError.
    """
    gone: dict[str, list[str]] = {}
    for reading in store.readings(model):
        with store.transaction(model, reading.task, again=reading.again) as tx:
            known = read_evidence(tx)
            kept: dict[str, dict[str, Evidence]] = {}
            for name, evidence in known.items():
                if version not in ("", name):
                    continue
                left = {key: each for key, each in evidence.items() if signal not in ("", key)}
                if len(left) < len(evidence):
                    kept[name] = left
                    if not reading.again:
                        gone[name] = sorted(evidence.keys() - left.keys())
            write_evidence(tx, kept)
    return gone


def _from_state(state: Mapping[str, Any]) -> dict[str, Evidence]:
    return {signal: Evidence.from_state(each) for signal, each in state.items()}
