"""Values in files that several processes map into their memory, where there is one copy for all of them.

A file holds a pickle and, after it, the arrays that the pickle refers to. Its name is the hash of its content, and
opening checks that: only bytes that the sharing process wrote are unpickled.
"""

import hashlib
import mmap
import os
import pickle
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from driftgauge.errors import StateError
from driftgauge.scratch import Scratch, remove

V = TypeVar("V")

# Arrays begin at multiples of this.
_ALIGNMENT: Final = 64
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Mapped(Generic[V]):
    """A value in the file `path`: its pickle and its arrays have these `sizes`."""

    path: str
    fingerprint: str
    sizes: tuple[int, ...]

    def load(self) -> V:
        """Return the value; its arrays cannot be written to. Raises StateError when the file is not what was shared."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                content = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
            finally:
                os.close(file)
        except (OSError, ValueError) as error:
            raise StateError(f"cannot open {self.path}, which driftgauge has written: {error}") from error
        if hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest() != self.fingerprint:
            raise StateError(f"{self.path} was changed by somebody else than driftgauge")
        parts = [content[start : start + size] for start, size in zip(_starts(self.sizes), self.sizes, strict=True)]
        value: V = pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - written by our own process, see above
        return value


class MappedFiles:
    """The values that this process shares, as files of a folder."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._uses: Counter[str] = Counter()
        self._lock = Lock()

    def share(self, value: V) -> Mapped[V]:
        """Write a value; equal ones share a file. Raises StateError when it cannot be written."""
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
        sizes = tuple(part.nbytes for part in parts)
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        with self._scratch.new() as file:
            for part, size in zip(parts, sizes, strict=True):
                for data in (part, bytes(-size % _ALIGNMENT)):
                    digest.update(data)
                    file.write(data)
            fingerprint = digest.hexdigest()
            with self._lock:
                self._uses[fingerprint] += 1
                path = self._scratch.keep(file.path, fingerprint)
        return Mapped(str(path), fingerprint, sizes)

    def release(self, shared: Mapped[Any]) -> None:
        """Remove the file of a value if it was released as often as it was shared; who has it open may go on."""
        with self._lock:
            self._uses[shared.fingerprint] -= 1
            if self._uses[shared.fingerprint] <= 0:
                del self._uses[shared.fingerprint]
                remove(Path(shared.path))

    def close(self) -> None:
        """Remove all files."""
        with self._lock:
            for fingerprint in self._uses:
                remove(self._scratch.named(fingerprint))
            self._uses.clear()


def _starts(sizes: tuple[int, ...]) -> list[int]:
    """Return where each part begins, and so where the last one ends."""
    return list(accumulate((-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes[:-1]), initial=0))
