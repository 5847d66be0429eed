"""Late labels at scale: a million labels at once against ten million waiting predictions.

    python -m tests.benchmarks.late_labels [--predictions 10000000] [--rounds 3] [--days 60]

Each measurement is a process of its own on a fresh copy of the same state file, so that its peak memory is its own, and
product and bare join take turns, so that a busy machine slows both. The bare join is DuckDB's hash join of the same two
tables by key, giving the same columns: no rule, no write, no commit.
"""
# ruff: noqa: S608 - the statements are put together from the words and numbers in this file only

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from driftgauge.store import Store
from driftgauge.store.database import FILE_NAME, MEMORY_LIMIT
from driftgauge.store.join import expire, join, pending

DAY = 86_400_000_000
HORIZON = 30 * DAY
# Request ids as uuid4().hex has them, and as a counter has them.
KEYS = {"uuid hex": "md5(i::VARCHAR)", "short": "'r' || i"}
COLUMNS = "p.version, p.time, p.predicted, p.score, p.classes, p.class_scores, l.time AS label_time, l.label"
Figures = dict[str, float]


def predictions(key: str, first: int, count: int, spacing: float) -> pa.Table:
    """Return staged predictions number `first` and on, `spacing` µs apart."""
    return duckdb.sql(
        f"""SELECT {KEYS[key]} AS key, '3' AS version, (i * {spacing})::BIGINT AS time, (i % 2)::VARCHAR AS predicted,
            (i % 1000) / 1000 AS score, '' AS classes, NULL::DOUBLE[] AS class_scores
            FROM range({first}, {first + count}) t(i)"""
    ).to_arrow_table()


def labels(key: str, numbers: range, spacing: float) -> pa.Table:
    """Return staged labels of the predictions with these numbers, a day later, in no order."""
    return duckdb.sql(
        f"""SELECT {KEYS[key]} AS key, (i * {spacing})::BIGINT + {DAY} AS time, (i % 3 % 2)::VARCHAR AS label
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
    return spent | {"disk MB": megabytes(folder)}


def bare_join(folder: Path, _key: str, count: int) -> Figures:
    """Join the two tables and do nothing else."""
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        began = clocks()
        rows = connection.sql(f"SELECT {COLUMNS} FROM p JOIN l USING (key)").to_arrow_table()
        spent = since(began)
    expect(len(rows), count // 10)
    return spent | {"peak MB": peak()}


def burst(folder: Path, key: str, count: int) -> Figures:
    """Take a label for every tenth prediction at once."""
    arriving = labels(key, range(0, count, 10), HORIZON / count)
    store = Store.open(str(folder))
    began = clocks()
    with store.transaction("model", "binary") as tx:
        joined = join(tx, [], [arriving], horizon=HORIZON)
    figures = since(began) | {"peak MB": peak()}
    expect(len(joined.fresh), count // 10)
    store.close()
    return figures | {"disk MB": megabytes(folder)}


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
    expect(len(joined.fresh), 1000)
    return spent | {"peak MB": peak()}


def expiry(folder: Path, _key: str, count: int) -> Figures:
    """Let the oldest of the thirty days leave."""
    store = Store.open(str(folder))
    began = clocks()
    with store.transaction("model", "binary") as tx:
        expire(tx, now=HORIZON + DAY, horizon=HORIZON, keep=7 * DAY, by_label_time=True)
        left = pending(tx)
    spent = since(began)
    store.close()
    expect(left, count - -(-count // 30))
    return spent | {"peak MB": peak()}


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
            waiting = pending(tx)
        if day % 10 == 9:
            say(f"  day {day + 1}: {waiting:,} wait, file {megabytes(folder):.0f} MB, peak memory {peak():.0f} MB")
    store.close()
    return {"disk MB": megabytes(folder), "peak MB": peak()}


STEPS: dict[str, Callable[[Path, str, int], Figures]] = {
    step.__name__: step for step in (build, bare_join, burst, small_step, expiry, inflow)
}


def clocks() -> tuple[float, float]:
    """Return the time on the wall and the time this process has computed."""
    return time.perf_counter(), time.process_time()


def since(began: tuple[float, float]) -> Figures:
    """Return what has passed on both clocks; the second hardly depends on what else the machine does."""
    seconds, computed = clocks()
    return {"seconds": seconds - began[0], "CPU seconds": computed - began[1]}


def megabytes(folder: Path) -> float:
    """Return the size of the state file and its log (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.glob(f"{FILE_NAME}*") if path.is_file()) / 1e6


def peak() -> float:
    """Return the most memory this process ever had resident (10^6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def expect(found: int, wanted: int) -> None:
    """End the measurement when its result is wrong."""
    if found != wanted:
        raise SystemExit(f"{found:,} rows where {wanted:,} were due")


def say(line: str) -> None:
    """Print at once, also when a child's output is passed on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def measured(step: str, folder: Path, key: str, count: int) -> Figures:
    """Run one step in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.late_labels", "--step", step, str(folder), key, str(count)]
    figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def compare(folder: Path, key: str, *, count: int, rounds: int) -> None:
    """Print the medians for one kind of key."""
    original, copy = folder / "original", folder / "copy"
    built = measured("build", original, key, count)
    found: dict[str, list[Figures]] = {"bare_join": [], "burst": [], "small_step": [], "expiry": []}
    for _ in range(rounds):
        for step, figures in found.items():
            # The expiry and the small step act on predictions of which none is labelled yet.
            shutil.copytree(original, copy)
            figures.append(measured(step, copy, key, count))
            shutil.rmtree(copy)
    say(f"{key} keys, {count:,} predictions: {told([built])}")
    for step, figures in found.items():
        say(f"  {step}: {told(figures)}")
    for clock in ("seconds", "CPU seconds"):
        pairs = zip(found["burst"], found["bare_join"], strict=True)
        ratios = [own[clock] / bare[clock] for own, bare in pairs]
        say(f"  burst / bare_join, {clock}: {statistics.median(ratios):.2f} ({', '.join(f'{x:.2f}' for x in ratios)})")
    shutil.rmtree(original)


def told(figures: Sequence[Figures]) -> str:
    """Return the medians as text."""
    return ", ".join(f"{name} {statistics.median(one[name] for one in figures):.2f}" for name in figures[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything, or one step when called by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    options: Any = parser.parse_args(arguments)
    if options.step:
        name, folder, key, count = options.step
        sys.stdout.write(json.dumps(STEPS[name](Path(folder), key, int(count))))
        return
    say(f"duckdb {duckdb.__version__}, python {sys.version.split()[0]}, memory limit {MEMORY_LIMIT}")
    with tempfile.TemporaryDirectory() as temporary:
        for key in KEYS:
            compare(Path(temporary), key, count=options.predictions, rounds=options.rounds)
        say(f"{options.days} days of 200,000 predictions, horizon 30 days:")
        measured("inflow", Path(temporary) / "inflow", "uuid hex", options.days)


if __name__ == "__main__":
    main()
