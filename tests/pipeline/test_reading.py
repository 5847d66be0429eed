"""One artifact to its delta: files that cannot be read are set aside, retried and read once repaired."""

import gzip
import io
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from driftgauge import openers
from driftgauge.feed import Opener
from driftgauge.source import Artifact, Source
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import NOW, PREDICTIONS, SECONDS, Bench, Values, a_model, prediction, published

MINUTE = 60 * MICROSECONDS
GOOD = b'{"prediction": 0.9}\n'


def parquet(**columns: Any) -> bytes:
    """Return a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def failures(values: Values) -> dict[str, float]:
    """Return the batch failures by reason."""
    return {key[1]: value for key, value in values.items() if key[0] == "model_batch_failures_total"}


def rejected(values: Values) -> dict[str, float]:
    """Return the rejected rows by reason."""
    return {key[1]: value for key, value in values.items() if key[0] == "model_rows_rejected_total"}


WHOLE = parquet(prediction=[0.5] * 1000)
BROKEN = [
    ("an array cut short", "bad.json", b'[{"prediction": 1}, {"predi', "invalid_json"),
    ("parquet cut short", "bad.parquet", WHOLE[:-20], "invalid_parquet"),
    ("parquet in name only", "bad.parquet", b"PAR1 and nothing else", "invalid_parquet"),
    ("UTF-16", "bad.csv", "prediction\n1\n".encode("utf-16"), "wrong_encoding"),
    ("Latin-1 in a document", "bad.json", '[{"prediction": "é"}]'.encode("latin-1"), "wrong_encoding"),
    ("gzip cut short", "bad.jsonl.gz", gzip.compress(GOOD * 50)[:-9], "invalid_gzip"),
    ("no bytes", "bad.jsonl", b"", "empty_file"),
    ("a header only", "bad.csv", b"request_id,prediction\n", "empty_file"),
    ("no records", "bad.json", b"[]", "empty_file"),
    ("a report", "bad.json", b'[{"severity": "high"}]', "another_shape"),
    ("too many bytes", "bad.jsonl", GOOD * 4000, "too_large"),
    ("unpacks to too many bytes", "bad.jsonl.gz", gzip.compress(GOOD * 4000), "too_large"),
]


@pytest.mark.parametrize(
    ("path", "content", "reason"), [case[1:] for case in BROKEN], ids=[case[0].replace(" ", "-") for case in BROKEN]
)
def test_broken_file_is_set_aside(bench: Bench, path: str, content: bytes, reason: str) -> None:
    """A broken file is counted and logged once, others count, and it is read once it is repaired."""
    run_id = bench.log(PREDICTIONS, path, content)
    bench.log(PREDICTIONS, "fine.jsonl", [prediction(1, 0.9)])
    config = bench.config(a_model(), limits={"max_artifact_bytes": 50_000})
    with capture_logs() as logs, bench.opened(config) as pipeline:
        reports = [pipeline.refresh(NOW + wait * MINUTE) for wait in (0, 1, 3, 7)]
        values = published(pipeline, config)
    told = [(entry["artifact"], entry["reason"]) for entry in logs if entry["event"] == "batch set aside"]
    assert [dict(report.failures) for report in reports] == [{}] * 4
    assert (failures(values), told) == ({reason: 1}, [(path, reason)])
    assert values["model_predictions_total", "unknown"] == 1

    bench.put(run_id, path, _repaired(path))
    _, repaired = bench.refreshed(config, now=NOW + 7 * MINUTE)
    _, settled = bench.refreshed(config, now=NOW + 600 * MINUTE)
    for values in (repaired, settled):
        assert (values["model_predictions_total", "unknown"], failures(values)) == (4, {reason: 1})


def _repaired(path: str) -> bytes:
    if path.endswith(".parquet"):
        return parquet(prediction=[0.1, 0.2, 0.3], timestamp=[SECONDS - 60] * 3)
    if path.endswith(".csv"):
        return b"prediction,timestamp\n" + b"0.1,%d\n" % (SECONDS - 60) * 3
    if path.endswith(".json"):
        return b'[{"prediction": 0.1}, {"prediction": 0.2}, {"prediction": 0.3}]'
    lines = b'{"prediction": 0.1}\n' * 3
    return gzip.compress(lines) if path.endswith(".gz") else lines


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        pytest.param("a.jsonl", GOOD + b'{"predic\n' + GOOD, "invalid_json", id="broken-line"),
        pytest.param("a.jsonl", GOOD + '{"x": "é"}\n'.encode("latin-1") + GOOD, "invalid_json", id="latin-1-line"),
        pytest.param("a.jsonl", GOOD + b"[1]\n" + GOOD, "not_an_object", id="no-object"),
        pytest.param("a.csv", b"prediction\n0.9\nhigh\n0.1\n", "bad_prediction", id="column-of-another-type"),
        pytest.param("a.parquet", parquet(prediction=["0.9", "?", "0.1"]), "bad_prediction", id="text-in-parquet"),
    ],
)
def test_broken_row_is_rejected(bench: Bench, path: str, content: bytes, reason: str) -> None:
    """A row that cannot be used is counted by reason; the other rows of its file count."""
    bench.log(PREDICTIONS, path, content)
    _, values = bench.refreshed(bench.config(a_model()))
    assert (rejected(values), failures(values)) == ({reason: 1}, {})
    assert values["model_predictions_total", "unknown"] == 2


def test_retry_with_backoff(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that stays broken is tried after 1, 2, 4, … minutes, across restarts, at least every six hours."""
    attempts: list[int] = []
    original = Source.opener

    def counted(source: Source, artifact: Artifact) -> Opener:
        attempts.append(minute)
        return original(source, artifact)

    monkeypatch.setattr(Source, "opener", counted)
    bench.log(PREDICTIONS, "bad.json", b"[{")
    config = bench.config(a_model())
    for minute in [*range(16), *range(360, 1200, 60), 1199, 1200]:
        bench.refreshed(config, now=NOW + minute * MINUTE)
    assert attempts[:5] == [0, 1, 3, 7, 15]
    assert max(later - before for before, later in pairwise(attempts)) <= 360


