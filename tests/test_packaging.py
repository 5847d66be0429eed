"""What is built and installed: a wheel that works on its own, with its templates, types and licence."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Final

import pytest

import driftgauge

ROOT: Final = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_is_complete(wheel: zipfile.ZipFile) -> None:
    """Every file of the package is in it, and nothing but the package and its metadata."""
    package = ROOT / "exporter"
    sources = {
        str(path.relative_to(package))
        for path in (package / "driftgauge").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = set(wheel.namelist())

    assert sources - packed == set()
    assert {name for name in packed - sources if ".dist-info/" not in name} == set()
    assert {"driftgauge/py.typed", "driftgauge/web/landing.html.j2"} <= packed
    # In the repository a link to alerting-rules/thresholds.yml, so that there is one of them.
    thresholds = (ROOT / "alerting-rules" / "thresholds.yml").read_bytes()
    assert wheel.read("driftgauge/generator/thresholds.yml") == thresholds
    assert any(name.endswith("licenses/LICENSE") for name in packed)


def test_the_metadata(wheel: zipfile.ZipFile) -> None:
    """Name, version and Python version are those of the project; the command leads to the command line."""
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
    commands = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()

    assert (metadata["Name"], metadata["Version"]) == ("driftgauge", driftgauge.__version__)
    assert metadata["Requires-Python"] == ">=3.11"
    assert "driftgauge = driftgauge.__main__:main" in commands


def test_every_dependency_has_an_upper_bound_or_a_reason() -> None:
    """A new version of a library cannot break an installation; fsspec, structlog and tzdata count by years."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    unbound = [name for name in project["dependencies"] if "<" not in name and "==" not in name]
    assert unbound == ["fsspec>=2024.6.1", "structlog>=25.1", "tzdata>=2025.1"]


def test_the_changelog_knows_the_version() -> None:
    """What is released is described, or is being collected under Unreleased."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert "## [Unreleased]" in changes or f"## [{driftgauge.__version__}]" in changes


def test_the_command_is_installed() -> None:
    """The installed script answers."""
    command = Path(sys.executable).with_name("driftgauge")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)

    assert shown.stdout == f"driftgauge {driftgauge.__version__}\n"
