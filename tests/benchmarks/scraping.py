"""B5: a scrape of 100,000 series in both formats, plain and gzipped; and scrapes while a heavy refresh runs.

Against prometheus_client writing the same families at each scrape, gzipped as its own server does. The second part asks
a real `driftgauge serve` over one connection, as Prometheus does, in a pause and during a refresh with new rows of all
models.
"""

import gc
import http.client
import socket
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from gzip import compress, decompress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector

from driftgauge.collector import ProcessMetrics, render
from driftgauge.families import FAMILIES
from driftgauge.samples import Sample
from driftgauge.service.health import RefreshHealth
from driftgauge.service.publication import Publication
from e2e import exporter
from mlflow_servers import free_port

from . import datasets
from .measuring import (
    BENCH,
    Contestant,
    Notes,
    Row,
    Target,
    compared,
    expect,
    interleaved,
    seconds,
    timed,
)
from .stores import Tracking, write_configuration

SERIES: Final = 100_000
MODELS: Final = 6
FEATURES: Final = 500
REFERENCE_ROWS: Final = 12_000
QUIET_ROWS: Final = 2_000
# 3,000 columns on the default grid would take gigabytes.
GRID: Final = 1_000
HEAVY_ROWS: Final = 20_000
# In one there are some two hundred scrapes, too few for the hundredth part of them to tell much.
REFRESHES: Final = 3
# Longer than a refresh with nothing new, so that there is a pause to measure in.
INTERVAL: Final = 40.0
IDLE_SECONDS: Final = 15.0
# The 99th percentile of a scrape during a refresh.
MOST_SECONDS: Final = 0.05
_BETWEEN_SCRAPES: Final = 0.02
_PATIENCE: Final = 600.0
_NUMBERED: Final = ("model", "version", "window", "feature")
_LOOKED_AT: Final = (
    "driftgauge_last_refresh_success_timestamp_seconds",
    "driftgauge_refresh_duration_seconds",
    "driftgauge_series",
    "model_predictions_total",
)


def run(notes: Notes) -> None:
    """Measure and note the line."""
    _formats(notes)
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        _during_refresh(notes, Path(folder))


def _formats(notes: Notes) -> None:
    samples = _samples()
    page, process, theirs = render(samples), ProcessMetrics(), Families(samples)
    publication = Publication.of(page, RefreshHealth(), figures={}, ready=True)
    for openmetrics in (False, True):
        for gzip in (False, True):
            ours = partial(_served, publication, process, openmetrics=openmetrics, gzip=gzip)
            written = partial(_written, theirs, openmetrics=openmetrics, gzip=gzip)
            contestants = [("ours", ours), ("generate_latest", written)]
            found = interleaved([Contestant(name, partial(timed, work), 5) for name, work in contestants])
            form = f"{'OpenMetrics' if openmetrics else 'text'}, {'gzip' if gzip else 'plain'}"
            notes.add(
                compared(
                    "B5",
                    f"scrape of 100,000 series, {form}",
                    ours=found["ours"],
                    reference=found["generate_latest"],
                    name="generate_latest",
                    target=Target(most=1 / 50),
                )
            )


class Families(Collector):
    """The same families as prometheus_client has them."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._families = []
        for name, series in samples.items():
            family = GaugeMetricFamily(name, FAMILIES[name].help, labels=FAMILIES[name].labels)
            for sample in series:
                family.add_metric(sample.labels, sample.value)
            self._families.append(family)

    def collect(self) -> Iterable[Metric]:
        """Return the families, which do not change."""
        return self._families


def _served(publication: Publication, process: ProcessMetrics, *, openmetrics: bool, gzip: bool) -> bytes:
    """Answer a scrape as the front does."""
    tail = process.lines(openmetrics=openmetrics)
    _, pieces = publication.page(tail, openmetrics=openmetrics, gzip=gzip)
    return b"".join(pieces)


def _written(collector: Collector, *, openmetrics: bool, gzip: bool) -> bytes:
    """Answer a scrape as prometheus_client's own server does."""
    text: bytes = exposition.generate_latest(collector) if openmetrics else generate_latest(collector)
    return compress(text) if gzip else text


