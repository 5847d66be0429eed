"""What the front asks its refresher, and waits for, but neither for long nor with many threads.

An answer is a document of the channel that carries the number of its question. One that comes too late is dropped.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from itertools import count
from typing import Any, Final

from driftgauge.errors import DriftgaugeError
from driftgauge.service.channel import Document

# Each takes a thread of the web server, of which other pages need some.
MOST_WAITING: Final = 8
# The first report on 500 features and 31 days takes 11 s of CPU, and on a busy machine longer than this. It is made all
# the same, so whoever asks again gets it, or one of a newer snapshot within a second: days are remembered.
PATIENCE: Final = 30.0


class NoAnswer(DriftgaugeError):
    """There is no answer, and why; ask again later."""


class Questions:
    """Questions under way; any thread may call. patience: how long (s) an answer is waited for."""

    def __init__(self, *, patience: float = PATIENCE, most: int = MOST_WAITING) -> None:
        self.patience = patience
        self._most = most
        self._numbers = count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Document]] = {}

    def ask(self, send: Callable[[Document], None], asked: Mapping[str, Any]) -> Document:
        """Send a question, return its answer. Raises NoAnswer when nobody is there, too many wait, or it takes long."""
        future: Future[Document] = Future()
        with self._lock:
            if len(self._waiting) >= self._most:
                raise NoAnswer("too many reports are being made")
            number = next(self._numbers)
            self._waiting[number] = future
        try:
            send(Document.of({**asked, "number": number}))
            return future.result(self.patience)
        except EOFError as error:
            raise NoAnswer("the process that makes reports does not run, and is being started again") from error
        except NotInTime as error:
            raise NoAnswer("the report is still being made, and the first one of a model takes longest") from error
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def answered(self, document: Document) -> None:
        """Take an answer."""
        with self._lock:
            future = self._waiting.pop(document.header.get("number", -1), None)
        if future is not None:
            future.set_result(document)

    def gone(self) -> None:
        """Nobody will answer what was asked so far."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(EOFError("the refresher ended"))
