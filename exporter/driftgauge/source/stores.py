"""Artifact stores behind one Protocol: list a folder, open a file.

Local folders are read directly and a tracking server's artifact proxy is streamed, so both can stop in the middle of a
file that is too large; every other store (S3, GCS, Azure, SFTP, plug-ins) goes through MLflow's own repository. No name
from a store is ever used as a path on this machine outside that store. Over the network, each listing and each MiB is
bounded by the deadline.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from driftgauge.feed import Opener
from driftgauge.openers import downloaded, local, refuse_size, taken_over
from driftgauge.scratch import Scratch
from driftgauge.source.deadline import Deadline
from driftgauge.source.failures import json_object, not_mlflow, redacted, status_failure
from driftgauge.source.http import Http

CHUNK_BYTES: Final = 1 << 20
_PROXY_ENDPOINT: Final = "/mlflow-artifacts/artifacts"
# More bytes than a file system can count.
_NO_SIZE: Final = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: its path from the store's root, and its size in bytes if the store reports it."""

    path: str
    is_folder: bool
    size: int | None


class ArtifactStore(Protocol):
    """The artifacts below one root."""

    def entries(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in `folder` ("" is the root).

        A folder that does not exist is empty, since a run has none before its first artifact.
        """
        ...

    def opener(self, path: str, *, expected: int, limit: int) -> Opener:
        """Return how the file at `path`, of `expected` bytes when it was listed, is opened; downloads what is remote.

        Raises SourceMissing when it is not there, and BatchError "too_large" as soon as it is known to have more than
        `limit` bytes, "incomplete" when it has fewer than expected.
        """
        ...


def store_at(root: str, *, tracking_uri: str, http: Http, spool: Scratch) -> ArtifactStore:
    """Return the store for the artifact URI `root`; its network requests are bounded by http's deadline.

    spool: where downloads go.
    """
    if is_local(root):
        return LocalStore(local_folder(root))
    repository = get_artifact_repository(root, tracking_uri=tracking_uri)
    if isinstance(repository, HttpArtifactRepository):
        return ProxyStore(http.borders.url_of(root), http, spool)
    return RepositoryStore(repository, http.deadline, spool)


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
            return [_local_entry(item, folder) for item in found if not item.is_symlink() or self._holds(Path(item))]

    def opener(self, path: str, *, expected: int, limit: int) -> Opener:
        """Return how a file is opened; see `ArtifactStore`."""
        return local(self._root, path, expected=expected, limit=limit)

    def _holds(self, place: Path) -> bool:
        return place.exists() and place.resolve().is_relative_to(self._root)


def _local_entry(item: os.DirEntry[str], folder: str) -> Entry:
    return Entry(_joined(folder, item.name), item.is_dir(), None if item.is_dir() else item.stat().st_size)


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
        wanted = f'folder "{full}"'
        response = self._http.deadline.within(
            lambda: self._get(server, _PROXY_ENDPOINT, wanted=wanted, params={"path": full})
        )
        return [
            Entry(_joined(folder, file["path"]), bool(file.get("is_dir")), _size(file))
            for file in json_object(response, server=redacted(server)).get("files", [])
        ]

    def opener(self, path: str, *, expected: int, limit: int) -> Opener:
        """Download a file; see `ArtifactStore`."""
        chunks = self._http.deadline.each(self._streamed(path, limit))
        return downloaded(chunks, self._spool, name=path, expected=expected, limit=limit)

    def _streamed(self, path: str, limit: int) -> Iterator[bytes]:
        with self._get(self._root_url, f"/{quote(path)}", wanted=f'artifact "{path}"', stream=True) as response:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                # A login page could be read as a CSV file of a few rows.
                raise not_mlflow(redacted(self._root_url))
            refuse_size(path, size=int(response.headers.get("Content-Length", 0)), expected=0, limit=limit)
            yield from response.iter_content(chunk_size=CHUNK_BYTES)

    def _get(self, url: str, endpoint: str, *, wanted: str, **options: Any) -> Any:
        response = self._http.get(url, endpoint, **options)
        if response.status_code >= 400:
            response.close()
            raise status_failure(response.status_code, server=redacted(url), wanted=wanted)
        return response


def _size(file: dict[str, Any]) -> int | None:
    """Return the size of a file in a listing, None when it says none that a file can have."""
    # MLflow's protobuf JSON writes 64-bit numbers as text.
    try:
        size = int(file["file_size"])
    except (KeyError, TypeError, ValueError):
        return None
    return size if 0 <= size < _NO_SIZE else None


class RepositoryStore:
    """Any other store, through MLflow's repository for its scheme.

    Such a repository only downloads to a path, so the size is requested before and measured after.
    """

    def __init__(self, repository: Any, deadline: Deadline, spool: Scratch) -> None:
        self._repository = repository
        self._deadline = deadline
        self._spool = spool

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of `folder`; see `ArtifactStore`."""
        listed = self._deadline.within(lambda: self._repository.list_artifacts(folder or None))
        return [Entry(file.path, bool(file.is_dir), None if file.is_dir else file.file_size) for file in listed]

    def opener(self, path: str, *, expected: int, limit: int) -> Opener:
        """Download a file; see `ArtifactStore`."""
        folder = path.rpartition("/")[0]
        declared = next((entry.size for entry in self.entries(folder) if entry.path == path), None)
        refuse_size(path, size=declared or 0, expected=0, limit=limit)
        megabytes = ceil((limit if declared is None else declared) / CHUNK_BYTES)
        # The public `download_artifacts` would create folders and files under the artifact's own names.
        download = self._repository._download_file  # noqa: SLF001 - the method repositories implement
        with self._spool.new() as part:
            self._deadline.within(lambda: download(path, str(part.path)), times=max(1, megabytes))
            return taken_over(part, name=path, expected=expected, limit=limit)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
