"""Fixtures for every test: MLflow stores and servers. `--pure` runs only tests that need neither."""

import multiprocessing.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from driftgauge.__main__ import use_one_thread
from installed import Program, found
from mlflow_servers import empty_database, file_store, mlflow_environment, mlflow_server, sqlite_store

__all__ = ["empty_database", "file_store", "mlflow_environment", "mlflow_server", "sqlite_store"]

# As the command does, before a test imports numpy.
use_one_thread()

# How long an example takes depends on what else the machine does. Few examples keep `make test` short; `make thorough`
# tries many.
settings.register_profile("patient", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "10")))
settings.register_profile("quick", deadline=None, max_examples=3)
settings.load_profile("patient")

# With the values of all variables, as structlog shows them where rich is installed, a traceback takes a second.
*_processors, _ = structlog.get_config()["processors"]
_plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*_processors, _plain])
_LOGGING: Final = structlog.get_config()

_HERE: Final = Path(__file__).parent
_MLFLOW_FIXTURES: Final = frozenset({"empty_database", "file_store", "mlflow_server", "sqlite_store"})
# Minutes each. Begun first, so that of several processes none waits for another in the end.
_LONG: Final = (
    _HERE / "soak",
    _HERE / "demo" / "test_command.py",
    _HERE / "e2e",
    _HERE / "deploy" / "test_compose.py",
    _HERE / "source" / "test_faults.py",
)


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have everything temporary, also of processes that tests kill, in pytest's folder, which goes when all pass."""
    # Python removes the folder of this process's own workers when it exits, which is after pytest has removed its own.
    multiprocessing.util.get_temp_dir()
    before, folder = os.environ.get("TMPDIR"), tmp_path_factory.mktemp("t")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    yield
    tempfile.tempdir = before
    if before is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before


@pytest.fixture(autouse=True)
def _logging() -> None:
    """Undo what a command that ran in this process configured: after one that logs errors only, nothing is captured."""
    structlog.configure(**_LOGGING)


# Tests that start programs or servers, wait, or import MLflow. `make check` leaves them out, and all with a store or
# server of MLflow.
_IMPURE: Final = (
    *(_HERE / name for name in ("demo", "e2e", "feeds", "fuzz", "large", "pictures", "pipeline", "service", "soak")),
    *(_HERE / f"test_{name}.py" for name in ("benchmarks", "cli", "docs", "packaging", "service", "service_trouble")),
    *(_HERE / f"test_{name}.py" for name in ("pure", "serving")),
    _HERE / "batch" / "test_hostile.py",
    *(_HERE / "deploy" / f"test_{name}.py" for name in ("chart_rules", "chart_served", "compose", "systemd")),
    *(_HERE / "client" / f"test_{name}.py" for name in ("delivery", "light", "logger", "monitored", "process")),
    *(_HERE / "client" / f"test_{name}.py" for name in ("reference", "serving", "spool", "uploading", "versions")),
    *(_HERE / "generator" / f"test_{name}.py" for name in ("alertmanager", "generate", "inhibition", "promtool")),
    _HERE / "generator" / "test_rules.py",
    *(_HERE / "hook" / f"test_{name}.py" for name in ("calls", "commands", "dispatching", "receiver", "recording")),
    *(_HERE / "inspection" / f"test_{name}.py" for name in ("online", "starting")),
    _HERE / "report" / "test_print.py",
    *(_HERE / "source" / f"test_{name}.py" for name in ("bodies", "changes", "connection", "contents", "deadline")),
    *(_HERE / "source" / f"test_{name}.py" for name in ("discovery", "faults", "gateways", "guards", "http")),
    *(_HERE / "source" / f"test_{name}.py" for name in ("listing", "mlflow_source", "origins", "pacing", "references")),
    *(_HERE / "source" / f"test_{name}.py" for name in ("registry", "repositories", "stores", "survey", "transport")),
    *(_HERE / "store" / f"test_{name}.py" for name in ("database", "upgrading")),
    _HERE / "verdict" / "test_findings.py",
    *(_HERE / "web" / f"test_{name}.py" for name in ("accepting", "floods", "listening", "server", "tls")),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pure`."""
    parser.addoption("--pure", action="store_true", help="leave out tests that need programs, servers or MLflow")


def pytest_report_header() -> list[str]:
    """Say which servers the tests run on."""
    programs: tuple[Program, ...] = ("prometheus", "promtool", "alertmanager", "amtool")
    return ["servers: " + ", ".join(f"{program} {' and '.join(found(program))}" for program in programs)]


def pytest_configure(config: pytest.Config) -> None:
    """Make an import of MLflow fail in pure tests, so that a test that needs it is noticed; and try few examples."""
    if config.getoption("pure"):
        settings.load_profile("quick")
        sys.modules["mlflow"] = None  # type: ignore[assignment] # Python's own way to forbid an import


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the other tests when only pure ones are wanted."""
    return True if config.getoption("pure") and collection_path in _IMPURE else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that take long before the others; leave out of pure ones those with a fixture of MLflow."""
    if config.getoption("pure"):
        left_out = [item for item in items if not _MLFLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: not any(item.path.is_relative_to(place) for place in _LONG))


class _ByFile(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each process whole files, and all that needs the demo's flights and model to one: they take seconds."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/demo" if file.startswith("tests/demo/") and file != "tests/demo/test_command.py" else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    """Say how whole files are divided among processes; another way that was asked for is xdist's own."""
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes alike in every process that runs tests: those that gzip makes carry the time."""
    return "bytes" if isinstance(val, bytes) else None