def _samples() -> dict[str, list[Sample]]:
    """Return 100,000 series of the families that models have one per feature of."""
    families = [name for name, family in FAMILIES.items() if family.labels == _NUMBERED]
    features = SERIES // (len(families) * 3) + 1
    places = [("churn", "1", window, f"feature_{n}") for window in ("1h", "24h", "7d") for n in range(features)]
    every = [(name, Sample(place, 1 / (3 + at))) for name in families for at, place in enumerate(places)][:SERIES]
    found: dict[str, list[Sample]] = {}
    for name, sample in every:
        found.setdefault(name, []).append(sample)
    return found


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape: when it began (s since 1970), how long it took, and what tells its page from others."""

    began: float
    seconds: float
    page: int


def _during_refresh(notes: Notes, folder: Path) -> None:
    tracking = Tracking(folder)
    quiet, heavy = _batches(folder)
    models = [
        {
            "name": f"model-{n}",
            "predictions": {"experiment": f"/model-{n}"},
            "reference": {"uri": str(folder / "reference.parquet")},
            "drift": {"grid": GRID},
        }
        for n in range(MODELS)
    ]
    config = write_configuration(
        folder / "driftgauge.yml", tracking.uri, folder / "state", models, refresh_interval=f"{INTERVAL:.0f}s"
    )
    for model in models:
        tracking.log(f"/{model['name']}", quiet)
    with _serving(config) as port:
        scraper = Scraper(port)
        idle = scraper.during(IDLE_SECONDS)
        busy: list[Scrape] = []
        for _ in range(REFRESHES):
            for model in models:
                tracking.log(f"/{model['name']}", heavy)
            scrapes = scraper.until_page_changes()
            start, series, rows = scraper.last_refresh()
            busy += [scrape for scrape in scrapes if scrape.began + scrape.seconds >= start]
    expect(rows, MODELS * (REFRESHES * HEAVY_ROWS + QUIET_ROWS), "predictions counted")
    calm, loaded = (_p99(found) for found in (idle, busy))
    target = Target(most=MOST_SECONDS)
    notes.add(
        Row(
            "B5",
            f"p99 of {len(busy)} scrapes during {REFRESHES} refreshes of {MODELS} x {HEAVY_ROWS:,} x {FEATURES} "
            f"values, {series:,} series, gzip over HTTP",
            seconds(loaded),
            f"p99 of {len(idle)} scrapes in a pause {seconds(calm)}",
            ratio=loaded / calm,
            target=f"≤ {seconds(MOST_SECONDS)}",
            holds=target.holds(loaded),
        )
    )


def _batches(folder: Path) -> tuple[Path, Path]:
    """Write a reference, a small batch and one with many rows, all of which have every feature."""
    pq.write_table(pa.table(datasets.numbers(6, rows=REFERENCE_ROWS, features=FEATURES)), folder / "reference.parquet")
    batches = []
    for seed, rows in ((7, QUIET_ROWS), (8, HEAVY_ROWS)):
        table = datasets.records(seed, rows=rows, first=seed * 10**6, start=-1800, seconds=1800, features=FEATURES)
        # The server's clock is the real one.
        now = pa.array(np.full(rows, int(time.time() * 1e6)), pa.timestamp("us", "UTC"))
        batches.append(folder / f"batch-{rows}.parquet")
        pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", now), batches[-1])
    return batches[0], batches[1]


@contextmanager
def _serving(config: Path) -> Iterator[int]:
    """Run `driftgauge serve` until the block is left; yield its port once the first refresh is done."""
    with exporter.serving(config, free_port()) as running:
        deadline = time.monotonic() + _PATIENCE
        while running.get("/-/ready")[0] != 200:
            if time.monotonic() > deadline:
                raise SystemExit(f"the first refresh did not end: {running.log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(1)
        yield urlsplit(running.url).port or 0


class Scraper:
    """Scrapes one after another over one connection, as Prometheus does, and does not unpack what it gets."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        # MLflow's objects are in this process, too: to look through them takes as long as several scrapes.
        gc.freeze()
        self._body = b""
        self._beginning = 0

    def scrape(self) -> Scrape:
        """Scrape once, a little after the last time."""
        time.sleep(_BETWEEN_SCRAPES)
        began, counter = time.time(), time.perf_counter()
        self._connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        # Lasts until the kernel changes its mind. On the loopback a page is a few segments, the last of which may wait
        # 25 ms for the first to be acknowledged; over a network every second one of hundreds is at once.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self._body = self._connection.getresponse().read()
        taken = time.perf_counter() - counter
        # Models come first on the page: its first half is the same until there is something new of them.
        self._beginning = self._beginning or len(self._body) // 2
        return Scrape(began, taken, crc32(self._body[: self._beginning]))

    def during(self, seconds: float) -> list[Scrape]:
        """Scrape during this many seconds."""
        end, found = time.monotonic() + seconds, list[Scrape]()
        while time.monotonic() < end:
            found.append(self.scrape())
        return found

    def until_page_changes(self) -> list[Scrape]:
        """Scrape until there is something new of models; return all scrapes but the last."""
        end, found = time.monotonic() + _PATIENCE, [self.scrape()]
        while found[-1].page == found[0].page:
            found.append(self.scrape())
            if time.monotonic() > end:
                raise SystemExit("the page of the exporter did not change")
        return found[:-1]

    def last_refresh(self) -> tuple[float, int, float]:
        """Return when the last refresh began, how many series the page has, and the predictions counted."""
        text = decompress(self._body).decode()
        found: dict[str, float] = defaultdict(float)
        for line in text.splitlines():
            if line.startswith(_LOOKED_AT):
                found[line.partition("{")[0].partition(" ")[0]] += float(line.rpartition(" ")[2])
        ended, duration, series, predictions = (found[name] for name in _LOOKED_AT)
        return ended - duration, int(series), predictions


def _p99(found: Sequence[Scrape]) -> float:
    return statistics.quantiles([scrape.seconds for scrape in found], n=100, method="inclusive")[98]
