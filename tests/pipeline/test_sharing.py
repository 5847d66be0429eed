"""Arrays that workers map instead of being sent them."""

import errno
import mmap
import resource
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_builders import a_reference, features
from driftgauge.columns import FloatArray
from driftgauge.pipeline import sharing
from driftgauge.pipeline.sharing import share
from driftgauge.pipeline.workers import Workers
from driftgauge.reference import NumericProfile, Reference

Arrays = Mapping[str, FloatArray]


def arrays() -> dict[str, FloatArray]:
    """Return arrays of sizes that are no multiple of anything, and one too small to be shared."""
    rng = np.random.default_rng(1)
    return {"long": rng.normal(size=70_001), "short": rng.normal(size=777), "tiny": rng.normal(size=3)}


def looked_at(given: Arrays) -> dict[str, tuple[float, bool]]:
    """Return, in a worker, the sum of each array and whether its memory is a file's."""
    return {name: (float(array.sum()), is_mapped(array)) for name, array in given.items()}


def is_mapped(array: FloatArray) -> bool:
    """Tell whether the memory of an array is that of a file."""
    owner: Any = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return isinstance(owner, mmap.mmap)


def open_files(name: str = "") -> list[str]:
    """Return the files that this process has open whose name has this in it."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        # Of the folder itself, which is closed again by now.
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return [file for file in found if name in file]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Yield one worker."""
    pool = Workers(1, max_bytes=1 << 20)
    yield pool
    pool.close()


def test_workers_map_shared_arrays(workers: Workers) -> None:
    """They see what is in them, whole or in part, and get no copy; others are sent beside them."""
    given = share(arrays())
    part, own = given["long"][100:40_000], np.arange(5_000.0)

    found = workers.call(looked_at, {**given, "part": part, "own": own})

    mapped = {"long": True, "short": True, "tiny": False, "part": True, "own": False}
    whole = {**arrays(), "part": arrays()["long"][100:40_000], "own": own}
    assert found == {name: (float(array.sum()), mapped[name]) for name, array in whole.items()}


def test_a_shared_reference_is_the_same(workers: Workers) -> None:
    """Grid and profiles are equal to the last bit, and nothing can change them."""
    reference = a_reference(features(x=np.random.default_rng(1).normal(size=5000), city=["a", "b"] * 2500))

    found: Reference = share(reference)

    assert found.layout.fingerprint == reference.layout.fingerprint
    before, after = reference.profiles["x"], found.profiles["x"]
    assert isinstance(before, NumericProfile)
    assert isinstance(after, NumericProfile)
    assert np.array_equal(before.ends, after.ends)
    assert np.array_equal(before.areas, after.areas)
    with pytest.raises(ValueError, match="read-only"):
        after.ends[0] = 1
    assert workers.call(ends_of, found) == int(before.ends[-1])


def ends_of(reference: Reference) -> int:
    """Return the last of a profile's row counts."""
    profile = reference.profiles["x"]
    return int(profile.ends[-1]) if isinstance(profile, NumericProfile) else -1


def test_a_file_lives_as_long_as_one_of_its_arrays() -> None:
    """References are replaced now and then; what the old ones took is given back."""
    before = len(open_files("driftgauge-reference"))
    first, second = share(arrays()), share(arrays())
    assert len(open_files("driftgauge-reference")) == before + 4
    kept = first.pop("short")
    del first, second
    assert len(open_files("driftgauge-reference")) == before + 2
    del kept
    assert len(open_files("driftgauge-reference")) == before


def test_what_is_small_is_not_shared() -> None:
    """A value without large arrays is the same value."""
    value = {"tiny": np.arange(3)}
    assert share(value) is value


def test_where_descriptors_are_few_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three quarters of them are left to others: beyond that values stay as they are, and are sent."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (24, 24))
    # Whatever other tests have left.
    monkeypatch.setattr(sharing, "_all_shared", weakref.WeakSet())
    held = [share(arrays()) for _ in range(6)]
    assert [is_mapped(value["long"]) for value in held] == [True] * 3 + [False] * 3


def test_a_machine_that_refuses_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory or permission for such a file the value stays as it is."""

    def refused(*_: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    value = arrays()
    monkeypatch.setattr(sharing.os, "memfd_create", refused)
    assert share(value) is value
    monkeypatch.undo()
    monkeypatch.setattr(sharing.os, "pwrite", refused)
    before = len(open_files())
    assert share(value) is value
    assert len(open_files()) == before
