"""The configuration it writes and what it tells to open."""

from pathlib import Path

import pytest

from driftgauge.config import parse
from driftgauge.demo.guide import config_text, what_to_open

URL = "http://127.0.0.1:10210"


@pytest.mark.parametrize("path", ["/tmp/demo", '/tmp/my "demo" ${HOME} $x', "/tmp/Vorführung: 1 #2"])  # noqa: S108
def test_config_is_valid_for_any_directory(path: str) -> None:
    """The configuration is accepted, and the directory comes out of it as it went in."""
    config = parse(config_text(Path(path)), filename="driftgauge.yml", environ={})
    assert config.mlflow.tracking_uri == f"sqlite:///{path}/mlflow.db"
    assert config.state_dir == f"{path}/state"
    assert config.refresh_interval == 5
    assert [window.name for window in config.windows] == ["1h", "24h", "7d"]
    (model,) = config.models
    assert model.reference is not None
    assert model.reference.uri == "models:/flight-delay@champion/reference.parquet"


def test_what_to_open() -> None:
    """Landing page, metrics, a scrape configuration and MLflow's own pages are named with the real address."""
    text = what_to_open(URL, Path("/demo/driftgauge.yml"))
    for expected in (
        f"{URL}/ ",
        f"curl -s {URL}/metrics | grep '^model_accuracy'",
        'targets: ["127.0.0.1:10210"]',
        "mlflow ui --backend-store-uri 'sqlite:////demo/mlflow.db'",
        "/demo/driftgauge.yml",
    ):
        assert expected in text
