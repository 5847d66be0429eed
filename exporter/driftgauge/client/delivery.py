"""Everything of a logger that belongs to one process: its buffer, its two threads, its part of the spool.

The threads start with the first row, so that a server that forks its workers starts them in the workers.
"""

import os
import threading
from itertools import count

from driftgauge.client.buffer import Buffer
from driftgauge.client.notices import Notices, log
from driftgauge.client.options import Options
from driftgauge.client.orders import Order
from driftgauge.client.spool import About, Spool, SpoolFile
from driftgauge.client.tally import Tally
from driftgauge.client.tracking import Tracking, redacted
from driftgauge.client.uploading import Uploader
from driftgauge.client.writing import Writer


class Delivery:
    """From rows in memory to artifacts in MLflow, for this process. `running`: the threads have been started."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.owner = os.urandom(6).hex()
        self.numbers = count()
        self.buffer = Buffer(options.max_buffer_rows)
        self.tally = Tally()
        self.notices = Notices()
        self.running = False
        # With this many rows the writer is woken up before its time.
        self.wake_at = max(1, min(options.max_file_rows, options.max_buffer_rows // 4))
        server = redacted(options.uri)
        self.spool = Spool(options.folder, owner=self.owner, max_bytes=options.max_spool_bytes, dropped=self._no_room)
        self.writer = Writer(
            options,
            server=server,
            buffer=self.buffer,
            spool=self.spool,
            tally=self.tally,
            notices=self.notices,
            spooled=self._spooled,
        )
        self.uploader = Uploader(
            self.spool,
            Tracking(options.uri),
            wanted=lambda about: _is_for(about, options, server),
            tally=self.tally,
            notices=self.notices,
            spooled=self._recovered,
        )
        self._starting = threading.RLock()

    def start(self) -> None:
        """Start the threads, once."""
        with self._starting:
            if self.running:
                return
            self.running = True
            for name, work in (("spool", self.writer), ("upload", self.uploader)):
                threading.Thread(target=work.run, name=f"driftgauge-{name}", daemon=True).start()

    def flush(self, deadline: float, *, upload: bool) -> bool:
        """Write what was logged, and upload it if told so; see `PredictionLogger.flush`."""
        written = self.writer.inbox.put(Order()).wait(deadline)
        if not upload:
            return written
        return self.uploader.inbox.put(Order()).wait(deadline) and written

    def close(self, deadline: float) -> bool:
        """Take no more, write what was logged, upload it, and end the threads; see `PredictionLogger.close`."""
        self.buffer.capacity = 0
        if not self.running:
            return True
        written = self.writer.inbox.put(Order(stop=True)).wait(deadline)
        return self.uploader.inbox.put(Order(stop=True)).wait(deadline) and written

    def _spooled(self, file: SpoolFile) -> None:
        if self.options.on_spooled is not None:
            try:
                self.options.on_spooled(file)
            except Exception:  # noqa: BLE001 - the host's code may raise anything
                log.exception("on_spooled failed")
        self.uploader.inbox.nudge()

    def _recovered(self, file: SpoolFile) -> None:
        self.tally.add("recovered", file.rows)
        self._spooled(file)

    def _no_room(self, file: SpoolFile) -> None:
        self.tally.drop("spool_full", file.rows)
        self.notices.begin(
            "spool_full",
            f"the spool {self.options.folder} has reached its {self.options.max_spool_bytes} bytes: the oldest files "
            "are dropped until MLflow takes them again",
        )


def _is_for(about: About, options: Options, server: str) -> bool:
    return about.server == server and about.experiment in (options.experiment, options.labels)
