"""Bytes for aggregates and references: a JSON header followed by raw little-endian arrays, deflated.

`pack` takes nested mappings and lists of numbers, text, None and numpy arrays; `unpack` gives them back equal.
Neither pickles: reading a damaged or hostile blob raises `StateError` and runs nothing.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from driftgauge.errors import StateError

# Stands for an array. Keys are text from anywhere, categories for one, so those that begin like it get one more NUL.
_ARRAY = "\x00array"
_DTYPES = frozenset({"<i8", "<i4", "<f8"})


def pack(state: Mapping[str, Any]) -> bytes:
    """Return the bytes of `state`."""
    buffers: list[bytes] = []

    def replace(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
            buffers.append(array.tobytes())
            return {_ARRAY: [array.dtype.str, list(array.shape)]}
        if isinstance(value, Mapping):
            return {f"\x00{key}" if key.startswith("\x00") else key: replace(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [replace(item) for item in value]
        return value

    header = json.dumps(replace(state), separators=(",", ":")).encode()
    return zlib.compress(b"".join([len(header).to_bytes(8, "little"), header, *buffers]), level=1)


def unpack(data: bytes) -> dict[str, Any]:
    """Return what was packed; raises `StateError` when the bytes are not what `pack` writes."""
    try:
        raw = zlib.decompress(data)
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        restored, end = _restore(header, raw, 8 + length)
        state = dict(restored)
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"a stored aggregate is damaged: {error}") from error
    if end != len(raw):
        raise StateError(f"a stored aggregate has {len(raw) - end} bytes too many")
    return state


def _restore(value: Any, raw: bytes, at: int) -> tuple[Any, int]:
    if isinstance(value, list):
        items = []
        for item in value:
            restored, at = _restore(item, raw, at)
            items.append(restored)
        return items, at
    if not isinstance(value, dict):
        return value, at
    if _ARRAY in value:
        dtype, shape = value[_ARRAY]
        if dtype not in _DTYPES:
            raise ValueError(f"unexpected array type {dtype}")
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(raw, dtype=dtype, count=count, offset=at).reshape(shape)
        return array, at + array.nbytes
    restored_items = {}
    for key, item in value.items():
        restored_items[key.removeprefix("\x00")], at = _restore(item, raw, at)
    return restored_items, at
