"""A JSON document as values one after another, with only a window of its text in memory.

A value has to fit the window. This module does not know what the values mean.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from driftgauge.batch.streams import BLOCK_BYTES
from driftgauge.errors import BatchError

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
# A parser that runs out of text stops within its last token: a literal or an escape is shorter than this.
_LONGEST_TOKEN: Final = 16


class JsonText:
    """Reads UTF-8 from `pieces`, each at most `BLOCK_BYTES` long. Every method raises BatchError.

    The reasons are invalid_json, wrong_encoding, and too_large for a value that is longer than the window.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._window = ""
        self._at = 0
        self._before = 0
        self._ended = False

    def all_in_sight(self) -> bool:
        """Return whether the rest of the document is in the window."""
        self._refill()
        return self._ended

    def peek(self) -> str:
        """Return the next character that is not blank, empty at the end of the document."""
        self._refill()
        while True:
            found = _BLANK.match(self._window, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._window) or self._ended:
                return self._window[self._at : self._at + 1]
            self._refill()

    def take(self, expected: str) -> str:
        """Read one of the `expected` characters; raise when another one is next."""
        character = self.peek()
        if not character or character not in expected:
            self.broken(f"expected {' or '.join(expected)}")
        self._at += 1
        return character

    def value(self) -> tuple[Any, str]:
        """Read a value; return it and its text."""
        self.peek()
        self._refill()
        try:
            value, end = _DECODER.raw_decode(self._window, self._at)
            source = self._window[self._at : end]
            value = whole_characters(value) if r"\ud" in source.lower() else value
        except RecursionError:
            self.broken("the record is nested too deeply")
        except json.JSONDecodeError as error:
            self._cut_or_broken(error)
        except ValueError as error:  # a whole number of thousands of digits
            self.broken(str(error))
        self._at = end
        return value, source

    def broken(self, what: str) -> NoReturn:
        """Raise an error about the text at this place."""
        raise _broken(self._before + self._at, what)

    def _cut_or_broken(self, error: json.JSONDecodeError) -> NoReturn:
        ran_out = error.msg.startswith("Unterminated") or error.pos > len(self._window) - _LONGEST_TOKEN
        if ran_out and not self._ended:
            raise BatchError("too_large", f"A value is longer than {BLOCK_BYTES} bytes; write JSON lines instead.")
        raise _broken(self._before + error.pos, error.msg) from error

    def _refill(self) -> None:
        """Fill the window to a whole block, or with the rest of the document."""
        while not self._ended and len(self._window) - self._at < BLOCK_BYTES:
            piece = next(self._pieces, b"")
            self._ended = not piece
            try:
                text = self._decoder.decode(piece, final=self._ended)
            except UnicodeDecodeError as error:
                raise BatchError("wrong_encoding", "The file is not UTF-8; write it with that encoding.") from error
            self._before += self._at
            self._window, self._at = self._window[self._at :] + text, 0


def whole_characters(value: Any) -> Any:
    """Return a decoded value without halves of surrogate pairs, which no column could hold."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _broken(at: int, what: str) -> BatchError:
    return BatchError("invalid_json", f"The JSON cannot be read at character {at}: {what}; log the file again.")
