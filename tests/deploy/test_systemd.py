"""The unit for virtual machines, by systemd's own checks, and the page that leads to it, by those of Prometheus."""

import re
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from driftgauge.cli import main

FOLDER: Final = Path(__file__).parent.parent.parent / "deploy" / "systemd"
UNIT: Final = FOLDER / "driftgauge.service"
# In tenths: 2.0 is what systemd calls OK, and 0 would be a service that can reach nothing.
MOST_EXPOSED: Final = 20


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return a copy of the unit that starts a program which is there, as a unit must to be verified."""
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/driftgauge/bin/driftgauge serve " in text
    copy = tmp_path / "driftgauge.service"
    copy.write_text(text.replace("/opt/driftgauge/bin/driftgauge", "/bin/true"), encoding="utf-8")
    return copy


def _analyze(*arguments: str | Path) -> tuple[int, str]:
    command = ["systemd-analyze", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def _read(text: str) -> dict[str, list[str]]:
    pairs = [line.partition("=") for line in text.splitlines() if line and line[0] not in "#["]
    return {name: [value for other, _, value in pairs if other == name] for name, _, _ in pairs}


def test_systemd_takes_the_unit(unit: Path) -> None:
    """Every key and value is known to it."""
    assert _analyze("verify", unit) == (0, "")


def test_a_misspelt_key_would_be_seen(unit: Path) -> None:
    """The check above is one."""
    unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectHome", "ProtectHom"), encoding="utf-8")

    assert "ProtectHom" in _analyze("verify", unit)[1]


def test_the_service_is_shut_in() -> None:
    """What it could reach, as systemd rates it, is at most what is promised, and the page says how much it is."""
    status, shown = _analyze("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", UNIT)
    found = re.search(r"Overall exposure level for driftgauge.service: ([\d.]+)", shown)

    assert found is not None
    assert status == 0, shown
    assert f"says {found[1]} of 10" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_what_it_starts_is_the_command() -> None:
    """Subcommand and flags of the unit are those of the command line, and it tells systemd how it is."""
    keys = _read(UNIT.read_text(encoding="utf-8"))
    words = keys["ExecStart"][0].split()[1:]

    assert words[0] == "serve"
    assert {word.partition("=")[0] for word in words[1:]} <= {name for flag in _serve() for name in flag.opts}
    assert (keys["Type"], keys["NotifyAccess"], keys["Restart"]) == (["notify"], ["main"], ["always"])
    # A mistake in the configuration is not tried again and again.
    assert keys["RestartPreventExitStatus"] == ["2"]


def test_the_environment_file_sets_nothing_by_itself() -> None:
    """All of it is commented out; it names MLflow's variables, and flags as the command line knows them."""
    lines = (FOLDER / "driftgauge.env").read_text(encoding="utf-8").splitlines()
    named = {line[1:].partition("=")[0] for line in lines if re.match(r"#\w+=", line)}
    flags = {name for name in named if name.startswith("DRIFTGAUGE_")}

    assert [line for line in lines if line and not line.startswith("#")] == []
    assert named - flags == {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    assert flags <= {flag.envvar for flag in _serve()}
    assert len(flags) == 3


def test_the_scrape_configuration_is_right(tmp_path: Path) -> None:
    """Prometheus takes the page's example, which honours the labels of models."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "scrape_configs" in text)
    file = tmp_path / "prometheus.yml"
    file.write_text(example.replace("/etc/prometheus/driftgauge", str(FOLDER.parent.parent)), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "3 rule files found" in done.stdout
    assert [job["honor_labels"] for job in yaml.safe_load(example)["scrape_configs"]] == [True]


def _serve() -> list[click.Parameter]:
    return main.commands["serve"].params
