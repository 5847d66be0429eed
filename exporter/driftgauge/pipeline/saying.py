"""What is said of a model's files: in its journal each time, in the log once for each reason and column.

And, when the exporter starts, what its configuration goes without.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from driftgauge.columns import Note
from driftgauge.config import Limits, ModelConfig
from driftgauge.errors import SourceUnavailable
from driftgauge.feed import Piece
from driftgauge.patterns import suffix
from driftgauge.pipeline.journal import Remark
from driftgauge.pipeline.memory import Memory
from driftgauge.reference import Reference
from driftgauge.segments import Segments, asked_of_reference

_log = structlog.get_logger("driftgauge.pipeline")

# What becomes of a file with the bytes of another one: whether duplicates are left out, and its role.
_DUPLICATES: Final[Mapping[tuple[bool, str], str]] = {
    (False, "predictions"): "its rows count again; write deduplicate: true to leave such files out",
    (False, "labels"): "a label counts once; write deduplicate: true to leave such files out",
    (True, "predictions"): "its rows do not count again",
    (True, "labels"): "its labels do not count again",
}


def say_notes(memory: Memory, notes: Iterable[Note], now: int, *, piece: Piece | None = None) -> None:
    """Say what may not mean what it seems to; piece: the file that it is of, if it is one."""
    run, path = (piece.run_id, piece.path) if piece else ("", "")
    for note in notes:
        remark = Remark("doubt", note.reason, note.column, note.example, note.text, path, first=now, last=now)
        if memory.says(remark):
            _log.warning(
                "batch read with doubt", model=memory.state.config.name, run=run, artifact=path, reason=note.reason,
                column=note.column, example=note.example, hint=note.text,
            )  # fmt: skip


def say_set_aside(memory: Memory, piece: Piece, reason: str, error: Exception, now: int) -> None:
    """Say that a file cannot be read; of each file in the log as well."""
    memory.says(Remark("file", reason, "", "", str(error), piece.path, first=now, last=now))
    model, run, path = memory.state.config.name, piece.run_id, piece.path
    _log.warning("batch set aside", model=model, run=run, artifact=path, reason=reason, error=str(error))


def say_duplicate(memory: Memory, piece: Piece, same_as: str, now: int, *, left_out: bool) -> None:
    """Say that a file has the bytes of another one."""
    text = f"has the very bytes of {same_as}; {_DUPLICATES[memory.state.config.deduplicate, piece.role]}"
    if memory.says(Remark("doubt", "duplicate_batch", piece.role, piece.path, text, piece.path, first=now, last=now)):
        log = _log.info if left_out else _log.warning
        log(
            "batch logged twice", model=memory.state.config.name, run=piece.run_id, artifact=piece.path,
            reason="duplicate_batch", same_as=same_as, hint=text,
        )  # fmt: skip


def say_not_read(memory: Memory, piece: Piece, now: int) -> None:
    """Say that a file has a suffix that is not read."""
    ending = suffix(piece.path)
    hint = f"write .jsonl, .json or .csv (each also .gz) or .parquet, or narrow {piece.role}.artifacts"
    if memory.says(Remark("suffix", "not_read", ending, piece.path, hint, piece.path, first=now, last=now)):
        _log.warning(
            "file not read because of its suffix", model=memory.state.config.name, run=piece.run_id,
            artifact=piece.path, suffix=ending, hint=hint,
        )  # fmt: skip


def say_what_is_left_out(model: ModelConfig, limits: Limits) -> None:
    """Log what a configuration goes without."""
    if model.reference is None:
        remedy = "set reference.uri of the model to compare with"
        _log.info("no reference, so no drift", model=model.name, remedy=remedy)
    # Those of the reference count when it is known.
    if not asked_of_reference(model):
        say_dropped_segments(model, limits)


def say_dropped_segments(model: ModelConfig, limits: Limits, reference: Reference | None = None) -> None:
    """Log which segments are left out, if any is; reference: whose values some stand for."""
    if dropped := Segments.of(model, limits, reference).dropped:
        why = "segments beyond limits.max_segments are left out"
        _log.warning(why, model=model.name, segments=list(dropped))


def say_not_looked_up(memory: Memory, what: str, lost: str, error: SourceUnavailable, now: int) -> None:
    """Say once, until it ends, that something beside the rows could not be looked up, and what that costs."""
    remark = Remark("lookup", error.reason, what, lost, str(error), "", first=now, last=now)
    if not any(key[0] == remark.kind and key[2] == what for key in memory.said):
        memory.says(remark)
        _log.warning(lost, model=memory.state.config.name, reason=error.reason, error=str(error))


def say_looked_up(memory: Memory, what: str) -> None:
    """Say that something is looked up again, if it was said that it could not be."""
    ended = {key for key in memory.said if key[0] == "lookup" and key[2] == what}
    if ended:
        memory.said -= ended
        _log.info("looked up again", model=memory.state.config.name, what=what)
