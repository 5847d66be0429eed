"""Broken files made from valid ones: flipped bits, cuts, splices, and words that decoders stumble over."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from .target import NAMES, VARIANTS

_BATCHES: Final = Path(__file__).parent.parent / "data" / "batches"
_LONGEST: Final = 2**16

_TOKENS: Final = (
    *(b"null", b"NaN", b"-Infinity", b"1e999", b"true", b'""', b'"', b"'", b"\\u0000", b"\\ud800", b"\\", b"\x00"),
    *(b"{", b"}", b"[", b"]", b"{}", b"[]", b",", b":", b";", b"\n", b"\r\n", b"\t", b"\xff", b"\xef\xbb\xbf", b"\xc3"),
    *(b"[" * 2_000, b'{"a":' * 2_000, b" " * 3_000, b"9" * 400, b"PAR1", b"\x1f\x8b\x08"),
    *(b'"features":{', b'"inputs":', b'"outputs":', b'"label":', b'"proba_x":', b'"a.b":', b'"dataframe_split":{'),
    *(b'"columns":["a"],"data":[[1]]', b"2026-01-05T10:30:00", b"12345678901234567890", b"-1", b"0.5"),
    *(
        b"\x00\x00\x00\x80",
        b"\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\x0f",
        b"\xfe\xff\xff\xff\x0f",
        b"\x15\x02",
        b"\x19\xfc",
    ),
)


def seeds() -> list[bytes]:
    """Return valid contents in the order of `NAMES`, several Parquet files among them, each with a choosing byte."""
    lines = (_BATCHES / "churn.jsonl").read_bytes()
    contents = {
        "a.parquet": _parquet_files(lines),
        "a.jsonl": [lines],
        "a.json": [(_BATCHES / name).read_bytes() for name in ("churn.json", "churn-table.json")],
        "a.csv": [(_BATCHES / name).read_bytes() for name in ("churn.csv", "churn-german.csv")],
        "a.jsonl.gz": [gzip.compress(lines, mtime=0)],
    }
    return [bytes([at]) + content for at, name in enumerate(NAMES) for content in contents[name]]


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """Return `data` after one to six changes; `other` is what splices take from. The variant changes at times."""
    content = bytearray(data[1:])
    for _ in range(random.randint(1, 6)):
        random.choice(_CHANGES)(content, other, random)
    first = data[0] % VARIANTS if data else 0
    if random.random() < 0.5:  # another role and task, the same format
        first = (first + len(NAMES) * random.randrange(9)) % VARIANTS
    return bytes([first]) + bytes(content[:_LONGEST])


def _parquet_files(lines: bytes) -> list[bytes]:
    records = [json.loads(line) for line in lines.splitlines()]
    table = pa.Table.from_pylist(records)
    lists = table.append_column("embedding", pa.array([[1.0, 2.0], [], None] * 2, pa.list_(pa.float64())))
    options: list[dict[str, Any]] = [
        {"compression": "none"},
        {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
        {"compression": "zstd", "row_group_size": 2, "store_schema": False},
    ]
    files = []
    for chosen in options:
        buffer = io.BytesIO()
        pa.parquet.write_table(lists, buffer, **chosen)
        files.append(buffer.getvalue())
    return files


def _position(content: bytearray, random: Random) -> int:
    """Choose a place, half of the time near the end: that is where Parquet keeps its metadata."""
    start = max(0, len(content) - 1_000) if random.random() < 0.5 else 0
    return random.randint(start, len(content))


def _flip_bit(content: bytearray, _: bytes, random: Random) -> None:
    if content:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set_byte(content: bytearray, _: bytes, random: Random) -> None:
    if content:
        content[min(_position(content, random), len(content) - 1)] = random.choice((0, 1, 0x7F, 0x80, 0xFF))


def _truncate(content: bytearray, _: bytes, random: Random) -> None:
    del content[_position(content, random) :]


def _remove(content: bytearray, _: bytes, random: Random) -> None:
    at = _position(content, random)
    del content[at : at + random.randint(1, 32)]


def _insert_token(content: bytearray, _: bytes, random: Random) -> None:
    at = _position(content, random)
    content[at:at] = random.choice(_TOKENS)


def _overwrite_token(content: bytearray, _: bytes, random: Random) -> None:
    at, token = _position(content, random), random.choice(_TOKENS)
    content[at : at + len(token)] = token


def _splice(content: bytearray, other: bytes, random: Random) -> None:
    at, start = _position(content, random), random.randint(0, len(other))
    content[at:at] = other[start : start + random.randint(1, 512)]


def _repeat(content: bytearray, _: bytes, random: Random) -> None:
    at = _position(content, random)
    content[at:at] = content[at : at + random.randint(1, 64)] * random.randint(1, 64)


_Change = Callable[[bytearray, bytes, Random], None]
_CHANGES: Final[tuple[_Change, ...]] = (
    _flip_bit,
    _set_byte,
    _truncate,
    _remove,
    _insert_token,
    _overwrite_token,
    _splice,
    _repeat,
)
