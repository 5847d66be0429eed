"""Everything of a logger that belongs to one process: its buffer, its two threads, its part of the spool.

The threads start with the first row, so that a server that forks its workers starts them in the workers.
"""

import os
import threading
from itertools import count

from driftgauge.client import process
from driftgauge.client.buffer import Buffer
from driftgauge.client.commands import Command
from driftgauge.client.counters import Counters
from driftgauge.client.health import Health
from driftgauge.client.lanes import Destination, SpoolFile
from driftgauge.client.notices import Notices, described
from driftgauge.client.options import Options
from driftgauge.client.spool import Spool
from driftgauge.client.tracking import Tracking, redacted
from driftgauge.client.uploading import Uploader
from driftgauge.client.writing import Writer


class Delivery:
    """From rows in memory to artifacts in MLflow, for this process.

    running: the threads have been started. wake_at: the number of buffered rows at which the writer is woken.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.owner = os.urandom(6).hex()
        self.numbers = count()
        self.buffer = Buffer(options.max_buffer_rows)
        self.counters = Counters()
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
            wanted=lambda destination: _is_for(destination, options, server),
            counters=self.counters,
            notices=self.notices,
        )
        self.writer = Writer(
            options,
            server=server,
            buffer=self.buffer,
            spool=self.spool,
            counters=self.counters,
            notices=self.notices,
            on_written=self._written,
        )
        self._starting = threading.RLock()
        self._last_commands: tuple[Command, Command] | None = None

    def start(self) -> None:
        """Start the threads, once. Raises RuntimeError when the interpreter is about to end."""
        with self._starting:
            if not self.running:
                for name, work in (("spool", self.writer.run), ("upload", self.uploader.run)):
                    threading.Thread(target=work, name=f"driftgauge-{name}", daemon=True).start()
                self.running = True
                process.finish_with_worker()

    def flush(self, deadline: float, *, upload: bool) -> bool:
        """Write what was logged and, with `upload`, upload it; see `PredictionLogger.flush`."""
        if not self.buffer.capacity:
            return self.close(deadline)
        self.start()
        written = self.writer.commands.put(Command()).wait(deadline)
        if not upload:
            return written
        return self.uploader.commands.put(Command()).wait(deadline) and written

    def close(self, deadline: float) -> bool:
        """Accept no more rows, write what was logged, upload it, and end the threads; see `PredictionLogger.close`."""
        self.buffer.capacity = 0
        if not self.running:
            return True
        if self._last_commands is None:
            self._last_commands = Command(stop=True), Command(stop=True)
        # Put on every call: a signal handler can run between these lines, and a second stop does no harm.
        self.writer.commands.put(self._last_commands[0])
        written, uploaded = (command.wait(deadline) for command in self._last_commands)
        return written and uploaded

    def health(self) -> Health:
        """Return the counters so far."""
        counters = self.counters
        return Health(
            logged=counters.count("logged"),
            labels_logged=counters.count("labels_logged"),
            sampled_out=counters.count("sampled_out"),
            dropped=counters.dropped(),
            spooled=counters.count("spooled"),
            recovered=counters.count("recovered"),
            uploaded=counters.count("uploaded"),
            files_uploaded=counters.count("files_uploaded"),
            upload_failures=counters.count("upload_failures"),
            buffered=self.buffer.rows,
            spool_bytes=self.spool.bytes,
            spool_files=self.spool.count,
            last_upload=counters.last_upload,
        )

    def _written(self, *, last: bool) -> None:
        """Wake the uploader; after the last file, stop it: it releases the spool, so no file may be added later."""
        if last and self._last_commands is not None:
            self.uploader.commands.put(self._last_commands[1])
        else:
            self.uploader.commands.wake()

    def _announce(self, file: SpoolFile) -> None:
        if self.options.on_spooled is not None:
            try:
                self.options.on_spooled(file)
            except Exception as error:  # noqa: BLE001 - the host's code may raise anything
                self.notices.begin("on_spooled", f"on_spooled failed: {described(error)}")

    def _no_room(self, file: SpoolFile) -> None:
        self.counters.drop("spool_full", file.rows)
        self.notices.begin(
            "spool_full",
            f"the spool {self.options.folder} has reached its {self.options.max_spool_bytes} bytes: the oldest files "
            "are dropped until MLflow takes them again",
        )


def _is_for(destination: Destination, options: Options, server: str) -> bool:
    return destination.server == server and destination.experiment in (options.experiment, options.labels)
