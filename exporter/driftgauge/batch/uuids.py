"""UUIDs in one way of writing: 36 characters, lower case. Sixteen bytes each, or text of any usual form."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import BoolArray, IntArray, TextArray

Bytes = npt.NDArray[np.uint8]

UUID_BYTES: Final = 16
# The usual forms of text, to look for.
UUID: Final = r"^(?:urn:uuid:)?\{?[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\}?$"
_HYPHENS: Final = (8, 13, 18, 23)
_HEX: Final = tuple(at for at in range(36) if at not in _HYPHENS)
# Length of a text -> what is around the digits of a UUID, and whether there are hyphens.
_UUIDS: Final[dict[int, tuple[bytes, bytes, bool]]] = {
    32: (b"", b"", False),
    34: (b"{", b"}", False),
    36: (b"", b"", True),
    38: (b"{", b"}", True),
    45: (b"urn:uuid:", b"", True),
}
_DIGITS: Final = b"0123456789abcdef"


def uuid_text(raw: Any) -> TextArray:
    """Write a column of sixteen bytes each as text."""
    nulls = raw.is_null()
    data = _matrix(pc.fill_null(raw.cast(pa.binary()), bytes(UUID_BYTES)), UUID_BYTES)
    digits = np.frombuffer(_DIGITS, np.uint8)
    text = _written(np.stack([digits[data >> 4], digits[data & 15]], axis=2).reshape(len(data), 32))
    return pc.if_else(nulls, pa.scalar(None, pa.string()), text) if raw.null_count else text


def uuids_by_value(text: TextArray, lengths: IntArray) -> TextArray:
    """Return text with the UUIDs among it in the usual form; lengths: (n,) of the texts, in bytes."""
    for length, form in _UUIDS.items():
        some = lengths == length
        if some.any():
            text = _with_uuids(text, some, form)
    return text


def _with_uuids(text: TextArray, some: BoolArray, form: tuple[bytes, bytes, bool]) -> TextArray:
    """Return the text with each UUID of one form in the usual one: 36 characters, lower case."""
    before, after, hyphens = form
    chosen = text.filter(pa.array(some)) if not some.all() else text
    data = _matrix(chosen.cast(pa.binary()), len(before) + len(after) + (36 if hyphens else 32))
    # Most are in the usual form, and without a capital nothing can change; letters are 26 from 65 on.
    if hyphens and not before and not (data - 65 < 26).any():
        return text
    inner = data[:, len(before) : data.shape[1] - len(after)]
    digits = _LOWER[inner[:, _HEX] if hyphens else inner]
    fits = (digits != 0).all(axis=1)
    for literal, place in ((before, 0), (after, data.shape[1] - len(after))):
        fits &= (data[:, place : place + len(literal)] == np.frombuffer(literal, np.uint8)).all(axis=1)
    if hyphens:
        fits &= (inner[:, _HYPHENS] == ord("-")).all(axis=1)
    if not fits.any():
        return text
    at = some.copy()
    at[some] = fits
    return pc.replace_with_mask(text, pa.array(at), _written(digits[fits]))


def _matrix(column: Any, width: int) -> Bytes:
    """Return the bytes (n, width) of values that all have the same length."""
    _, _, data = column.buffers()
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(len(column), width)


def _written(digits: Bytes) -> TextArray:
    written = np.full((len(digits), 36), ord("-"), np.uint8)
    written[:, _HEX] = digits
    ends = np.arange(len(digits) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(digits), pa.py_buffer(ends), pa.py_buffer(written.tobytes()))


def _lower_digits() -> Bytes:
    table = np.zeros(256, np.uint8)
    for digit in _DIGITS:
        table[[digit, ord(chr(digit).upper())]] = digit
    return table


# The lower case of hexadecimal digits, 0 for all other characters.
_LOWER: Final = _lower_digits()
