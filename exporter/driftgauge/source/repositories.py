"""Stores that MLflow's client reads itself: S3, GCS, Azure, FTP, plug-ins, through its repository for their scheme.

Such a store belongs to somebody else than the tracking server, so a run may name one that cannot be used: without the
library for it, gone, or one that would have MLflow do something else than read files.
"""

import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any, Final, TypeVar

from mlflow.store.artifact.artifact_repository_registry import (
    get_artifact_repository,
    get_registered_artifact_repositories,
)

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.feed import Opener
from driftgauge.hiding import hidden
from driftgauge.openers import downloaded, refuse_size, taken_over
from driftgauge.scratch import Scratch
from driftgauge.source.deadline import Deadline
from driftgauge.source.entries import CHUNK_BYTES, Entry, place_of, scheme_of
from driftgauge.source.setbacks import NotListed, Setbacks

T = TypeVar("T")

# A failure that took this long (s) is the store's, and not only that of one file.
_LONG: Final = 2.0
# What of the time of a request a store has for its very first answer, while other stores are waiting.
_FIRST_ANSWER: Final = 0.25

# What MLflow needs for a scheme beyond itself, and what installs it.
_DRIVERS: Final[Mapping[str, tuple[str, str]]] = {
    "s3": ("boto3", "'driftgauge[s3]'"),
    "r2": ("boto3", "'driftgauge[s3]'"),
    "b2": ("boto3", "'driftgauge[s3]'"),
    "gs": ("google-cloud-storage", "'driftgauge[gcs]'"),
    "wasbs": ("azure-storage-blob and azure-identity", "'driftgauge[azure]'"),
    "abfss": ("azure-storage-file-datalake and azure-identity", "'driftgauge[azure]'"),
    "sftp": ("pysftp", "pysftp"),
}
# MLflow would look these up in whatever server or database it takes for its own, and make a database where there is
# none. Files of Databricks are read where the tracking server is Databricks.
_LOOKED_UP: Final = frozenset({"models", "runs", "dbfs", "uc"})
# How stores of S3 say that there is no such object.
_GONE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
_DATABRICKS: Final = frozenset({"dbfs", "uc"})


class Elsewhere:
    """Which stores have answered, and which have not; safe to share between threads.

    A store that let us wait in vain rests, so that each of a thousand files in it does not wait again. deadline: of
    each request; its own, so that calls that hang here leave room for those to the tracking server.
    """

    def __init__(self, deadline: Deadline, setbacks: Setbacks) -> None:
        self.deadline: Final = deadline
        self._setbacks = setbacks
        # By place, in time.monotonic seconds.
        self._answered: dict[str, float] = {}

    def is_known(self, place: str) -> bool:
        """Return whether the store at `place` has ever answered."""
        return place in self._answered

    def refuse(self, place: str) -> None:
        """Raise SourceUnavailable while the store at `place` rests."""
        if error := self._setbacks.of(place):
            raise SourceUnavailable(str(error))

    def answered(self, place: str) -> None:
        """Take note of an answer, which may come after its time was over."""
        self._answered[place] = time.monotonic()
        self._setbacks.ended(place)

    def failed(self, place: str, *, since: float) -> None:
        """Take note of a request that was sent at `since` and failed; one that failed soon tells nothing."""
        if time.monotonic() - since >= _LONG and self._answered.get(place, 0.0) < since:
            text = f"{hidden(place)} did not answer in time; it is asked again later"
            self._setbacks.failed(place, NotListed(text))


