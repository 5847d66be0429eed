"""Typed columns from any values that serving code logs; no value makes its row invalid.

A column gets the first of these types that can represent all its values:

    bool < int64 < float64 < text          (1 and 2.5 become 1.0 and 2.5, 1 and "high" become "1" and "high")

None, NaN and NaT are missing. Decimals become floats, dates and times ISO 8601 text, NumPy's scalars and arrays of one
element their value. Text over `MAX_TEXT` characters is cut and ends with a digest of the whole. Lists, mappings, bytes
and objects cannot be monitored and are missing.
NumPy and pandas are not imported: their objects are recognised by their attributes.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from types import NoneType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

MAX_TEXT: Final = 1_000
_KEPT: Final = 960
# Larger whole numbers are not identifiers, and slow to convert to text.
_MOST_BITS: Final = 4_096
# pyarrow ships no types; this name says what is meant.
Array = Any  # pyarrow.Array
# Types a column can have, narrowest first; a column of missing values only is null.
_TYPES: Final = (pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string())
_PLAIN: Final = (bool, int, float, str)


def column(values: Sequence[Any]) -> Array:
    """Return Python values as one array of the narrowest type that can represent them."""
    kinds = set(map(type, values)) - {NoneType}
    uniform = _UNIFORM.get(next(iter(kinds))) if len(kinds) == 1 else None
    if not kinds:
        return pa.nulls(len(values))
    try:
        if uniform is not None:
            return uniform(values)
        if kinds == {int, float}:
            return _floats(values)
    except (OverflowError, pa.ArrowInvalid, UnicodeError):
        pass  # whole numbers beyond 64 bits, or text that is no Unicode
    return _mixed([plain(value) for value in values])


def array_column(values: Any) -> Array:
    """Return an array, a pandas Series, an Arrow array or a sequence of n values as one array, as `column` does."""
    if isinstance(values, pa.ChunkedArray):
        return _narrowed(values.combine_chunks())
    if isinstance(values, pa.Array):
        return _narrowed(values)
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind in "biuf":
        return _narrowed(pa.array(values.reshape(-1) if hasattr(values, "reshape") else values, from_pandas=True))
    if kind == "M" and hasattr(values, "reshape"):
        values = values.astype("datetime64[us]")
    return column(values.tolist() if hasattr(values, "tolist") else list(values))


def joined(arrays: Sequence[Array]) -> Array:
    """Return the arrays of one column concatenated, in the narrowest type that can represent them all."""
    target = max((array.type for array in arrays), key=_TYPES.index)
    return pa.concat_arrays([_cast(array, target) for array in arrays])


def floats(array: Array) -> Array:
    """Return a column as float64; text becomes missing."""
    if pa.types.is_string(array.type) or pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.float64())
    return array.cast(pa.float64(), safe=False)


def texts(array: Array) -> Array:
    """Return a column as text; numbers in their shortest form, so that 1 and 1.0 are the same."""
    return _cast(array, pa.string())


def plain(value: Any) -> bool | int | float | str | None:
    """Return a value as one of the plain types, None when it is missing or not a single value. Never raises."""
    try:
        return _plain(value)
    except Exception:  # noqa: BLE001 - other people's objects may raise anything, and the row must be kept
        return None


def number_text(value: float) -> str:
    """Return a number in its shortest form: 1.0 as "1"."""
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**63)
    return str(int(value)) if whole else repr(value)


def id_text(request_id: Any) -> str:
    """Return a request id as text, the same for 7, 7.0 and "7"."""
    value = plain(request_id)
    return value if isinstance(value, str) else "" if value is None else _text(value)


def bounded(text: str) -> str:
    """Return text of at most `MAX_TEXT` characters that Unicode can encode."""
    encoded = text.encode("utf-8", "replace")
    if len(text) <= MAX_TEXT:
        return encoded.decode()
    return f"{encoded.decode()[:_KEPT]}…{blake2b(encoded, digest_size=8).hexdigest()}"


def is_missing(value: Any) -> bool:
    """Return whether a value is None or one of pandas' missing values."""
    return value is None or type(value).__name__ in {"NAType", "NaTType"}


def _plain(value: Any) -> bool | int | float | str | None:  # noqa: PLR0911 - one line per kind of value
    if is_missing(value):
        return None
    if isinstance(value, str):
        return bounded(str(value))
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MOST_BITS else None
    if isinstance(value, float | Decimal):
        number = float(value)
        return None if math.isnan(number) else number
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if type(value).__name__ == "datetime64":
        text = str(value)
        return None if text == "NaT" else text
    inner = getattr(value, "item", None)
    return _plain(inner()) if inner is not None and getattr(value, "size", 1) == 1 else None


def _mixed(values: list[bool | int | float | str | None]) -> Array:
    kinds = {type(value) for value in values} - {NoneType}
    if str in kinds:
        return pa.array([value if value is None else _text(value) for value in values], pa.string())
    try:
        if float in kinds:
            return _floats(values)
        return pa.array([value if value is None else int(value) for value in values], pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        # Whole numbers beyond 64 bits are identifiers: as text they keep every digit.
        return pa.array([value if value is None else _text(value) for value in values], pa.string())


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value)


def _floats(values: Iterable[Any]) -> Array:
    return pa.array([value if value is None else float(value) for value in values], pa.float64(), from_pandas=True)


def _strings(values: Sequence[str | None]) -> Array:
    if max(len(value) for value in values if value is not None) > MAX_TEXT:
        values = [value if value is None else bounded(value) for value in values]
    return pa.array(values, pa.string())


_UNIFORM: Final = {
    bool: lambda values: pa.array(values, pa.bool_()),
    int: lambda values: pa.array(values, pa.int64()),
    float: lambda values: pa.array(values, pa.float64(), from_pandas=True),
    str: _strings,
}


def _narrowed(array: Array) -> Array:
    """Return an Arrow array of any type as one of the types in `_TYPES`."""
    kind = array.type
    if kind in _TYPES and kind != pa.string():
        return pc.if_else(pc.is_nan(array), None, array) if kind == pa.float64() else array
    if pa.types.is_floating(kind):
        return array.cast(pa.float64())
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return array.cast(pa.int64())
    return column(array.to_pylist())


def _cast(array: Array, target: Any) -> Array:
    if array.type == target:
        return array
    if target == pa.string() and array.type == pa.float64():
        return pa.array([None if value is None else number_text(value) for value in array.to_pylist()], pa.string())
    if target == pa.float64() and array.type == pa.bool_():
        return array.cast(pa.int64()).cast(target)
    # A whole number beyond 2**53 loses digits when it becomes a float.
    return array.cast(target, safe=False)
