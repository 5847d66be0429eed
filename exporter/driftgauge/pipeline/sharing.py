"""Values on their way between processes, and memory that workers map instead of being sent what is in it.

Large arrays travel beside the pickle they belong to, each by itself: within it they would be in memory twice on both
sides, and while they are copied into it nothing else runs. References are most of what a task would carry. So a
reference is put once into a file that has no name and no place on a disk; its arrays are then views of that file, and a
worker is only told where they lie. Such a file takes two descriptors and lives as long as one of its arrays; where
descriptors are few, references stay where they are and are sent.

Linux only: workers open the file under /proc.
"""

import mmap
import os
import pickle
import resource
import weakref
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

A = TypeVar("A")

# Smaller arrays stay in the pickle.
_LARGE_ARRAY: Final = 2**12
# Shared arrays begin at multiples of this.
_ALIGNMENT: Final = 64
# Of the descriptors that the process may have, shared files take a quarter at most.
_DESCRIPTORS: Final = 2
_SHARE: Final = 4


class Place(NamedTuple):
    """Where a worker finds the bytes of an array."""

    path: str
    start: int
    size: int


class _Shared(mmap.mmap):
    """The bytes of a file that workers open by its `path`, from this `address` on; they cannot be written to."""

    path: str
    address: int


_all_shared: Final = weakref.WeakSet[_Shared]()


def taken_apart(value: object) -> tuple[bytes, list[memoryview]]:
    """Return a value as a pickle and the bytes of its large arrays."""
    arrays: list[memoryview] = []

    def stays(array: pickle.PickleBuffer) -> bool:
        raw = array.raw()
        if raw.nbytes < _LARGE_ARRAY:
            return True
        arrays.append(raw)
        return False

    return pickle.dumps(value, protocol=5, buffer_callback=stays), arrays


def put_together(pickled: bytes | memoryview, arrays: Sequence[memoryview]) -> Any:
    """Return the value that `taken_apart` took apart, with these bytes as its large arrays."""
    # Nothing is read that did not come from our own processes, started to answer this one.
    return pickle.loads(pickled, buffers=arrays)  # noqa: S301


def share(value: A) -> A:
    """Return an equal value whose large arrays are shared and cannot be changed; the same one if that cannot be."""
    pickled, arrays = taken_apart(value)
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not arrays or _DESCRIPTORS * (len(_all_shared) + 1) > allowed // _SHARE:
        return value
    *starts, size = accumulate((-(-array.nbytes // _ALIGNMENT) * _ALIGNMENT for array in arrays), initial=0)
    try:
        whole = memoryview(_written(arrays, starts, size))
    except OSError:
        return value
    found: A = put_together(
        pickled, [whole[start : start + array.nbytes] for start, array in zip(starts, arrays, strict=True)]
    )
    return found


def _written(arrays: Sequence[memoryview], starts: Sequence[int], size: int) -> _Shared:
    """Return a new file of this size with the arrays from these bytes on."""
    file = os.memfd_create("driftgauge-reference")
    try:
        os.ftruncate(file, size)
        for start, array in zip(starts, arrays, strict=True):
            done = 0
            while done < array.nbytes:
                done += os.pwrite(file, array[done:], start + done)
        shared = _Shared(file, size, access=mmap.ACCESS_READ)
    except BaseException:
        os.close(file)
        raise
    weakref.finalize(shared, os.close, file)
    shared.path = f"/proc/{os.getpid()}/fd/{file}"
    shared.address = _address(memoryview(shared))
    _all_shared.add(shared)
    return shared


def place_of(array: memoryview) -> Place | None:
    """Return where the bytes of an array are shared, None if they are not."""
    owner: object = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if not isinstance(owner, _Shared):
        return None
    return Place(owner.path, _address(array) - owner.address, array.nbytes)


def at_places(places: Sequence[Place]) -> list[memoryview]:
    """Return the bytes at these places of another process, read when they are looked at."""
    opened: dict[str, memoryview] = {}
    for place in places:
        if place.path not in opened:
            with Path(place.path).open("rb") as file:
                opened[place.path] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return [opened[place.path][place.start : place.start + place.size] for place in places]


def _address(memory: memoryview) -> int:
    # Not `ctypes.data`, which takes ten times as long.
    return int(np.frombuffer(memory, np.uint8).__array_interface__["data"][0])
