"""Nested tables of any Arrow type as the flat, typed columns of `Rows`.

It knows types only: what a path stands for is decided later.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.rows import MAX_DEPTH, MAX_NAME
from driftgauge.batch.uuids import UUID_BYTES, uuid_text

# A map with more keys in a block is data, not an object.
_MAX_KEYS: Final = 500


def flatten(table: Any) -> list[tuple[str, Any]]:
    """Return path and array of every leaf and object of a pyarrow Table or RecordBatch, in file order.

    A path can occur twice (`{"a.b": 1, "a": {"b": 2}}`); the caller decides what that means.
    """
    if isinstance(table, pa.RecordBatch):
        columns = zip(table.schema.names, table.columns, strict=True)
        return [leaf for name, column in columns for leaf in _leaves(name, column)]
    # Batch by batch, because Arrow's JSON parser makes lists of nulls that cannot be joined before they are reduced.
    batches = [flatten(batch) for batch in table.to_batches()]
    return [(leaves[0][0], _joined([array for _, array in leaves])) for leaves in zip(*batches, strict=True)]


def lists_in(table: Any) -> dict[str, Any]:
    """Return the lists of plain values in a pyarrow Table or RecordBatch, by path: what `flatten` makes binary."""
    if not any(_holds_lists(field.type) for field in table.schema):
        return {}
    batches = [table] if isinstance(table, pa.RecordBatch) else table.to_batches()
    found: dict[str, list[Any]] = {}
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for path, lists in _lists(name, column):
                found.setdefault(path, []).append(lists)
    return {path: pa.concat_arrays(parts) for path, parts in found.items() if len({part.type for part in parts}) == 1}


def precision_in(schema: Any) -> dict[str, int]:
    """Return the bits of the floats in a schema that have fewer than 64, by path."""
    return {path: bits for field in schema for path, bits in _precision(field.name, field.type)}


def first_of_each(leaves: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the columns by path; of columns with the same path the first one wins."""
    columns: dict[str, Any] = {}
    for path, column in leaves:
        columns.setdefault(path, column)
    return columns


