"""The labelled predictions of one model version in one pane, summarised: all that performance needs.

Of the classes that occur the `MAX_CLASSES` alphabetically first are told apart; a name among the first of the whole is
among the first of every part, so what is counted of them is exact in any order of combination.

Classification keeps confusion counts, one two-column sketch of scores per class (negatives, positives) and sums of the
proper scoring rules; regression keeps sums of errors and the moments of the labels. Either keeps how these spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.distribution import as_floats
from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.aggregates.spread import Spread
from driftgauge.columns import BoolArray, FloatArray, TextArray, ValueArray

# Occupied cells per score sketch: collapsed classes of scores weigh at most 1 / limit each, so that the area under
# the curve stays within 1e-4 of the exact one.
SCORE_LIMIT: Final = 16_384
# Clipping of probabilities before the logarithm, as scikit-learn does it for float64.
EPSILON: Final = float(np.finfo(np.float64).eps)
POSITIVE: Final = "1"
# More are ids rather than classes; each pair of them is a count in each pane.
MAX_CLASSES: Final = 1_000
_BITS: Final = ("0", POSITIVE)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Labelled rows. `rows` counts all of them; each part below covers the rows that have what it needs.

    confusion: (true class, predicted class) -> rows. beyond: rows of pairs with another class than the first
    `MAX_CLASSES`, and hits: how many of these are predicted right.
    scores: class -> sketch of that class's scores, split into rows of other classes and rows of this one.
    graded: rows whose scores are probabilities; log_loss and brier are their summed losses, and `ungraded` counts
    rows whose scores are not.
    bare: the part of `confusion` whose rows have no score and are predicted as 0 or 1, which may be scores themselves.
    errors: rows with a numeric label and prediction; absolute and squared sum their errors; `labels` are the
    labels' moments.
    spread: sums of squares of these losses and errors; None where some rows were stored before there were such sums.
    """

    rows: int = 0
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    beyond: int = 0
    hits: int = 0
    scores: Mapping[str, ValueSketch] = field(default_factory=dict)
    graded: int = 0
    ungraded: int = 0
    log_loss: float = 0.0
    brier: float = 0.0
    bare: Mapping[tuple[str, str], int] = field(default_factory=dict)
    errors: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    labels: Moment = field(default_factory=Moment)
    spread: Spread | None = field(default_factory=Spread)

    @classmethod
    def fold(
        cls, *, label: ValueArray, predicted: ValueArray, score: FloatArray, class_scores: Mapping[str, FloatArray]
    ) -> Self:
        """Summarise labelled rows; the arguments are those fields of `Columns`, and no label is null."""
        if pa.types.is_floating(label.type):
            return cls._fold_regression(as_floats(label), as_floats(predicted))
        scores = {POSITIVE: score} if np.isfinite(score).any() else class_scores
        return cls._fold_classes(label, predicted, scores)

    @classmethod
    def _fold_regression(cls, label: FloatArray, predicted: FloatArray) -> Self:
        both = np.isfinite(label) & np.isfinite(predicted)
        labels = Moment.fold(label[both])
        with np.errstate(over="ignore"):
            error = predicted[both] - label[both]
            return cls(
                rows=len(label),
                errors=int(both.sum()),
                absolute=float(np.abs(error).sum()),
                squared=float(np.square(error).sum()),
                labels=labels,
                spread=Spread.of_errors(error, label[both], labels.mean),
            )

    @classmethod
    def _fold_classes(cls, label: TextArray, predicted: TextArray, scores: Mapping[str, FloatArray]) -> Self:
        if not scores:
            confusion, beyond, hits = _told_apart(_confusion(label, predicted))
            return cls(rows=len(label), confusion=confusion, beyond=beyond, hits=hits, bare=_bare(confusion))
        probabilities = _probabilities(scores, len(label))
        is_class = {name: _equal(label, name) for name in scores}
        valid = ((probabilities >= 0) & (probabilities <= 1)).all(axis=0)
        present = np.isfinite(probabilities).all(axis=0)
        # A label without a score cannot be graded (a class that the model does not know).
        known = np.any(list(is_class.values()), axis=0) if len(scores) > 1 else np.ones(len(label), np.bool_)
        graded = valid & present & known
        truth = np.array(list(is_class.values()), dtype=np.float64).reshape(len(scores), len(label))[:, graded]
        losses = _losses(probabilities[:, graded], truth)
        log_loss, brier = (float(loss.sum()) for loss in losses)
        squares = (float(np.square(loss).sum()) for loss in losses)
        confusion, beyond, hits = _told_apart(_confusion(label, predicted))
        return cls(
            rows=len(label),
            confusion=confusion,
            beyond=beyond,
            hits=hits,
            scores={name: _fold_scores(values, is_class[name]) for name, values in scores.items()},
            graded=int(graded.sum()),
            ungraded=int((present & ~graded).sum()),
            log_loss=log_loss,
            brier=brier,
            spread=Spread(*squares),
            bare={}
            if POSITIVE not in scores or len(scores) > 1 or present.all()
            else _bare(_told_apart(_confusion(label, _where(predicted, np.asarray(~present))))[0]),
        )

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add everything; `combine([])` is the identity."""
        sketches: dict[str, list[ValueSketch]] = {}
        labels = Moment()
        for part in parts:
            for name, sketch in part.scores.items():
                sketches.setdefault(name, []).append(sketch)
            labels = labels.merge(part.labels)
        confusion, beyond, hits = _told_apart(_added([part.confusion for part in parts]))
        return cls(
            rows=sum(part.rows for part in parts),
            confusion=confusion,
            beyond=sum(part.beyond for part in parts) + beyond,
            hits=sum(part.hits for part in parts) + hits,
            scores={name: ValueSketch.combine(found) for name, found in sketches.items()},
            graded=sum(part.graded for part in parts),
            ungraded=sum(part.ungraded for part in parts),
            log_loss=sum(part.log_loss for part in parts),
            brier=sum(part.brier for part in parts),
            bare=_told_apart(_added([part.bare for part in parts]))[0],
            errors=sum(part.errors for part in parts),
            absolute=sum(part.absolute for part in parts),
            squared=sum(part.squared for part in parts),
            labels=labels,
            spread=_joined([(part.spread, part.labels, part.squared) for part in parts], labels.mean),
        )

    def as_scores(self) -> Self:
        """Return the outcomes of a model whose predictions are scores: where there was 0 or 1 alone, that is one."""
        if not self.bare:
            return self
        counts, log_loss, squares, brier = np.zeros((2, 2), np.int64), 0.0, 0.0, 0.0
        for (true, predicted), count in self.bare.items():
            counts[int(predicted == POSITIVE), int(true == POSITIVE)] += count
            loss = -float(np.log(1 - EPSILON if true == predicted else EPSILON))
            log_loss, squares = log_loss + count * loss, squares + count * loss * loss
            brier += count * (true != predicted)
        sketch = ValueSketch.counted(np.array([0.0, 1.0]), counts, limit=SCORE_LIMIT)
        known = self.scores.get(POSITIVE)
        return replace(
            self,
            scores={POSITIVE: ValueSketch.combine([known, sketch]) if known else sketch},
            graded=self.graded + int(counts.sum()),
            log_loss=self.log_loss + log_loss,
            brier=self.brier + brier,
            # The square of 0 or 1 is itself.
            spread=_joined([(self.spread, Moment(), 0.0), (Spread(squares, brier), Moment(), 0.0)], 0.0),
            bare={},
        )

    @property
    def size(self) -> int:
        """At most `SCORE_LIMIT` cells per class, of labelled rows, are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "rows": self.rows,
            "confusion": [[*pair, count] for pair, count in self.confusion.items()],
            "beyond": self.beyond,
            "hits": self.hits,
            "scores": {name: sketch.to_state() for name, sketch in self.scores.items()},
            "graded": self.graded,
            "ungraded": self.ungraded,
            "log_loss": self.log_loss,
            "brier": self.brier,
            "bare": [[*pair, count] for pair, count in self.bare.items()],
            "errors": self.errors,
            "absolute": self.absolute,
            "squared": self.squared,
            "labels": [self.labels.count, self.labels.mean, self.labels.m2],
            "spread": None if self.spread is None else astuple(self.spread),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the outcomes that `to_state` described."""
        # What was stored before there was a spread does not know that of its rows.
        nothing = None if state["graded"] or state["errors"] else ()
        spread = state.get("spread", nothing)
        restored = {
            "confusion": {(true, predicted): count for true, predicted, count in state["confusion"]},
            "bare": {(true, predicted): count for true, predicted, count in state["bare"]},
            "scores": {name: ValueSketch.from_state(sketch) for name, sketch in state["scores"].items()},
            "labels": Moment(*state["labels"]),
            "spread": None if spread is None else Spread(*spread),
        }
        return cls(**(state | restored))


def _equal(text: TextArray, name: str) -> FloatArray:
    matches: FloatArray = pc.equal(text, name).to_numpy(zero_copy_only=False)
    return matches


def _probabilities(scores: Mapping[str, FloatArray], rows: int) -> FloatArray:
    return np.array(list(scores.values()), dtype=np.float64).reshape(len(scores), rows)


def _confusion(label: TextArray, predicted: TextArray) -> dict[tuple[str, str], int]:
    pairs = pa.table({"true": label, "predicted": predicted}).drop_null()
    counted = pairs.group_by(["true", "predicted"]).aggregate([([], "count_all")]).to_pylist()
    return {(row["true"], row["predicted"]): row["count_all"] for row in counted}


def _bare(confusion: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {pair: count for pair, count in confusion.items() if pair[1] in _BITS}


def _told_apart(counts: dict[tuple[str, str], int]) -> tuple[dict[tuple[str, str], int], int, int]:
    """Return the counts of pairs of the first classes, the rows of all other pairs, and how many of these are hits."""
    # A pair has two names at most.
    if 2 * len(counts) <= MAX_CLASSES or len(names := {name for pair in counts for name in pair}) <= MAX_CLASSES:
        return counts, 0, 0
    first = set(sorted(names)[:MAX_CLASSES])
    kept = {pair: count for pair, count in counts.items() if first.issuperset(pair)}
    hits = sum(count for (true, predicted), count in counts.items() if true == predicted and true not in first)
    return kept, sum(counts.values()) - sum(kept.values()), hits


def _where(text: TextArray, rows: BoolArray) -> TextArray:
    return pc.if_else(pa.array(rows), text, pa.scalar(None, pa.string()))


def _added(parts: Sequence[Mapping[tuple[str, str], int]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for part in parts:
        for pair, count in part.items():
            found[pair] = found.get(pair, 0) + count
    return found


def _fold_scores(values: FloatArray, positive: FloatArray) -> ValueSketch:
    present = np.isfinite(values)
    group = positive[present].astype(np.int64)
    return ValueSketch.fold(values[present], group, groups=2, limit=SCORE_LIMIT)


def _joined(parts: Sequence[tuple[Spread | None, Moment, float]], mean: float) -> Spread | None:
    """Return the spread of all rows, None where that of some is not known."""
    known = [(spread, labels, squared) for spread, labels, squared in parts if spread is not None]
    return Spread.combine(known, mean) if len(known) == len(parts) else None


def _losses(probabilities: FloatArray, truth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log loss and Brier score (n,) of rows (classes, n); one class means the positive of two.

    As `sklearn.metrics.log_loss` and `brier_score_loss` define them: the Brier score of two classes is the squared
    error of the positive one, that of more classes the sum over all.
    """
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    likelihood = np.where(truth > 0, clipped, 1 - clipped if len(truth) == 1 else 1.0)
    return -np.log(likelihood).sum(axis=0), np.square(probabilities - truth).sum(axis=0)
