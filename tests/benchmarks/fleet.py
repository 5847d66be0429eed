"""B9: one process, 200 models x 50 features x 3 windows, and a refresh with one new batch for each of them.

And how that refresh grows with models and with features.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from . import datasets
from .fitting import drawing, fitted
from .measuring import (
    BENCH,
    Figures,
    Notes,
    Row,
    Target,
    child,
    expect,
    median,
    number,
    peak,
    seconds,
)
from .stores import Tracking, configuration, exporting

MODELS: Final = 200
FEATURES: Final = 50
BATCH: Final = 1_000
HISTORY: Final = 7 * BATCH
REFERENCE_ROWS: Final = 12_000
ROUNDS: Final = 3
# How a refresh grows: (models, features), each against the line's own size.
SIZES: Final = ((50, FEATURES), (100, FEATURES), (50, 25), (50, 100))


def run(notes: Notes) -> None:
    """Measure and note the line."""
    found = {size: child("fleet", "fleet", *size) for size in ((MODELS, FEATURES), *SIZES)}
    own = found[MODELS, FEATURES]
    target = Target(most=20)
    parts = ", ".join(f"{name} {seconds(own[name])}" for name in ("read and commit", "statistics", "page"))
    notes.add(
        Row(
            "B9",
            f"refresh of {MODELS} models x {FEATURES} features x 3 windows, a batch of {BATCH:,} rows each",
            f"{seconds(own['seconds'])} ({seconds(own['cpu'])} CPU; {parts}; {number(own['peak'])} MB)",
            target=target.words("s"),
            holds=target.holds(own["seconds"]),
        )
    )
    idle = f"{seconds(own['idle'])} ({seconds(own['idle cpu'])} CPU)"
    notes.add(Row("B9", f"refresh of the same {MODELS} models with nothing new", idle))
    for size in SIZES:
        figures = found[size]
        spent = f"{seconds(figures['seconds'])} ({seconds(figures['cpu'])} CPU, {number(figures['peak'])} MB)"
        notes.add(Row("B9", f"the same of {size[0]} models x {size[1]} features", spent))
    notes.figures["drawings"] = [
        _drawing(found, "models", at=0, words=f"models of {FEATURES} features"),
        _drawing(found, "fleet-features", at=1, words=f"features of each of {SIZES[0][0]} models"),
    ]


def _drawing(found: Mapping[tuple[int, int], Figures], file: str, *, at: int, words: str) -> dict[str, Any]:
    """Return the plot of the refresh by the models or features, position `at` of a size."""
    other = (FEATURES, SIZES[0][0])[at]
    sizes = sorted(size for size in found if size[1 - at] == other)
    unit = words.partition(" ")[0].removesuffix("s")
    series = [
        fitted(name, unit, [(size[at], found[size][clock] * 1000) for size in sizes])
        for clock, name in (("seconds", "refresh on two cores"), ("cpu", "its CPU time"))
    ]
    return drawing(file, f"A refresh by {words}", words, series)


def fleet(models: str, features: str) -> Figures:
    """Refresh this many models once, and then again with new batches; return the medians of the latter."""
    with tempfile.TemporaryDirectory(dir=BENCH) as name:
        folder = Path(name)
        tracking, names = Tracking(folder), [f"model-{n:03d}" for n in range(int(models))]
        reference = folder / "reference.parquet"
        pq.write_table(pa.table(datasets.numbers(10, rows=REFERENCE_ROWS, features=int(features))), reference)
        config = configuration(tracking.uri, folder / "state", [_model(name, reference) for name in names])
        with exporting(config) as exporter:

            def round_with(batch: int, *, rows: int = BATCH, seconds: int = 3600) -> Figures:
                file, before = folder / f"batch-{batch}.parquet", exporter.rows
                pq.write_table(
                    datasets.records(
                        20 + batch,
                        rows=rows,
                        first=before // len(names),
                        start=-seconds,
                        seconds=seconds,
                        features=int(features),
                    ),
                    file,
                )
                for model in names:
                    tracking.log(f"/{model}", file)
                figures = exporter.refresh()
                expect(exporter.rows - before, rows * len(names), "rows counted")
                return figures

            # A week, so that the windows differ; then batches of the last hour, which are in all windows.
            first = round_with(0, rows=HISTORY, seconds=7 * 86400)
            rounds = [round_with(batch) for batch in range(1, ROUNDS + 1)]
            idle = exporter.refresh()
    found = {"first": first["seconds"], "idle": idle["seconds"], "idle cpu": idle["cpu"], "peak": peak()}
    return {name: median(rounds, name) for name in rounds[0]} | found


def _model(name: str, reference: Path) -> dict[str, Any]:
    return {"name": name, "predictions": {"experiment": f"/{name}"}, "reference": {"uri": str(reference)}}


STEPS: Final = {"fleet": fleet}
