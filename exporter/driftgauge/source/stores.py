"""Artifact stores behind one Protocol: list a folder, open a file; and `put`, which writes one.

Local folders are read directly and a tracking server's artifact proxy is streamed, so both can stop in the middle of a
file that is too large; every other store goes through MLflow's own repository (`repositories`). No name from a store is
ever used as a path on this machine outside that store. Over the network, each listing and each MiB is bounded by the
deadline.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlparse, urlunparse

import requests
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path

from driftgauge.errors import BatchError
from driftgauge.feed import Opener
from driftgauge.hiding import hidden
from driftgauge.openers import downloaded, local, refuse_size
from driftgauge.scratch import Scratch
from driftgauge.source.bodies import pieces
from driftgauge.source.entries import PROXIED, Entry, scheme_of
from driftgauge.source.failures import json_object, not_mlflow, status_failure
from driftgauge.source.http import Http
from driftgauge.source.origins import Borders
from driftgauge.source.repositories import Elsewhere, refuse_root, repository_at, without_driver

_PROXY_ENDPOINT: Final = "/mlflow-artifacts/artifacts"
# More bytes than a file system can count.
_NO_SIZE: Final = 2**63


class ArtifactStore(Protocol):
    """The artifacts below one root."""

    def entries(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in `folder` ("" is the root).

        A folder that does not exist is empty, since a run has none before its first artifact.
        """
        ...

    def opener(self, path: str, *, expected: int | None, limit: int) -> Opener:
        """Return how the file at `path`, of `expected` bytes when it was listed, is opened; downloads what is remote.

        expected: 0 when the listing told no size, None when the file was not listed.

        Raises SourceMissing when it is not there, and BatchError "too_large" as soon as it is known to have more than
        `limit` bytes, "incomplete" when it has fewer than expected.
        """
        ...


def store_at(
    root: str, *, tracking_uri: str, http: Http, spool: Scratch, elsewhere: Elsewhere, hurried: bool = False
) -> ArtifactStore:
    """Return the store for the artifact URI `root`; its network requests are bounded by http's deadline.

    spool: where downloads go. elsewhere: for stores that MLflow's client reads itself. hurried: others wait for its
    listings. Raises BatchError "unusable_root" when `root` means no place of files.
    """
    if not root:
        raise BatchError("unusable_root", "the run has no place for artifacts: log to an experiment that has one")
    if is_local(root):
        return LocalStore(local_folder(root))
    if scheme_of(root) not in PROXIED:
        return repository_at(root, tracking_uri=tracking_uri, spool=spool, elsewhere=elsewhere, hurried=hurried)
    return ProxyStore(http.borders.url_of(root), http, spool)


def put(root: str, file: Path, *, borders: Borders) -> None:
    """Write a file into the artifacts at the URI `root`, under its own name; asks the network.

    Raises BatchError when `root` may not be named, means no place of files, or is one that files are only read from.
    """
    borders.refuse(root)
    if is_local(root) and borders.home is not None:
        # Also where a server on this machine may name a folder to be read.
        raise BatchError(
            "local_path",
            f'{hidden(borders.tracking_uri)} names the folder "{hidden(root)}" of this machine, which is not written '
            "to: have the server serve its artifacts (mlflow server --artifacts-destination)",
        )
    if scheme_of(root) in PROXIED and not borders.is_home(borders.url_of(root)):
        raise BatchError(
            "foreign_host",
            f'"{hidden(root)}" is on another host than the tracking server, which is asked without credentials: '
            "results are not written there; give their experiment another artifact location",
        )
    if not is_local(root) and scheme_of(root) not in PROXIED:
        refuse_root(root, tracking_uri=borders.tracking_uri)
    try:
        get_artifact_repository(root, tracking_uri=borders.tracking_uri).log_artifact(str(file))
    except ImportError as error:
        raise without_driver(root, error) from None
    except requests.HTTPError as error:
        if error.response is None:
            raise
        raise status_failure(error.response.status_code, server=hidden(root), wanted=f'"{file.name}"') from None


def is_local(uri: str) -> bool:
    """Return whether an artifact URI is a path or file: URI on this machine."""
    return ":" not in uri.split("/", 1)[0] or uri.startswith("file:")


def local_folder(uri: str) -> Path:
    """Return the path that a local artifact URI means."""
    return Path(local_file_uri_to_path(uri))


