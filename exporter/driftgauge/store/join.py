"""Predictions and labels that wait for each other, joined by key inside DuckDB.

A label may be read before or after its prediction. Of several labels for one key the one with the latest time wins,
whatever the order in which they are read; among equal times, the one read last. A label counts when its time is at most
the horizon after its prediction's. Only a known prediction can decide that, so a label that is read first waits in the
table of early labels until its prediction is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import Columns, TextArray, ValueArray
from driftgauge.schema import Task
from driftgauge.store.database import Transaction

# Separates the class names in one stored text; this character cannot occur in a canonical name.
_SEPARATOR = "\x1f"
# Orders labels by time, then by the order of reading. One number, since DuckDB takes twice as long for a pair.
_LATEST = "time::HUGEINT * 9223372036854775808 + place"
_ROW = "p.version, p.time, p.predicted, p.score, p.classes, p.class_scores, p.segments, l.time AS label_time, l.label"


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What one step joined.

    fresh: predictions that got their first label in it. corrected: version, time, and label time before and after, of
    predictions whose label changed. late: how many labels came after the horizon and do not count.
    """

    fresh: pa.Table
    corrected: pa.Table
    late: int


def staged_predictions(columns: Columns, segments: "pa.Array | None" = None) -> pa.Table:
    """Return the rows as the join stores them; segments: (n,) the identities of those that each row is in, as lists."""
    names = sorted(columns.class_scores)
    count = len(columns)
    scores = pa.array([None] * count, pa.list_(pa.float64()))
    if names:
        stacked = [columns.class_scores[name] for name in names]
        flat = pa.array([value for row in zip(*stacked, strict=True) for value in row], pa.float64())
        scores = pa.FixedSizeListArray.from_arrays(flat, len(names)).cast(pa.list_(pa.float64()))
    return pa.table(
        {
            "key": columns.key,
            "version": columns.version,
            "time": columns.time,
            "predicted": columns.predicted,
            "score": columns.score,
            "classes": pa.array([_SEPARATOR.join(names)] * count, pa.string()),
            "class_scores": scores,
            "segments": pa.nulls(count, pa.list_(pa.string())) if segments is None else segments,
        }
    )


def staged_labels(key: TextArray, time: "pa.Array", label: ValueArray) -> pa.Table:
    """Return labels as the join stores them, in the order in which they were read."""
    return pa.table({"key": key, "time": time, "label": label})


def join(tx: Transaction, predictions: Sequence[pa.Table], labels: Sequence[pa.Table], *, horizon: int) -> Joined:
    """Store staged rows, in the order in which they were read, and return what they complete; `horizon` in µs."""
    run = tx.run
    new: pa.Table = pa.concat_tables([_prediction_schema(tx.task).empty_table(), *predictions])
    tx.connection.register("new_predictions", new)
    read = pa.concat_tables([_label_schema(tx.task).empty_table(), *labels])
    tx.connection.register("read_labels", read.append_column("place", pa.array(np.arange(len(read), dtype=np.int64))))
    # A table, which DuckDB reads with several threads; a registered one it reads with one.
    run("CREATE TEMP TABLE new_labels AS FROM read_labels")
    # The only pass over all predictions: the statements below read those that this step's labels belong to.
    run(f"CREATE TEMP TABLE met AS SELECT * FROM {tx.predictions} WHERE key IN (SELECT key FROM new_labels)")
    _match_early_labels(tx)
    overdue = _accept(tx, horizon)
    # The statements below reuse this memory.
    run("DROP TABLE new_labels")
    tx.connection.unregister("read_labels")
    corrected = tx.fetch_table(
        """SELECT p.version, p.time, l.old_time, l.time AS new_time
           FROM met p JOIN accepted l USING (key) WHERE l.old_time <= p.time + ?""",
        [horizon],
    )
    run(f"DELETE FROM {tx.labels} WHERE key IN (SELECT key FROM accepted WHERE old_time IS NOT NULL)")
    run(f"INSERT INTO {tx.labels} SELECT key, time, label FROM accepted")
    run(f"CREATE TEMP TABLE answered AS SELECT {_ROW} FROM new_predictions p JOIN {tx.labels} l USING (key)")
    fresh = tx.fetch_table(
        f"""SELECT {_ROW} FROM met p JOIN accepted l USING (key) WHERE l.old_time IS NULL
            UNION ALL FROM answered WHERE label_time <= time + ?""",
        [horizon],
    )
    ((early,),) = tx.fetch_all("SELECT count(*) FROM answered WHERE label_time > time + ?", [horizon])
    run(f"INSERT INTO {tx.predictions} FROM new_predictions")
    run("UPDATE models SET pending = pending + ? WHERE id = ?", [len(new) - len(fresh), tx.model])
    run("DROP TABLE met; DROP TABLE accepted; DROP TABLE answered")
    tx.connection.unregister("new_predictions")
    return Joined(fresh, corrected, overdue + int(str(early)))


def _prediction_schema(task: Task) -> pa.Schema:
    text, number = pa.string(), pa.float64()
    return pa.schema(
        {"key": text, "version": text, "time": pa.int64(), "predicted": _value(task), "score": number}
        | {"classes": text, "class_scores": pa.list_(number), "segments": pa.list_(text)}
    )


def _label_schema(task: Task) -> pa.Schema:
    return pa.schema({"key": pa.string(), "time": pa.int64(), "label": _value(task)})


def _value(task: Task) -> pa.DataType:
    return pa.float64() if task == "regression" else pa.string()


