"""What is said of scores and classes that cannot be used: the column, an example of it and the remedy."""

from typing import Final

import pyarrow.compute as pc

from driftgauge.batch.outcomes import Doubt
from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.values import MAX_EXAMPLE, example_of, first_present
from driftgauge.columns import Note, TextArray

_CLASSES: Final = 2
# The role whose column and example are named, and what is said of it.
_DOUBTS: Final[dict[Doubt, tuple[str, str]]] = {
    "score_scale": (
        "score",
        "scores are outside 0 to 1, so none is used; write what they are: score: {scale: percent} (or margin)",
    ),
    "positive_class": (
        "prediction",
        "nothing says of which class the score is the probability, so it is not used; name it: positive_class: …",
    ),
}


def score_note(doubt: Doubt, rows: Rows, roles: Roles) -> Note:
    """Return what is to be said of a block whose scores are in doubt."""
    role, text = _DOUBTS[doubt]
    paths = roles.paths[role] or roles.paths["prediction"]
    return Note(doubt, paths[0] if paths else "", example_of(first_present(rows, paths)), text)


def classes_note(classes: TextArray, column: str) -> Note | None:
    """Return what is to be said of a binary column that holds more than two classes."""
    found = [str(name)[:MAX_EXAMPLE] for name in pc.unique(classes).drop_null().slice(0, _CLASSES + 1).to_pylist()]
    if len(found) <= _CLASSES:
        return None
    return Note(
        "more_classes",
        column,
        found[-1],
        f"a binary model has two classes, and here are {', '.join(found)}, so there are no scores of performance; "
        "write task: multiclass, or positive_class: … to count all others as one",
    )
