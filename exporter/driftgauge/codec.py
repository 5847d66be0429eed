"""Bytes for aggregates and references: a JSON header followed by raw little-endian arrays, compressed by Zstandard.

The last array stays uncompressed when compression would save little: sums of values that do not repeat are most of a
pane, and compressing them would take half the time of packing it.

`pack` and `packed` take nested mappings and lists of numbers, text, None and numpy arrays and return bytes, `packed` as
an array. `unpack` returns equal values; arrays come back as int64 or float64. Nothing is pickled: a damaged or
hostile blob raises `StateDamaged` and runs no code.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftgauge.errors import StateDamaged

# The key of an array. Other keys are any text, such as categories, so one that begins with NUL gets one more.
_ARRAY = "\x00array"
_DTYPES = frozenset({"|i1", "<i2", "<i4", "<i8", "<f8"})
# Integers are stored in the first of these types that can represent all of them, and read as int64.
_NARROW = tuple((name, int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in ("<i1", "<i2", "<i4", "<i8"))
# Types that JSON has; most values besides arrays are of these.
_PLAIN = frozenset({str, int, float, bool, type(None)})
_CODEC = pa.Codec("zstd", compression_level=1)
_LENGTH = 8
# An array stays uncompressed if a sample of this many of its values keeps at least this share of its size.
_SAMPLE = 512
_HARDLY_SMALLER = 0.9
# The most memory that a size read from a blob, which may be damaged, can allocate.
_LARGEST = 2**31


def pack(state: Mapping[str, Any]) -> bytes:
    """Return the bytes of `state`."""
    return packed(state).tobytes()


def packed(state: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of `state` as an array; other threads can run while large arrays are copied."""
    arrays: list[npt.NDArray[Any]] = []
    header = json.dumps(_described(state, arrays), separators=(",", ":")).encode()
    begin = len(header).to_bytes(_LENGTH, "little") + header
    plain = arrays.pop() if arrays and _is_hard_to_compress(arrays[-1]) else np.zeros(0)
    raw = np.concatenate([np.frombuffer(begin, np.uint8), *map(_bytes_of, arrays)])
    sizes = b"".join(size.to_bytes(_LENGTH, "little") for size in (raw.nbytes, plain.nbytes))
    # numpy releases the interpreter lock while it copies; joining bytes does not.
    compressed = np.frombuffer(_CODEC.compress(raw, asbytes=True), np.uint8)
    return np.concatenate([np.frombuffer(sizes, np.uint8), _bytes_of(plain), compressed])


def _bytes_of(array: "np.ndarray[Any, Any]") -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


def _is_hard_to_compress(array: "np.ndarray[Any, Any]") -> bool:
    values = array.reshape(-1)
    sample = np.ascontiguousarray(values[:: max(1, len(values) // _SAMPLE)])
    return len(values) >= _SAMPLE and len(_CODEC.compress(sample, asbytes=True)) > _HARDLY_SMALLER * sample.nbytes


# Not nested in `packed`: a nested function that calls itself keeps its arrays alive until the garbage collector runs.
def _described(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """Return a value as JSON can write it, and append its arrays, as they are stored, to `arrays`."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype=_narrowest(value))
        arrays.append(array)
        return {_ARRAY: [array.dtype.str, list(array.shape)]}
    if isinstance(value, Mapping):
        return {
            f"\x00{key}" if key.startswith("\x00") else key: item if type(item) in _PLAIN else _described(item, arrays)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [item if type(item) in _PLAIN else _described(item, arrays) for item in value]
    return value


def _narrowest(array: "np.ndarray[Any, Any]") -> str:
    if array.dtype.kind != "i":
        return str(array.dtype.newbyteorder("<").str)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    return next(name for name, least, most in _NARROW if least <= low and high <= most)


def unpack(data: bytes) -> dict[str, Any]:
    """Return what was packed; raises `StateDamaged` when the bytes are not what `pack` writes."""
    try:
        size, plain = (int.from_bytes(data[at : at + _LENGTH], "little") for at in (0, _LENGTH))
        begin = 2 * _LENGTH
        raw = _CODEC.decompress(data[begin + plain :], decompressed_size=min(size, _LARGEST), asbytes=True)
        raw += data[begin : begin + plain]
        length = int.from_bytes(raw[:_LENGTH], "little")
        header = json.loads(raw[_LENGTH : _LENGTH + length])
        restored, end = _restore(header, raw, _LENGTH + length)
        state = dict(restored)
    except (OSError, MemoryError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise StateDamaged(f"the state file is damaged: a stored aggregate cannot be read: {error}") from error
    if end != len(raw):
        raise StateDamaged(f"the state file is damaged: a stored aggregate has {len(raw) - end} bytes too many")
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
        # Floats are copied too: a view would keep the whole blob in memory.
        return array.astype(np.int64 if array.dtype.kind == "i" else array.dtype), at + array.nbytes
    restored_items = {}
    for key, item in value.items():
        restored_items[key.removeprefix("\x00")], at = _restore(item, raw, at)
    return restored_items, at
