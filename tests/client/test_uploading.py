"""What the upload thread does that takes a day to see: a run ends when its day is over."""

from pathlib import Path
from typing import Any

from driftgauge.client.commands import Command
from driftgauge.client.counters import Counters
from driftgauge.client.lanes import Destination
from driftgauge.client.notices import Notices
from driftgauge.client.spool import Spool
from driftgauge.client.tracking import Tracking
from driftgauge.client.uploading import Uploader


def test_a_day_that_is_over_ends_its_run(sqlite_store: str, tmp_path: Path) -> None:
    """Its files are delivered first; the run of today stays open."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    spool = Spool(tmp_path / "spool", owner="aa", max_bytes=10**6, announce=lambda _: None, dropped=lambda _: None)
    for day in ("2026-01-02", "9999-01-01"):
        destination = Destination(experiment="/e", server="", model_version="1", sample_rate=1.0, day=day)
        assert spool.add("predictions", destination, 1, lambda file: file.write(b"x"))
    # A day that is not today is over, also one that a wrong clock has seen; so both are.
    uploader = Uploader(spool, Tracking(sqlite_store), wanted=lambda _: True, counters=Counters(), notices=Notices())
    last = uploader.commands.put(Command(stop=True))
    uploader.run()

    client: Any = MlflowClient(sqlite_store)
    runs = client.search_runs([client.get_experiment_by_name("/e").experiment_id])
    assert last.wait(0)
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert [len(client.list_artifacts(run.info.run_id)) for run in runs] == [1, 1]
    assert (spool.lanes(), spool.count) == ([], 0)
