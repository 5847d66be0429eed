"""Panes, totals and the compiled reference of a model, as the bytes that `codec` makes of them."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals
from driftgauge.codec import pack, packed, unpack
from driftgauge.reference import Compiled, Reference
from driftgauge.signals import AGGREGATES
from driftgauge.store import ledger
from driftgauge.store.database import Transaction
from driftgauge.store.evidence import delete_evidence
from driftgauge.windows import PaneKey

# In place of a version: all that have no reference of their own.
_ANY_VERSION: Final = ""
# Of predictions, or of labelled rows.
Kind = Literal["predictions", "outcomes"]
_KEY: Final = ("version", "start", "visible", "rebuilt", "part", "segment")

# Panes are packed and given to DuckDB in portions of about this many bytes, which are then in memory twice.
_AT_ONCE: Final = 4 * 2**20
# What an occupied cell takes at most before it is compressed.
_CELL_BYTES: Final = 20
Packed = Mapping[PaneKey, npt.NDArray[np.uint8]]
_NONE: Final[Packed] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """All that is stored of a model except the rows that wait to be joined.

    references: the compiled reference under "", and its slices by the identity of their segment; none without one.
    own: the same by version, of those with a reference of their own, each with the identity it was compiled from.
    reference_identity: "" without a reference. windows: lengths (s) of those the panes were made for, empty when it is
    new. segments: identities of those that the panes were made for.
    """

    totals: Totals
    predictions: Mapping[PaneKey, Pane]
    outcomes: Mapping[PaneKey, Pane]
    references: Mapping[str, Compiled]
    own: Mapping[str, tuple[Mapping[str, Compiled], str]]
    reference_identity: str
    windows: tuple[int, ...]
    segments: frozenset[str]

    @property
    def panes(self) -> Mapping[Kind, Mapping[PaneKey, Pane]]:
        """The panes of both kinds."""
        return {"predictions": self.predictions, "outcomes": self.outcomes}


def read(tx: Transaction) -> Stored:
    """Return what is stored of the model, empty when it is new."""
    ((totals, identity, windows, segments),) = tx.fetch_all(
        "SELECT totals, reference_identity, windows, segments FROM models WHERE id = ?", [tx.model]
    )
    references: dict[str, dict[str, Compiled]] = {}
    identities: dict[str, str] = {}
    rows = tx.connection.execute(f"SELECT version, identity, segment, data, metrics FROM {tx.reference}").fetchall()
    for version, compiled_from, segment, data, metrics in rows:
        identities[version] = compiled_from
        found = Compiled(Reference.from_state(unpack(data)), unpack(metrics))
        references.setdefault(version, {})[segment] = found
    return Stored(
        totals=Totals.from_state(unpack(totals)) if isinstance(totals, bytes) else Totals(),
        predictions=_panes(tx, "predictions"),
        outcomes=_panes(tx, "outcomes"),
        references=references.pop(_ANY_VERSION, {}),
        own={version: (found, identities[version]) for version, found in references.items()},
        reference_identity=str(identity or ""),
        windows=tuple(windows) if isinstance(windows, list) else (),
        segments=frozenset(segments) if isinstance(segments, list) else frozenset(),
    )


def write_totals(tx: Transaction, totals: Totals) -> None:
    """Replace the model's counters."""
    tx.run("UPDATE models SET totals = ? WHERE id = ?", [pack(totals.to_state()), tx.model])


def write_reference(tx: Transaction, references: Mapping[str, Compiled], identity: str) -> None:
    """Replace the model's compiled reference and its slices, and the identity they were compiled from."""
    write_own_reference(tx, _ANY_VERSION, references, identity)
    tx.run("UPDATE models SET reference_identity = ? WHERE id = ?", [identity, tx.model])


def write_own_reference(tx: Transaction, version: str, references: Mapping[str, Compiled], identity: str) -> None:
    """Replace the compiled reference of one version in the same way."""
    delete_own_references(tx, [version])
    for segment, found in references.items():
        tx.run(
            f"INSERT INTO {tx.reference} VALUES (?, ?, ?, ?, ?)",
            [version, identity, segment, pack(found.reference.to_state()), pack(dict(found.metrics))],
        )


def delete_own_references(tx: Transaction, versions: Iterable[str]) -> None:
    """Remove the compiled references of versions."""
    tx.run(f"DELETE FROM {tx.reference} WHERE version IN (SELECT unnest(?::VARCHAR[]))", [list(versions)])


