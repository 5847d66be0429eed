"""Between the routes and the journal. Each request opens it for itself: requests are answered on several threads."""

import time
from collections.abc import Callable
from contextlib import suppress

from driftgauge.errors import StateError
from driftgauge.hook.incoming import parse
from driftgauge.hook.journal import opened
from driftgauge.hook.metrics import Metrics
from driftgauge.hook.settings import Settings


class Intake:
    """Takes notifications into the journal of `settings`; `on_received` is called after that."""

    def __init__(self, settings: Settings, *, on_received: Callable[[], None]) -> None:
        self._settings = settings
        self._on_received = on_received

    def receive(self, body: bytes) -> dict[str, int]:
        """Keep what is to be started; return how many alerts became what. Raises BodyRefused and StateError."""
        alerts = [(alert, self._settings.action_for(alert)) for alert in parse(body)]
        with opened(self._settings.state_dir) as journal:
            found = journal.receive(
                [(alert, action.name if action else None) for alert, action in alerts], now=time.time()
            )
        self._on_received()
        return found

    def refused(self, reason: str) -> None:
        """Count a request that was refused."""
        # Where that cannot be written, the answer matters more.
        with suppress(StateError), opened(self._settings.state_dir) as journal:
            journal.refused(reason)

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the metrics."""
        with opened(self._settings.state_dir) as journal:
            return Metrics(self._settings, journal.counts).page(openmetrics=openmetrics)
