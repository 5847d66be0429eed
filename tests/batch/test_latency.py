"""Durations of requests in every unit."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from batch.samples import decoded, plain
from batch.test_decoding import jsonl, parquet_of
from driftgauge.batch.latency import implausible, latencies

TOOK = dt.timedelta(milliseconds=8.1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("latency_us", 8100),
        ("latency_µs", 8100),
        ("duration_ns", 8_100_000),
        ("latencyMs", 8.1),
        ("latencyMS", 8.1),
        ("LATENCY_MS", 8.1),
        ("latency (ms)", 8.1),
        ("latency_millis", 8.1),
        ("elapsedMicroseconds", 8100),
        ("timing.took_nanos", 8_100_000),
        ("took_s", 0.0081),
        ("took_seconds", "0.0081"),
        ("took_minutes", 0.0081 / 60),
        ("took", 0.0081),
        ("items", 0.0081),
        ("took", "8.1ms"),
        ("took_ms", "8.1 ms"),
        ("took", "8100µs"),
        ("took", "00:00:00.0081"),
        ("took_ms", "0 days 00:00:00.008100"),
    ],
)
def test_the_name_or_the_value_says_the_unit(path: str, value: Any) -> None:
    """Under each name 8.1 ms are 0.0081 s."""
    assert latencies(pa.array([value]), path, None).tolist() == pytest.approx([0.0081])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_durations_have_their_own_unit(unit: str) -> None:
    """Neither name nor configuration change what a duration is."""
    column = pa.array([dt.timedelta(seconds=2), None]).cast(pa.duration(unit))
    assert plain(latencies(column, "took_ms", "ns")) == [2.0, None]


def test_the_configuration_says_the_unit() -> None:
    """`latency_unit` is for columns whose name says none or a wrong one."""
    for unit, value in {"s": 0.0081, "ms": 8.1, "us": 8100, "ns": 8_100_000}.items():
        (chunk,) = decoded(jsonl([{"prediction": 1, "took": value}]), columns={"latency": "took"}, latency_unit=unit)
        assert chunk.latency.tolist() == pytest.approx([0.0081])


@pytest.mark.parametrize("value", ["slow", "", "1:2", "8.1 parsecs", "-5ms", "00:00:99", "9" * 1000 + "x"])
def test_what_is_no_duration_is_missing(value: str) -> None:
    """The request still counts."""
    assert plain(latencies(pa.array([value]), "took", None)) == [None]


def test_durations_of_a_parquet_file() -> None:
    """A duration is a latency, and as a feature it is a number of seconds."""
    data = parquet_of(prediction=[1, 1], latency_ms=[TOOK, None], feature_wait=[TOOK, None])
    (chunk,) = decoded(data, "a.parquet")
    assert plain(chunk.latency) == [pytest.approx(0.0081), None]
    assert plain(chunk.numbers["wait"]) == [pytest.approx(0.0081), None]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([8100.0, 8000.0, 0.1], "over 8000 s"),
        ([1e-8, 0.1, 1e-9], "under 1e-08 s"),
        ([3600.0], ""),
        ([1e-6], ""),
        ([0.0, 0.0], ""),
    ],
)
def test_implausible_medians_are_said(seconds: list[float], said: str) -> None:
    """Half of all requests take neither more than an hour nor less than a microsecond."""
    note = implausible(pa.array(seconds).to_numpy(), "took")
    assert (note is not None) == bool(said)
    if note:
        assert (note.reason, note.column, note.example) == ("implausible_latency", "took", f"{seconds[0]:g}")
        assert said in note.text
        assert "latency_unit: ms" in note.text


def test_a_note_is_said_once_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk shows it, the first one says it."""
    monkeypatch.setattr("driftgauge.batch.decoding.CHUNK_ROWS", 2)
    chunks = decoded(jsonl([{"prediction": 1, "latency": 8100}] * 6), columns={"latency": "latency"})
    assert [[note.reason for note in chunk.notes] for chunk in chunks] == [["implausible_latency"], [], []]