def test_broken_again_with_another_size(bench: Bench) -> None:
    """A file that was logged anew and is broken again is read at once, counted and told like a new one."""
    run_id = bench.log(PREDICTIONS, "bad.json", b"[{")
    config = bench.config(a_model())
    bench.refreshed(config)
    bench.put(run_id, "bad.json", b"[{ }, ")
    with capture_logs() as logs:
        _, values = bench.refreshed(config)
    assert failures(values) == {"invalid_json": 2}
    assert [entry["event"] for entry in logs].count("batch set aside") == 1


def test_failed_file_that_is_gone(bench: Bench) -> None:
    """A file that was set aside and then deleted with its run is not counted again, and stops nothing."""
    run_id = bench.log(PREDICTIONS, "bad.json", b"[{")
    config = bench.config(a_model())
    bench.refreshed(config)
    bench.client.delete_run(run_id)
    for copy in bench.folder.rglob("bad.json"):
        copy.unlink()
    report, values = bench.refreshed(config, now=NOW + 2 * MINUTE)
    assert (dict(report.failures), failures(values)) == ({}, {"invalid_json": 1})


def test_a_replaced_file_says_so_even_if_it_is_broken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a large file was replaced is found out beside decoding it, and told before what else is wrong with it."""
    monkeypatch.setattr(openers, "SMALL_BYTES", 0)
    run_id = bench.log(PREDICTIONS, "rows.csv", b"prediction\n0.9\n0.1\n")
    config = bench.config(a_model())
    bench.refreshed(config)
    bench.put(run_id, "rows.csv", b"prediction\n0.9\n0.1\n0.2\n")
    assert failures(bench.refreshed(config)[1]) == {}
    bench.put(run_id, "rows.csv", b"\xff\xfe" * 20)
    _, values = bench.refreshed(config)
    assert failures(values) == {"replaced": 1}
    assert values["model_predictions_total", "unknown"] == 3


def test_nothing_of_a_file_that_breaks_later_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose rows were fine until the reader failed leaves nothing; repaired, it counts from its first row."""
    monkeypatch.setattr("driftgauge.batch.streams.BLOCK_BYTES", 1000)
    plain = b"".join(b'{"prediction": 0.9, "row": %d}\n' % number for number in range(3000))
    whole = gzip.compress(plain)
    run_id = bench.log(PREDICTIONS, "rows.jsonl.gz", whole[:-6000])
    config = bench.config(a_model())
    _, values = bench.refreshed(config)
    assert (failures(values), ("model_predictions_total", "unknown") in values) == ({"invalid_gzip": 1}, False)
    bench.put(run_id, "rows.jsonl.gz", whole)
    assert bench.refreshed(config)[1]["model_predictions_total", "unknown"] == 3000


@pytest.mark.parametrize("count", [2, 10_000])
def test_doubts_are_said_once(bench: Bench, count: int) -> None:
    """A file that may not mean what it seems to is read, and one line names column, value and remedy."""
    for at in range(2):
        rows = [{"prediction": 1, "took": 8100.0}] * count
        bench.log(PREDICTIONS, f"{at}.jsonl", rows, start_time=SECONDS * 1000 + at)
    config = bench.config(a_model(columns={"latency": "took"}))
    with capture_logs() as logs, bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        pipeline.refresh(NOW + MINUTE)
    (said,) = [entry for entry in logs if entry["event"] == "batch read with doubt"]
    assert (said["artifact"], said["reason"], said["column"]) == ("0.jsonl", "implausible_latency", "took")
    assert said["example"] == "8100"
    assert "latency_unit: ms" in said["hint"]
