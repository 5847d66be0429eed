"""The channel: what is sent is what comes, and what cannot be read is refused with the reason."""

import fcntl
import gc
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.service.channel import VERSION, Channel, ChannelError, Document


def raw_pair() -> tuple[Channel, socket.socket]:
    """Return a channel, and its other end as a socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), theirs


def memory(content: bytes, *, sealed: bool) -> int:
    """Return the descriptor of a nameless file, sealed as a document is or not at all."""
    descriptor = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    if sealed:
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.text(max_size=50), st.lists(st.binary(max_size=2000), max_size=5))
def test_what_is_sent_is_what_comes(text: str, parts: list[bytes]) -> None:
    """Kind, text, header and parts arrive as they were."""
    ours, theirs = Channel.pair()
    ours.send("publication", text=text, document=Document.of({"words": text}, parts))
    message = theirs.receive(1)

    assert message is not None
    assert message.document is not None
    assert (message.kind, message.text, message.document.header) == ("publication", text, {"words": text})
    assert [b"".join(message.document.part(number)) for number in range(len(parts))] == parts
    ours.close()
    theirs.close()


def test_a_large_part_is_read_in_pieces() -> None:
    """No piece is large, whatever the part."""
    part = os.urandom(1 << 20) * 3
    pieces = list(Document.of({}, [b"first", part]).part(1))

    assert b"".join(pieces) == part
    assert max(map(len, pieces)) <= 1 << 18


def test_a_document_cannot_be_changed() -> None:
    """The kernel refuses to write to what was handed over, by either end."""
    document = Document.of({}, [b"page"])

    with pytest.raises(PermissionError):
        os.pwrite(document.descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.truncate(document.descriptor, 0)


def test_a_document_lasts_as_long_as_its_parts() -> None:
    """A page that is being sent outlives its publication, and is closed right after, without a garbage collection."""
    gc.disable()
    try:
        document = Document.of({}, [b"page"])
        descriptor, part = document.descriptor, document.part(0)
        del document
        assert b"".join(part) == b"page"
        del part
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    finally:
        gc.enable()


def test_nothing_comes_in_time() -> None:
    """Without a message there is none, and the next one comes all the same."""
    ours, theirs = Channel.pair()

    assert theirs.receive(0.01) is None
    ours.send("progress")
    assert theirs.receive(1) is not None


def test_the_other_end_is_gone() -> None:
    """Whoever sends or receives then learns of it."""
    ours, theirs = Channel.pair()
    theirs.close()

    with pytest.raises(EOFError):
        ours.send("progress")
    with pytest.raises(EOFError):
        ours.receive(1)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            json.dumps({"version": VERSION + 1, "kind": "publication", "text": ""}),
            "driftgauge was exchanged while it ran",
        ),
        ("no JSON", "cannot be read"),
        ('["a list"]', "cannot be read"),
        (json.dumps({"version": VERSION}), "cannot be read"),
    ],
    ids=["another version", "no JSON", "a list", "no kind"],
)
def test_what_cannot_be_read_is_refused(message: str, reason: str) -> None:
    """A message of another version or none at all is an error that says so; its descriptor is closed."""
    channel, raw = raw_pair()
    socket.send_fds(raw, [message.encode()], [memory(b"", sealed=False)])
    before = open_files()

    with pytest.raises(ChannelError, match=reason):
        channel.receive(1)
    assert open_files() == before


def head(content: bytes, *, length: int | None = None) -> bytes:
    """Return a document's bytes with this header."""
    return (len(content) if length is None else length).to_bytes(8, "little") + content


@pytest.mark.parametrize(
    ("content", "sealed"),
    [
        (head(b'{"header": {}, "sizes": []}'), False),
        (b"", True),
        (head(b"{}", length=1 << 40), True),
        (head(b"{"), True),
        (head(b'{"header": {}, "sizes": [100]}'), True),
        (head(b'{"header": {}, "sizes": [-5, 5]}'), True),
        (head(b'{"header": 5, "sizes": []}'), True),
    ],
    ids=["not sealed", "empty", "longer than it is", "half a header", "a part is missing", "below 0", "no mapping"],
)
def test_half_a_document_is_refused(content: bytes, *, sealed: bool) -> None:
    """What is not whole, or could still change, is never read."""
    with pytest.raises(ChannelError, match="document"):
        Document(memory(content, sealed=sealed))
