"""Readings of a model: what its files say under one set of settings, with tables of their own.

The one that is served is read on from refresh to refresh. When settings change, another is built next to it, and takes
its place as a whole once it has caught up.
"""

from driftgauge.aggregates.totals import Totals
from driftgauge.codec import pack, unpack
from driftgauge.store.database import Store, Transaction


def write_settings(tx: Transaction, settings: str) -> None:
    """Remember what shapes the reading; with "" it is no longer what any configuration asks for."""
    tx.run("UPDATE models SET settings = ? WHERE id = ?", [settings, tx.model])


def begin(tx: Transaction, *, totals: Totals, back_to: int) -> None:
    """Make the transaction's reading, which is empty, one that is built next to the served one.

    It starts with these counters, the compiled reference, the evidence, and the files whose rows are from before
    `back_to` (µs).
    """
    served = _served(tx)
    tx.run(
        "UPDATE models SET totals = ?, back_to = ?, reference_identity = "
        "(SELECT reference_identity FROM models WHERE id = ?) WHERE id = ?",
        [pack(totals.to_state()), back_to, served, tx.model],
    )
    write_apart(tx, Totals())
    tx.run(f"INSERT INTO {tx.reference} FROM reference_{served}")
    tx.run(f"INSERT INTO {tx.evidence} FROM evidence_{served}")
    tx.run(
        "INSERT INTO files SELECT ?, * EXCLUDE (model) FROM files "
        "WHERE model = ? AND rows_read > 0 AND failures = 0 AND read_at < ?",
        [tx.model, served, back_to],
    )


def write_apart(tx: Transaction, apart: Totals) -> None:
    """Replace what the reading has counted apart from its counters."""
    tx.run("UPDATE models SET apart = ? WHERE id = ?", [pack(apart.to_state()), tx.model])


def read_apart(tx: Transaction) -> Totals | None:
    """Return what the reading has counted apart, None of one that is served."""
    ((apart,),) = tx.fetch_all("SELECT apart FROM models WHERE id = ?", [tx.model])
    return Totals.from_state(unpack(apart)) if isinstance(apart, bytes) else None


def promote(tx: Transaction) -> None:
    """Let the transaction's reading take the place of the served one, which is deleted."""
    _delete(tx, _served(tx))
    tx.run("UPDATE models SET again = false, apart = NULL WHERE id = ?", [tx.model])


def drop(tx: Transaction) -> None:
    """Delete the transaction's reading."""
    _delete(tx, tx.model)


def forget(store: Store, model: str) -> None:
    """Delete all that is known of a model; nothing happens to one that is not known. Raises StateError."""
    # The one that is built first: it refers to the served one.
    for reading in reversed(store.readings(model)):
        with store.transaction(model, reading.task, again=reading.again) as tx:
            drop(tx)
        store.forgot(model)


def labelled(tx: Transaction, *, since: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return by version how many predictions from `since` (µs) on have a label of a label file: served, and here."""
    found = []
    for number in (_served(tx), tx.model):
        rows = tx.fetch_all(
            f"SELECT p.version, count(l.label) FROM predictions_{number} p JOIN pairs_{number} l USING (file, place) "
            "WHERE p.time >= ? GROUP BY p.version",
            [since],
        )
        found.append({str(version): int(str(count)) for version, count in rows})
    return found[0], found[1]


def _served(tx: Transaction) -> int:
    ((number,),) = tx.fetch_all("SELECT id FROM models WHERE name = ? AND NOT again", [tx.name])
    return int(str(number))


def _delete(tx: Transaction, number: int) -> None:
    gone = tx.fetch_all("SELECT pane_lengths FROM models WHERE id = ?", [number])
    lengths = gone[0][0] if isinstance(gone[0][0], list) else []
    tables = [f"{name}_{number}" for name in ("predictions", "labels", "pairs", "torn", "reference", "evidence")]
    for table in (*tables, *(f"panes_{number}_{length}" for length in lengths)):
        tx.run(f"DROP TABLE {table}")
    tx.run("DELETE FROM files WHERE model = ?", [number])
    tx.run("DELETE FROM cursors WHERE model = ?", [number])
    tx.run("DELETE FROM models WHERE id = ?", [number])
