"""From `log()` in processes that are killed, through a tracking server that is killed, to the exporter's counters."""

import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from e2e.client_chain import Chain, Run

ROWS: Final = int(os.environ.get("CHAIN_ROWS", "9600"))
SEED: Final = int(os.environ.get("CHAIN_SEED", "1"))
# One kill of MLflow for 20,000 rows, and for each three of writers.
MLFLOW_KILLS: Final = max(1, ROWS // 20_000)
WRITER_KILLS: Final = 3 * MLFLOW_KILLS


@pytest.fixture(scope="module")
def run(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what one run found."""
    folder = tmp_path_factory.mktemp("chain")
    shutil.copyfile(empty_database, folder / "mlflow.db")
    return Chain(folder, seed=SEED).run(rows=ROWS, writer_kills=WRITER_KILLS, mlflow_kills=MLFLOW_KILLS)


def test_the_exporter_counts_what_was_accepted(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter's total is exactly what the clients accepted."""
    difference = abs(run.counted - run.accepted)
    with capsys.disabled():
        sys.stdout.write(
            f"\nkills of writers {run.writer_kills}, of MLflow {run.mlflow_kills}; rows logged {run.logged}, accepted "
            f"{run.accepted} in {len(run.spooled)} files, counted {run.counted:.0f}, twice "
            f"{run.stored.total() - len(run.stored)}, differences {difference:.0f}\n"
        )
    assert difference == 0
    assert run.refused == 0


def test_nothing_is_there_twice(run: Run) -> None:
    """MLflow has each accepted row, and each once."""
    assert run.stored.total() == len(run.stored) == run.accepted


def test_only_what_was_in_memory_is_lost(run: Run) -> None:
    """All rows were logged, and every row of a writer's life that no kill ended is there."""
    stored = Counter(request_id.partition("-")[0] for request_id in run.stored)

    assert run.logged == ROWS
    assert {life: stored[life] for life in run.unharmed} == run.unharmed
    # While MLflow is away, a writer is killed as well.
    assert (run.writer_kills, run.mlflow_kills) == (WRITER_KILLS + MLFLOW_KILLS, MLFLOW_KILLS)
