"""Values that several processes map: the same to the last bit, read-only, and gone when nobody needs them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_builders import a_reference, features
from driftgauge.errors import StateError
from driftgauge.pipeline.mapped import MappedFiles
from driftgauge.scratch import Scratch


def a_value() -> dict[str, Any]:
    """Return arrays of sizes that are no multiple of anything, and a text."""
    rng = np.random.default_rng(1)
    return {"long": rng.normal(size=70_001), "short": np.arange(7), "empty": np.zeros(0), "text": "ä"}


def test_a_value_is_the_same(tmp_path: Path) -> None:
    """What is mapped equals what was shared, and nobody can change it."""
    found = MappedFiles(Scratch(tmp_path)).share(a_value()).load()
    assert found["text"] == "ä"
    for name in ("long", "short", "empty"):
        assert np.array_equal(found[name], a_value()[name])
    with pytest.raises(ValueError, match="read-only"):
        found["long"][0] = 1


def test_a_layout_is_the_same(tmp_path: Path) -> None:
    """Counts on a layout that was shared may be added to counts on the original."""
    layout = a_reference(features(x=np.random.default_rng(1).normal(size=5000), city=["a", "b"] * 2500)).layout
    assert MappedFiles(Scratch(tmp_path)).share(layout).load().fingerprint == layout.fingerprint


def test_equal_values_share_a_file(tmp_path: Path) -> None:
    """A file lives until it was released as often as it was shared; who has opened it may go on."""
    files = MappedFiles(Scratch(tmp_path))
    first, second = files.share(a_value()), files.share(a_value())
    files.share({"other": np.arange(3)})
    assert first == second
    assert len(list(tmp_path.iterdir())) == 2
    found = first.load()
    for left in (2, 1):
        files.release(first)
        assert len(list(tmp_path.iterdir())) == left
    assert np.array_equal(found["long"], a_value()["long"])
    files.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "expected"), [("bytes", "was changed"), ("gone", "cannot open"), ("empty", "cannot open")]
)
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, change: str, expected: str) -> None:
    """Nothing is unpickled that is not what was shared."""
    shared = MappedFiles(Scratch(tmp_path)).share(a_value())
    path = Path(shared.path)
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(b"\x80\x05." * 300_000 if change == "bytes" else b"")
    with pytest.raises(StateError, match=expected):
        shared.load()
