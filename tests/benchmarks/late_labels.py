"""B7: a million labels at once against ten million waiting predictions.

Each measurement is a process of its own on a fresh copy of the same state file, so that its peak memory is its own. The
bare join is DuckDB's hash join of the same two tables by key, giving the same columns: no rule, no write, no commit.
How the file lives over 60 days takes minutes more and is a step to be asked for:

    python -m tests.benchmarks --step late_labels inflow FOLDER "uuid hex" 60
"""
# ruff: noqa: S608 - the statements are put together from the words and numbers in this file only

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from driftgauge.staging import prediction_schema
from driftgauge.store import Store
from driftgauge.store.database import FILE_NAME
from driftgauge.store.expiry import expire
from driftgauge.store.join import join, kept

from .measuring import (
    BENCH,
    Contestant,
    Figures,
    Notes,
    Row,
    Target,
    child,
    clocks,
    compared,
    duration,
    expect,
    interleaved,
    median,
    number,
    peak,
    say,
    since,
)

# pyarrow imports pandas with the first array of numpy's. In the exporter MLflow has done that long before a step.
pa.array(np.zeros(1))

DAY = 86_400_000_000
HORIZON = 30 * DAY
# Request ids as uuid4().hex has them, and as a counter has them.
KEYS = {"uuid hex": "md5(i::VARCHAR)", "short": "'r' || i"}
COLUMNS = "p.version, p.time, p.predicted, p.score, p.classes, p.class_scores, l.time AS label_time, l.label"
PREDICTIONS: Final = 10_000_000
ROUNDS: Final = 3


def predictions(key: str, first: int, count: int, spacing: float) -> pa.Table:
    """Return staged predictions number `first` and on, `spacing` µs apart."""
    staged = duckdb.sql(
        f"""SELECT {KEYS[key]} AS key, '3' AS version, (i * {spacing})::BIGINT AS time, (i % 2)::VARCHAR AS predicted,
            (i % 1000) / 1000 AS score, '' AS classes, NULL::DOUBLE[] AS class_scores, NULL::VARCHAR[] AS segments,
            1::BIGINT AS file, i AS place, NULL::BIGINT AS number, NULL::VARCHAR AS coding, NULL::BLOB AS codes
            FROM range({first}, {first + count}) t(i)"""
    )
    return staged.to_arrow_table().cast(prediction_schema("binary"))


def labels(key: str, numbers: range, spacing: float) -> pa.Table:
    """Return staged labels of the predictions with these numbers, a day later, in no order."""
    return duckdb.sql(
        f"""SELECT {KEYS[key]} AS key, (i * {spacing})::BIGINT + {DAY} AS time, (i % 3 % 2)::VARCHAR AS label,
            2::BIGINT AS file, i AS place, NULL::BIGINT AS number, false AS own
            FROM range({numbers.start}, {numbers.stop}, {numbers.step}) t(i) ORDER BY hash(i)"""
    ).to_arrow_table()


def build(folder: Path, key: str, count: int) -> Figures:
    """Store `count` predictions of 30 days, and the same two tables for the bare join."""
    began = clocks()
    part = count // 10
    for first in range(0, count, part):
        # Reopened so that DuckDB has compacted what each part left before anything is measured.
        store = Store.open(str(folder))
        with store.transaction("model", "binary") as tx:
            join(tx, [predictions(key, first, part, HORIZON / count)], [], horizon=HORIZON)
        store.close()
    spent = since(began)
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.register("arrived", labels(key, range(0, count, 10), HORIZON / count))
        connection.execute(f"ATTACH '{folder / FILE_NAME}' AS state (READ_ONLY)")
        connection.execute("CREATE TABLE p AS FROM state.predictions_1; CREATE TABLE l AS FROM arrived")
    return spent | {"disk": megabytes(folder)}


