"""Reports that the front asks for, made on a thread of their own from what was last published.

Neither a refresh nor a scrape waits for one. What was made is kept as long as the snapshot is the same one, a few
reports at most.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import structlog

from driftgauge.config import Config
from driftgauge.hiding import hidden
from driftgauge.pipeline.memory import Failure
from driftgauge.report import NotPublished
from driftgauge.service.channel import Document
from driftgauge.service.questions import PATIENCE
from driftgauge.service.reporting import Captured, report_of, written

MOST_KEPT: Final = 8
# A body beyond it is not sent: 500 features take a tenth of it.
MOST_BYTES: Final = 16 << 20
_log = structlog.get_logger("driftgauge.service")


class Known(NamedTuple):
    """What was last published of a model, None before that, and why it was not refreshed since."""

    captured: Captured | None
    failure: Failure | None = None


class _Kept(NamedTuple):
    """A report, and of which snapshot it is; the snapshot itself is large."""

    mark: object
    failure: Failure | None
    body: bytes


class _NotYet(Exception):
    """There is nothing to report yet."""


class Reports:
    """Makes one report after another. known: says of a model what was published. answer: sends a document."""

    def __init__(self, config: Config, known: Callable[[str], Known], *, answer: Callable[[Document], None]) -> None:
        self._config = config
        self._known = known
        self._answer = answer
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
        self._asked: SimpleQueue[tuple[float, Mapping[str, Any]]] = SimpleQueue()
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def ask(self, asked: Mapping[str, Any]) -> None:
        """Have a report made, in the background: of `model`, and if given `version` and `window`, in a `form`."""
        self._asked.put((time.monotonic(), asked))

    def _run(self) -> None:
        while True:
            since, asked = self._asked.get()
            if time.monotonic() - since > PATIENCE:
                # Nobody waits for it any more.
                continue
            try:
                self._answer(self._reply(asked))
            except EOFError:
                return

    def _reply(self, asked: Mapping[str, Any]) -> Document:
        number = asked.get("number")
        try:
            return Document.of({"number": number, "status": 200}, [self._body(asked)])
        except NotPublished as error:
            status, text = 404, hidden(str(error))
        except _NotYet as error:
            status, text = 503, str(error)
        except Exception:  # noqa: BLE001 - the comment below
            # Whatever is wrong with a report, figures and alerts are not.
            _log.exception("report not made: this is a bug in driftgauge", model=asked.get("model"))
            status, text = 500, "this report could not be made; the log says why. Metrics and alerts are not affected"
        return Document.of({"number": number, "status": status, "text": text})

    def _body(self, asked: Mapping[str, Any]) -> bytes:
        model, version, window = (asked.get(key) for key in ("model", "version", "window"))
        known = self._known(str(model))
        if known.captured is None:
            raise _NotYet("the first refresh of this model is under way")
        key = (str(model), str(version), str(window), str(asked["form"]), str(asked["home"]))
        kept = self._kept.get(key)
        if kept is None or (kept.mark, kept.failure) != (known.captured.mark, known.failure):
            found = report_of(known.captured, self._config, version=version, window=window, failure=known.failure)
            body = written(found, asked["form"], home=asked["home"]).encode()
            if len(body) > MOST_BYTES:
                raise ValueError(f"a report of {len(body):,} bytes")
            kept = _Kept(known.captured.mark, known.failure, body)
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept.body
