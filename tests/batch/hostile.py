"""Files that someone means harm with, and a process of its own that decodes one and says what that took."""

import gzip
import io
import json
import multiprocessing
import resource
import struct
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from batch.samples import DEFAULT_TIME, a_model
from driftgauge.batch import decode
from driftgauge.errors import BatchError

MIB = 2**20
GOOD = b'{"prediction": 1}\n'
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["batch.hostile"])


@dataclass(frozen=True, slots=True)
class Effort:
    """What decoding a file gave, and what it took; `reason` is the BatchError's, empty without one."""

    reason: str
    accepted: int
    rejected: dict[str, int]
    features: int
    peak_bytes: int = field(compare=False)
    seconds: float = field(compare=False)


def effort(path: Path, *, max_bytes: int, seconds: float) -> Effort:
    """Decode a file in a new process; a crash or a hang is an AssertionError."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_measure, args=(sender, path, max_bytes))
    process.start()
    sender.close()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"{path.name} took more than {seconds} s")
    assert process.exitcode == 0, f"{path.name} ended the process with {process.exitcode}"
    result: Effort = receiver.recv()
    return result


def limit_memory(max_bytes: int) -> None:
    """Limit this process as a worker limits itself."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + 4 * max_bytes + 2048 * MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _measure(sender: Any, path: Path, max_bytes: int) -> None:
    limit_memory(max_bytes)
    accepted, reason = 0, ""
    features: set[str] = set()
    rejected: Counter[str] = Counter()
    start = time.monotonic()
    with path.open("rb") as file:
        chunks = decode(
            file,
            name=path.name,
            role="predictions",
            model=a_model(),
            default_time=DEFAULT_TIME,
            default_version="unknown",
            kinds=None,
            max_bytes=max_bytes,
        )
        try:
            for columns in chunks:
                accepted += len(columns)
                features |= {*columns.numbers, *columns.categories}
                rejected.update(columns.rejected)
        except BatchError as error:
            reason = error.reason
        except MemoryError:
            reason = "out_of_memory"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sender.send(Effort(reason, accepted, dict(rejected), len(features), peak, time.monotonic() - start))


# Parquet by hand, in Thrift's compact protocol: what no library would write.


def parquet_footer(elements: Iterable[bytes], *, rows: int = 0, groups: Iterable[bytes] = ()) -> bytes:
    """Return a file without pages, of these schema elements and row groups."""
    schema, listed = list(elements), list(groups)
    footer = b"\x15\x02\x19" + _list_of_structs(schema) + b"\x16" + _integer(rows) + b"\x19"
    footer += _list_of_structs(listed) + b"\0"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def schema_element(name: bytes, *, children: int = 0) -> bytes:
    """Return an optional column of 64-bit numbers, or a group."""
    kind = b"\x35\x02" if children else b"\x15\x04\x25\x02"
    return kind + b"\x18" + _varint(len(name)) + name + (b"\x15" + _integer(children) if children else b"") + b"\0"


def row_group(rows: int, chunks: Iterable[bytes] = ()) -> bytes:
    """Return a row group."""
    return b"\x19" + _list_of_structs(list(chunks)) + b"\x16\0\x16" + _integer(rows) + b"\0"


def column_chunk() -> bytes:
    """Return a column that has no pages."""
    numbers = b"\x15\x04\x19\x05\x19\x08\x15\0" + b"\x16\0" * 3 + b"\x26\x08\0"
    return b"\x26\0\x1c" + numbers + b"\0"


def _list_of_structs(items: list[bytes]) -> bytes:
    return b"\xfc" + _varint(len(items)) + b"".join(items)


def _integer(value: int) -> bytes:
    return _varint((value << 1) ^ (value >> 63))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def deep_schema(levels: int) -> bytes:
    """Return a file whose only column lies that many groups deep."""
    return parquet_footer([schema_element(b"g", children=1)] * levels + [schema_element(b"x")])


def wide_schema(columns: int, name: bytes = b"x") -> bytes:
    """Return a file that declares this many columns and has no rows."""
    return parquet_footer([schema_element(b"r", children=columns)] + [schema_element(name)] * columns)


def declared_groups(groups: int, rows: int) -> bytes:
    """Return a file that declares this many row groups and rows per group, and has no page."""
    schema = [schema_element(b"r", children=1), schema_element(b"x")]
    return parquet_footer(schema, groups=[row_group(rows, [column_chunk()])] * groups)


