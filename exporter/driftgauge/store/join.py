"""Predictions and labels that wait for each other, joined by key inside DuckDB.

All rows are kept as they were read: predictions, labels, and the pairs that they make (`matching` says which). A step
decides anew about the keys that it touches, with all their rows, so it does not matter in which step a row came. A pair
that the new rows put in doubt is withdrawn; its row stays, without label, so that no prediction is fresh twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import Columns
from driftgauge.schema import Task
from driftgauge.snapshot import Joining
from driftgauge.store.database import Transaction
from driftgauge.store.matching import match

# Separates the class names in one stored text; this character cannot occur in a canonical name.
_SEPARATOR = "\x1f"
_ROW: Final = "p.version, p.time, p.predicted, p.score, p.classes, p.class_scores, p.segments, l.label_time, l.label"
_LABEL: Final = "key, time, label, file, place, number, own, turn"
# What has become of a label: it has no prediction yet; it has; or it is unclear or too late which.
_WAITING, _MATCHED, _REJECTED = 0, 1, 2
_DAY: Final = 86_400 * 10**6


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
        found = {"label_after_horizon": self.late, "ambiguous_key": self.ambiguous}
        return {reason: count for reason, count in found.items() if count}


def staged_predictions(columns: Columns, segments: "pa.Array | None" = None, *, gaps: bool = False) -> pa.Table:
    """Return the rows as the join stores them; segments: (n,) the identities of those that each row is in, as lists.

    gaps: these rows were rejected, and only take their place among those of their key.
    """
    names = () if gaps else sorted(columns.class_scores)
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
            "predicted": pa.nulls(count, columns.predicted.type) if gaps else columns.predicted,
            "score": columns.score,
            "classes": pa.array([_SEPARATOR.join(names)] * count, pa.string()),
            "class_scores": scores,
            "segments": pa.nulls(count, pa.list_(pa.string())) if segments is None else segments,
            **_place(columns),
        }
    )


def staged_labels(columns: Columns, *, own: bool = False, gaps: bool = False) -> pa.Table:
    """Return labels as the join stores them, in the order in which they were read.

    own: they are in the rows of their predictions. gaps: as in `staged_predictions`.
    """
    label = pa.nulls(len(columns), columns.label.type) if gaps else columns.label
    return pa.table(
        {"key": columns.key, "time": columns.time, "label": label}
        | _place(columns)
        | {"own": pa.repeat(pa.scalar(own), len(columns))}
    )


def join(
    tx: Transaction,
    predictions: Sequence[pa.Table],
    labels: Sequence[pa.Table],
    *,
    horizon: int,
    torn: Sequence[int] = (),
) -> Joined:
    """Store staged rows, in the order in which they were read, and return what they complete; `horizon` in µs.

    torn: files with rows whose key could not be read, so that the order of the others is not known.
    """
    run = tx.run
    new: pa.Table = pa.concat_tables([_prediction_schema(tx.task).empty_table(), *predictions])
    read: pa.Table = pa.concat_tables([_label_schema(tx.task).empty_table(), *labels])
    ((turn,),) = tx.fetch_all("SELECT turn FROM models WHERE id = ?", [tx.model])
    first = int(str(turn))
    tx.connection.register("new_predictions", new)
    tx.connection.register(
        "read_labels", read.append_column("turn", pa.array(range(first, first + len(read)), pa.int64()))
    )
    run("UPDATE models SET turn = ? WHERE id = ?", [first + len(read), tx.model])
    if torn:
        run(f"INSERT INTO {tx.torn} SELECT unnest(?::BIGINT[])", [list(torn)])
    # A table, which DuckDB reads with several threads; a registered one it reads with one.
    run("CREATE TEMP TABLE new_labels AS FROM read_labels")
    run(
        f"""CREATE TEMP TABLE touched AS SELECT DISTINCT key FROM new_labels
            UNION SELECT key FROM new_predictions SEMI JOIN {tx.labels} USING (key)"""
    )
    # The only pass over all predictions.
    run(
        f"""CREATE TEMP TABLE met AS SELECT * FROM {tx.predictions} SEMI JOIN touched USING (key)
            UNION ALL SELECT * FROM new_predictions SEMI JOIN touched USING (key)"""
    )
    run(
        f"""CREATE TEMP TABLE heard AS
            SELECT {_LABEL}, state, counted, false AS new FROM {tx.labels} SEMI JOIN touched USING (key)
            UNION ALL SELECT {_LABEL}, {_WAITING}::UTINYINT, false, true FROM new_labels"""
    )
    match(tx, horizon=horizon)
    fresh, corrected = _exchange(tx)
    late, ambiguous, example = _judge(tx, horizon)
    run(f"INSERT INTO {tx.predictions} FROM new_predictions")
    for table in ("new_labels", "touched", "met", "heard", "paired", "unclear"):
        run(f"DROP TABLE {table}")
    tx.connection.unregister("new_predictions")
    tx.connection.unregister("read_labels")
    return Joined(fresh, corrected, late, ambiguous, example, labels=len(read))


def _place(columns: Columns) -> dict[str, pa.Array]:
    at = columns.where
    if at is None:
        raise ValueError("rows without their place in a file cannot be joined")
    return {"file": at.file, "place": at.place, "number": at.number}


def _prediction_schema(task: Task) -> pa.Schema:
    text, number = pa.string(), pa.float64()
    return pa.schema(
        {"key": text, "version": text, "time": pa.int64(), "predicted": _value(task), "score": number}
        | {"classes": text, "class_scores": pa.list_(number), "segments": pa.list_(text)}
        | _PLACE
    )


def _label_schema(task: Task) -> pa.Schema:
    return pa.schema({"key": pa.string(), "time": pa.int64(), "label": _value(task)} | _PLACE | {"own": pa.bool_()})


_PLACE: Final = {"file": pa.int64(), "place": pa.int64(), "number": pa.int64()}


def _value(task: Task) -> pa.DataType:
    return pa.float64() if task == "regression" else pa.string()


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


def _judge(tx: Transaction, horizon: int) -> tuple[int, int, Example | None]:
    """Store the new labels, and what has become of those in `heard`.

    Returns how many are found to be late and ambiguous, each once, and an example of the latter.
    """
    tx.run(
        f"""CREATE TEMP TABLE judged AS
            SELECT h.*, own OR last IS NULL OR label IS NULL AS fine,
                h.time > last + $horizon AS late, u.key IS NOT NULL AS unclear,
                CASE WHEN last IS NULL THEN {_WAITING} WHEN NOT fine AND (late OR unclear) THEN {_REJECTED}
                ELSE {_MATCHED} END AS verdict
            FROM heard h LEFT JOIN (SELECT key, max(time) AS last FROM met GROUP BY key) USING (key)
            LEFT JOIN unclear u USING (key)""".replace("$horizon", str(horizon))
    )
    tx.run(f"""INSERT INTO {tx.labels} SELECT {_LABEL}, verdict, verdict = {_REJECTED} FROM judged WHERE new""")
    tx.run(
        f"""UPDATE {tx.labels} l SET state = j.verdict, counted = j.counted OR j.verdict = {_REJECTED}
            FROM judged j WHERE l.turn = j.turn AND NOT j.new AND l.state <> j.verdict"""
    )
    ((late, ambiguous, example),) = tx.fetch_all(
        f"""SELECT count(*) FILTER (late), count(*) FILTER (NOT late), min(key) FILTER (NOT late)
            FROM judged WHERE verdict = {_REJECTED} AND NOT counted"""
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


def expire(tx: Transaction, *, now: int, horizon: int, keep: int, by_label_time: bool) -> int:
    """Delete predictions past their horizon and labels that no prediction needs.

    Returns how many labels never met a prediction.

    A labelled prediction stays, with its label, until it has left the longest window (`keep`): a corrected label
    recounts its pane from the rows. The rows of one key go together, since their number decides; of a key that is used
    again and again the two newest files show that. All times in µs.
    """
    run = tx.run
    counted = "l.label_time" if by_label_time else "p.time"
    past = now - horizon
    # Rows are stored in order of arrival, so DuckDB skips blocks whose smallest time is too new.
    run(
        f"""CREATE TEMP TABLE done AS SELECT p.rowid AS row, p.key, p.version, p.file, p.place, p.time
            FROM {tx.predictions} p LEFT JOIN {tx.pairs} l USING (file, place)
            WHERE p.time < ? AND (l.label IS NULL OR {counted} < ?)""",
        [past, now - keep],
    )
    run(
        f"""CREATE TEMP TABLE alive AS SELECT key, version, file, max(time) AS newest
            FROM {tx.predictions} p WHERE key IN (SELECT key FROM done) GROUP BY key, version, file"""
    )
    run(
        f"""DELETE FROM alive WHERE key NOT IN (
                SELECT key FROM {tx.predictions} p WHERE key IN (SELECT key FROM done)
                AND rowid NOT IN (SELECT row FROM done))"""
    )
    run(
        """CREATE TEMP TABLE newest AS SELECT key, version, file FROM alive
           QUALIFY row_number() OVER (PARTITION BY key, version ORDER BY newest DESC, file) <= 2"""
    )
    run("DELETE FROM done WHERE (key, version, file) IN (FROM newest)")
    run(f"DELETE FROM {tx.predictions} WHERE rowid IN (SELECT row FROM done)")
    run(f"DELETE FROM {tx.pairs} WHERE (file, place) IN (SELECT file, place FROM done)")
    run(f"DELETE FROM {tx.labels} WHERE key IN (SELECT key FROM done ANTI JOIN alive USING (key))")
    run(f"DELETE FROM {tx.labels} WHERE state = {_REJECTED} AND time < ?", [min(past, now - keep)])
    _drop_replaced(tx, now)
    lone = f"FROM {tx.labels} WHERE state = {_WAITING} AND time < ?"
    ((orphans,),) = tx.fetch_all(f"SELECT count(label) FILTER (NOT own) {lone}", [past])
    run(f"DELETE {lone}", [past])
    run("UPDATE models SET expired_at = ? WHERE id = ?", [now, tx.model])
    run("DROP TABLE done; DROP TABLE alive; DROP TABLE newest")
    return int(str(orphans))


def _drop_replaced(tx: Transaction, now: int) -> None:
    """Delete labels older than a day of keys with one prediction, where another file has a later one.

    Those of several predictions stay, since their number decides.
    """
    tx.run(
        f"""CREATE TEMP TABLE replaced AS
            WITH again AS (
                SELECT key FROM {tx.labels} WHERE state = {_MATCHED} GROUP BY key HAVING count(*) > 1
            ),
            single AS (
                SELECT key FROM {tx.predictions} SEMI JOIN again USING (key) GROUP BY key HAVING count(*) = 1
            )
            SELECT turn, time FROM {tx.labels} SEMI JOIN single USING (key)
            QUALIFY row_number() OVER (PARTITION BY key ORDER BY label IS NOT NULL DESC, time DESC, turn DESC) > 1
            AND count(*) OVER (PARTITION BY key, file) = 1"""
    )
    tx.run(f"DELETE FROM {tx.labels} WHERE turn IN (SELECT turn FROM replaced WHERE time < ?)", [now - _DAY])
    tx.run("DROP TABLE replaced")


def last_expiry(tx: Transaction) -> int:
    """Return when `expire` last ran (µs), 0 if never."""
    ((at,),) = tx.fetch_all("SELECT expired_at FROM models WHERE id = ?", [tx.model])
    return int(str(at))


def kept(tx: Transaction) -> Joining:
    """Return how many rows wait, and how many labels have met their prediction."""
    ((predictions, pairs),) = tx.fetch_all(
        f"SELECT (SELECT count(predicted) FROM {tx.predictions}), (SELECT count(label) FROM {tx.pairs})"
    )
    states = tx.fetch_all(f"SELECT state, count(label) FROM {tx.labels} WHERE NOT own GROUP BY state")
    of = {int(str(state)): int(str(count)) for state, count in states}
    return Joining(
        int(str(predictions)) - int(str(pairs)), *(of.get(state, 0) for state in (_WAITING, _MATCHED, _REJECTED))
    )


def unmatched(tx: Transaction) -> tuple[str, str | None]:
    """Return the key of a label that waits, and that of a prediction if there is one."""
    ((label, prediction),) = tx.fetch_all(
        f"""SELECT (SELECT key FROM {tx.labels} WHERE state = {_WAITING} LIMIT 1),
                   (SELECT key FROM {tx.predictions} LIMIT 1)"""
    )
    return str(label), None if prediction is None else str(prediction)


def class_scores(row_classes: str) -> list[str]:
    """Return the class names that a stored `classes` text holds."""
    return row_classes.split(_SEPARATOR) if row_classes else []