def bare_join(folder: Path, _key: str, count: int) -> Figures:
    """Join the two tables and do nothing else."""
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        began = clocks()
        rows = connection.sql(f"SELECT {COLUMNS} FROM p JOIN l USING (key)").to_arrow_table()
        spent = since(began)
    expect(len(rows), count // 10, "rows joined")
    return spent | {"peak": peak()}


def burst(folder: Path, key: str, count: int) -> Figures:
    """Take a label for every tenth prediction at once."""
    arriving = labels(key, range(0, count, 10), HORIZON / count)
    store = Store.open(str(folder))
    began = clocks()
    with store.transaction("model", "binary") as tx:
        joined = join(tx, [], [arriving], horizon=HORIZON)
    figures = since(began) | {"peak": peak()}
    expect(len(joined.fresh), count // 10, "labels joined")
    store.close()
    return figures | {"disk": megabytes(folder)}


def small_step(folder: Path, key: str, count: int) -> Figures:
    """Take 1,000 predictions and 1,000 labels."""
    arriving = labels(key, range(5, count, count // 1000), HORIZON / count)
    new = predictions(key, count, 1000, HORIZON / count)
    store = Store.open(str(folder))
    began = clocks()
    with store.transaction("model", "binary") as tx:
        joined = join(tx, [new], [arriving], horizon=HORIZON)
    spent = since(began)
    store.close()
    expect(len(joined.fresh), 1000, "labels joined")
    return spent | {"peak": peak()}


def expiry(folder: Path, _key: str, count: int) -> Figures:
    """Let the oldest of the thirty days leave."""
    store = Store.open(str(folder))
    began = clocks()
    with store.transaction("model", "binary") as tx:
        expire(tx, now=HORIZON + DAY, horizon=HORIZON, keep=7 * DAY, by_label_time=True)
        left = kept(tx).predictions
    spent = since(began)
    store.close()
    expect(left, count - -(-count // 30), "predictions left")
    return spent | {"peak": peak()}


def inflow(folder: Path, key: str, days: int) -> Figures:
    """Live `days` days of 200,000 predictions, nine tenths of which are labelled a day later."""
    daily = 200_000
    store = Store.open(str(folder))
    for day in range(days):
        known = range((day - 1) * daily, (day - 1) * daily + daily * 9 // 10)
        arriving = [labels(key, known, DAY / daily)] if day else []
        with store.transaction("model", "binary") as tx:
            join(tx, [predictions(key, day * daily, daily, DAY / daily)], arriving, horizon=HORIZON)
        with store.transaction("model", "binary") as tx:
            expire(tx, now=(day + 1) * DAY, horizon=HORIZON, keep=7 * DAY, by_label_time=True)
            waiting = kept(tx).predictions
        if day % 10 == 9:
            say(f"  day {day + 1}: {waiting:,} wait, file {megabytes(folder):.0f} MB, peak memory {peak():.0f} MB")
    store.close()
    return {"disk": megabytes(folder), "peak": peak()}


def _step(work: Callable[[Path, str, int], Figures], folder: str, key: str, count: str) -> Figures:
    """Run a step with its arguments as the command line gives them."""
    return work(Path(folder), key, int(count))


STEPS: Final = {work.__name__: partial(_step, work) for work in (build, bare_join, burst, small_step, expiry, inflow)}


def megabytes(folder: Path) -> float:
    """Return the size of the state file and its log (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.glob(f"{FILE_NAME}*") if path.is_file()) / 1e6


def run(notes: Notes) -> None:
    """Measure and note the line."""
    for key in KEYS:
        with tempfile.TemporaryDirectory(dir=BENCH) as folder:
            _compare(notes, Path(folder), key)


def _compare(notes: Notes, folder: Path, key: str) -> None:
    original, copy = folder / "original", folder / "copy"
    built = child("late_labels", "build", original, key, PREDICTIONS)

    def measured(step: str) -> Figures:
        # The expiry and the small step act on predictions of which none is labelled yet.
        shutil.copytree(original, copy)
        figures = child("late_labels", step, copy, key, PREDICTIONS)
        shutil.rmtree(copy)
        return figures

    rounds = {"burst": ROUNDS, "bare_join": ROUNDS, "small_step": 1, "expiry": 1}
    found = interleaved([Contestant(step, partial(measured, step), count) for step, count in rounds.items()])
    work = f"1M labels against 10M pending predictions, {key} keys"
    target = Target(most=3)
    row = compared("B7", work, ours=found["burst"], reference=found["bare_join"], name="bare join", target=target)
    notes.add(row)
    small, expiring = (duration(found[step]) for step in ("small_step", "expiry"))
    peaks = f"peak memory {number(median(found['burst'], 'peak'))} MB, file {number(built['disk'])} MB"
    notes.add(
        Row(
            "B7",
            f"1,000 labels and 1,000 predictions; a thirtieth expires; {key} keys",
            f"{small}; {expiring}; {peaks}",
        )
    )
