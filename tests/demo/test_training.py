"""The model and its reference: honest splits, honest figures."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

from driftgauge.demo.flights import FEATURES, new_york_time
from driftgauge.demo.training import Training, train


def test_reference_is_held_out(flights: pd.DataFrame, training: Training) -> None:
    """The reference is every third UTC day of the winter's labelled flights; the others are trained on."""
    known = flights[flights["late"].notna() & (flights["departed"] < new_york_time(2013, 3, 1))]
    days = pd.to_datetime(known["departed"], unit="s").dt.normalize()
    reference_days = days.loc[training.reference.index]
    gaps = reference_days.drop_duplicates().diff().dropna().dt.days
    assert set(gaps) == {3}
    assert len(training.reference) == days.isin(reference_days).sum()
    assert training.rows == len(known) - len(training.reference)


def test_reference_has_what_the_exporter_reads(flights: pd.DataFrame, training: Training) -> None:
    """Features, scores with the classes that follow from them, and the true labels."""
    reference = training.reference
    names = {*(f"feature_{name}" for name in FEATURES), "prediction", "score", "label"}
    assert names == set(reference.columns)
    assert ((reference["score"] >= 0.5) == (reference["prediction"] == 1)).all()
    assert (reference["label"] == flights["late"].loc[reference.index]).all()


def test_metrics(training: Training) -> None:
    """The metrics are those of the held-out flights, and far better than always saying "on time"."""
    reference = training.reference
    assert training.metrics["accuracy"] == accuracy_score(reference["label"], reference["prediction"])
    assert training.metrics["roc_auc"] == roc_auc_score(reference["label"], reference["score"])
    assert training.metrics["accuracy"] > 1 - reference["label"].mean() + 0.1


def test_the_future_does_not_leak(flights: pd.DataFrame, training: Training) -> None:
    """What happened from March on changes nothing about the model."""
    winter = flights["departed"] < new_york_time(2013, 3, 1)
    twisted = flights.assign(late=flights["late"].where(winter, 1 - flights["late"]))
    assert train(twisted).reference.equals(training.reference)


def test_answers(flights: pd.DataFrame, training: Training) -> None:
    """Answers come in the order of the questions, with one latency for the batch; labels cannot be asked."""
    asked = flights.iloc[200_000:200_060]
    answers = training.model.predict(asked)
    assert answers.index.equals(asked.index)
    (latency,) = set(answers["latency_ms"])
    assert 0 < latency < 10_000
    blind = training.model.predict(asked.drop(columns=["late", "landed"]))
    assert np.array_equal(answers["score"], blind["score"])
