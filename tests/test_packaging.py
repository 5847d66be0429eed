"""What is built: two wheels that share no file, with templates, types and licence. `make release-check` installs."""

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
CLIENT: Final = ROOT / "exporter" / "client"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    """Build the wheels as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", f"--wheel-dir={folder}", str(ROOT), str(CLIENT)]
    subprocess.run(command, check=True)
    return {path.name.partition("-")[0]: zipfile.ZipFile(path) for path in folder.glob("*.whl")}


def _packed(wheel: zipfile.ZipFile) -> list[str]:
    return [name for name in wheel.namelist() if ".dist-info/" not in name]


def test_the_wheels_are_complete(wheels: dict[str, zipfile.ZipFile]) -> None:
    """Every file of the package is in one of them, none in both, and nothing but the package and its metadata."""
    package = ROOT / "exporter"
    sources = [
        str(path.relative_to(package))
        for path in (package / "driftgauge").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    exporter, client = (_packed(wheels[name]) for name in ("driftgauge", "driftgauge_client"))

    assert sorted([*exporter, *client]) == sorted(sources)
    assert "driftgauge/web/landing.html.j2" in exporter
    names = ("__init__.py", "py.typed", "errors.py", "redaction.py", "schema.py")
    alone = {f"driftgauge/{name}" for name in names}
    assert {name for name in client if not name.startswith("driftgauge/client/")} == alone
    # In the repository a link to alerting-rules/thresholds.yml, so that there is one of them.
    thresholds = (ROOT / "alerting-rules" / "thresholds.yml").read_bytes()
    assert wheels["driftgauge"].read("driftgauge/generator/thresholds.yml") == thresholds


@pytest.mark.parametrize("distribution", ["driftgauge", "driftgauge-client"])
def test_the_metadata(wheels: dict[str, zipfile.ZipFile], distribution: str) -> None:
    """Name, version and Python version are those of the project, and the licence is there."""
    wheel = wheels[distribution.replace("-", "_")]
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())

    assert (metadata["Name"], metadata["Version"]) == (distribution, driftgauge.__version__)
    assert metadata["Requires-Python"] == ">=3.11"
    assert wheel.read(name.replace("METADATA", "licenses/LICENSE")) == (ROOT / "LICENSE").read_bytes()


def test_the_exporter_is_a_command_and_needs_its_own_client(wheels: dict[str, zipfile.ZipFile]) -> None:
    """The command leads to the command line; the vocabulary is that of the same version."""
    wheel = wheels["driftgauge"]
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))

    assert "driftgauge = driftgauge.__main__:main" in wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert f"Requires-Dist: driftgauge-client=={driftgauge.__version__}\n" in wheel.read(name).decode()


def test_without_the_client_it_says_what_to_install() -> None:
    """When the other distribution was removed, the command ends with a line that says so."""
    program = "import sys; sys.modules['driftgauge.errors'] = None; from driftgauge.__main__ import main; main()"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr == "driftgauge: its other half was removed: pip install driftgauge-client\n"


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
