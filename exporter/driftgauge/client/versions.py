"""The version number of a registered model behind a URI, resolved once.

An alias or a stage can move at any time. So it is resolved to a number first, and that version is loaded: the version
logged with predictions is right even if the alias moves in between.

This module queries MLflow's registry and does not know predictions. MLflow is imported at the first query.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from driftgauge.client.tracking import redacted
from driftgauge.errors import SourceError, SourceMissing

_REGISTRY: Final = "models:/"
_LOGGED_MODEL: Final = re.compile(r"models:/+(m-[0-9a-f]{32})/?")
_RUN: Final = re.compile(r"runs:/+([0-9a-zA-Z]+)/(.+?)/*")
_MISSING: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
_FORMS: Final = (
    "write models:/<name>@<alias>, models:/<name>/<number>, models:/<name>/<stage>, models:/<model id> "
    "or runs:/<run id>/<path>"
)


def pinned(client: Any, model_uri: str) -> str:
    """Return `models:/name/number` for a URI with an alias, a stage, `latest` or a number; any other URI as it is.

    Raises SourceError when the registry has no such model, version, alias or stage, or does not answer.
    """
    if not _names_version(model_uri):
        return model_uri
    from mlflow.store.artifact.utils.models import get_model_name_and_version  # noqa: PLC0415 - takes seconds

    with _mlflow_errors(model_uri):
        name, number = get_model_name_and_version(client, model_uri)
        client.get_model_version(name, str(number))
    return f"{_REGISTRY}{name}/{number}"


def number_of(client: Any, pinned_uri: str, *, model_id: str | None) -> str | None:
    """Return the number of the version loaded from a URI that `pinned` returned, None when it is not registered.

    model_id: of what was loaded, if MLflow gave it one. A run or a logged model may be registered several times: under
    one name the newest version is meant; under several names none is, because nothing says which.
    """
    if _names_version(pinned_uri):
        return pinned_uri.rpartition("/")[2]
    found = list(client.search_model_versions(f"source_path='models:/{model_id}'")) if model_id else []
    if run := _RUN.fullmatch(pinned_uri):
        run_id, path = run.groups()
        of_run = client.search_model_versions(f"run_id='{run_id}'")
        found += [version for version in of_run if _is_path_of_run(version.source, run_id, path)]
    return _newest(found)


def run_of(client: Any, model_uri: str) -> str:
    """Return the run that made the model at a URI.

    Raises SourceError when there is no such model, no run that made it, or no answer.
    """
    if run := _RUN.fullmatch(model_uri):
        with _mlflow_errors(model_uri):
            return str(client.get_run(run[1]).info.run_id)
    if logged := _LOGGED_MODEL.fullmatch(model_uri):
        with _mlflow_errors(model_uri):
            run_id = client.get_logged_model(logged[1]).source_run_id
    elif _names_version(model_uri):
        name, _, number = pinned(client, model_uri).removeprefix(_REGISTRY).rpartition("/")
        run_id = client.get_model_version(name, number).run_id
    else:
        raise SourceMissing(f'model URI "{model_uri}" leads to no run: {_FORMS}')
    if not run_id:
        raise SourceMissing(
            f'model "{model_uri}" was made by no run: register it from a run, or put the reference where you like '
            "and name that place in models[].reference.uri"
        )
    return str(run_id)


@contextmanager
def _mlflow_errors(model_uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - as above

    try:
        yield
    except MlflowException as error:
        kind = SourceMissing if error.error_code in _MISSING else SourceError
        # Not chained: the original may show the credentials of a tracking URI.
        raise kind(f'model URI "{model_uri}": {redacted(error.message)}: {_FORMS}') from None


def _names_version(model_uri: str) -> bool:
    return model_uri.startswith(_REGISTRY) and not _LOGGED_MODEL.fullmatch(model_uri)


def _is_path_of_run(source: str, run_id: str, path: str) -> bool:
    """Return whether a version was registered from `path` of a run, by its runs: URI or the place of its artifacts."""
    return source.rstrip("/") == f"runs:/{run_id}/{path}" or source.rstrip("/").endswith(f"/{run_id}/artifacts/{path}")


def _newest(versions: Iterable[Any]) -> str | None:
    numbers = {(version.name, int(version.version)) for version in versions}
    if len({name for name, _ in numbers}) != 1:
        return None
    return str(max(number for _, number in numbers))