class LocalStore:
    """A folder on this machine. Symbolic links out of it count as absent."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of `folder`; see `ArtifactStore`."""
        # The entries of a folder within the root: only symbolic links among them can lead out of it.
        place = (self._root / folder).resolve()
        if not place.is_dir() or not place.is_relative_to(self._root):
            return []
        with os.scandir(place) as found:
            held = [item for item in found if not item.is_symlink() or self._holds(Path(item), place)]
            return [entry for item in held if (entry := _local_entry(item, folder))]

    def opener(self, path: str, *, expected: int | None, limit: int) -> Opener:
        """Return how a file is opened; see `ArtifactStore`."""
        return local(self._root, path, expected=expected or 0, limit=limit)

    def _holds(self, link: Path, place: Path) -> bool:
        """Return whether a link in the folder `place` leads to something of this root that has not the link in it."""
        # What leads back to itself does not exist, and cannot be resolved.
        if not link.exists():
            return False
        target = link.resolve()
        return target.is_relative_to(self._root) and not place.is_relative_to(target)


def _local_entry(item: os.DirEntry[str], folder: str) -> Entry | None:
    """Return an entry; None of what has gone meanwhile."""
    try:
        return Entry(_joined(folder, item.name), item.is_dir(), None if item.is_dir() else item.stat().st_size)
    except FileNotFoundError:
        return None


class ProxyStore:
    """Artifacts served by a tracking server (`mlflow-artifacts:`).

    MLflow's own repository is not used: it writes whole files to disk and fails on a folder with one unusual name.
    Credentials and TLS settings are MLflow's.
    """

    def __init__(self, root_url: str, http: Http, spool: Scratch) -> None:
        self._root_url = root_url
        self._http = http
        self._spool = spool

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of `folder`; see `ArtifactStore`."""
        server, _, root = self._root_url.partition(_PROXY_ENDPOINT)
        full = _joined(root.strip("/"), folder).rstrip("/")
        _refuse_ambiguous(folder)
        wanted = f'folder "{full}"'
        response = self._http.deadline.within(
            lambda: self._get(server, _PROXY_ENDPOINT, wanted=wanted, refused="not_listed", params={"path": full})
        )
        return [
            Entry(_joined(folder, file["path"]), bool(file.get("is_dir")), _size(file))
            for file in json_object(response, server=hidden(server)).get("files", [])
        ]

    def opener(self, path: str, *, expected: int | None, limit: int) -> Opener:
        """Download a file; see `ArtifactStore`."""
        _refuse_ambiguous(path)
        chunks = self._http.deadline.each(self._streamed(path, limit))
        return downloaded(chunks, self._spool, name=path, expected=expected or 0, limit=limit)

    def _streamed(self, path: str, limit: int) -> Iterator[bytes]:
        wanted = f'artifact "{path}"'
        with self._get(
            self._root_url, f"/{quote(path)}", wanted=wanted, refused="not_delivered", stream=True
        ) as response:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                # A login page could be read as a CSV file of a few rows.
                raise not_mlflow(hidden(self._root_url))
            refuse_size(path, size=int(response.headers.get("Content-Length", 0)), expected=0, limit=limit)
            yield from pieces(response, seconds=self._http.deadline.seconds)

    def _get(self, url: str, endpoint: str, *, wanted: str, refused: str, **options: Any) -> Any:
        """Return the answer to a request for `wanted`; refused: the reason when the server does not take its name."""
        response = self._http.get(url, endpoint, **options)
        if response.status_code == 400:
            response.close()
            raise BatchError(
                refused, f'{hidden(url)} refuses the name of {wanted} (400): rename it, without "#" and the like'
            )
        if response.status_code >= 400:
            response.close()
            raise status_failure(response.status_code, server=hidden(url), wanted=wanted)
        return response


def _refuse_ambiguous(path: str) -> None:
    """Raise BatchError "unsafe_name" when the server would take `path` for another one.

    It decodes percent signs until none is left, and drops an empty query or fragment at the end, whatever was quoted.
    """
    # What it gets begins with the root, so that no part of a name is a scheme.
    whole = f"root/{path}"
    if urlunparse(urlparse(unquote(whole))) != whole:
        raise BatchError(
            "unsafe_name",
            f'MLflow\'s server would take "{path}" for another name: rename it, without "%20" and the like',
        )


def _size(file: dict[str, Any]) -> int | None:
    """Return the size of a file in a listing, None when it says none that a file can have."""
    # MLflow's protobuf JSON writes 64-bit numbers as text.
    try:
        size = int(file["file_size"])
    except (KeyError, TypeError, ValueError):
        return None
    return size if 0 <= size < _NO_SIZE else None


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
