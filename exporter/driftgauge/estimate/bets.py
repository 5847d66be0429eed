"""On what a version's rows are bet: which columns are known well enough, and which falls can be seen."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.config import ModelConfig
from driftgauge.estimate.bins import Bins
from driftgauge.estimate.evidence import ENOUGH_ROWS, TOLERANCE, DriftBets, FallBets
from driftgauge.grid import OUTPUT
from driftgauge.reference import Reference

# The optional signal that evidence is switched on by, and the values of the label `signal`.
EVIDENCE: Final = "evidence"
ESTIMATED: Final = "estimated_accuracy"
SIGNALS: Final = ("accuracy", "f1", ESTIMATED, "prediction", "inputs")


@dataclass(frozen=True, slots=True, eq=False)
class Bets:
    """Bets of the signals that can be bet on, by the label `signal`: falls of a share of rows, and columns that drift.

    Evidence of other bets than these says nothing any more.
    """

    falls: Mapping[str, FallBets]
    drifts: Mapping[str, DriftBets]

    @classmethod
    def of(
        cls,
        model: ModelConfig,
        reference: Reference | None,
        baseline: Mapping[str, float],
        *,
        bits: Mapping[str, int] | None = None,
    ) -> Self:
        """Return the bets of a version with this reference and baseline; bits: see `Bins`."""
        if EVIDENCE not in model.signals:
            return cls({}, {})
        columns = {"prediction": (OUTPUT,), "inputs": reference.features} if reference else {}
        known = {signal: _well_known(reference, names) for signal, names in columns.items() if reference}
        drifts = {
            signal: _drift_bets(reference, names, bits or {}) for signal, names in known.items() if names and reference
        }
        learned = reference.learned.get(EVIDENCE, {}) if reference else {}
        falls = {
            "accuracy": _accuracy(model, baseline, learned),
            "f1": _f1(model, baseline, learned),
            ESTIMATED: _estimated(reference, baseline, learned) if reference and "estimate" in model.signals else None,
        }
        return cls({signal: bets for signal, bets in falls.items() if bets}, drifts)

    @property
    def marks(self) -> dict[str, str]:
        """What is bet on, by signal."""
        falls = {signal: bets.mark for signal, bets in self.falls.items()}
        return falls | {signal: bets.mark for signal, bets in self.drifts.items()}


def counted(hits: int, misses: int, positive: tuple[int, int]) -> dict[str, Any]:
    """Return what is to be known of labelled rows of a reference; positive: those good and bad for F1."""
    return {"hits": hits, "misses": misses, "good": positive[0], "bad": positive[1]}


def unknown(model: ModelConfig, reference: Reference, learned: Mapping[str, Any]) -> str:
    """Return what cannot be bet on, and why, "" if there is nothing."""
    found = []
    few = [name for name in reference.features if name not in _well_known(reference, reference.features)]
    if few:
        found.append(f"inputs {few}: fewer than {ENOUGH_ROWS} values in the reference, or one only")
    if OUTPUT in reference.profiles and not _well_known(reference, (OUTPUT,)):
        found.append(f"prediction: fewer than {ENOUGH_ROWS} values in the reference, or one only")
    if model.task != "regression":
        found += _unknown_falls(model, learned)
    return "; ".join(found)


def _unknown_falls(model: ModelConfig, learned: Mapping[str, Any]) -> list[str]:
    given, rows = "accuracy" in (model.baseline or {}), learned["hits"] + learned["misses"]
    if not rows:
        return [] if given else ["accuracy, f1: no labels in the reference"]
    found = []
    if not given and FallBets.of_accuracy(learned["hits"] / rows, rows) is None:
        found.append(f"accuracy: {rows} labels in the reference do not tell it within {TOLERANCE}")
    if model.task == "binary" and _f1(model, model.baseline or {}, learned) is None:
        rows = learned["good"] + learned["bad"]
        found.append(f"f1: {rows} rows of the positive class in the reference do not tell it within {TOLERANCE}")
    return found


def _well_known(reference: Reference, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of which the reference has enough values, and more than one."""
    enough = tuple(name for name in names if name in reference.profiles and _rows(reference, name) >= ENOUGH_ROWS)
    bins = Bins.of(reference, enough)
    return tuple(name for name, shares in zip(enough, bins.shares, strict=True) if np.count_nonzero(shares) > 1)


def _rows(reference: Reference, name: str) -> int:
    return reference.profiles[name].rows


def _drift_bets(reference: Reference, names: tuple[str, ...], bits: Mapping[str, int]) -> DriftBets:
    digest = hashlib.blake2b(reference.layout.fingerprint.encode(), digest_size=16)
    digest.update(repr(names).encode() + Bins.of(reference, names).shares.tobytes())
    return DriftBets.on(Bins.of(reference, names, bits=bits), digest.hexdigest())


def _accuracy(model: ModelConfig, baseline: Mapping[str, float], learned: Mapping[str, Any]) -> FallBets | None:
    if model.task == "regression" or "accuracy" not in baseline:
        return None
    given = "accuracy" in (model.baseline or {})
    rows = None if given else learned.get("hits", 0) + learned.get("misses", 0)
    return FallBets.of_accuracy(baseline["accuracy"], rows)


def _estimated(reference: Reference, baseline: Mapping[str, float], learned: Mapping[str, Any]) -> FallBets | None:
    estimator = reference.learned.get("estimate", {})
    if "bias" not in estimator or "accuracy" not in baseline:
        return None
    rows = learned.get("hits", 0) + learned.get("misses", 0)
    bias, basis = estimator["bias"].get("accuracy", 0.0), f":{reference.layout.fingerprint}"
    return FallBets.of_estimate(baseline["accuracy"], rows, bias=bias, basis=basis)


def _f1(model: ModelConfig, baseline: Mapping[str, float], learned: Mapping[str, Any]) -> FallBets | None:
    """Return the bets on F1 of the positive class; a baseline of another average is of something else."""
    if model.task != "binary":
        return None
    if model.average == "binary" and "f1" in (model.baseline or {}):
        return FallBets.of_f1(baseline["f1"], None)
    good, bad = learned.get("good", 0), learned.get("bad", 0)
    return FallBets.of_f1(2 * good / (2 * good + bad), good + bad) if good else None
