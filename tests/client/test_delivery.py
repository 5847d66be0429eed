"""From a call in serving code to what the exporter counts, over a real tracking server that comes, goes and fails."""

import logging
import signal
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from client.spools import ended, files, ids, program
from driftgauge.client import PredictionLogger
from driftgauge.client.lanes import Destination
from driftgauge.client.sampling import is_chosen, threshold
from driftgauge.client.spool import Spool
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import SECONDS, Bench, Values
from source.fault_proxy import Exchange, FaultProxy, status

NOW: Final = (SECONDS + 10) * MICROSECONDS
TIMEOUT: Final = 60.0
ARTIFACTS: Final = "mlflow-artifacts/artifacts"


class RefusingProxy(FaultProxy):
    """Refuses as well to pass on uploads of files with `refused` in their name."""

    refused = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer 413, or do what the others do."""
        if handler.command == "PUT" and self.refused and self.refused in handler.path:
            handler.rfile.read(int(handler.headers["Content-Length"]))
            status(413)(Exchange(handler, b"", Event()))
        else:
            super().answer(handler)


def hang_up(exchange: Exchange) -> None:
    """Close the connection without a word."""
    exchange.handler.close_connection = True
    exchange.handler.connection.shutdown(socket.SHUT_RDWR)


class Place:
    """An experiment of its own on the server, what is in it, and the loggers that a test makes."""

    def __init__(self, client: Any, proxy: RefusingProxy, experiment: str, folder: Path) -> None:
        self.client = client
        self.proxy = proxy
        self.experiment = experiment
        self.spool = folder / "spool"
        self.loggers: list[PredictionLogger] = []
        self._folder = folder

    def logger(self, **settings: Any) -> PredictionLogger:
        """Return a logger whose way to the server leads through the proxy."""
        settings = {"tracking_uri": self.proxy.url, "spool_dir": self.spool, "flush_timeout": TIMEOUT, **settings}
        self.loggers.append(PredictionLogger(self.experiment, "3", **settings))
        return self.loggers[-1]

    def runs(self, view: int = 1) -> list[Any]:
        """Return the runs, oldest first."""
        found = self.client.get_experiment_by_name(self.experiment)
        runs = self.client.search_runs([found.experiment_id], run_view_type=view) if found else []
        return sorted(runs, key=lambda run: int(run.info.start_time))

    def paths(self, run: Any) -> list[str]:
        """Return the artifacts of a run."""
        return sorted(file.path for file in self.client.list_artifacts(run.info.run_id))

    def stored(self) -> list[dict[str, Any]]:
        """Return the rows that MLflow has."""
        places = [(run.info.run_id, path) for run in self.runs() for path in self.paths(run)]
        local = [self.client.download_artifacts(run_id, path, self._folder) for run_id, path in places]
        return [row for path in local for row in pq.read_table(path).to_pylist()]

    def counted(self, **model: Any) -> Values:
        """Return what the exporter publishes after one refresh."""
        bench = Bench(self.client.tracking_uri, self.client, self._folder)
        settings = {"name": "churn", "predictions": {"experiment": self.experiment, "artifacts": "predictions*"}}
        report, values = bench.refreshed(bench.config({**settings, **model}), now=NOW)
        assert report.failures == {}
        return values


@pytest.fixture(scope="module")
def proxy(mlflow_server: str) -> Iterator[RefusingProxy]:
    """Return a proxy in front of the server."""
    found = RefusingProxy(mlflow_server)
    yield found
    found.close()


@pytest.fixture
def place(mlflow_server: str, proxy: RefusingProxy, tmp_path: Path) -> Iterator[Place]:
    """Return an empty experiment."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    found = Place(MlflowClient(mlflow_server), proxy, f"/client/{tmp_path.name}", tmp_path)
    yield found
    for serving in found.loggers:
        assert serving.close(TIMEOUT)


def log_rows(serving: PredictionLogger, first: int, last: int) -> None:
    """Log requests by number, in a file of their own."""
    for number in range(first, last):
        assert serving.log({"age": number}, number % 2, request_id=f"r{number}", timestamp=SECONDS) == f"r{number}"
    assert serving.flush(TIMEOUT)