class RepositoryStore:
    """Any other store, through MLflow's repository for its scheme; see `ArtifactStore`.

    Such a repository only downloads to a path, so the size is known before, and measured after. connect: makes the
    repository of `root`, which may ask the network. hurried: others wait for this store's listings.
    """

    def __init__(
        self,
        root: str,
        connect: Callable[[], Any],
        elsewhere: Elsewhere,
        spool: Scratch,
        *,
        hurried: bool = False,
    ) -> None:
        self._root = root
        self._connect = connect
        self._spool = spool
        self._elsewhere = elsewhere
        self._hurried = hurried

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of `folder`; see `ArtifactStore`."""
        soon = self._hurried and not self._elsewhere.is_known(place_of(self._root))
        listed = self._asked(
            lambda repository: repository.list_artifacts(folder or None), times=_FIRST_ANSWER if soon else 1
        )
        return [Entry(file.path, bool(file.is_dir), None if file.is_dir else file.file_size) for file in listed]

    def opener(self, path: str, *, expected: int | None, limit: int) -> Opener:
        """Download a file; see `ArtifactStore`."""
        declared = self._declared(path) if expected is None else expected
        refuse_size(path, size=declared, expected=0, limit=limit)
        if scheme_of(self._root) == "s3":
            return downloaded(self._streamed(path), self._spool, name=path, expected=expected or 0, limit=limit)
        megabytes = ceil((declared or limit) / CHUNK_BYTES)
        with self._spool.new() as part:
            # The public `download_artifacts` would create folders and files under the artifact's own names.
            place = str(part.path)
            self._asked(lambda repository: repository._download_file(path, place), times=max(1, megabytes))  # noqa: SLF001 - the method repositories implement
            return taken_over(part, name=path, expected=expected or 0, limit=limit)

    def _declared(self, path: str) -> int:
        """Return the size that the store declares, 0 when it declares none; that costs a listing of the folder."""
        entries = self.entries(path.rpartition("/")[0])
        return next((entry.size for entry in entries if entry.path == path), None) or 0

    def _streamed(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of an object, each MiB within the deadline."""
        chunks = self._asked(lambda repository: s3_chunks(repository, path))
        while (chunk := self._within(lambda: next(chunks, None))) is not None:
            yield chunk

    def _asked(self, call: Callable[[Any], T], *, times: float = 1) -> T:
        return self._within(lambda: call(self._connect()), times=times)

    def _within(self, call: Callable[[], T], *, times: float = 1) -> T:
        place, since = place_of(self._root), time.monotonic()
        self._elsewhere.refuse(place)

        def answered() -> T:
            found = call()
            self._elsewhere.answered(place)
            return found

        try:
            return self._elsewhere.deadline.within(answered, times=times)
        except ImportError as error:
            raise without_driver(self._root, error) from None
        except Exception:
            self._elsewhere.failed(place, since=since)
            raise


def repository_at(
    root: str, *, tracking_uri: str, spool: Scratch, elsewhere: Elsewhere, hurried: bool
) -> RepositoryStore:
    """Return the store at an artifact root that MLflow's client reads itself; raises as `refuse_root`."""
    refuse_root(root, tracking_uri=tracking_uri)

    def connect() -> Any:
        return get_artifact_repository(root, tracking_uri=tracking_uri)

    return RepositoryStore(root, connect, elsewhere, spool, hurried=hurried)


def s3_chunks(repository: Any, path: str) -> Iterator[bytes]:
    """Ask for an object of MLflow's repository for S3, and return its bytes in pieces; raises SourceMissing.

    MLflow would ask for each twice, and have boto3 download it in threads that nobody can stop.
    """
    bucket, root = repository.parse_s3_compliant_uri(repository.artifact_uri)
    # Since MLflow 3.5 whose the bucket must be is a setting.
    owner = getattr(repository, "_bucket_owner_params", None) or {}
    try:
        answer = repository._get_s3_client().get_object(Bucket=bucket, Key=posixpath.join(root, path), **owner)  # noqa: SLF001 - with MLflow's settings
    except Exception as error:
        if getattr(error, "response", {}).get("Error", {}).get("Code") in _GONE:
            raise SourceMissing(f'there is no "{path}" in {hidden(repository.artifact_uri)}') from None
        raise
    chunks: Iterator[bytes] = answer["Body"].iter_chunks(CHUNK_BYTES)
    return chunks


def refuse_root(root: str, *, tracking_uri: str) -> None:
    """Raise BatchError "unusable_root" when `root` means no place of files."""
    scheme = scheme_of(root)
    if not scheme or scheme not in get_registered_artifact_repositories():
        remedy = f'install MLflow\'s plug-in for "{scheme}:" where there is one, or correct the location'
    elif scheme in _LOOKED_UP and not (scheme in _DATABRICKS and tracking_uri.startswith("databricks")):
        remedy = "give the experiment an artifact location that is a store"
    else:
        return
    raise BatchError("unusable_root", f'"{hidden(root)}" is no place of files that can be read: {remedy}')


def without_driver(root: str, error: ImportError) -> BatchError:
    """Return the failure of a store for which a library is not installed."""
    needed, install = _DRIVERS.get(scheme_of(root), (error.name or "a library", error.name or "it"))
    return BatchError(
        "no_driver", f"{hidden(root)} needs {needed}, which is not installed: pip install {install}, then restart"
    )
