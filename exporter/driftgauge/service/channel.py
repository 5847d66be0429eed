"""The channel between front and refresher: small messages over a socket pair, large values in sealed memory.

A message is one datagram: a JSON object with the version of the format, a kind and a short text. A large value (a
publication, a configuration) travels as the descriptor of a nameless file in memory, a `Document`: a JSON header and
raw parts. It is sealed before it is sent, so the kernel refuses every later change, and the reader cannot see half of
it. There is no pickle, and every size has a bound.

Files renamed into place in the state directory would do the same while the disk has room; but the page has to say that
the disk is full. They would also leave something behind when a process is killed. Nameless memory goes with the last
process that has it open, and the front reads it piece by piece without mapping it, so a page that is being sent takes
none of its own memory.

Linux only: memfd_create(2), fcntl(2) F_ADD_SEALS, unix(7) SOCK_SEQPACKET and SCM_RIGHTS.
"""

import fcntl
import json
import os
import socket
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from driftgauge.errors import DriftgaugeError

# Of messages and documents alike. Raise it with every change of what they mean.
VERSION: Final = 2
_MOST_MESSAGE: Final = 16 << 10
_MOST_TEXT: Final = 2000
_MOST_HEADER: Final = 64 << 20
_MOST_DOCUMENT: Final = 4 << 30
_LENGTH_BYTES: Final = 8
_PIECE_BYTES: Final = 1 << 18
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class ChannelError(DriftgaugeError):
    """The other end sent what this one cannot read."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a document, of `size` bytes; iterating reads it piece by piece."""

    document: "Document"
    start: int
    size: int

    def __iter__(self) -> Iterator[bytes]:
        """Yield the part in pieces of at most 256 KiB."""
        at, end = self.start, self.start + self.size
        while at < end:
            piece = os.pread(self.document.descriptor, min(_PIECE_BYTES, end - at), at)
            yield piece
            at += len(piece)


class Document:
    """A JSON header and raw parts in a sealed, nameless file, which is closed with the last reference to this object.

    Raises ChannelError when the descriptor is not that of a sealed document.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        try:
            self.header, self._parts = self._read()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ChannelError(f"a document of the channel cannot be read: {error!r}") from error

    @classmethod
    def of(cls, header: Mapping[str, Any], parts: Iterable[bytes] = ()) -> Self:
        """Write header and parts into a new document."""
        contents = list(parts)
        head = json.dumps({"header": header, "sizes": [len(part) for part in contents]}).encode()
        descriptor = os.memfd_create("driftgauge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.writelines([len(head).to_bytes(_LENGTH_BYTES, "little"), head, *contents])
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return cls(descriptor)

    def part(self, number: int) -> Span:
        """Return a part; it keeps the document open."""
        return Span(self, *self._parts[number])

    def _read(self) -> tuple[dict[str, Any], tuple[tuple[int, int], ...]]:
        if fcntl.fcntl(self.descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise ValueError("it is not sealed")
        total = os.fstat(self.descriptor).st_size
        length = int.from_bytes(os.pread(self.descriptor, _LENGTH_BYTES, 0), "little")
        if total > _MOST_DOCUMENT or length > min(_MOST_HEADER, total):
            raise ValueError(f"it has {total} bytes, {length} of them header")
        found = json.loads(os.pread(self.descriptor, length, _LENGTH_BYTES))
        at, parts = _LENGTH_BYTES + length, []
        for size in found["sizes"]:
            parts.append((at, size))
            at += size
        if at != total or any(size < 0 for _, size in parts):
            raise ValueError(f"its parts end at {at} of {total} bytes")
        return dict(found["header"]), tuple(parts)


@dataclass(frozen=True, slots=True)
class Message:
    """What came: its kind, a short text for people, and a document if there is one."""

    kind: str
    text: str = ""
    document: Document | None = None


class Channel:
    """One end. Any thread may send; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return both ends of a new channel."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), cls(theirs)

    @classmethod
    def inherited(cls, descriptor: int) -> Self:
        """Return the end that was passed to this process; its own children do not get it."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - so it is called
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def send(self, kind: str, *, text: str = "", document: Document | None = None) -> None:
        """Send a message; raises EOFError when the other end is gone."""
        message = json.dumps({"version": VERSION, "kind": kind, "text": text[:_MOST_TEXT]}).encode()
        try:
            socket.send_fds(self._socket, [message], [document.descriptor] if document else [])
        except OSError as error:
            raise EOFError("the other end of the channel is gone") from error

    def receive(self, timeout: float | None = None) -> Message | None:
        """Return the next message, None when there is none within `timeout` s.

        Raises EOFError when the other end is gone and ChannelError when it sent what cannot be read.
        """
        self._socket.settimeout(timeout)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _MOST_MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            return None
        except OSError as error:
            raise EOFError("the other end of the channel is gone") from error
        if not data:
            raise EOFError("the other end of the channel is gone")
        kind, text = _checked(data, descriptors)
        return Message(kind, text, Document(descriptors[0]) if descriptors else None)

    def close(self) -> None:
        """Close this end: the other one sees that it is gone."""
        self._socket.close()


def _checked(data: bytes, descriptors: list[int]) -> tuple[str, str]:
    """Return kind and text of a message; of one that cannot be read, close the descriptors and raise ChannelError."""
    try:
        found = json.loads(data)
        if found["version"] == VERSION:
            return str(found["kind"]), str(found["text"])
        mistake = f"version {found['version']} of the channel, and this process version {VERSION}"
        mistake = f"it speaks {mistake}: driftgauge was exchanged while it ran, so restart it"
    except (ValueError, KeyError, TypeError) as error:
        mistake = f"a message of the channel cannot be read: {error!r}"
    for descriptor in descriptors:
        os.close(descriptor)
    raise ChannelError(mistake)
