"""Everything of a logger that belongs to one process: its buffer, its two threads, its part of the spool.

The threads start with the first row, so that a server that forks its workers starts them in the workers.
"""

import os
import threading
from itertools import count

from driftgauge.client import process
from driftgauge.client.buffer import Buffer
from driftgauge.client.health import Health
from driftgauge.client.lanes import About, SpoolFile
from driftgauge.client.notices import Notices, described
from driftgauge.client.options import Options
from driftgauge.client.orders import Order
from driftgauge.client.spool import Spool
from driftgauge.client.tally import Tally
from driftgauge.client.tracking import Tracking, redacted
from driftgauge.client.uploading import Uploader
from driftgauge.client.writing import Writer


class Delivery:
    """From rows in memory to artifacts in MLflow, for this process.

    running: the threads have been started. wake_at: with this many rows the writer is woken up before its time.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.owner = os.urandom(6).hex()
        self.numbers = count()
        self.buffer = Buffer(options.max_buffer_rows)
        self.tally = Tally()
        self.notices = Notices()
        self.running = False
        self.wake_at = min(options.max_file_rows, options.max_buffer_rows // 4)
        server = redacted(options.uri)
        self.spool = Spool(
            options.folder,
            owner=self.owner,
            max_bytes=options.max_spool_bytes,
            announce=self._announce,
            dropped=self._no_room,
        )
        self.uploader = Uploader(
            self.spool,
            Tracking(options.uri),
            wanted=lambda about: _is_for(about, options, server),
            tally=self.tally,
            notices=self.notices,
        )
        self.writer = Writer(
            options,
            server=server,
            buffer=self.buffer,
            spool=self.spool,
            tally=self.tally,
            notices=self.notices,
            told=self._written,
        )
        self._starting = threading.RLock()
        self._last_orders: tuple[Order, Order] | None = None

    def start(self) -> None:
        """Start the threads, once. Raises RuntimeError when the interpreter is about to end."""
        with self._starting:
            if not self.running:
                for name, work in (("spool", self.writer.run), ("upload", self.uploader.run)):
                    threading.Thread(target=work, name=f"driftgauge-{name}", daemon=True).start()
                self.running = True
                process.finish_with_worker()

    def flush(self, deadline: float, *, upload: bool) -> bool:
        """Write what was logged, and upload it if told so; see `PredictionLogger.flush`."""
        if not self.buffer.capacity:
            return self.close(deadline)
        self.start()
        written = self.writer.inbox.put(Order()).wait(deadline)
        if not upload:
            return written
        return self.uploader.inbox.put(Order()).wait(deadline) and written

    def close(self, deadline: float) -> bool:
        """Take no more, write what was logged, upload it, and end the threads; see `PredictionLogger.close`."""
        self.buffer.capacity = 0
        if not self.running:
            return True
        if self._last_orders is None:
            self._last_orders = Order(stop=True), Order(stop=True)
        # Put again each time: a signal can come between the two lines, and one stop too many does no harm.
        self.writer.inbox.put(self._last_orders[0])
        written, uploaded = (order.wait(deadline) for order in self._last_orders)
        return written and uploaded

    def health(self) -> Health:
        """Return what became of the rows so far."""
        tally = self.tally
        return Health(
            logged=tally.count("logged"),
            labels_logged=tally.count("labels_logged"),
            sampled_out=tally.count("sampled_out"),
            dropped=tally.dropped(),
            spooled=tally.count("spooled"),
            recovered=tally.count("recovered"),
            uploaded=tally.count("uploaded"),
            files_uploaded=tally.count("files_uploaded"),
            upload_failures=tally.count("upload_failures"),
            buffered=self.buffer.rows,
            spool_bytes=self.spool.bytes,
            spool_files=self.spool.count,
            last_upload=tally.last_upload,
        )

    def _written(self, *, last: bool) -> None:
        """Wake the uploader. Only after the last file may it let go of the spool: none may come into a lane then."""
        if last and self._last_orders is not None:
            self.uploader.inbox.put(self._last_orders[1])
        else:
            self.uploader.inbox.nudge()

    def _announce(self, file: SpoolFile) -> None:
        if self.options.on_spooled is not None:
            try:
                self.options.on_spooled(file)
            except Exception as error:  # noqa: BLE001 - the host's code may raise anything
                self.notices.begin("on_spooled", f"on_spooled failed: {described(error)}")

    def _no_room(self, file: SpoolFile) -> None:
        self.tally.drop("spool_full", file.rows)
        self.notices.begin(
            "spool_full",
            f"the spool {self.options.folder} has reached its {self.options.max_spool_bytes} bytes: the oldest files "
            "are dropped until MLflow takes them again",
        )


def _is_for(about: About, options: Options, server: str) -> bool:
    return about.server == server and about.experiment in (options.experiment, options.labels)
