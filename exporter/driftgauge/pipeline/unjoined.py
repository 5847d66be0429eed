"""What is said of labels that were read and do not count: the keys of both sides, and the remedy."""

from driftgauge.batch.keys import shown_key
from driftgauge.columns import Note
from driftgauge.config import ModelConfig
from driftgauge.snapshot import ModelState
from driftgauge.store import Joined, Transaction
from driftgauge.store.join import unmatched


def unjoined(tx: Transaction, state: ModelState, joined: Joined) -> tuple[Note, ...]:
    """Return what a step that has `joined` labels gives reason to say; state: after it."""
    found = [_ambiguous(state.config, joined), _unmatched(tx, state) if joined.labels else None]
    return tuple(note for note in found if note is not None)


def _ambiguous(model: ModelConfig, joined: Joined) -> Note | None:
    example = joined.example
    if example is None:
        return None
    return Note(
        "ambiguous_key",
        _columns(model),
        shown_key(example.key),
        f"{example.predictions} predictions and {example.labels} labels have this key, and which belong together is "
        "not known: none of them counts. Give each row an id of its own, number the rows of a key in both files (row), "
        "or log as many labels of a key as predictions, in the same order, each in one file",
    )


def _unmatched(tx: Transaction, state: ModelState) -> Note | None:
    model, joining = state.config, state.joining
    if joining.matched or joining.rejected or not joining.waiting:
        return None
    label, prediction = unmatched(tx)
    if prediction is None and not any(version.predictions for version in state.totals.versions.values()):
        # Labels may come first.
        return None
    if prediction is None:
        theirs = f"no prediction so far has a key ({_columns(model)})"
    else:
        theirs = f"that of a prediction is {shown_key(prediction)}"
    return Note(
        "no_label_matches",
        _columns(model),
        shown_key(label),
        f"none of {joining.waiting} labels matches a prediction: the key of a label is {shown_key(label)}, {theirs}. "
        "Log the same ids on both sides, or name the columns: labels.key, labels.columns",
    )


def _columns(model: ModelConfig) -> str:
    return ", ".join(model.labels.key) if model.labels else ""
