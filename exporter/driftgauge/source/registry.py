"""The model registry, which may be another server than the tracking server, refuse what that allows, and be down.

It is a convenience: what it is asked for is missing while it does not answer. So that a dead one does not hold up each
refresh, it is left alone for a while after it was asked in vain.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from driftgauge.errors import SourceUnavailable
from driftgauge.hiding import hidden
from driftgauge.source.causes import FORBIDDEN
from driftgauge.source.failures import translated_errors
from driftgauge.source.guards import check_present, check_schema

# How long (s) it is not asked again after a failure.
REST_SECONDS: Final = 30.0
# Every model.
_ALL: Final = ""


class Registry:
    """Where the registered models of one tracking server are; safe to share between threads.

    clock: seconds, of any origin.
    """

    def __init__(self, tracking_uri: str, *, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        # As MLflow's client finds it.
        self.uri: Final = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri
        self.is_elsewhere: Final = self.uri != tracking_uri
        self._rest = rest
        self._clock = clock
        self._refused: dict[str, tuple[float, SourceUnavailable]] = {}

    @contextmanager
    def asked(self, name: str) -> Iterator[None]:
        """Ask about the registered model `name` in this block; failures name the registry.

        Raises the last failure again while it is left alone: where access is denied for that model, else for all.
        """
        for key in (name, _ALL):
            until, failure = self._refused.get(key, (0.0, None))
            if failure is not None and self._clock() < until:
                raise self._about(name, failure)
        try:
            with translated_errors(f"the model registry at {hidden(self.uri)}"):
                if self.is_elsewhere:
                    # As for a tracking server: no database is made or migrated.
                    check_present(self.uri)
                    check_schema(self.uri)
                yield
        except SourceUnavailable as error:
            key = name if error.reason == FORBIDDEN else _ALL
            self._refused[key] = self._clock() + self._rest, error
            raise self._about(name, error) from None
        self._refused.pop(name, None)
        self._refused.pop(_ALL, None)

    def _about(self, name: str, failure: SourceUnavailable) -> SourceUnavailable:
        said = str(failure)
        if self.is_elsewhere:
            # Causes are worded for a tracking server: what there is to correct is where this address was written.
            said = said.replace("mlflow.tracking_uri", "MLFLOW_REGISTRY_URI")
        return SourceUnavailable(f'{said} (it was asked about the model "{name}")', reason=failure.reason)
