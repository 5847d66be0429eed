"""The location behind the URI of a reference dataset: the artifact roots to try, in order, and the path below them.

Model URIs are resolved here and not by MLflow's `models:` repository, which uses the process-wide tracking URI.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftgauge.errors import SourceMissing
from driftgauge.hiding import hidden
from driftgauge.patterns import is_data_file
from driftgauge.source.values import ModelVersion

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection

_FIX: Final = "log it there or correct models[].reference.uri"
_LATEST: Final = "latest"
_MOST_COPIES: Final = 4
_LOGGED_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a reference may be.

    roots: artifact URIs, to be tried in this order. path: of the file below each of them. identity: changes when the
    URI means something else. ours: the roots are those of the configuration, and not what a server says.
    """

    roots: tuple[str, ...]
    path: str
    identity: str
    ours: bool = False


def resolve(connection: "Connection", uri: str) -> Location:
    """Return the location that `uri` means now.

    Raises SourceMissing when a run, model, version, alias or local file in it does not exist.
    """
    scheme = uri.partition(":")[0] if ":" in uri.partition("/")[0] else "file"
    found = _RESOLVERS.get(scheme, _in_store)(connection, uri)
    # A signature that is renewed names the same file.
    return replace(found, identity=hidden(found.identity))


def own_uri(uri: str, version: str) -> str | None:
    """Return the URI of the same file of a version by its number; None where `uri` does not follow a registered model.

    That is a `models:` URI with an alias, a stage or "latest"; one with a number means this version's file for all.
    """
    scheme, _, rest = uri.partition(":")
    head, _, below = rest.strip("/").partition("/")
    name, _, alias = head.partition("@")
    selector, path = (alias, below) if alias else (below.partition("/")[0], below.partition("/")[2])
    follows = scheme == "models" and not _LOGGED_MODEL_ID.fullmatch(head) and not selector.isdigit()
    return f"models:/{name}/{version}/{path}" if follows and path and version.isdigit() else None


def registered_name(uri: str) -> str | None:
    """Return the name of the registered model that a URI leads to, None where there is none in it."""
    scheme, _, rest = uri.partition(":")
    head = rest.strip("/").partition("/")[0]
    return head.partition("@")[0] if scheme == "models" and head and not _LOGGED_MODEL_ID.fullmatch(head) else None


def version_names(connection: "Connection", name: str) -> dict[str, str]:
    """Return the numbers that aliases, stages and "latest" of a registered model mean now; none of one that is not."""
    try:
        with connection.registry(name) as client:
            found = client.get_registered_model(name)
    except SourceMissing:
        return {}
    latest = [(version.current_stage or "None", int(version.version)) for version in found.latest_versions or ()]
    stages = {stage: str(number) for stage, number in sorted(latest) if stage != "None"}
    newest = {_LATEST: str(max(number for _, number in latest))} if latest else {}
    return {**newest, **stages, **{alias: str(number) for alias, number in found.aliases.items()}}


def registered(connection: "Connection", name: str, number: str) -> ModelVersion | None:
    """Return the registry's entry of version `number` of model `name`, or None when it has none."""
    try:
        with connection.registry(name) as client:
            found = client.get_model_version(name, number)
    except SourceMissing:
        return None
    experiment_id = None
    with suppress(SourceMissing), connection.client() as client:
        experiment_id = str(client.get_run(found.run_id).info.experiment_id) if found.run_id else None
    return ModelVersion(found.run_id or None, experiment_id, f"models:/{name}/{number}")


def missing(uri: str, target: Location) -> SourceMissing:
    """Return the failure that says that no root of `target` has the file."""
    places = " nor ".join(map(hidden, target.roots)) or "any artifact store"
    return SourceMissing(f'reference "{hidden(uri)}": there is no "{target.path}" in {places}: {_FIX}')


def _in_file(_connection: "Connection", uri: str) -> Location:
    path = Path(uri.removeprefix("file://").removeprefix("file:")).absolute()
    try:
        status = path.resolve(strict=True).stat()
    except OSError as error:
        raise SourceMissing(f'reference "{hidden(uri)}" cannot be read ({error.strerror}): {_FIX}') from error
    # Symbolic links are followed, as for any path in a configuration; a store follows none out of its root.
    real = path.resolve()
    return Location(
        (str(real.parent),), real.name, f"{real}:{status.st_size}:{status.st_mtime_ns}{_content(real)}", ours=True
    )


