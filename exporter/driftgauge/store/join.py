"""Predictions and labels that wait for each other, joined by key inside DuckDB.

All rows are kept as they were read: predictions, labels, and the pairs that they make (`matching` says which). A step
decides anew about the keys that it touches, with all their rows, so it does not matter in which step a row came. A pair
that the new rows put in doubt is withdrawn; its row stays, without label, so that no prediction is fresh twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.snapshot import Joining
from driftgauge.staging import MATCHED, REJECTED, WAITING, label_schema, prediction_schema
from driftgauge.store.database import Transaction
from driftgauge.store.matching import match
from driftgauge.store.nearest import gather_stretches, match_nearest

_ROW: Final = (
    "p.version, p.time, p.predicted, p.score, p.classes, p.class_scores, p.segments, p.coding, p.codes, "
    "l.label_time, l.label"
)
_LABEL: Final = "key, time, label, file, place, number, own, turn"

_OF_KEY: Final = "(SELECT key, max(time) AS last FROM met GROUP BY key) USING (key)"
_SPOKEN: Final = "spoken USING (turn)"


@dataclass(frozen=True, slots=True)
class Example:
    """A key that is ambiguous, and how many predictions and labels have it."""

    key: str
    predictions: int
    labels: int


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What one step joined.

    fresh: predictions that got their first label in it. corrected: version, time, and label time before and after, of
    predictions whose label changed or is in doubt now, in which case both times are the same. late: how many labels
    came after the horizon and do not count. ambiguous: how many may belong to several predictions; example: one of
    them. labels: how many were read.
    """

    fresh: pa.Table
    corrected: pa.Table
    late: int
    ambiguous: int = 0
    example: Example | None = None
    labels: int = 0

    @property
    def rejected(self) -> dict[str, int]:
        """How many labels do not count, by reason."""
        rejected = {}
        rejected["label_after_horizon"] = self.late
        rejected["ambiguous_key"] = self.ambiguous
        return {reason: count for reason, count in rejected.items() if count}


def join(
    tx: Transaction,
    predictions: Sequence[pa.Table],
    labels: Sequence[pa.Table],
    *,
    horizon: int,
    torn: Sequence[int] = (),
    tolerance: int = 0,
) -> Joined:
    """Store staged rows, in the order in which they were read, and return what they complete; `horizon` in µs.

    torn: files with rows whose key could not be read, so that the order of the others is not known.
    tolerance: in µs; if there is one, `number` is a time, and labels belong to the nearest predictions (`nearest`).
    """
    read: pa.Table = pa.concat_tables([label_schema(tx.task).empty_table(), *labels])
    new: pa.Table = pa.concat_tables([prediction_schema(tx.task).empty_table(), *predictions])
    tx.connection.register("new_predictions", new)
    if torn:
        tx.run(f"INSERT INTO {tx.torn} SELECT unnest(?::BIGINT[])", [list(torn)])
    _number(tx, read)
    _gather(tx, tolerance)
    if tolerance:
        match_nearest(tx, horizon=horizon, tolerance=tolerance)
    else:
        match(tx, horizon=horizon)
    fresh, corrected = _exchange(tx)
    late, ambiguous, example = _judge(tx, horizon, _SPOKEN if tolerance else _OF_KEY)
    tx.run(f"INSERT INTO {tx.predictions} FROM new_predictions")
    for table in ("new_labels", "touched", "met", "heard", "paired", "unclear", "stretches", "spoken"):
        tx.run(f"DROP TABLE IF EXISTS {table}")
    tx.connection.unregister("new_predictions")
    return Joined(fresh, corrected, late, ambiguous, example, labels=len(read))


def _number(tx: Transaction, read: pa.Table) -> None:
    """Make table `new_labels`: the labels, each with its turn among all that were ever read."""
    ((turn,),) = tx.fetch_all("SELECT turn FROM models WHERE id = ?", [tx.model])
    first = int(str(turn))
    turns = pa.array(np.arange(first, first + len(read), dtype=np.int64))
    tx.connection.register("read_labels", read.append_column("turn", turns))
    # A table, which DuckDB reads with several threads; a registered one it reads with one.
    tx.run("CREATE TEMP TABLE new_labels AS FROM read_labels")
    tx.connection.unregister("read_labels")
    tx.run("UPDATE models SET turn = ? WHERE id = ?", [first + len(read), tx.model])


def _gather(tx: Transaction, tolerance: int) -> None:
    """Make tables `met` and `heard`: all predictions and labels, stored and new, of the keys that a step touches."""
    affected = "SEMI JOIN touched USING (key)"
    tx.run(
        f"""CREATE TEMP TABLE touched AS SELECT DISTINCT key FROM new_labels
            UNION SELECT key FROM new_predictions SEMI JOIN {tx.labels} USING (key)"""
    )
    if tolerance:
        gather_stretches(tx, tolerance=tolerance)
        affected = "r SEMI JOIN stretches s ON r.key = s.key AND r.number BETWEEN s.first AND s.last"
    # The only pass over all predictions.
    tx.run(
        f"""CREATE TEMP TABLE met AS SELECT * FROM {tx.predictions} {affected}
            UNION ALL SELECT * FROM new_predictions {affected}"""
    )
    tx.run(
        f"""CREATE TEMP TABLE heard AS
            SELECT {_LABEL}, state, counted, false AS new FROM {tx.labels} {affected}
            UNION ALL SELECT {_LABEL}, {WAITING}::UTINYINT, false, true FROM new_labels"""
    )


