"""From one block of rows to `Columns`: the order in which a file's roles, outcomes, features and keys are read.

What earlier blocks of the file have shown is kept, so that a file is read in one way and each doubt is said once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftgauge.batch.doubts import classes_note, score_note
from driftgauge.batch.explanation import Block
from driftgauge.batch.failures import failures
from driftgauge.batch.features import FeatureReader, Found, unused
from driftgauge.batch.keys import inexact_note, join_keys, row_numbers
from driftgauge.batch.latency import implausible, latencies
from driftgauge.batch.outcomes import Outcome, OutcomeRules, labels, predictions
from driftgauge.batch.reasons import FINE, ReasonArray, reject, tally
from driftgauge.batch.rejections import future_note, rejection_note, remainder_note
from driftgauge.batch.remainders import OF_OUTCOMES, is_biased
from driftgauge.batch.remarks import absent, unusable_reference
from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.shape import Role
from driftgauge.batch.times import instants
from driftgauge.batch.values import first_present, mask, version_text
from driftgauge.columns import BoolArray, Columns, Facts, FloatArray, IntArray, Note, TextArray, Where
from driftgauge.grid import OUTPUT
from driftgauge.schema import ReadAs

if TYPE_CHECKING:
    from driftgauge.config import ModelConfig


class BlockDecoder:
    """Turns the blocks of one file into `Columns`, and keeps the kinds that earlier blocks showed."""

    def __init__(
        self,
        model: "ModelConfig",
        role: Role,
        kinds: Mapping[str, ReadAs] | None,
        *,
        default_time: int,
        default_version: str,
        latest: int | None = None,
        watch: Callable[[Block], None] | None = None,
    ) -> None:
        self._latest = latest
        self._watch = watch
        self._model = model
        self._role = role
        self._known = frozenset(kinds or ())
        self.features = FeatureReader(model, kinds, plain_table=role == "reference")
        self._default_time = default_time
        (self._default_version,) = version_text(pa.array([default_version], pa.string()), "").to_pylist()
        self._how = OutcomeRules(model.task, model.threshold, model.positive_class, model.score.scale)
        self._score_column = False
        self._unscaled = False
        self._biased: set[str] = set()
        self._near: Any = None
        self._said: set[tuple[str, str]] = set()
        self._notes: list[Note] = []

    def columns(self, rows: Rows, roles: Roles) -> Columns:
        """Return the usable rows of a block."""
        reasons = rows.reasons.copy()
        time = self._times(rows, roles, reasons)
        read = self._labels if self._role == "labels" else self._records
        columns = read(rows, roles, reasons, time)
        if self._watch is not None:
            self._watch(Block(rows, roles, *self.features.explained(rows, roles), reasons, columns))
        fine = reasons == FINE
        if self._role == "labels" or (self._role == "predictions" and self._model.labels is not None):
            columns = replace(columns, where=self._places(rows, roles))
        kept = columns if fine.all() else replace(columns.take(fine), gaps=_gaps(columns, fine))
        rejected = tally(reasons)
        # Why rows have no prediction was said of their scores; whoever rejected others may have said more.
        said = {reason for reason, _ in self._said} | ({"no_prediction", "bad_prediction"} if self._unscaled else set())
        for reason in sorted(rejected.keys() - said):
            self._say_once(rejection_note(reason, rows, roles, reasons))
        notes, self._notes = tuple(self._notes), []
        return replace(kept, rows_read=len(rows), rejected=rejected, verdicts=reasons, notes=notes)

    def _times(self, rows: Rows, roles: Roles, reasons: ReasonArray) -> IntArray:
        if self._role == "reference":
            return np.full(len(rows), self._default_time, dtype=np.int64)
        micros, bad = instants(_first(rows, roles, "timestamp"), self._default_time, zone=self._model.timezone)
        reject(reasons, bad, "bad_timestamp")
        if self._latest is not None:
            zone = self._model.timezone
            self._say_once(future_note(np.where(bad, 0, micros), self._latest, rows=rows, roles=roles, zone=zone))
        return micros

    def _records(self, rows: Rows, roles: Roles, reasons: ReasonArray, time: IntArray) -> Columns:
        outcome = predictions(rows, roles, self._how, score_column=self._score_column, unscaled=self._unscaled)
        self._score_column = outcome.has_fractions
        self._unscaled = "score_scale" in outcome.doubts
        for doubt in sorted(outcome.doubts):
            self._say_once(score_note(doubt, rows, roles))
        self._say_once(classes_note(outcome.predicted, _named(roles, "prediction")) if outcome.named else None)
        failed = failures(rows, roles, outcome.predicted, mapped="error" in self._model.columns)
        known = mask(outcome.predicted.is_valid()) & ~failed
        self._refuse(reasons, outcome.bad & ~failed, known, "prediction", rows=rows, roles=roles)
        label, bad_label, named = labels(rows, roles, self._how)
        self._say_once(classes_note(label, _named(roles, "label")) if named else None)
        self._refuse(reasons, bad_label, mask(label.is_valid()), "label", rows=rows, roles=roles)
        if self._role == "predictions":
            reject(reasons, ~mask(outcome.predicted.is_valid()) & ~failed, "no_prediction")
        # The prediction of a failed request is not an output of the model.
        outcome = outcome.without(failed)
        found = self.features.read(rows, roles, self._ages_until(rows, roles, time))
        for note in (*found.notes, *self._absent(rows, roles, found)):
            self._say_once(note)
        return Columns(
            time=time,
            version=version_text(_first(rows, roles, "version"), self._default_version),
            key=self._key(rows, roles, None),
            predicted=outcome.predicted,
            label=label,
            score=outcome.score,
            latency=self._latency(rows, roles),
            failed=failed,
            class_scores=outcome.class_scores,
            numbers=found.numbers,
            categories=found.categories,
            facts=self._facts(rows, roles, outcome, found),
        )

    def _facts(self, rows: Rows, roles: Roles, outcome: Outcome, found: Found) -> Facts:
        bits = min((rows.precision.get(path, 64) for path in outcome.read_from(roles)), default=64)
        is_reference = self._role == "reference"
        return Facts(
            precision=found.precision | ({OUTPUT: bits} if bits < 64 else {}),
            has_scores=outcome.has_fractions,
            has_classes=outcome.has_classes,
            readings=self.features.readings if is_reference else {},
            roles=self.features.in_roles(rows, roles) if is_reference else {},
            output=outcome.read_from(roles) if is_reference else (),
        )

    def _refuse(
        self, reasons: ReasonArray, bad: BoolArray, known: BoolArray, role: str, *, rows: Rows, roles: Roles
    ) -> None:
        """Reject rows (n,) with a value that the task cannot use; in a reference their features still count.

        known: rows with a value that it can use; they are rejected as well where they are a biased remainder.
        """
        reason = f"bad_{role}"
        paths = (*roles.paths[role], *(roles.paths["score"] if role == "prediction" else ()))
        # Of scores that are no probabilities that was said.
        is_said = role == "prediction" and self._unscaled
        if self._role == "reference":
            if bad.any() and not is_said:
                self._say_once(unusable_reference(reason, next(iter(paths), role), int(bad.sum())))
            return
        is_new = not is_said and role not in self._biased
        if is_new and is_biased((rows.columns[path] for path in paths), bad, OF_OUTCOMES):
            self._biased.add(role)
            self._say_once(remainder_note(reason, rows, roles, bad) if known.any() else None)
        reject(reasons, bad | known if role in self._biased else bad, reason)

    def _absent(self, rows: Rows, roles: Roles, found: Found) -> Iterator[Note]:
        if self._role == "predictions" and len(rows):
            names = [*found.numbers, *found.categories]
            yield from absent(names, self._known, [] if found.notes else unused(rows, roles), self._model.segments)

    def _ages_until(self, rows: Rows, roles: Roles, time: IntArray) -> FloatArray:
        """Return the time (n,) of each row in µs, NaN where a reference has none."""
        if self._role != "reference" or not self._model.features.derived:
            return time.astype(np.float64)
        micros, _ = instants(_first(rows, roles, "timestamp"), -1, zone=self._model.timezone)
        return np.where(micros < 0, np.nan, micros)

    def _latency(self, rows: Rows, roles: Roles) -> FloatArray:
        """Return seconds; what is no duration is missing, for a request without a latency is still a request."""
        seconds = np.full(len(rows), np.nan)
        for path in roles.paths["latency"]:
            read = latencies(rows.columns[path], path, self._model.latency_unit)
            self._say_once(implausible(read, path))
            seconds = np.where(np.isnan(seconds), read, seconds)
        return seconds

    def _places(self, rows: Rows, roles: Roles) -> Where:
        """Return the places of the rows in a block whose keys were read."""
        number = row_numbers(rows, roles) if self._near is None else self._near
        return Where(np.zeros(len(rows), np.int64), np.arange(len(rows)), number)

    def _key(self, rows: Rows, roles: Roles, reasons: ReasonArray | None) -> TextArray:
        """Return the join keys; reasons: of rows that are nothing without one."""
        near = self._model.labels is not None and self._model.labels.tolerance > 0
        keys = join_keys(rows, roles, self._model.timezone, near=near)
        self._near = keys.near
        if reasons is not None:
            reject(reasons, keys.inexact, "inexact_key")
        if self._model.labels is not None:
            self._say_once(inexact_note(rows, roles, keys))
        return keys.text

    def _say_once(self, note: Note | None) -> None:
        """Note something about the file, with the chunk that shows it first."""
        if note is not None and (note.reason, note.column) not in self._said:
            self._said.add((note.reason, note.column))
            self._notes.append(note)

    def _labels(self, rows: Rows, roles: Roles, reasons: ReasonArray, time: IntArray) -> Columns:
        key = self._key(rows, roles, reasons)
        label, bad_label, named = labels(rows, roles, self._how)
        self._say_once(classes_note(label, _named(roles, "label")) if named else None)
        self._refuse(reasons, bad_label, mask(label.is_valid()), "label", rows=rows, roles=roles)
        reject(reasons, ~mask(key.is_valid()), "missing_key")
        reject(reasons, ~mask(label.is_valid()), "missing_label")
        nothing = np.full(len(rows), np.nan)
        return Columns(
            time=time,
            version=version_text(_first(rows, roles, "version"), self._default_version),
            key=key,
            predicted=pa.nulls(len(rows), label.type),
            label=label,
            score=nothing,
            latency=nothing,
            failed=np.zeros(len(rows), dtype=np.bool_),
        )


def _gaps(columns: Columns, fine: BoolArray) -> Columns | None:
    """Return the rejected rows that have a key: of the rows with that key they are some."""
    gaps = ~fine & mask(columns.key.is_valid())
    return columns.take(gaps) if columns.where is not None and gaps.any() else None


def _first(rows: Rows, roles: Roles, role: str) -> Any:
    return first_present(rows, roles.paths[role])


def _named(roles: Roles, role: str) -> str:
    return next(iter(roles.paths[role]), role)
