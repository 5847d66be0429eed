"""Which label belongs to which prediction, among all rows of some keys: statements over temporary tables.

`met` are the predictions of these keys and `heard` their labels, those of earlier steps and new ones. The answer is a
function of these rows alone, so neither the order nor the steps in which they were read matter. Rows that were rejected
are among them, with a null in place of the prediction or label: they take a place, but are no part of a pair.

A label speaks of a request, and each version of the model may have answered it. So the predictions of one key and
version are a *group*, which has to be in one file; the same rows in another file are copies, of which one counts.

- A group of one row has the latest label of its key.
- Rows of a group are told apart by a row number, if all of them and all labels of the key have one.
- Otherwise each label file with the key must have as many rows of it as the group; they belong together in their order.
- Everything else is unclear, and none of the group's rows has a label. Unclear is, too, which of two labels counts
  that are in one file, with the same time, and differ.

A label in the row of a prediction belongs to that row, and is one more candidate for it. Of the candidates for a row
that are within the horizon the latest counts, of equal times the one read last.
"""

from typing import Final

from driftgauge.staging import LATEST
from driftgauge.store.database import Transaction

_MANY: Final = """
CREATE TEMP TABLE many AS SELECT key FROM met SEMI JOIN heard USING (key) GROUP BY key HAVING count(*) > 1
"""
# Keys of one prediction that have several labels.
_AGAIN: Final = """
CREATE TEMP TABLE again AS SELECT key FROM heard ANTI JOIN many USING (key) GROUP BY key HAVING count(*) > 1
"""
_SIMPLE: Final = """
CREATE TEMP TABLE paired AS SELECT p.file, p.place, l.time AS label_time, l.label
FROM met p JOIN heard l USING (key) ANTI JOIN many USING (key) ANTI JOIN again USING (key)
WHERE p.predicted IS NOT NULL AND l.label IS NOT NULL AND l.time <= p.time + ?
"""
# Without copies, and with the position of each row in its group by place and by number.
_ASKED: Final = """
CREATE TEMP TABLE asked AS
WITH mine AS (SELECT key, version, file, place, number, time, predicted, score FROM met SEMI JOIN many USING (key)),
spread AS (SELECT key, version FROM mine GROUP BY ALL HAVING count(DISTINCT file) > 1),
contents AS (
    SELECT key, version, file, list(row(time, predicted, score) ORDER BY place) AS content
    FROM mine SEMI JOIN spread USING (key, version) GROUP BY key, version, file
),
chosen AS (
    SELECT key, version, min(file) AS first, count(DISTINCT content) > 1 AS several FROM contents GROUP BY key, version
)
SELECT mine.*, coalesce(several, false) AS several,
    row_number() OVER (PARTITION BY key, version ORDER BY file, place) AS position,
    row_number() OVER (PARTITION BY key, version ORDER BY number, file, place) AS ranked
FROM mine LEFT JOIN chosen USING (key, version) WHERE first IS NULL OR several OR file = first
"""
_TOLD: Final = """
CREATE TEMP TABLE told AS SELECT key, file, number, time, label, turn,
    row_number() OVER (PARTITION BY key, file ORDER BY place) AS position,
    row_number() OVER (PARTITION BY key, file ORDER BY number, place) AS ranked
FROM heard SEMI JOIN many USING (key) WHERE NOT own
"""
_GROUPS: Final = """
CREATE TEMP TABLE groups AS
WITH files AS (
    SELECT key, file, count(*) AS size, count(DISTINCT number) = count(*) AS numbered,
        bool_and(position = ranked) AS steady, file IN (FROM {torn}) AS torn
    FROM told GROUP BY key, file
),
of_key AS (
    SELECT key, min(size) AS least, max(size) AS most, bool_and(numbered) AS numbered, bool_and(steady) AS steady,
        bool_or(torn) AS torn
    FROM files GROUP BY key
),
foreign_numbers AS (SELECT DISTINCT key FROM told ANTI JOIN asked USING (key, number)),
of_version AS (
    SELECT key, version, count(*) AS size, bool_or(several) AS several, count(DISTINCT number) = count(*) AS numbered,
        bool_and(position = ranked) AS steady, bool_or(file IN (FROM {torn})) AS torn
    FROM asked GROUP BY key, version
)
SELECT v.key, v.version, CASE
    WHEN k.key IS NULL THEN 'own'
    WHEN v.several THEN 'unclear'
    WHEN v.size = 1 THEN 'latest'
    WHEN v.numbered AND k.numbered AND f.key IS NULL THEN 'number'
    WHEN k.least <> v.size OR k.most <> v.size OR k.torn OR v.torn THEN 'unclear'
    WHEN v.numbered AND k.numbered AND NOT (v.steady AND k.steady) THEN 'unclear'
    ELSE 'order' END AS how
FROM of_version v LEFT JOIN of_key k USING (key) LEFT JOIN foreign_numbers f USING (key)
"""
_CANDIDATES: Final = """
CREATE TEMP TABLE candidates AS
WITH asking AS (FROM asked JOIN groups USING (key, version) WHERE predicted IS NOT NULL),
found AS (
    SELECT a.key, a.file, a.place, a.time AS made, how, t.file AS source, t.time, t.label, t.turn
    FROM asking a JOIN told t USING (key) WHERE how = 'latest'
    UNION ALL
    SELECT a.key, a.file, a.place, a.time, how, t.file, t.time, t.label, t.turn
    FROM asking a JOIN told t USING (key, number) WHERE how = 'number'
    UNION ALL
    SELECT a.key, a.file, a.place, a.time, how, t.file, t.time, t.label, t.turn
    FROM asking a JOIN told t USING (key, position) WHERE how = 'order'
    UNION ALL
    SELECT a.key, a.file, a.place, a.time, how, NULL, h.time, h.label, h.turn
    FROM asking a JOIN heard h USING (file, place) WHERE h.own AND how <> 'unclear'
    UNION ALL
    SELECT p.key, p.file, p.place, p.time, 'latest', CASE WHEN h.own THEN NULL ELSE h.file END, h.time, h.label, h.turn
    FROM met p JOIN heard h USING (key) SEMI JOIN again USING (key) WHERE p.predicted IS NOT NULL
)
FROM found WHERE label IS NOT NULL AND time <= made + ?
"""
_BEST: Final = f"""
CREATE TEMP TABLE best AS SELECT key, file, place, max(time) AS label_time, arg_max(label, {LATEST}) AS label,
    arg_max(source, {LATEST}) AS source, any_value(how) AS how
FROM candidates GROUP BY key, file, place
"""
_UNCLEAR: Final = """
CREATE TEMP TABLE unclear AS SELECT DISTINCT key FROM groups WHERE how = 'unclear'
UNION SELECT b.key FROM best b JOIN heard t ON b.key = t.key AND b.source = t.file AND b.label_time = t.time
WHERE how = 'latest' AND t.label <> b.label AND NOT t.own
"""
_PAIRED: Final = """
INSERT INTO paired SELECT file, place, label_time, label FROM best
WHERE how <> 'latest' OR key NOT IN (FROM unclear)
"""
_LEFT: Final = ("many", "again", "asked", "told", "groups", "candidates", "best")


def match(tx: Transaction, *, horizon: int) -> None:
    """Make the tables `paired` (file and place of a prediction, label_time, label) and `unclear` (key).

    horizon: µs, at most this long after its prediction a label counts.
    """
    tx.run(_MANY)
    tx.run(_AGAIN)
    tx.run(_SIMPLE, [horizon])
    tx.run(_ASKED)
    tx.run(_TOLD)
    tx.run(_GROUPS.format(torn=tx.torn))
    tx.run(_CANDIDATES, [horizon])
    tx.run(_BEST)
    tx.run(_UNCLEAR)
    tx.run(_PAIRED)
    tx.run(";".join(f"DROP TABLE {name}" for name in _LEFT))
