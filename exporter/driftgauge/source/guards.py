"""Checks before MLflow opens a store: opening one creates what is missing and migrates an old schema.

A monitor must do neither: an empty database would hide a mistyped path, and the older MLflow that writes to a database
could not use it after a migration.
"""

from pathlib import Path
from typing import Final

from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.db.utils import _get_latest_schema_revision, _get_schema_version, create_sqlalchemy_engine
from mlflow.utils.file_utils import local_file_uri_to_path
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from driftgauge.errors import SourceUnavailable
from driftgauge.hiding import hidden

_FIX: Final = "correct mlflow.tracking_uri"


def check_present(uri: str) -> None:
    """Raise SourceUnavailable when `uri` names a sqlite file or a folder of runs that is not there. Cheap."""
    scheme = uri.partition(":")[0]
    if scheme.startswith("sqlite"):
        database = make_url(uri).database
        if not database or not Path(database).is_file():
            raise SourceUnavailable(f'there is no database file "{database}": {_FIX}, or log a first run there')
    elif scheme == "file" or ":" not in uri:
        folder = Path(local_file_uri_to_path(uri))
        if not any(folder.glob("*/meta.yaml")):
            raise SourceUnavailable(f'"{folder}" holds no MLflow experiments: {_FIX}, or log a first run there')


def check_schema(uri: str) -> None:
    """Raise SourceUnavailable when `uri` is a database whose schema is not exactly that of the installed MLflow."""
    if uri.partition(":")[0].partition("+")[0] not in DATABASE_ENGINES:
        return
    # Private functions: MLflow has no public ones for the two revisions, and opening the store would migrate it.
    expected = _get_latest_schema_revision()
    engine = create_sqlalchemy_engine(uri)
    try:
        found = _get_schema_version(engine)
    except SQLAlchemyError as error:
        raise SourceUnavailable(f"{hidden(uri)} is no database that can be read: {hidden(str(error))}") from None
    finally:
        engine.dispose()
    if found is None:
        raise SourceUnavailable(f"{hidden(uri)} is not an MLflow database: {_FIX}")
    if found != expected:
        raise SourceUnavailable(
            f"{hidden(uri)} has the schema of another MLflow version ({found}, installed is {expected}): "
            "install the MLflow version that writes to it next to driftgauge, or run `mlflow db upgrade`"
        )
