"""Packing: what goes in comes out, and damaged bytes are refused."""

import json
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.codec import pack, unpack
from driftgauge.errors import StateError

leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
# Names come from the data: one that looks like the mark of an array must not be taken for it.
names = st.text() | st.sampled_from(["\x00array", "\x00\x00array", "\x00", "array"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


def framed(header: Any, buffers: bytes = b"") -> bytes:
    """Return bytes of the right frame around any header."""
    text = json.dumps(header).encode()
    return compressed(len(text).to_bytes(8, "little") + text + buffers)


def compressed(raw: bytes, *, size: int | None = None, plain: int = 0) -> bytes:
    """Return bytes as `pack` compresses them, after their size, or another one, and that of what it leaves as it is."""
    sizes = [(len(raw) if size is None else size).to_bytes(8, "little"), plain.to_bytes(8, "little")]
    return b"".join([*sizes, pa.compress(raw, codec="zstd", asbytes=True)])


def raw_bytes(packed: bytes) -> bytes:
    """Return what `compressed` took."""
    size = int.from_bytes(packed[:8], "little")
    return bytes(pa.decompress(packed[16:], decompressed_size=size, codec="zstd"))


@given(state=st.dictionaries(names, values, max_size=4))
def test_nested_values(state: dict[str, Any]) -> None:
    """Mappings and lists of numbers, text and None come back equal."""
    assert unpack(pack(state)) == state


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, -(2**62)]),
        np.array([1.5, -0.0, np.inf]),
        np.zeros((0, 2), np.int64),
        np.arange(6).reshape(3, 2),
        np.arange(6)[::2],
        np.arange(6).reshape(2, 3).T,
        np.array([7], dtype=np.int32),
        np.array([7], dtype=">i8"),
    ],
    ids=["integers", "floats", "no rows", "matrix", "every second", "transposed", "short integers", "big-endian"],
)
def test_arrays(array: Any) -> None:
    """Arrays keep their shape and values, among other values and each other; integers are int64 again."""
    found = unpack(pack({"before": [1, array], "after": {"array": array, "text": "x"}}))

    for restored in (found["before"][1], found["after"]["array"]):
        assert np.array_equal(array, restored)
        assert (array.shape, np.dtype(f"{array.dtype.kind}8")) == (restored.shape, restored.dtype)
    assert found["after"]["text"] == "x"


WHOLE = pack({"counts": np.arange(4), "name": "x"})
# Of its array nothing repeats, so it is left as it is.
HARD = pack({"counts": np.arange(4), "sums": np.random.default_rng(0).random(1000)})
ARRAY = "\x00array"


@pytest.mark.parametrize("last", ["random", "few", "repeating", "whole numbers", "a matrix"])
def test_last_array(last: str) -> None:
    """Whether the last array is left as it is or not, all come back; only where compressing saves much it is done."""
    random = np.random.default_rng(1).random(4000)
    array = {
        "random": random,
        "few": random[:10],
        "repeating": random.round(1),
        "whole numbers": np.floor(random * 100),
        "a matrix": random.reshape(4, 1000).T,
    }[last]

    packed = pack({"first": np.arange(5000) % 7, "last": array, "text": "x"})

    found = unpack(packed)
    assert np.array_equal(found["first"], np.arange(5000) % 7)
    assert np.array_equal(found["last"], array)
    assert found["text"] == "x"
    assert int.from_bytes(packed[8:16], "little") == (array.nbytes if last in ("random", "a matrix") else 0)
    assert len(packed) < (1.05 if last in ("random", "few", "a matrix") else 0.5) * array.nbytes + 1000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not compressed",
        WHOLE[: len(WHOLE) // 2],
        compressed(b"short"),
        compressed(raw_bytes(WHOLE) + b"more"),
        compressed(raw_bytes(WHOLE)[:-1]),
        compressed(pickle.dumps({"counts": 1})),
        compressed(raw_bytes(WHOLE), size=2**62),
        compressed(raw_bytes(WHOLE), size=len(raw_bytes(WHOLE)) + 8),
        compressed(raw_bytes(WHOLE), plain=8),
        compressed(raw_bytes(WHOLE), plain=2**62),
        HARD[:-8],
        HARD[:400] + HARD[408:],
        framed([1]),
        framed(7),
        framed({"a": {ARRAY: ["|O", [1]]}}, b"12345678"),
        framed({"a": {ARRAY: ["<i8", [2]]}}, b"12345678"),
        framed({"a": {ARRAY: 5}}),
        framed({"a": {ARRAY: ["<i8", ["x"]]}}),
    ],
    ids=[
        "empty",
        "not compressed",
        "half of it",
        "too short",
        "too long",
        "an array cut",
        "pickled",
        "a size beyond all bounds",
        "a size too large",
        "bytes left as they are that are none",
        "more of them than there are",
        "the end of it cut",
        "the array that was left as it is cut",
        "a list",
        "a number",
        "objects",
        "an array without its bytes",
        "an array without its shape",
        "an array of a shape in words",
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    """Whatever is not what `pack` writes raises `StateError` and nothing else."""
    with pytest.raises(StateError, match="a stored aggregate"):
        unpack(data)