def numbers(first: int, last: int) -> list[str]:
    """Return the request ids that `log_rows` uses."""
    return [f"r{number}" for number in range(first, last)]


def test_the_exporter_counts_what_was_logged(place: Place) -> None:
    """Predictions, failures, latencies and labels arrive as what they are, and labels find their predictions."""
    serving = place.logger()
    for number in range(20):
        serving.log({"age": number}, number % 2, request_id=f"r{number}", timestamp=SECONDS, latency=0.25)
    serving.log({"age": 1}, None, error="timeout", timestamp=SECONDS)
    assert serving.log_labels([f"r{number}" for number in range(10)], [1] * 10, timestamps=SECONDS)
    assert serving.flush(TIMEOUT, upload=True)
    found = place.counted(labels={})

    assert found["model_predictions_total", "3"] == 21
    assert found["model_prediction_errors_total", "3"] == 1
    assert found["model_labels_total", "3"] == 10
    assert found["model_accuracy", "3", "1h"] == 0.5
    assert found["model_latency_seconds", "3"] == pytest.approx(20 * 0.25)


def test_one_run_per_process_and_day(place: Place) -> None:
    """It is open while the process logs, says what it is, and ends with the serving, which leaves an empty spool."""
    serving = place.logger()
    for first in (0, 5):
        log_rows(serving, first, first + 5)
        assert serving.flush(TIMEOUT, upload=True)
    (run,) = place.runs()
    assert (run.info.status, run.data.tags["model_version"], run.data.tags["sample_rate"]) == ("RUNNING", "3", "1.0")
    assert len(place.paths(run)) == 2

    assert serving.close(TIMEOUT)
    (run,) = place.runs()
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert sorted(path.name for path in place.spool.iterdir()) == ["driftgauge-spool", "lock"]


