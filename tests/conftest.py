"""Fixtures every test may ask for: MLflow stores and servers."""

from hypothesis import settings

from mlflow_servers import empty_database, file_store, mlflow_environment, mlflow_server, sqlite_store

__all__ = ["empty_database", "file_store", "mlflow_environment", "mlflow_server", "sqlite_store"]

# How long an example takes depends on what else the machine does.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes alike in every process that runs tests: those that gzip makes carry the time."""
    return "bytes" if isinstance(val, bytes) else None
