"""An exporter that is killed at any instant ends with the numbers of one clean pass, and never shows smaller ones."""

import os
import sys
from typing import Final

import pytest

from mlflow_servers import free_port
from soak.exporter import Page
from soak.harness import INSIDE, Harness, Run

KILLS: Final = int(os.environ.get("SOAK_KILLS", "3"))
SEED: Final = int(os.environ.get("SOAK_SEED", "1"))
# Figures that say when or how often files were read, and so depend on the kills by their definition; and the share of
# labels that are kept, since when those that were replaced are forgotten depends on that as well.
OF_READING: Final = frozenset({"model_last_batch_timestamp_seconds", "model_label_match_ratio"})
# A corrected label counts with the delay of the label that was read first: of both if they were read together.
OF_READING_CHURN: Final = frozenset(
    {"model_batches_total", "model_label_delay_seconds_bucket", "model_label_delay_seconds_sum"}
)
TOLERANCE: Final = 1e-9
ABSENT: Final = float("inf")  # no series has this value
# Files that the tracking server did not deliver when they were asked for: it is busy, and they are read later.
NOT_DELIVERED: Final = ("reason", "not_delivered")


@pytest.fixture(scope="module")
def run(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what one run found."""
    harness = Harness(mlflow_server, tmp_path_factory.mktemp("soak"), port=free_port(), seed=SEED)
    return harness.run(KILLS)


def differences(killed: Page, clean: Page) -> list[str]:
    """Return each series that has another value in one of the pages, or is missing there."""
    return [
        f"{key}: {killed.get(key)} after the kills, {clean.get(key)} in a clean pass"
        for key in sorted(comparable(killed) | comparable(clean))
        if killed.get(key, ABSENT) != pytest.approx(clean.get(key, ABSENT), rel=TOLERANCE, abs=1e-12)
    ]


def comparable(page: Page) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the series of a page that the input alone decides."""
    return {
        (name, labels)
        for name, labels in page
        if name.startswith("model_")
        and name not in OF_READING
        and not (name in OF_READING_CHURN and ("model", "churn") in labels)
        and NOT_DELIVERED not in labels
    }


def total(page: Page, name: str, model: str) -> float:
    """Return the sum of a model's samples of that name, but for files that were not delivered."""
    return sum(
        value
        for (found, labels), value in page.items()
        if found == name and ("model", model) in labels and NOT_DELIVERED not in labels
    )


def test_nothing_lost_or_doubled(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Every counter, window, drift and performance value equals that of one clean pass, now and two hours later."""
    found = [text for at in run.clean for text in differences(run.killed[at], run.clean[at])]
    rows, labels = (sum(getattr(books, name) for books in run.books.values()) for name in ("rows", "labels"))
    compared = sum(len(comparable(page)) for page in run.clean.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nkills {run.kills}, inside commits {run.inside}, scrapes {run.scrapes}, rows {rows}, labels {labels}, "
            f"corrections {run.books['churn'].corrections}, series compared {compared}, differences {len(found)}\n"
        )
    assert found == []


def test_books(run: Run) -> None:
    """The counters are what the writer logged, to the last row."""
    page, churn, eta = run.killed[min(run.killed)], run.books["churn"], run.books["eta"]
    for model, books in run.books.items():
        assert total(page, "model_predictions_total", model) == books.rows
        assert total(page, "model_prediction_errors_total", model) == books.failed
        assert total(page, "model_labels_total", model) == len(books.joined)
        assert total(page, "model_batch_failures_total", model) == 0
        assert total(page, "model_rows_rejected_total", model) == books.late
    assert total(page, "model_batches_total", "eta") == eta.files
    assert churn.files <= total(page, "model_batches_total", "churn") <= churn.uploads


def test_waiting(run: Run) -> None:
    """Every prediction without label waits until its horizon, and then no longer."""
    pending = ("driftgauge_pending_predictions", ())
    before, after = (run.killed[at][pending] for at in sorted(run.killed))
    churn, eta = run.books["churn"], run.books["eta"]
    assert (before, after) == (len(churn.waiting) + len(eta.waiting), len(churn.waiting))
    assert run.clean[max(run.clean)][pending] == after


def test_counters_never_fall(run: Run) -> None:
    """No counter that was scraped before a kill is smaller or gone after the restart."""
    assert run.lost == []
    assert run.scrapes > 2


def test_kills_hit_commits(run: Run) -> None:
    """Enough kills fell inside commits, or the run would prove little."""
    assert run.inside >= KILLS // INSIDE