def test_predictions_go_on_without_mlflow(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Rows wait on disk and arrive once it is back; it is said once that it went, once that it came, and no secret."""
    caplog.set_level(logging.INFO, "driftgauge.client")
    serving = place.logger()
    with place.proxy.down():
        for first in range(0, 30, 10):
            log_rows(serving, first, first + 10)
            assert not serving.flush(TIMEOUT, upload=True)
        assert ids(place.spool) == numbers(0, 30)
        assert (serving.health().upload_failures >= 3, serving.health().uploaded) == (True, 0)
    assert serving.flush(TIMEOUT, upload=True)

    assert sorted(row["request_id"] for row in place.stored()) == sorted(numbers(0, 30))
    health = serving.health()
    assert (health.uploaded, health.files_uploaded, health.spool_files, health.spool_bytes) == (30, 3, 0, 0)
    assert health.last_upload is not None
    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "driftgauge.client"]
    assert [level for level, _ in said] == ["WARNING", "INFO"]
    assert "cannot upload to MLflow" in said[0][1]
    assert "geheim" not in caplog.text


def test_a_full_spool_drops_the_oldest_and_counts(place: Place) -> None:
    """What is uploaded and what is counted as dropped make up what was logged."""
    serving = place.logger(max_spool_bytes=10_000)
    with place.proxy.down():
        for first in range(0, 100, 10):
            log_rows(serving, first, first + 10)
    assert serving.flush(TIMEOUT, upload=True)

    health, found = serving.health(), place.stored()
    assert health.dropped["spool_full"] > 0
    assert (health.logged, health.uploaded) == (100, 100 - health.dropped["spool_full"])
    assert sorted(row["request_id"] for row in found) == sorted(numbers(health.dropped["spool_full"], 100))


@pytest.mark.parametrize("fault", [status(500), hang_up], ids=["500", "no answer"])
def test_an_upload_whose_answer_is_lost_counts_once(place: Place, fault: Any) -> None:
    """MLflow has the file and the client does not know: it comes to the same run and path, or is found there."""
    serving = place.logger()
    with place.proxy.spoiling(ARTIFACTS, fault):
        log_rows(serving, 0, 10)
        assert not serving.flush(TIMEOUT, upload=True)
    assert serving.flush(TIMEOUT, upload=True)

    assert [len(place.paths(run)) for run in place.runs()] == [1]
    assert place.counted()["model_predictions_total", "3"] == 10


def test_a_file_that_is_refused_holds_up_no_other(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The others arrive, and it stays for another time; what the proxy's page says is not repeated."""
    spooled: list[Any] = []
    serving = place.logger(on_spooled=spooled.append)
    place.proxy.refused = "-1-5.parquet"
    for first in (0, 5, 10, 15):
        log_rows(serving, first, first + 5)
    assert not serving.flush(TIMEOUT, upload=True)
    assert files(place.spool) == [spooled[0].path]
    assert f"{spooled[0].path.name} is not taken" in caplog.text
    assert "geheim" not in caplog.text

    place.proxy.refused = ""
    assert serving.flush(TIMEOUT, upload=True)
    assert sorted(row["request_id"] for row in place.stored()) == sorted(numbers(0, 20))


def test_a_run_that_is_deleted_is_replaced(place: Place) -> None:
    """What it had is gone with it, as its owner wanted; what comes later goes to another run."""
    serving = place.logger()
    log_rows(serving, 0, 5)
    assert serving.flush(TIMEOUT, upload=True)
    place.client.delete_run(place.runs()[0].info.run_id)
    log_rows(serving, 5, 10)
    assert serving.flush(TIMEOUT, upload=True)

    assert [row["request_id"] for row in place.stored()] == numbers(5, 10)


def test_a_deleted_experiment_is_named_with_the_remedy(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Restored, it gets what waited."""
    experiment = place.client.create_experiment(place.experiment)
    place.client.delete_experiment(experiment)
    serving = place.logger()
    log_rows(serving, 0, 5)
    assert not serving.flush(TIMEOUT, upload=True)
    assert f"`mlflow experiments restore -x {experiment}`" in caplog.text

    place.client.restore_experiment(experiment)
    assert serving.flush(TIMEOUT, upload=True)
    assert [row["request_id"] for row in place.stored()] == numbers(0, 5)


def test_a_killed_process_loses_nothing_that_was_flushed(place: Place) -> None:
    """The next logger for the same destination uploads it; one for another server does not."""
    body = f"""
log = PredictionLogger({place.experiment!r}, "3", spool_dir=sys.argv[1], tracking_uri={place.proxy.url!r})
for number in range(10):
    log.log({{"age": number}}, 1, request_id=f"r{{number}}")
say(log.flush())
log.log({{}}, 1, request_id="lost")
sys.stdin.read()
"""
    process = program(place.spool, body)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    process.send_signal(signal.SIGKILL)
    ended(process, -signal.SIGKILL)

    elsewhere = PredictionLogger(place.experiment, "3", spool_dir=place.spool, tracking_uri="http://127.0.0.1:9")
    assert elsewhere.flush(TIMEOUT, upload=True)
    elsewhere.close(TIMEOUT)
    spooled: list[Any] = []
    serving = place.logger(on_spooled=spooled.append)
    assert serving.flush(TIMEOUT, upload=True)
    assert [(file.rows, file.recovered) for file in spooled] == [(10, True)]
    assert (serving.health().recovered, serving.health().uploaded) == (10, 10)
    assert sorted(row["request_id"] for row in place.stored()) == sorted(numbers(0, 10))
    assert [run.info.status for run in place.runs()] == ["FINISHED"]


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "did not arrive"])
@pytest.mark.parametrize("fate", ["active", "deleted", "unknown"])
def test_a_crash_in_the_middle_of_an_upload(place: Place, fate: str, arrived: bool) -> None:  # noqa: FBT001
    """A file on record for a run goes to that run, or is found there; it goes to another only if the run is gone."""
    serving = place.logger()
    log_rows(serving, 0, 5)
    assert serving.flush(TIMEOUT, upload=True)
    (first,) = place.runs()
    lane = _crashed(place, "0" * 32 if fate == "unknown" else first.info.run_id, arrived=arrived)
    if fate == "deleted":
        place.client.delete_run(first.info.run_id)
    assert serving.close(TIMEOUT)
    later = place.logger()
    assert later.flush(TIMEOUT, upload=True)

    assert not lane.exists()
    found = [sorted(path for path in place.paths(run) if "-ee-" in path) for run in place.runs(view=3)]
    expected = 2 if fate == "unknown" and arrived else 1
    assert sum(len(paths) for paths in found) == expected
    if fate == "active" or (fate == "deleted" and arrived):
        assert len(found[0]) == 1


def _crashed(place: Place, run_id: str, *, arrived: bool) -> Path:
    """Leave a lane as a process leaves it that died while it sent its only file; return its folder."""
    spool = Spool(place.spool, owner="ee", max_bytes=10**6, announce=lambda _: None, dropped=lambda _: None)
    server = place.proxy.url.replace("me:geheim@", "")
    destination = Destination(
        experiment=place.experiment, server=server, model_version="3", sample_rate=1.0, day="2026-01-02"
    )
    file = spool.add("predictions", destination, 1, lambda target: target.write(b"the very same bytes"))
    (lane,) = spool.lanes()
    assert file is not None
    if arrived:
        place.client.log_artifact(place.runs()[0].info.run_id, str(file.path))
    lane.assign(run_id)
    spool.release()
    return lane.path


def test_sampled_labels_find_their_predictions(place: Place) -> None:
    """Of predictions and labels the same requests are kept, by rows as by batches, and the rate is on record."""
    requests = [f"order-{number}" for number in range(60)]
    serving = place.logger(sample_rate=0.3)
    for request in requests[:30]:
        assert serving.log({"age": 1}, 1, request_id=request) == request
    assert serving.log_batch({"age": [1] * 30}, [1] * 30, request_ids=requests[30:]) == requests[30:]
    assert serving.log_labels(requests, [1] * 60)
    assert serving.flush(TIMEOUT)
    kept = [request for request in requests if is_chosen(request, threshold(0.3) or 0)]
    (predictions, labels) = sorted(files(place.spool), key=lambda path: path.name, reverse=True)
    assert pq.read_schema(predictions).metadata[b"sample_rate"] == b"0.3"
    assert pq.read_table(predictions)["request_id"].to_pylist() == kept
    assert pq.read_table(labels)["request_id"].to_pylist() == kept
    health = serving.health()
    assert (health.logged, health.labels_logged, health.sampled_out) == (len(kept), len(kept), 120 - 2 * len(kept))

    assert serving.flush(TIMEOUT, upload=True)
    assert place.runs()[0].data.tags["sample_rate"] == "0.3"


def test_labels_may_have_an_experiment_of_their_own(place: Place) -> None:
    """Then predictions and labels go to one run each."""
    labels = f"{place.experiment}-labels"
    serving = place.logger(labels_experiment=labels)
    log_rows(serving, 0, 5)
    assert serving.log_labels(numbers(0, 5), [1, 0, 1, 0, 1])
    assert serving.flush(TIMEOUT, upload=True)

    assert [row["request_id"] for row in place.stored()] == numbers(0, 5)
    other = place.client.get_experiment_by_name(labels)
    (run,) = place.client.search_runs([other.experiment_id])
    assert [path.partition("-")[0] for path in place.paths(run)] == ["labels"]


def test_closing_without_mlflow_leaves_it_to_the_next_start(place: Place) -> None:
    """It says that not everything is delivered; the next logger delivers it, to one run."""
    serving = place.logger()
    log_rows(serving, 0, 5)
    assert serving.flush(TIMEOUT, upload=True)
    with place.proxy.down():
        log_rows(serving, 5, 10)
        assert not serving.close(TIMEOUT)
        assert not serving.close(TIMEOUT)
        place.loggers.remove(serving)
    assert place.logger().flush(TIMEOUT, upload=True)
    assert sorted(row["request_id"] for row in place.stored()) == sorted(numbers(0, 10))
    assert [run.info.status for run in place.runs()] == ["FINISHED"]
