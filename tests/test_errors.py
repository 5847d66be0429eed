"""The tree of errors: one root, and errors that keep what they carry between processes."""

import inspect
import pickle

from driftgauge import errors
from driftgauge.errors import BatchError, DriftgaugeError, SourceError, SourceMissing, SourceUnavailable


def test_one_root() -> None:
    """Whoever catches the root catches every error of the package."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert len(found) > 5
    assert all(issubclass(kind, DriftgaugeError) for kind in found)
    assert issubclass(SourceMissing, SourceError)
    assert issubclass(SourceUnavailable, SourceError)


def test_a_batch_error_passes_between_processes() -> None:
    """A worker's error arrives with its reason and its message."""
    arrived = pickle.loads(pickle.dumps(BatchError("too_large", "write smaller files")))  # noqa: S301 - our own bytes
    assert isinstance(arrived, BatchError)
    assert (arrived.reason, str(arrived)) == ("too_large", "write smaller files")
