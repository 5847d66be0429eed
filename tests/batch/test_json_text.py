"""JSON documents through a window."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftgauge.batch import json_text
from driftgauge.batch.json_text import JsonText
from driftgauge.errors import BatchError


def text_of(data: bytes, size: int) -> JsonText:
    """Read a document in pieces of `size` bytes."""
    return JsonText(iter([data[at : at + size] for at in range(0, len(data), size)]))


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)


@given(st.lists(values, min_size=1, max_size=5), st.integers(1, 64))
@settings(deadline=None)
def test_values_come_out_wherever_the_pieces_end(documents: list[Any], size: int) -> None:
    """Each value comes with its text, whatever stands around it and however it arrives."""
    written = [json.dumps(document, ensure_ascii=False) for document in documents]
    text = text_of(" \n ".join(written).encode("utf-8", "replace"), size)
    expected = [source.encode("utf-8", "replace").decode() for source in written]
    assert [text.value() for _ in documents] == [(json.loads(source), source) for source in expected]
    assert text.peek() == ""


def test_only_a_window_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are asked for as values are read, at most a window ahead of them."""
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 16)
    asked = []

    def pieces() -> Any:
        for at in range(1_000):
            asked.append(at)
            yield b"1234567 "

    text = JsonText(pieces())
    assert not text.all_in_sight()
    for at in range(1_000):
        assert text.value() == (1234567, "1234567")
        assert len(asked) <= at + 4
    assert text.all_in_sight()


@pytest.mark.parametrize(
    ("description", "data", "reason"),
    [
        ("a text over the window", b'"' + b"x" * 100 + b'"', "too_large"),
        ("a list over the window", b"[" + b"1," * 100 + b"1]", "too_large"),
        ("a literal at its end", b"[" + b"1," * 14 + b"true," * 10, "too_large"),
        ("damage within the window", b"[1 2" + b"," * 100, "invalid_json"),
        ("damage at the end", b'["x', "invalid_json"),
        ("too deep", b"[" * 100_000, "too_large"),
        ("half a character", b'"\xc3', "wrong_encoding"),
    ],
)
def test_values_that_are_refused(monkeypatch: pytest.MonkeyPatch, description: str, data: bytes, reason: str) -> None:
    """A value that is cut off by the window is too large; one that is broken is broken."""
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 32)
    with pytest.raises(BatchError) as caught:
        text_of(data, 32).value()
    assert caught.value.reason == reason, description


def test_where_a_document_breaks() -> None:
    """The position counts from the start of the document, also where earlier text is gone."""
    text = text_of(b"[1, 2, x]", 2)
    text.take("[")
    assert text.value() == (1, "1")
    assert text.take(",]") == ","
    with pytest.raises(BatchError, match=r"at character 4: expected , or \];"):
        text.take(",]")


def test_halves_of_surrogate_pairs() -> None:
    """They become question marks, in names as well as in values; whole pairs stay."""
    data = rb'{"\ud800": "a\uDFFFb", "c": "\ud83d\ude00"}'
    assert text_of(data, 100).value()[0] == {"?": "a?b", "c": "😀"}
