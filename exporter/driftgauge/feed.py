"""What a feed of rows hands to the pipeline: how each file is opened where it is read.

This module knows no source: neither MLflow, nor file systems.
"""

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Opener(Protocol):
    """How one file is opened in the process that reads it. Openers travel between processes by pickle."""

    @property
    def size(self) -> int:
        """Bytes of the file when it was found or downloaded."""
        ...

    def __call__(self) -> AbstractContextManager[BinaryIO]:
        """Return the open file at its start, to be closed by its reader.

        Raises SourceMissing when it has gone, and BatchError "too_large" or "incomplete".
        """
        ...

    def release(self) -> None:
        """Remove what was made for it, such as a download; called where it was made, after the file was read."""
        ...
