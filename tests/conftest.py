"""Fixtures every test may ask for: MLflow stores and servers."""

from pathlib import Path
from typing import Final

import pytest
import structlog
from hypothesis import settings

from mlflow_servers import empty_database, file_store, mlflow_environment, mlflow_server, sqlite_store

__all__ = ["empty_database", "file_store", "mlflow_environment", "mlflow_server", "sqlite_store"]

# How long an example takes depends on what else the machine does. Half of Hypothesis' hundred examples, unless a test
# asks for more or fewer, keeps `make test` short.
settings.register_profile("patient", deadline=None, max_examples=50)
settings.load_profile("patient")

# With the values of all variables, as structlog shows them where rich is installed, a traceback takes a second.
*_processors, _ = structlog.get_config()["processors"]
_plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*_processors, _plain])

_HERE: Final = Path(__file__).parent
# Minutes each. Begun first, so that of several processes none waits for another in the end.
_LONG: Final = (_HERE / "soak", _HERE / "demo" / "test_command.py", _HERE / "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take long before the others."""
    items.sort(key=lambda item: not any(item.path.is_relative_to(place) for place in _LONG))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes alike in every process that runs tests: those that gzip makes carry the time."""
    return "bytes" if isinstance(val, bytes) else None
