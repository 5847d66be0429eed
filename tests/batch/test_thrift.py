"""Thrift's compact protocol, by hand-encoded bytes."""

import pytest

from driftgauge.batch.thrift import LIST, STRUCT, CompactReader


def test_a_struct_is_read_field_by_field() -> None:
    """Ids are differences or, for far ones, written out; what is skipped leaves the reader right behind it."""
    data = (
        b"\x15\x03"  # 1: i32 -2
        b"\x11"  # 2: true
        b"\x18\x02hi"  # 3: binary
        b"\x06\x80\x02\xac\x02"  # 128, written out: i64 150
        b"\x00rest"
    )
    reader = CompactReader(data)
    found = {}
    for field, kind in reader.fields():
        if kind in (5, 6):
            found[field] = reader.integer()
        else:
            reader.skip(kind)
    assert found == {1: -2, 128: 150}
    assert data[reader.at :] == b"rest"


@pytest.mark.parametrize(
    ("description", "kind", "value"),
    [
        ("true", 1, b""),
        ("a byte", 3, b"\x07"),
        ("a whole number", 6, b"\xff\xff\x03"),
        ("a double", 7, b"12345678"),
        ("bytes", 8, b"\x03abc"),
        ("a list of numbers", LIST, b"\x25\x01\x02"),
        ("a list of booleans", LIST, b"\x21\x01\x02"),
        ("a long list", LIST, b"\xf3\x10" + b"x" * 16),
        ("a set of bytes", 10, b"\x18\x01a"),
        ("a map", 11, b"\x01\x85\x01a\x02"),
        ("an empty map", 11, b"\x00"),
        ("a struct in a struct", STRUCT, b"\x1c\x15\x02\x00\x00"),
        (
            "a struct of all sorts",
            STRUCT,
            b"\x11\x15\x80\x01\x18\x80\x01" + b"x" * 128 + b"\x05\x40\x02\x1712345678\x28\x01a\x00",
        ),
        ("a UUID", 13, b"0123456789abcdef"),
    ],
)
def test_every_kind_of_value_can_be_skipped(description: str, kind: int, value: bytes) -> None:
    """Exactly the value is left out."""
    reader = CompactReader(value + b"rest")
    reader.skip(kind)
    assert reader.at == len(value), description


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        pytest.param(STRUCT, b"\x1c" * 100_000, ValueError, id="nesting without end"),
        pytest.param(LIST, b"\x19" * 100_000, ValueError, id="lists in lists without end"),
        pytest.param(6, b"\xff" * 11 + b"\x01", ValueError, id="a number of 80 bits"),
        pytest.param(14, b"", ValueError, id="no such kind"),
        pytest.param(LIST, b"\xf5\xff\xff\xff\x7f\x01", IndexError, id="a list that is cut off"),
        pytest.param(
            LIST, b"\xf8\xff\xff\xff\x7f\xff\xff\xff\x7f", IndexError, id="a list of bytes longer than the file"
        ),
        pytest.param(6, b"\x80", IndexError, id="a number that is cut off"),
    ],
)
def test_what_is_no_value(kind: int, value: bytes, error: type[Exception]) -> None:
    """Damage raises, whatever it claims, without using up the stack, the memory or the time."""
    with pytest.raises(error):
        CompactReader(value).skip(kind)


def test_structs_are_asked_for() -> None:
    """A list of anything else than structs is not taken for one."""
    assert CompactReader(b"\xfc\x10").structs() == 16
    assert CompactReader(b"\x00").structs() == 0
    with pytest.raises(ValueError, match="elements of kind 5"):
        CompactReader(b"\x15\x02").structs()