def _exchange(tx: Transaction) -> tuple[pa.Table, pa.Table]:
    """Put `paired` in place of the pairs that `met` had; return the predictions that are fresh, and what changed."""
    tx.run(f"CREATE TEMP TABLE had AS SELECT * FROM {tx.pairs} SEMI JOIN met USING (file, place)")
    tx.run(
        """CREATE TEMP TABLE changed AS
           SELECT file, place, h.label_time AS old_time, coalesce(l.label_time, h.label_time) AS new_time, l.label
           FROM had h LEFT JOIN paired l USING (file, place)
           WHERE l.label IS DISTINCT FROM h.label OR (l.label IS NOT NULL AND l.label_time <> h.label_time)"""
    )
    corrected = tx.fetch_table(
        "SELECT p.version, p.time, c.old_time, c.new_time FROM met p JOIN changed c USING (file, place)"
    )
    fresh = tx.fetch_table(
        f"SELECT {_ROW} FROM met p JOIN paired l USING (file, place) ANTI JOIN had USING (file, place)"
    )
    if len(corrected):
        tx.run(f"DELETE FROM {tx.pairs} WHERE (file, place) IN (SELECT file, place FROM changed)")
        tx.run(f"INSERT INTO {tx.pairs} SELECT file, place, new_time, label FROM changed")
    tx.run(f"INSERT INTO {tx.pairs} FROM paired ANTI JOIN had USING (file, place)")
    tx.run("DROP TABLE had; DROP TABLE changed")
    return fresh, corrected


def _judge(tx: Transaction, horizon: int, spoken: str) -> tuple[int, int, Example | None]:
    """Store the new labels, and what has become of those in `heard`.

    spoken: joins the time of the last of their predictions. Returns how many are found to be late and ambiguous, each
    once, and an example of the latter.
    """
    tx.run(
        f"""CREATE TEMP TABLE judged AS
            SELECT h.*, own OR last IS NULL OR label IS NULL AS fine,
                h.time > last + $horizon AS late, u.key IS NOT NULL AS unclear,
                CASE WHEN last IS NULL AND NOT own THEN {WAITING}
                WHEN NOT fine AND (late OR unclear) THEN {REJECTED} ELSE {MATCHED} END AS verdict
            FROM heard h LEFT JOIN {spoken}
            LEFT JOIN unclear u USING (key)""".replace("$horizon", str(horizon))
    )
    tx.run(f"""INSERT INTO {tx.labels} SELECT {_LABEL}, verdict, verdict = {REJECTED} FROM judged WHERE new""")
    tx.run(
        f"""UPDATE {tx.labels} l SET state = j.verdict, counted = j.counted OR j.verdict = {REJECTED}
            FROM judged j WHERE l.turn = j.turn AND NOT j.new AND l.state <> j.verdict"""
    )
    ((late, ambiguous, example),) = tx.fetch_all(
        f"""SELECT count(*) FILTER (late), count(*) FILTER (NOT late), min(key) FILTER (NOT late)
            FROM judged WHERE verdict = {REJECTED} AND NOT counted"""
    )
    tx.run("DROP TABLE judged")
    return int(str(late)), int(str(ambiguous)), _example(tx, example)


def _example(tx: Transaction, key: object) -> Example | None:
    if key is None:
        return None
    ((predictions, labels),) = tx.fetch_all(
        "SELECT (SELECT count(*) FROM met WHERE key = $1), (SELECT count(*) FROM heard WHERE key = $1 AND NOT own)",
        [key],
    )
    return Example(str(key), int(str(predictions)), int(str(labels)))


def labelled_in(tx: Transaction, places: pa.Table, *, length: int, by_label_time: bool) -> pa.Table:
    """Return the labelled predictions that count in given intervals, each `length` long; all times in µs.

    places: version and start of each interval; the start is a multiple of the length.
    """
    at = "l.label_time" if by_label_time else "p.time"
    tx.connection.register("places", places)
    found = tx.fetch_table(
        f"""SELECT {_ROW} FROM {tx.predictions} p JOIN {tx.pairs} l USING (file, place)
            JOIN places ON p.version = places.version AND {at} // $length * $length = places.start
            WHERE {at} >= $first AND {at} < $end AND l.label IS NOT NULL""",
        {
            "length": length,
            "first": pc.min(places["start"]).as_py(),
            "end": pc.max(places["start"]).as_py() + length,
        },
    )
    tx.connection.unregister("places")
    return found


def kept(tx: Transaction) -> Joining:
    """Return how many rows wait, and how many labels have met their prediction."""
    ((predictions, pairs),) = tx.fetch_all(
        f"SELECT (SELECT count(predicted) FROM {tx.predictions}), (SELECT count(label) FROM {tx.pairs})"
    )
    states = tx.fetch_all(f"SELECT state, count(label) FROM {tx.labels} WHERE NOT own GROUP BY state")
    of = {int(str(state)): int(str(count)) for state, count in states}
    return Joining(
        int(str(predictions)) - int(str(pairs)), *(of.get(state, 0) for state in (WAITING, MATCHED, REJECTED))
    )


def unmatched(tx: Transaction) -> tuple[str, str | None]:
    """Return the key of a label that waits, and that of a prediction if there is one."""
    ((label, prediction),) = tx.fetch_all(
        f"""SELECT (SELECT key FROM {tx.labels} WHERE state = {WAITING} LIMIT 1),
                   (SELECT key FROM {tx.predictions} LIMIT 1)"""
    )
    return str(label), None if prediction is None else str(prediction)
