"""What the service answers to a request for a page that it has to ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

# Of a report, by its form.
MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8", "json": "application/json"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, what the body is, and the body in pieces.

    retry_after: in how many seconds to ask again; a browser does so by itself.
    """

    status: int
    media_type: str
    pieces: Iterable[bytes]
    retry_after: int | None = None

    @classmethod
    def text(cls, status: int, text: str, *, retry_after: int | None = None) -> "Answer":
        """Return an answer that says something in a line."""
        return cls(status, "text/plain; charset=utf-8", [f"{text}\n".encode()], retry_after)