def _match_early_labels(tx: Transaction) -> None:
    """Move labels without a known prediction from `new_labels` to the early ones, and those of new predictions back.

    place: the order of reading, negative for labels that were read in an earlier step.
    """
    tx.run(
        """CREATE TEMP TABLE unmet AS SELECT n.* FROM new_labels n
           ANTI JOIN (SELECT key FROM met UNION ALL SELECT key FROM new_predictions) USING (key)"""
    )
    tx.run("DELETE FROM new_labels WHERE place IN (SELECT place FROM unmet)")
    tx.run(
        f"""INSERT INTO new_labels SELECT key, time, label, rowid - 4611686018427387904 FROM {tx.early_labels}
            WHERE key IN (SELECT key FROM new_predictions)"""
    )
    tx.run(f"DELETE FROM {tx.early_labels} WHERE key IN (SELECT key FROM new_predictions)")
    tx.run(f"INSERT INTO {tx.early_labels} SELECT key, time, label FROM unmet ORDER BY place")
    tx.run("DROP TABLE unmet")


def _accept(tx: Transaction, horizon: int) -> int:
    """Make table `accepted`: per key the new label that counts, and in `old_time` the time of the one it replaces.

    Returns how many labels came too late. Of several predictions with one key the earliest decides.
    """
    # Only the few predictions that are older than some label by more than the horizon are grouped.
    tx.run(
        """CREATE TEMP TABLE overdue AS SELECT n.place FROM new_labels n JOIN (
               SELECT key, min(time) AS time FROM (FROM met UNION ALL FROM new_predictions)
               WHERE time < (SELECT max(time) FROM new_labels) - ? GROUP BY key
           ) p USING (key) WHERE n.time > p.time + ?""",
        [horizon, horizon],
    )
    tx.run(
        f"""CREATE TEMP TABLE accepted AS SELECT n.*, l.time AS old_time FROM (
                SELECT key, max(time) AS time, arg_max(label, {_LATEST}) AS label
                FROM new_labels ANTI JOIN overdue USING (place) GROUP BY key
            ) n LEFT JOIN {tx.labels} l USING (key)
            WHERE l.key IS NULL OR n.time > l.time OR (n.time = l.time AND n.label <> l.label)"""
    )
    ((late,),) = tx.fetch_all("SELECT count(*) FROM overdue")
    tx.run("DROP TABLE overdue")
    return int(str(late))


def labelled_in(tx: Transaction, places: pa.Table, *, length: int, by_label_time: bool, horizon: int) -> pa.Table:
    """Return the labelled predictions that count in given intervals, each `length` long; all times in µs.

    places: version and start of each interval; the start is a multiple of the length.
    """
    at = "l.time" if by_label_time else "p.time"
    tx.connection.register("places", places)
    found = tx.fetch_table(
        f"""SELECT {_ROW} FROM {tx.predictions} p JOIN {tx.labels} l USING (key)
            JOIN places ON p.version = places.version AND {at} // $length * $length = places.start
            WHERE {at} >= $first AND {at} < $end AND l.time <= p.time + $horizon""",
        {
            "length": length,
            "first": pc.min(places["start"]).as_py(),
            "end": pc.max(places["start"]).as_py() + length,
            "horizon": horizon,
        },
    )
    tx.connection.unregister("places")
    return found


def expire(tx: Transaction, *, now: int, horizon: int, keep: int, by_label_time: bool) -> int:
    """Delete predictions past their horizon and labels that no prediction needs.

    Returns how many labels never met a prediction.

    A labelled prediction stays, with its label, until it has left the longest window (`keep`): a corrected label
    recounts its pane from the rows. All times in µs.
    """
    run = tx.run
    counted = "l.time" if by_label_time else "p.time"
    past = now - horizon
    # Rows are stored in order of arrival, so DuckDB skips blocks whose smallest time is too new.
    run(f"CREATE TEMP TABLE old AS SELECT rowid AS row, key, time FROM {tx.predictions} WHERE time < ?", [past])
    run(
        f"""CREATE TEMP TABLE done AS SELECT p.row, p.key, l.key IS NULL AS unlabelled
            FROM old p LEFT JOIN {tx.labels} l ON l.key = p.key AND l.time <= p.time + ?
            WHERE l.key IS NULL OR {counted} < ?""",
        [horizon, now - keep],
    )
    ((unlabelled,),) = tx.fetch_all("SELECT count(*) FROM done WHERE unlabelled")
    run(f"DELETE FROM {tx.predictions} WHERE rowid IN (SELECT row FROM done)")
    run(f"DELETE FROM done WHERE key IN (SELECT key FROM {tx.predictions})")
    run(f"DELETE FROM {tx.labels} WHERE key IN (SELECT key FROM done)")
    ((orphans,),) = tx.fetch_all(f"SELECT count(*) FROM {tx.early_labels} WHERE time < ?", [past])
    run(f"DELETE FROM {tx.early_labels} WHERE time < ?", [past])
    run("UPDATE models SET expired_at = ?, pending = pending - ? WHERE id = ?", [now, unlabelled, tx.model])
    run("DROP TABLE old; DROP TABLE done")
    return int(str(orphans))


def last_expiry(tx: Transaction) -> int:
    """Return when `expire` last ran (µs), 0 if never."""
    ((at,),) = tx.fetch_all("SELECT expired_at FROM models WHERE id = ?", [tx.model])
    return int(str(at))


def pending(tx: Transaction) -> int:
    """Return how many predictions wait for their label."""
    ((count,),) = tx.fetch_all("SELECT pending FROM models WHERE id = ?", [tx.model])
    return int(str(count))


def class_scores(row_classes: str) -> list[str]:
    """Return the class names that a stored `classes` text holds."""
    return row_classes.split(_SEPARATOR) if row_classes else []
