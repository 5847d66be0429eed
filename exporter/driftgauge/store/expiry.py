"""What the join forgets: predictions past their horizon, and labels that no prediction needs."""

from typing import Final

from driftgauge.staging import MATCHED, REJECTED, WAITING
from driftgauge.store.database import Transaction

_DAY: Final = 86_400 * 10**6


def expire(tx: Transaction, *, now: int, horizon: int, keep: int, by_label_time: bool, tolerance: int = 0) -> int:
    """Delete predictions past their horizon and labels that no prediction needs.

    Returns how many labels never met a prediction.

    A labelled prediction stays, with its label, until it has left the longest window (`keep`): a corrected label
    recounts its pane from the rows. The rows of one key go together, since their number decides; of a key that is used
    again and again the two newest files show that. With a tolerance keys are times, and go as time goes on. All times
    in µs.
    """
    run = tx.run
    counted = "l.label_time" if by_label_time else "p.time"
    past = now - horizon
    # Rows are stored in order of arrival, so DuckDB skips blocks whose smallest time is too new.
    run(
        f"""CREATE TEMP TABLE done AS SELECT p.rowid AS row, p.key, p.version, p.file, p.place, p.number
            FROM {tx.predictions} p LEFT JOIN {tx.pairs} l USING (file, place)
            WHERE p.time < ? AND (l.label IS NULL OR {counted} < ?)""",
        [past, now - keep],
    )
    if tolerance:
        _drop_stretches(tx, tolerance)
    else:
        _drop_keys(tx)
    run(f"DELETE FROM {tx.labels} WHERE state = {REJECTED} AND time < ?", [min(past, now - keep)])
    _drop_replaced(tx, now)
    lone = f"FROM {tx.labels} WHERE state = {WAITING} AND time < ?"
    ((orphans,),) = tx.fetch_all(f"SELECT count(label) FILTER (NOT own) {lone}", [past])
    run(f"DELETE {lone}", [past])
    run("UPDATE models SET expired_at = ? WHERE id = ?", [now, tx.model])
    run("DROP TABLE done")
    return int(str(orphans))


def _drop_keys(tx: Transaction) -> None:
    """Delete those of the rows in `done` that say no more about others of their key, and the labels of these keys."""
    tx.run(
        f"""CREATE TEMP TABLE alive AS SELECT key, version, file, max(time) AS newest
            FROM {tx.predictions} p WHERE key IN (SELECT key FROM done) GROUP BY key, version, file"""
    )
    tx.run(
        f"""DELETE FROM alive WHERE key NOT IN (
                SELECT key FROM {tx.predictions} p WHERE key IN (SELECT key FROM done)
                AND rowid NOT IN (SELECT row FROM done))"""
    )
    tx.run(
        """CREATE TEMP TABLE newest AS SELECT key, version, file FROM alive
           QUALIFY row_number() OVER (PARTITION BY key, version ORDER BY newest DESC, file) <= 2"""
    )
    tx.run("DELETE FROM done WHERE (key, version, file) IN (FROM newest)")
    _drop_done(tx)
    tx.run(f"DELETE FROM {tx.labels} WHERE key IN (SELECT key FROM done ANTI JOIN alive USING (key))")
    tx.run("DROP TABLE alive; DROP TABLE newest")


def _drop_stretches(tx: Transaction, tolerance: int) -> None:
    """Delete the rows in `done` that are before all others of their key, and the labels that belong to them."""
    tx.run(
        f"""CREATE TEMP TABLE ends AS SELECT key, min(r.number) - {2 * tolerance} AS until
            FROM (SELECT DISTINCT key FROM done)
            LEFT JOIN (FROM {tx.predictions} WHERE rowid NOT IN (SELECT row FROM done)) r USING (key) GROUP BY key"""
    )
    tx.run("DELETE FROM done USING ends WHERE done.key = ends.key AND done.number >= ends.until")
    _drop_done(tx)
    tx.run(
        f"""DELETE FROM {tx.labels} l USING ends WHERE l.key = ends.key AND l.state <> {WAITING}
            AND (until IS NULL OR l.number < until - {tolerance})"""
    )
    tx.run("DROP TABLE ends")


def _drop_done(tx: Transaction) -> None:
    tx.run(f"DELETE FROM {tx.predictions} WHERE rowid IN (SELECT row FROM done)")
    tx.run(f"DELETE FROM {tx.pairs} WHERE (file, place) IN (SELECT file, place FROM done)")


def _drop_replaced(tx: Transaction, now: int) -> None:
    """Delete labels older than a day of keys with one prediction, where another file has a later one.

    Those of several predictions stay, since their number decides.
    """
    tx.run(
        f"""CREATE TEMP TABLE replaced AS
            WITH again AS (
                SELECT key FROM {tx.labels} WHERE state = {MATCHED} GROUP BY key HAVING count(*) > 1
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