def written(table: Any, **options: Any) -> bytes:
    """Return a table as Parquet."""
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def one_page(size: int) -> bytes:
    """Return a Parquet file of a few kB whose only page unpacks to `size` bytes."""
    return written(pa.table({"a": [b"\0" * size]}), compression="zstd", use_dictionary=False, write_statistics=False)


def zeros(rows: int) -> bytes:
    """Return a small Parquet file of this many zeros of eight bytes each, in pages of the usual size."""
    return written(pa.table({"a": pa.array([0.0]).take([0] * rows)}), compression="zstd", use_dictionary=False)


def differences(size: int, rows: int) -> bytes:
    """Return a Parquet file in which each row says that its text is the same as in the row before."""
    table = pa.table({"a": ["x" * size] * rows})
    return written(table, use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})


def many_columns(count: int) -> bytes:
    """Return a Parquet file of one row."""
    return written(pa.table({f"feature_{at}": [at] for at in range(count)}))


def long_dictionary(size: int, rows: int) -> bytes:
    """Return a Parquet file in which each of `rows` rows names the same text of `size` characters."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * size]))
    return written(pa.table({"feature_a": column}), write_statistics=False)


def long_list(values: int) -> bytes:
    """Return a Parquet file of one row: a list of this many nulls, which take no bytes."""
    return written(pa.table({"a": pa.ListArray.from_arrays([0, values], pa.nulls(values, pa.int8()))}))


# Text.


def wide_header(columns: int) -> bytes:
    """Return a CSV file of a header only."""
    return b",".join(b"feature_%d" % at for at in range(columns)) + b"\n"


def counted(header: bytes, row: bytes, rows: int) -> bytes:
    """Return a CSV file whose rows hold their own number where `row` has %d."""
    return header + b"".join(row % at for at in range(rows))


def blank_time(size: int) -> bytes:
    """Return a good record and one whose time is mostly blanks, among text that forces a look at each."""
    return GOOD + b'{"prediction": 1, "ts": "x' + b" " * size + b'x"}\n{"prediction": 1, "ts": "x"}\n'


def two_texts(first: int, second: int) -> bytes:
    """Return a record of two texts of these lengths."""
    return b'{"a": "' + b"x" * first + b'", "b": "' + b"x" * second + b'"}'


def nested(depth: int) -> bytes:
    """Return a JSON record that deep."""
    return b'{"a": ' * depth + b"1" + b"}" * depth


def new_names(rows: int, *, after: int) -> bytes:
    """Return records of which each brings a feature of its own, after some that look clean."""
    return GOOD * after + b"".join(b'{"prediction": 1, "features": {"u%d": 1}}\n' % at for at in range(rows))


def crossed_names(count: int) -> bytes:
    """Return records whose paths are all pairs of two times `count` names."""
    pairs = ((first, second) for first in range(count) for second in range(count))
    return GOOD * 5_000 + b"".join(b'{"prediction": 1, "o%d": {"i%d": 1}}\n' % pair for pair in pairs)


def wide_then_empty(columns: int, rows: int) -> bytes:
    """Return one record of many columns, and many records without any."""
    wide = json.dumps({"prediction": 1, "features": {f"f{at}": at for at in range(columns)}}).encode()
    return (wide + b"\n") * 200 + b"{}\n" * rows


def long_parent(size: int, children: int) -> bytes:
    """Return a record with an object of a long name, which would begin the path of each of its children."""
    inner = b", ".join(b'"c%d": 1' % at for at in range(children))
    return b'{"prediction": 1, "' + b"n" * size + b'": {' + inner + b"}}\n"


def repeated(text: bytes, size: int, *, first: bytes = b"") -> bytes:
    """Return a gzip file of some bytes, over and over."""
    return gzip.compress(first + text * (size // len(text)))


def gzip_bomb(size: int) -> bytes:
    """Return blank lines of `size` bytes, a thousandth of that when compressed."""
    return gzip.compress(b"\n" * MIB, mtime=0) * (size // MIB)


def long_table(rows: int, size: int) -> bytes:
    """Return what `log_table` writes for `rows` predictions with a text of `size` characters each."""
    row = b'[1, "' + b"x" * size + b'"], '
    return b'{"columns": ["prediction", "feature_text"], "data": [' + (row * rows)[:-2] + b"]}"
