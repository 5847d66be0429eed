"""The configuration it writes and what it tells to open."""

from pathlib import Path

import pytest

from driftgauge.config import parse
from driftgauge.demo.alerting import Alerting
from driftgauge.demo.guide import config_text, own_data, what_to_open
from driftgauge.demo.pace import Pace
from driftgauge.demo.paging import Phone

URL = "http://127.0.0.1:10210"
CONFIG = Path("/demo/driftgauge.yml")


@pytest.mark.parametrize("path", ["/tmp/demo", '/tmp/my "demo" ${HOME} $x', "/tmp/Vorführung: 1 #2"])  # noqa: S108
def test_config_is_valid_for_any_directory(path: str) -> None:
    """The configuration is accepted, and the directory comes out of it as it went in."""
    thresholds = Path(path) / "alerting-rules" / "thresholds.yml"
    text = config_text(Path(path), Pace(0.8), thresholds=thresholds)
    config = parse(text, filename="driftgauge.yml", environ={})
    assert config.thresholds == str(thresholds)
    assert config.mlflow.tracking_uri == f"sqlite:///{path}/mlflow.db"
    assert config.state_dir == f"{path}/state"
    assert config.refresh_interval == 2
    assert [window.name for window in config.windows] == ["2m", "1h", "24h", "7d"]
    (model,) = config.models
    assert model.reference is not None
    assert model.reference.uri == "models:/flight-delay@champion/reference.parquet"
    assert (model.drift.ks, model.drift.psi) == (0.3, 0.4)


def test_the_story_takes_an_hour() -> None:
    """At a pace at which the story's window is a usual one, it is there once."""
    config = parse(config_text(Path("/demo"), Pace(24)), filename="driftgauge.yml", environ={})
    assert [window.name for window in config.windows] == ["1h", "24h", "7d"]
    assert config.thresholds is None


def test_what_to_open() -> None:
    """Landing page, metrics, a scrape configuration and MLflow's own pages are named with the real address."""
    text = what_to_open(URL, CONFIG, pace=Pace(0.8), servers=None)
    for expected in (
        f"{URL}/ ",
        f"{URL}/models/flight-delay ",
        f"curl -s {URL}/metrics | grep '^model_accuracy'",
        """grep '^model_feature_psi.*window="2m"'""",
        'targets: ["127.0.0.1:10210"]',
        "mlflow ui --backend-store-uri 'sqlite:////demo/mlflow.db'",
        "/demo/driftgauge.yml",
        "driftgauge inspect FILE ",
        "driftgauge check-config --online driftgauge.yml ",
        "driftgauge serve --config.file=driftgauge.yml ",
    ):
        assert expected in text


def test_programs_are_called_as_the_shell_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names on PATH; else, as after `make demo`, by where they are installed, from here if that is below."""
    ours = tmp_path / ".venv" / "bin"
    ours.mkdir(parents=True)
    for name in ("mlflow", "driftgauge"):
        (ours / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (ours / name).chmod(0o755)
    monkeypatch.setattr("sys.executable", str(ours / "python"))
    monkeypatch.setenv("PATH", str(ours))
    assert "\n  mlflow ui " in what_to_open(URL, CONFIG, pace=Pace(0.8), servers=None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert f"\n  {ours}/mlflow ui " in what_to_open(URL, CONFIG, pace=Pace(0.8), servers=None)
    monkeypatch.chdir(tmp_path)
    assert "\n  .venv/bin/driftgauge inspect FILE " in own_data()


def test_what_to_open_with_servers() -> None:
    """With Prometheus and Alertmanager running, their pages and what was rendered are named instead."""
    folder = Path("/demo/alerting")
    urls = (f"http://127.0.0.1:{port}" for port in (9090, 9093, 10211))
    servers = Alerting(*urls, folder=folder, phone=Phone(folder, say=print), with_hook="")
    text = what_to_open(URL, CONFIG, pace=Pace(0.8), servers=servers)
    for expected in (
        "http://127.0.0.1:9090/ ",
        "http://127.0.0.1:9093/ ",
        "amtool alert query --alertmanager.url=http://127.0.0.1:9093 ",
        "10211/metrics ",
        "in /demo/alerting",
    ):
        assert expected in text
    assert "scrape_configs" not in text