def packed_ahead(panes: Mapping[PaneKey, Pane], *, most_bytes: int = _AT_ONCE) -> Packed:
    """Return the bytes of panes, packed before the transaction; none when they could take more than `most_bytes`."""
    small = sum(pane.size for pane in panes.values()) * _CELL_BYTES < most_bytes
    return {key: packed(pane.to_state()) for key, pane in panes.items()} if small else {}


def write_panes(
    tx: Transaction, kind: Kind, panes: Mapping[PaneKey, Pane], *, known: Container[PaneKey], ahead: Packed = _NONE
) -> None:
    """Insert panes, or replace those that are `known`; `ahead` are the bytes of those packed already."""
    lengths = _lengths(tx) if panes else []
    for length, keys in _by_length(panes).items():
        if length not in lengths:
            tx.run(
                f"CREATE TABLE {tx.panes(length)} "
                "(kind VARCHAR, version VARCHAR, start BIGINT, visible BIGINT, rebuilt BOOLEAN, part BIGINT, "
                "segment VARCHAR, data BLOB)"
            )
            tx.run("UPDATE models SET pane_lengths = list_append(pane_lengths, ?) WHERE id = ?", [length, tx.model])
        for some in _packed(panes, keys, ahead):
            there = [key for key in some if key in known]
            if there:
                ledger.delete(tx, tx.panes(length), _key_table(kind, there))
            rows = _key_table(kind, list(some)).append_column("data", _binary(list(some.values())))
            ledger.insert(tx, tx.panes(length), rows)


def delete_panes(tx: Transaction, kind: Kind, keys: Iterable[PaneKey]) -> None:
    """Remove panes."""
    for length, of_length in _by_length(keys).items():
        ledger.delete(tx, tx.panes(length), _key_table(kind, of_length))


def delete_versions(tx: Transaction, versions: Iterable[str]) -> None:
    """Remove the panes of model versions, and their evidence."""
    names = list(versions)
    for length in _lengths(tx):
        tx.run(f"DELETE FROM {tx.panes(length)} WHERE version IN (SELECT unnest(?::VARCHAR[]))", [names])
    delete_evidence(tx, names)


def write_segments(tx: Transaction, identities: Sequence[str]) -> None:
    """Remember for which segments the model's panes were made."""
    tx.run("UPDATE models SET segments = ? WHERE id = ?", [list(identities), tx.model])


def write_windows(tx: Transaction, windows: Sequence[int]) -> None:
    """Remember for windows of which lengths (s) the model's panes were made."""
    tx.run("UPDATE models SET windows = ? WHERE id = ?", [list(windows), tx.model])


def _lengths(tx: Transaction) -> list[int]:
    """Return the lengths of panes for which the model has a table."""
    ((lengths,),) = tx.fetch_all("SELECT pane_lengths FROM models WHERE id = ?", [tx.model])
    return lengths if isinstance(lengths, list) else []


def _panes(tx: Transaction, kind: Kind) -> dict[PaneKey, Pane]:
    """Return the panes of a kind in the order of their keys."""
    names = ", ".join(_KEY)
    found = []
    for length in _lengths(tx):
        rows = tx.connection.execute(f"SELECT {names}, data FROM {tx.panes(length)} WHERE kind = ?", [kind]).fetchall()
        found += [(PaneKey(**dict(zip(_KEY, row, strict=False)), length=length), unpack(row[-1])) for row in rows]
    return {key: Pane.from_state(state, AGGREGATES) for key, state in sorted(found, key=lambda item: item[0])}


def _packed(
    panes: Mapping[PaneKey, Pane],
    keys: Iterable[PaneKey],
    ahead: Packed,
) -> Iterator[Packed]:
    """Yield the bytes of these panes in portions of about `_AT_ONCE`."""
    found: dict[PaneKey, npt.NDArray[np.uint8]] = {}
    for key in keys:
        found[key] = ahead[key] if key in ahead else packed(panes[key].to_state())
        if sum(map(len, found.values())) >= _AT_ONCE:
            yield found
            found = {}
    if found:
        yield found


def _binary(values: Sequence[npt.NDArray[np.uint8]]) -> pa.Array:
    """Return an Arrow column of bytes; building it from one buffer holds the interpreter lock only briefly."""
    ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(ends), pa.py_buffer(np.concatenate(values))]
    )


def _by_length(keys: Iterable[PaneKey]) -> dict[int, list[PaneKey]]:
    found: dict[int, list[PaneKey]] = {}
    for key in keys:
        found.setdefault(key.length, []).append(key)
    return found


def _key_table(kind: str, keys: Sequence[PaneKey]) -> pa.Table:
    columns: dict[str, Any] = {"kind": pa.array([kind] * len(keys), pa.string())}
    return pa.table(columns | {name: pa.array([getattr(key, name) for key in keys]) for name in _KEY})