def _content(folder: Path) -> str:
    """Return a text that changes with the parts of a folder, "" of a file; a part may be rewritten in its place."""
    found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if is_data_file(path.name)]
    parts = [f"{path}:{status.st_size}:{status.st_mtime_ns}" for path, status in found]
    return f":{hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()}" if parts else ""


def _in_store(_connection: "Connection", uri: str) -> Location:
    root, _, path = uri.rstrip("/").rpartition("/")
    return Location((root,), path, uri, ours=True)


def _in_run(connection: "Connection", uri: str) -> Location:
    run_id, _, path = uri.removeprefix("runs:").strip("/").partition("/")
    with connection.client() as client:
        root = client.get_run(run_id).info.artifact_uri
    return Location((root,), _file_named(path, uri), uri)


def _in_model(connection: "Connection", uri: str) -> Location:
    head, _, rest = uri.removeprefix("models:").strip("/").partition("/")
    if _LOGGED_MODEL_ID.fullmatch(head):
        return Location((_logged_model_root(connection, head),), _file_named(rest, uri), uri)
    name, _, alias = head.partition("@")
    number_or_stage, _, below = rest.partition("/")
    selector, path = (alias, rest) if alias else (number_or_stage, below)
    find = _by_alias if alias else _by_number if selector.isdigit() else _by_stage
    with connection.registry(name) as client:
        version = find(client, name, selector)
    roots = _version_roots(connection, version)
    return Location(roots, _file_named(path, uri), f"models:/{name}/{version.version}/{path} from {' '.join(roots)}")


def _by_alias(client: Any, name: str, alias: str) -> Any:
    return client.get_model_version_by_alias(name, alias)


def _by_number(client: Any, name: str, number: str) -> Any:
    return client.get_model_version(name, number)


def _by_stage(client: Any, name: str, stage: str) -> Any:
    # MLflow's own call for stages is deprecated and warns each time.
    versions = [
        version
        for version in client.search_model_versions(f"name='{name}'")
        if stage.lower() in {_LATEST, version.current_stage.lower()}
    ]
    if not versions:
        raise SourceMissing(f'model "{name}" has no version in stage "{stage}": correct models[].reference.uri')
    return max(versions, key=lambda version: int(version.version))


def _version_roots(connection: "Connection", version: Any) -> tuple[str, ...]:
    roots = []
    with suppress(SourceMissing):
        with connection.registry(version.name) as client:
            source = client.get_model_version_download_uri(version.name, version.version)
        roots.append(_source_root(connection, source))
    with suppress(SourceMissing), connection.client() as client:
        if version.run_id:
            roots.append(client.get_run(version.run_id).info.artifact_uri)
    return tuple(roots)


def _source_root(connection: "Connection", source: str, *, copies: int = 0) -> str:
    """Return the artifact root that the source of a model version means: a run's, another version's, or a place."""
    kind, _, rest = source.partition(":")
    head, _, folder = rest.strip("/").partition("/")
    if kind == "runs":
        with connection.client() as client:
            return f"{client.get_run(head).info.artifact_uri}/{folder}"
    if kind == "models" and _LOGGED_MODEL_ID.fullmatch(head):
        root = _logged_model_root(connection, head)
        return f"{root}/{folder}" if folder else root
    if kind == "models" and folder.isdigit() and copies < _MOST_COPIES:
        # A version that was copied from another one.
        with connection.client() as client:
            origin = client.get_model_version_download_uri(head, folder)
        return _source_root(connection, origin, copies=copies + 1)
    return source


def _logged_model_root(connection: "Connection", model_id: str) -> str:
    with connection.client() as client:
        return str(client.get_logged_model(model_id).artifact_location)


def _file_named(path: str, uri: str) -> str:
    if not path:
        raise SourceMissing(
            f'reference "{hidden(uri)}" names no file: write {hidden(uri.rstrip("/"))}/reference.parquet'
        )
    return path


_RESOLVERS: Final[Mapping[str, Callable[["Connection", str], Location]]] = {
    "file": _in_file,
    "runs": _in_run,
    "models": _in_model,
}
