"""A model that says at departure whether a flight will land more than 15 minutes late.

Trained on January and February, and once more on all that is known later. Every third day is held out: with scores and
labels it is the reference that live traffic is compared with, so neither drift nor the baseline is computed on rows the
model was trained on.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped] # a part of scikit-learn's installation

from driftgauge.demo.flights import FEATURES, new_york_time
from driftgauge.demo.names import THRESHOLD

TRAINING_END: Final = new_york_time(2013, 3, 1)
PARAMETERS: Final = {"max_iter": 100, "learning_rate": 0.1, "random_state": 2013}

_DAY_SECONDS: Final = 24 * 3600
_HELD_OUT_EVERY: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class DelayModel:
    """A trained classifier that predicts as a serving process would."""

    classifier: Any
    threads: ThreadpoolController

    def predict(self, flights: pd.DataFrame) -> pd.DataFrame:
        """Return one row per flight: its features as feature_…, prediction, score, and latency_ms.

        Each request waits for the whole batch it is in, so that is its latency.
        """
        began = time.perf_counter()
        with self.threads.limit(limits=1, user_api="openmp"):
            score = self.classifier.predict_proba(flights[list(FEATURES)])[:, 1]
        elapsed = time.perf_counter() - began
        features = flights[list(FEATURES)].add_prefix("feature_")
        prediction = (score >= THRESHOLD).astype(np.int64)
        return features.assign(prediction=prediction, score=score, latency_ms=1000 * elapsed)


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The result of a training: the model, its reference (features, prediction, score, label), and metrics on that."""

    model: DelayModel
    reference: pd.DataFrame
    rows: int
    metrics: dict[str, float]


def train(flights: pd.DataFrame) -> Training:
    """Train on the flights of `load_flights` that departed before March."""
    return fit(flights[flights["late"].notna() & (flights["departed"] < TRAINING_END)])


def fit(known: pd.DataFrame) -> Training:
    """Train on flights whose label is known, but for those of every third day."""
    held_out = known["departed"] // _DAY_SECONDS % _HELD_OUT_EVERY == 0
    seen, unseen = known[~held_out], known[held_out]
    classifier = HistGradientBoostingClassifier(categorical_features="from_dtype", **PARAMETERS)
    threads = ThreadpoolController()
    # On a busy machine OpenMP's threads wait for each other ten times as long as they work.
    with threads.limit(limits=1, user_api="openmp"):
        classifier.fit(seen[list(FEATURES)], seen["late"] == 1)
    model = DelayModel(classifier, threads)
    answers = model.predict(unseen).drop(columns="latency_ms")
    reference = answers.assign(label=unseen["late"].astype(np.int64))
    return Training(model, reference, len(seen), _metrics(reference))


def _metrics(reference: pd.DataFrame) -> dict[str, float]:
    label, prediction = reference["label"], reference["prediction"]
    return {
        "accuracy": float(accuracy_score(label, prediction)),
        "f1": float(f1_score(label, prediction, average="weighted")),
        "roc_auc": float(roc_auc_score(label, reference["score"])),
    }
