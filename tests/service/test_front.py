"""The front with a page of 100,000 series: what a scrape gets, and how little memory that takes."""

import gzip
import http.client
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from processes import eventually

SERIES: Final = 100_000
# It takes half of this; what the libraries take differs between versions.
MOST_BYTES: Final = 100 << 20
HEAVY: Final = {"mlflow", "pandas", "numpy", "pyarrow", "scipy", "sklearn", "duckdb"}
REFRESHER: Final = f"""
import sys
from driftgauge.collector import render
from driftgauge.samples import Sample
from driftgauge.service.channel import Channel
from driftgauge.service.health import RefreshHealth
from driftgauge.service.publication import Publication

channel = Channel.inherited(int(sys.argv[1]))
channel.receive()
# Three publications, as of three refreshes.
for n in range(3):
    samples = [Sample(("churn", "1", "24h", f"feature_{{at}}"), at / 7 + n) for at in range({SERIES})]
    page = render({{"model_feature_mean": samples}})
    health = RefreshHealth(mlflow_up=True, succeeded=True, series={SERIES}, duration=float(n))
    channel.send("publication", document=Publication.of(page, health, figures={{}}, ready=True).document)
channel.receive()
"""
FRONT: Final = """
import sys
from functools import partial
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.front import Front
from driftgauge.service.logs import Logs, configure_logging
from driftgauge.service.process import Process
from driftgauge.web.app import create_app
from driftgauge.web.listening import bind
from driftgauge.web.server import Server

config = ConfigFile("driftgauge.yml", "mlflow: {tracking_uri: 'http://mlflow'}\\nmodels:\\n"
                    "  - {name: churn, predictions: {experiment: churn}}\\n")
configure_logging(Logs())
spawn = partial(Process, command=[sys.executable, "-c", sys.argv[1]])
front = Front(lambda: config, spawn=spawn, on_refused=print, logs=Logs())
front.start()
app = create_app(lambda: front, version="1")
server = Server(app, listeners=bind("127.0.0.1:0"), on_started=lambda urls: print(*urls, flush=True))
server.run()
front.stop()
print("heavy:", *(set(sys.argv[2].split()) & set(sys.modules)))
"""


def test_it_stays_small(tmp_path: Path) -> None:
    """After three publications of 100,000 series, scraped in every form, it is small and has imported nothing heavy."""
    command = [sys.executable, "-c", FRONT, REFRESHER, " ".join(HEAVY)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2])
            assert eventually(lambda: b"driftgauge_refresh_duration_seconds 2.0" in get(port), seconds=120)
            text, packed = get(port), gzip.decompress(get(port, encoding="gzip"))
            openmetrics = [get(port, accept="application/openmetrics-text", encoding=name) for name in ("", "gzip")]
            resident = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[0]) << 10
        finally:
            process.terminate()
        assert process.stdout.read().splitlines()[-1] == "heavy:"
    for page in (text, packed, openmetrics[0], gzip.decompress(openmetrics[1])):
        assert page.count(b"\nmodel_feature_mean{") == SERIES
    assert resident < MOST_BYTES


def get(port: int, *, accept: str = "*/*", encoding: str = "") -> bytes:
    """Scrape once."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})
        return connection.getresponse().read()
