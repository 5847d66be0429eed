"""What a store says of its files, and where it is."""

from dataclasses import dataclass
from typing import Final

# Downloads come in pieces of at most this many bytes, each of which has the time of one request.
CHUNK_BYTES: Final = 1 << 20
# Schemes of artifact URIs that a tracking server answers for.
PROXIED: Final = frozenset({"http", "https", "mlflow-artifacts"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: its path from the store's root, and its size in bytes if the store reports it."""

    path: str
    is_folder: bool
    size: int | None


def scheme_of(uri: str) -> str:
    """Return the scheme of an artifact URI in lower case, "" of a path."""
    first, colon, _ = uri.partition("/")[0].partition(":")
    return first.lower() if colon else ""


def place_of(root: str) -> str:
    """Return what all artifact roots in the same bucket or on the same host begin with."""
    return "/".join(root.split("/")[:3])
