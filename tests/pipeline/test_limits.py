"""What grows with hostile or changed input is bounded, and what a changed configuration drops is said."""

import pytest
from structlog.testing import capture_logs

from driftgauge.pipeline.panes import VERSION_LIMIT
from pipeline.conftest import LABELS, NOW, PREDICTIONS, Bench, a_model, label, prediction

MINUTE = 60_000_000


def test_a_version_in_every_row(bench: Bench) -> None:
    """Of more versions than there can be the most frequent count; the others' rows are rejected with their reason."""
    rows = [prediction(n, 0.9, model_version=f"build {n:04}") for n in range(VERSION_LIMIT + 50)]
    rows += [prediction(n, 0.9, model_version="steady") for n in range(1000, 1003)]
    bench.log(PREDICTIONS, "predictions.jsonl", rows)
    _, values = bench.refreshed(bench.config(a_model()))
    assert values["model_rows_rejected_total", "too_many_versions"] == 51
    config = bench.config(a_model(), limits={"max_artifact_bytes": 10**6, "max_versions": 1000})
    _, values = bench.refreshed(config)
    assert values["model_predictions_total", "steady"] == 3
    assert sum(value for key, value in values.items() if key[0] == "model_predictions_total") == VERSION_LIMIT + 2


def test_versions_of_long_ago_are_forgotten(bench: Bench) -> None:
    """Versions add up over files only to the limit: those with the newest predictions stay, across restarts too."""
    config = bench.config(a_model(labels={}), limits={"max_artifact_bytes": 10**6, "max_versions": 1000})
    old = [prediction(n, 0.9, ago=300, model_version=f"old {n}") for n in range(60)]
    new = [prediction(100 + n, 0.9, ago=60, model_version=f"new {n}") for n in range(60)]
    bench.log(LABELS, "labels.jsonl", [label(n, 1) for n in range(60)])
    for rows in (old, new):
        bench.log(PREDICTIONS, "predictions.jsonl", rows)
        _, values = bench.refreshed(config)
    for _ in range(2):
        versions = {key[1] for key in values if len(key) > 1 and key[0] != "model_rows_rejected_total"}
        assert len(versions) == VERSION_LIMIT
        assert {f"new {n}" for n in range(60)} <= versions
        _, values = bench.refreshed(config, now=NOW + MINUTE)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (["1h", "24h"], ["24h", "1h"], []),
        (["1h", "24h"], ["1h"], ["its configuration changed"]),
        (["1h"], ["1h", "7d"], ["its configuration changed"]),
    ],
)
def test_changed_windows(bench: Bench, before: list[str], after: list[str], said: list[str]) -> None:
    """A new window has the rows that were there before, a removed one goes, and the log says so; counters stay."""
    bench.log(PREDICTIONS, "predictions.jsonl", [prediction(n, 0.9) for n in range(4)])
    first, second = (bench.config(a_model(), windows=names) for names in (before, after))
    bench.refreshed(first)
    with capture_logs() as logs:
        _, values = bench.refreshed(second, now=NOW + MINUTE)
    assert [line["because"] for line in logs if "because" in line] == said
    assert values["model_predictions_total", "unknown"] == 4
    assert [values["model_window_predictions", "unknown", name] for name in after] == [4] * len(after)


def test_changed_reference(bench: Bench) -> None:
    """A changed reference says that rows are compared again; the first one has none that were compared before."""
    path = bench.folder / "reference.csv"
    config = bench.config(a_model(reference={"uri": str(path)}))
    bench.log(PREDICTIONS, "predictions.jsonl", [prediction(n, 0.9, features={"age": n}) for n in range(4)])
    said = []
    for values in ("1\n2\n3\n", "1\n2\n30\n"):
        path.write_text(f"age\n{values}")
        with capture_logs() as logs:
            bench.refreshed(config)
        events = [line.get("because", line["event"]) for line in logs]
        said.append([event for event in events if "reference" in event])
    assert said == [["reference compiled"], ["its reference changed", "reference compiled"]]
