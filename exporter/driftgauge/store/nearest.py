"""Which label belongs to which prediction when keys are times: the nearest ones within a tolerance, each once.

Of all pairs the closest comes first, of equally close ones that of the earlier prediction, then of the earlier label;
then the closest of what is left, and so on. So the answer is a function of the rows, whatever their order. Times that
are further apart than the tolerance, with nothing between, are apart for good: a step decides anew about the stretches
that its rows are in.

Predictions of one instant by several versions answer the same request and share its label. Labels of one instant in
different files speak of the same one: the latest counts.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.columns import IntArray
from driftgauge.staging import LATEST
from driftgauge.store.database import Transaction

# Stretches of the keys of new rows in which no two neighbours are further apart than the tolerance.
_STRETCHES: Final = """
CREATE TEMP TABLE stretches AS
WITH rows AS (
    SELECT key, number, false AS new FROM {predictions} SEMI JOIN touched USING (key)
    UNION ALL SELECT key, number, true FROM new_predictions SEMI JOIN touched USING (key)
    UNION ALL SELECT key, number, false FROM {labels} SEMI JOIN touched USING (key)
    UNION ALL SELECT key, number, true FROM new_labels
),
begun AS (
    SELECT *, number - lag(number) OVER (PARTITION BY key ORDER BY number) > {tolerance} AS begins FROM rows
),
counted AS (SELECT *, count(*) FILTER (begins) OVER (PARTITION BY key ORDER BY number) AS stretch FROM begun)
SELECT key, min(number) AS first, max(number) AS last FROM counted GROUP BY key, stretch HAVING bool_or(new)
"""
# The same rows of another file are copies, of which one counts.
_ANSWERS: Final = """
CREATE TEMP TABLE answers AS
WITH placed AS (
    SELECT *, row_number() OVER (PARTITION BY key, number, version, file ORDER BY place) AS nth FROM met
),
once AS (
    SELECT * FROM placed
    QUALIFY row_number() OVER (PARTITION BY key, number, version, nth, predicted, score, time ORDER BY file) = 1
)
SELECT key, number, file, place, time, predicted,
    row_number() OVER (PARTITION BY key, number, version ORDER BY nth, file) AS nth
FROM once
"""
_TOLD: Final = """
CREATE TEMP TABLE told AS SELECT key, number, time, label, turn,
    row_number() OVER (PARTITION BY key, number, file ORDER BY place) AS nth
FROM heard WHERE NOT own
"""
_PAIRED: Final = f"""
CREATE TEMP TABLE paired AS
WITH candidates AS (
    SELECT a.file, a.place, a.time AS made, t.time, t.label, t.turn
    FROM answers a JOIN matched m ON a.key = m.key AND a.number = m.number AND a.nth = m.nth
    JOIN told t ON t.key = m.key AND t.number = m.label_number AND t.nth = m.label_nth
    WHERE a.predicted IS NOT NULL
    UNION ALL
    SELECT a.file, a.place, a.time, h.time, h.label, h.turn
    FROM answers a JOIN heard h USING (file, place) WHERE h.own AND a.predicted IS NOT NULL
)
SELECT file, place, max(time) AS label_time, arg_max(label, {LATEST}) AS label
FROM candidates WHERE label IS NOT NULL AND time <= made + ? GROUP BY file, place
"""
_SPOKEN: Final = """
CREATE TEMP TABLE spoken AS SELECT t.turn, max(a.time) AS last
FROM told t JOIN matched m ON t.key = m.key AND t.number = m.label_number AND t.nth = m.label_nth
JOIN answers a ON a.key = m.key AND a.number = m.number AND a.nth = m.nth GROUP BY t.turn
"""


def gather_stretches(tx: Transaction, *, tolerance: int) -> None:
    """Make table `stretches`: key, first and last time (µs) of those that a step touches."""
    tx.run(_STRETCHES.format(predictions=tx.predictions, labels=tx.labels, tolerance=tolerance))


def match_nearest(tx: Transaction, *, horizon: int, tolerance: int) -> None:
    """Make the tables `paired` and `unclear` as `matching.match` does, and `spoken`.

    spoken: `turn` of labels that have a prediction, and in `last` its time. All times in µs.
    """
    tx.run(_ANSWERS)
    tx.run(_TOLD)
    answers, told = (
        tx.fetch_table(f"SELECT DISTINCT key, number, nth FROM {table} ORDER BY key, number, nth")
        for table in ("answers", "told")
    )
    here, there = _nearest_of(answers, told, tolerance)
    matched = answers.take(pa.array(here))
    found = told.take(pa.array(there))
    matched = matched.append_column("label_number", found["number"]).append_column("label_nth", found["nth"])
    tx.connection.register("matched", matched)
    tx.run(_PAIRED, [horizon])
    tx.run(_SPOKEN)
    tx.run("CREATE TEMP TABLE unclear (key VARCHAR)")
    tx.run("DROP TABLE answers; DROP TABLE told")
    tx.connection.unregister("matched")


def nearest(first: IntArray, second: IntArray, *, tolerance: int) -> tuple[IntArray, IntArray]:
    """Return the positions of pairs of two sorted series that are closest to each other, each at most once.

    Repeatedly, whatever is each other's nearest becomes a pair: the same as taking all pairs by their distance.
    """
    left, right = np.arange(len(first)), np.arange(len(second))
    pairs: list[tuple[IntArray, IntArray]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    while len(left) and len(right):
        to_right = _closest(first[left], second[right])
        to_left = _closest(second[right], first[left])
        mutual = np.flatnonzero(to_left[to_right] == np.arange(len(left)))
        mutual = mutual[np.abs(first[left[mutual]] - second[right[to_right[mutual]]]) <= tolerance]
        if not len(mutual):
            break
        pairs.append((left[mutual], right[to_right[mutual]]))
        left, right = np.delete(left, mutual), np.delete(right, to_right[mutual])
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def _closest(times: IntArray, others: IntArray) -> IntArray:
    """Return for each time the position of the closest of the sorted `others`, of equally close ones the first."""
    after = np.searchsorted(others, times)
    following = np.minimum(after, len(others) - 1)
    # Of others with the same time the first one.
    before = np.searchsorted(others, others[np.maximum(after - 1, 0)])
    earlier = np.abs(times - others[before]) <= np.abs(others[following] - times)
    return np.where(earlier, before, following)


def _nearest_of(answers: pa.Table, told: pa.Table, tolerance: int) -> tuple[IntArray, IntArray]:
    """Return rows of two tables of `key` and `number`, sorted by these, that are nearest to each other."""
    keys = pa.chunked_array([*answers["key"].chunks, *told["key"].chunks], pa.string()).combine_chunks()
    codes = keys.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    times = np.concatenate([answers["number"].to_numpy(), told["number"].to_numpy()])
    order = np.lexsort((times, codes))
    # On one line: what is further apart than the tolerance, or has another key, stays just out of reach.
    far = tolerance + 1
    steps = np.where(np.diff(codes[order]) == 0, np.minimum(np.diff(times[order]), far), far)
    line = np.zeros(len(times), np.int64)
    line[order[1:]] = np.cumsum(steps)
    here, there = np.argsort(line[: len(answers)], kind="stable"), np.argsort(line[len(answers) :], kind="stable")
    left, right = nearest(line[: len(answers)][here], line[len(answers) :][there], tolerance=tolerance)
    return here[left], there[right]
