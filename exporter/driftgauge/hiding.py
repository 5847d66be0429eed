"""What this process never shows, and its output, in which that is hidden.

Messages go through `hidden`, pages through `hidden_known` and labels through `Secrets.label` of what is `known`.
Standard output and standard error are guarded as a whole, since libraries log and uncaught exceptions are printed there
as well.
"""

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import Any, TextIO

from driftgauge.redaction import Secrets, secrets_in

_configured: set[str] = set()


def learn(texts: Iterable[str]) -> None:
    """Hide these as well from now on: the secrets of a configuration."""
    _configured.update(texts)


def known() -> Secrets:
    """Return what is secret now, of the environment and of all configurations so far."""
    return _secrets(frozenset(os.environ.items()), frozenset(_configured))


@lru_cache(maxsize=4)
def _secrets(environ: frozenset[tuple[str, str]], configured: frozenset[str]) -> Secrets:
    # In order, so that each secret keeps its number.
    return Secrets([*secrets_in(dict(sorted(environ))), *sorted(configured)])


def hidden(text: str) -> str:
    """Return a message without secrets, and without user, query and fragment of URIs."""
    return known().hide(text)


def hidden_known(text: str) -> str:
    """Return other text without secrets, for what is no message: URLs of ours stay whole."""
    return known().hide_known(text)


def key(text: str) -> str:
    """Return what stands for a place where it is stored: itself or, if a configuration has a secret in it, a digest."""
    shown = Secrets(_configured).hide_known(text)
    return text if shown == text else f"{shown}#{blake2b(text.encode(), digest_size=8).hexdigest()}"


def hidden_values(values: Any) -> Any:
    """Return JSON values of which no text has a secret."""
    secrets = known()

    def shown(value: Any) -> Any:
        match value:
            case str():
                return secrets.hide_known(value)
            case dict():
                return {shown(key): shown(below) for key, below in value.items()}
            case list() | tuple():
                return [shown(below) for below in value]
        return value

    return shown(values) if secrets else values


def guard_output() -> None:
    """Have nothing secret written to standard output and standard error, whoever writes; once is enough."""
    # A page or what to paste on standard output is no message.
    for name, hide in (("stdout", hidden_known), ("stderr", hidden)):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Guarded):
            setattr(sys, name, Guarded(stream, hide))


class Guarded:
    """A text stream that hides what is secret, a line at a time; all else is the stream's own."""

    def __init__(self, stream: TextIO, hide: Any) -> None:
        self._stream = stream
        self._hide = hide
        self._lock = Lock()
        self._begun = ""

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            complete, newline, self._begun = (self._begun + text).rpartition("\n")
            if newline:
                self._stream.write(self._hide(complete + newline))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after another."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what there is of the last line, too."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self._stream.write(self._hide(begun))
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Return what is the stream's own."""
        return getattr(self._stream, name)