def _holds_lists(kind: Any) -> bool:
    return _is_list(kind) or (pa.types.is_struct(kind) and any(_holds_lists(field.type) for field in kind))


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _lists(path: str, column: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    array = _decoded(column)
    if pa.types.is_struct(array.type) and depth < MAX_DEPTH:
        for child, values in zip(array.type, array.flatten(), strict=True):
            yield from _lists(f"{path}.{child.name}", values, depth + 1)
    elif _is_list(array.type) and not _is_odd(array.type.value_type):
        yield path, array


def _is_odd(kind: Any) -> bool:
    """Tell whether values are no plain ones; Arrow's JSON parser makes lists of nulls of which nothing can be taken."""
    return bool(pa.types.is_nested(kind) or pa.types.is_null(kind))


def _precision(path: str, kind: Any) -> Iterator[tuple[str, int]]:
    if pa.types.is_struct(kind):
        for child in kind:
            yield from _precision(f"{path}.{child.name}", child.type)
    elif _is_list(kind):
        yield from _precision(path, kind.value_type)
    elif pa.types.is_map(kind):
        yield from _precision(path, kind.item_type)
    elif pa.types.is_float16(kind) or pa.types.is_float32(kind):
        yield path, kind.bit_width


def _joined(arrays: list[Any]) -> Any:
    """Concatenate the parts of a column; lists of one element are only values where all of the column's lists are."""
    kinds = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if len(kinds) > 1:
        arrays = [_unusable_where(array.is_valid()) for array in arrays]
    elif kinds:
        arrays = [pa.nulls(len(a), *kinds) if pa.types.is_null(a.type) else a for a in arrays]
    return pa.concat_arrays(arrays)


def _leaves(path: str, column: Any, depth: int = 0) -> list[tuple[str, Any]]:
    array = _decoded(column)
    if pa.types.is_map(array.type) and depth < MAX_DEPTH:
        return _map_leaves(path, array, depth)
    if not pa.types.is_struct(array.type) or depth >= MAX_DEPTH:
        return [(path, _plain(array))]
    leaves = [
        leaf
        for field, child in zip(array.type, array.flatten(), strict=True)
        for leaf in _leaves(f"{path}.{field.name}", child, depth + 1)
    ]
    # The object itself stays visible: a prediction that is an object is a bad one, an error that is one is an error.
    return [*leaves, (path, _unusable_where(_any_valid([leaf for _, leaf in leaves], len(array))))]


def plain(array: Any) -> Any:
    """Return an array of any type as a column of `Rows`, which an object is not."""
    return _plain(_decoded(array))


def _map_leaves(path: str, array: Any, depth: int) -> list[tuple[str, Any]]:
    """Return a map as the object with the same names; of a key that comes twice in a row the last value counts."""
    entries = array.offsets.to_numpy()
    start, end = int(entries[0]), int(entries[-1])
    keys = array.keys.slice(start, end - start)
    names = pc.unique(keys).to_pylist()
    whole = (path, _unusable_where(array.is_valid()))
    if not pa.types.is_string(keys.type) or len(names) > _MAX_KEYS or any(len(name) > MAX_NAME for name in names):
        return [whole]
    items, row = array.items.slice(start, end - start), np.repeat(np.arange(len(array)), np.diff(entries))
    leaves: list[tuple[str, Any]] = []
    for name in names:
        at = np.flatnonzero(pc.equal(keys, name).to_numpy(zero_copy_only=False))
        places = np.full(len(array), -1, np.int64)
        places[row[at]] = at
        values = items.take(pa.array(places, mask=places < 0))
        leaves += _leaves(f"{path}.{name}", values, depth + 1)
    return [*leaves, whole]


def _decoded(array: Any) -> Any:
    """Return the array without the encodings that carry no meaning here."""
    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    return plain.dictionary_decode() if pa.types.is_dictionary(plain.type) else plain


def _plain(array: Any) -> Any:
    for matches, convert in _CONVERSIONS:
        if matches(array.type):
            return convert(array)
    return _unusable_where(array.is_valid())


def _number(decimal: Any) -> Any:
    """Return decimals as numbers: a column of whole ones exactly, since they may be keys, if need be as text.

    Others are the nearest double. Arrow's own conversion multiplies, and so misses that by one in the last place.
    """
    try:
        whole = decimal.cast(pa.decimal256(76, 0))
    except pa.ArrowInvalid:
        return decimal.cast(pa.string()).cast(pa.float64())
    try:
        return whole.cast(pa.int64())
    except pa.ArrowInvalid:
        return whole.cast(pa.string())


def _text_if_it_is(array: Any) -> Any:
    """Read bytes as text: writers such as Spark leave out the annotation that says so."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        lengths = pc.min_max(pc.binary_length(array)).as_py()
        return uuid_text(array) if set(lengths.values()) == {UUID_BYTES} else _unusable_where(array.is_valid())


def _uuid_if_it_is(array: Any) -> Any:
    """Read sixteen bytes as a UUID: many writers leave out the annotation that says so."""
    return uuid_text(array) if array.type.byte_width == UUID_BYTES else _unusable_where(array.is_valid())


def _any_valid(children: list[Any], count: int) -> Any:
    valid = pa.repeat(pa.scalar(value=False), count)
    for child in children:
        valid = pc.or_(valid, child.is_valid())
        if child.null_count == 0:
            break
    return valid


def _unusable_where(present: Any) -> Any:
    return pc.if_else(present, pa.scalar(b""), pa.scalar(None, pa.binary()))


def _only_element(lists: Any) -> Any:
    """Return what lists of at most one element hold: many models answer with one list per row.

    A column with a longer list, or with lists of objects, is unusable where a list is not empty.
    """
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    single = pc.equal(lengths, 1)
    places = pc.subtract(pc.cumulative_sum(lengths), 1)
    only = _plain(_decoded(lists.flatten().take(pc.if_else(single, places, pa.scalar(None, pa.int64())))))
    if (pc.max(lengths).as_py() or 0) <= 1 and not pa.types.is_struct(lists.type.value_type):
        return only
    return _unusable_where(pc.or_(pc.greater(lengths, 1), pc.and_(single, only.is_valid())))


def _as_is(array: Any) -> Any:
    return array


def _float(array: Any) -> Any:
    return array.cast(pa.float64())


def _text(array: Any) -> Any:
    return array.cast(pa.string())


def _since_midnight(array: Any) -> Any:
    """Return times of day in seconds."""
    return pc.divide(array.cast(pa.time64("ns")).cast(pa.int64()).cast(pa.float64()), 1e9)


# The first check that fits decides; a type that fits none holds values that no role can use.
_CONVERSIONS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...]] = (
    (pa.types.is_null, _as_is),
    (pa.types.is_boolean, _as_is),
    (pa.types.is_integer, _as_is),
    (pa.types.is_string, _as_is),
    (pa.types.is_timestamp, _as_is),
    (pa.types.is_duration, _as_is),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _number),
    (pa.types.is_time, _since_midnight),
    (pa.types.is_date, _text),
    (pa.types.is_large_string, _text),
    (pa.types.is_string_view, _text),
    (pa.types.is_fixed_size_binary, _uuid_if_it_is),
    (pa.types.is_binary, _text_if_it_is),
    (pa.types.is_large_binary, _text_if_it_is),
    (pa.types.is_list, _only_element),
    (pa.types.is_large_list, _only_element),
    (pa.types.is_fixed_size_list, _only_element),
)
