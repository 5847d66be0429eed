"""`PredictionLogger`: one line in serving code. A call puts a row into a buffer; background threads do the rest.

No call raises, and none waits except `flush` and `close`. Rows that cannot be logged are counted, and logged once as a
warning.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

from driftgauge.client import process
from driftgauge.client.arrays import GeneratedIds, snapshot
from driftgauge.client.delivery import Delivery
from driftgauge.client.health import Health
from driftgauge.client.locks import close_inherited
from driftgauge.client.notices import described
from driftgauge.client.options import Options, Settings
from driftgauge.client.records import Batch, LabelBatch
from driftgauge.client.sampling import is_chosen, threshold
from driftgauge.client.spool import prepare
from driftgauge.client.values import id_text
from driftgauge.errors import ConfigError

_clock = time.time


class PredictionLogger:
    """Logs predictions and labels of one model version to an MLflow experiment; see `Options` for the rest.

    Safe to use from any thread, from coroutines, and before and after a fork. Raises ConfigError when an argument is
    wrong or the folder of the spool cannot be made or has anything else in it.
    """

    def __init__(self, experiment: str, model_version: str, **settings: Unpack[Settings]) -> None:
        self.options = Options(experiment=experiment, model_version=str(model_version), **settings)
        self._below = threshold(self.options.sample_rate)
        _make_folder(self.options)
        self._delivery = Delivery(self.options)
        process.join(self, handle_sigterm=self.options.handle_sigterm)

    def log(
        self,
        features: Mapping[str, Any],
        prediction: Any,
        *,
        score: Any = None,
        request_id: Any = None,
        timestamp: Any = None,
        latency: float | None = None,
        error: Any = None,
    ) -> str | None:
        """Log one request; return its id, None when it was not accepted.

        score: the probability of the positive class, or a mapping from class to probability. request_id: the key by
        which labels find it; generated when not given. timestamp: seconds since 1970 or a datetime (no zone is UTC),
        default now. latency: seconds. error: what went wrong; of an exception only its class is stored.
        """
        delivery = self._delivery
        try:
            if request_id is None:
                key = f"{delivery.owner}-{next(delivery.numbers)}"
            else:
                key = request_id if type(request_id) is str else id_text(request_id)
            if self._below is not None and not is_chosen(key, self._below):
                delivery.counters.add("sampled_out")
                return key
            items = delivery.buffer.items
            waiting = len(items) + delivery.buffer.batched
            if waiting >= delivery.buffer.capacity:
                self._refuse(1)
                return None
            if not delivery.running:
                delivery.start()
            moment = _clock() if timestamp is None else timestamp
            items.append((key, moment, dict(features), prediction, score, latency, error))
            if waiting >= delivery.wake_at:
                delivery.writer.commands.wake()
        except Exception as problem:  # noqa: BLE001 - no value may make serving code fail
            self._invalid(1, problem)
            return None
        return key

    def log_batch(
        self,
        features: Any,
        predictions: Any,
        *,
        scores: Any = None,
        request_ids: Sequence[Any] | None = None,
        timestamps: Any = None,
        latencies: Any = None,
        errors: Any = None,
    ) -> Sequence[str] | None:
        """Log n requests at once, all or none; return their ids in order, None when they were not accepted.

        features: a data frame, or a mapping from name to n values. The rest: n values each, meanings as in `log`, of
        timestamps, latencies and errors also one for all; scores may be a mapping from class to n probabilities.
        Values are copied before the call returns.
        """
        delivery = self._delivery
        rows = 0
        try:
            columns = _snapshots(features)
            rows = len(predictions) if predictions is not None else len(next(iter(columns.values())))
            made = GeneratedIds(f"{delivery.owner}-{next(delivery.numbers)}", rows)
            ids = made if request_ids is None else [id_text(value) for value in request_ids]
            batch = Batch(
                rows=rows,
                at=_clock(),
                request_ids=ids,
                features=columns,
                predictions=snapshot(predictions),
                scores=_snapshots(scores) if isinstance(scores, Mapping) else snapshot(scores),
                timestamps=snapshot(timestamps),
                latencies=snapshot(latencies),
                errors=snapshot(errors),
            )
            batch.check()
            return ids if self._put(batch) else None
        except Exception as problem:  # noqa: BLE001 - as in `log`
            self._invalid(max(rows, 1), problem)
            return None

    def log_labels(self, request_ids: Sequence[Any], labels: Any, *, timestamps: Any = None) -> bool:
        """Log the true values of n requests; return whether they were accepted.

        Labels of requests that were not sampled are left out, provided that `sample_rate` is that of the predictions.
        """
        try:
            ids = [id_text(value) for value in request_ids]
            batch = LabelBatch(
                rows=len(ids), at=_clock(), request_ids=ids, labels=snapshot(labels), timestamps=snapshot(timestamps)
            )
            batch.check()
            return self._put(batch)
        except Exception as problem:  # noqa: BLE001 - as in `log`
            self._invalid(1, problem)
            return False

    def flush(self, timeout: float | None = None, *, upload: bool = False) -> bool:
        """Wait until everything logged before is in the spool, where it survives any crash; return whether it is.

        With `upload`, wait until MLflow has it and everything that waited in the spool. timeout: seconds, default
        `flush_timeout`.
        """
        return self._delivery.flush(self._deadline(timeout), upload=upload)

    def close(self, timeout: float | None = None) -> bool:
        """Accept no more rows; write, upload, and end the threads. Return whether MLflow has everything.

        Files that are not uploaded within `timeout` (s, default `flush_timeout`) wait in the spool for the next
        logger of the same destination.
        """
        process.leave(self)
        return self._delivery.close(self._deadline(timeout))

    def __enter__(self) -> Self:
        """Return the logger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def health(self) -> Health:
        """Return the counters so far."""
        return self._delivery.health()

    # Called by the process: see `process.Member` and `health.Reporting`.

    @property
    def labels(self) -> tuple[str, str]:
        """Experiment and model version."""
        return self.options.experiment, self.options.model_version

    @property
    def exit_timeout(self) -> float:
        """How long (s) exit and SIGTERM may wait for this logger."""
        return self.options.flush_timeout

    def on_fork(self) -> None:
        """Start empty in a forked child: rows in memory, threads and locks are the parent's."""
        close_inherited()
        closed = self._delivery.buffer.capacity == 0
        self._delivery = Delivery(self.options)
        if closed:
            self._delivery.buffer.capacity = 0

    def save(self, deadline: float) -> None:
        """Write the rows in memory to the spool."""
        if self._delivery.running:
            self._delivery.flush(deadline, upload=False)

    def finish(self, deadline: float) -> None:
        """Write and upload everything."""
        self._delivery.close(deadline)

    def _put(self, batch: Batch | LabelBatch) -> bool:
        delivery = self._delivery
        if delivery.buffer.capacity:
            delivery.start()
        if not delivery.buffer.put(batch):
            self._refuse(batch.rows)
            return False
        if delivery.buffer.rows >= delivery.wake_at:
            delivery.writer.commands.wake()
        return True

    def _refuse(self, rows: int) -> None:
        delivery = self._delivery
        if delivery.buffer.capacity:
            delivery.counters.drop("buffer_full", rows)
            why = "more come than can be written: raise max_buffer_rows or lower sample_rate"
            delivery.notices.begin("buffer_full", f"rows are dropped, for {why}")
        else:
            delivery.counters.drop("closed", rows)
            delivery.notices.begin("closed", "rows are dropped, for the logger is closed")

    def _invalid(self, rows: int, problem: Exception) -> None:
        self._delivery.counters.drop("invalid", rows)
        self._delivery.notices.begin("invalid", f"rows are dropped, for they cannot be read: {described(problem)}")

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.options.flush_timeout if timeout is None else timeout)


def _snapshots(table: Any) -> dict[str, Any]:
    """Return the columns of a data frame, or of a mapping, by name."""
    names = table.columns if hasattr(table, "columns") else table
    return {str(name): snapshot(table[name]) for name in names}


def _make_folder(options: Options) -> None:
    try:
        stranger = prepare(options.folder)
    except OSError as error:
        raise ConfigError(
            f"PredictionLogger(spool_dir=…) cannot make {options.folder} ({error.strerror}): pass a folder that can be "
            "written"
        ) from None
    if stranger is not None:
        raise ConfigError(
            f'PredictionLogger(spool_dir=…): {options.folder} is not empty ("{stranger}" is in it): pass a folder that '
            "is new or empty, such as one inside it"
        )
