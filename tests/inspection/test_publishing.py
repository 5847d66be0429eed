"""Why metrics are absent."""

from typing import Any

from driftgauge.inspection.facts import Facts
from driftgauge.inspection.publishing import Given, iso, publication
from driftgauge.samples import Sample
from inspection.files import a_model, facts


def absent(predictions: Facts, labels: Facts | None = None, **rest: Any) -> dict[str, str]:
    """Return why each family is absent where nothing at all is published."""
    settings = {"samples": {}, "reference": None, "problem": "", "unlearned": {}, "min_samples": 50, **rest}
    model = settings.pop("model", a_model())
    found = publication(Given(model=model, predictions=predictions, labels=labels, **settings), at=0, said=())
    return {name: absence.why for absence in found.absent for name in absence.families}


def test_each_kind_of_metric_has_its_own_reason() -> None:
    """Labels, baseline, reference, features and latencies that are not there are named as such."""
    why = absent(facts([{"y_pred": 1}]))

    assert why["model_accuracy"].startswith("no labels: rows have none")
    assert why["model_performance_baseline"].startswith("no baseline: write baseline")
    assert why["model_feature_psi"].startswith("no feature")
    assert why["model_prediction_psi"].startswith("no reference")
    assert why["model_latency_seconds"] == "no column is a latency"
    assert why["model_label_delay_seconds"] == "no labels"
    assert "model_mean_squared_error" not in why


def test_labels_that_do_not_do() -> None:
    """Labels that meet nothing, that lie outside every window, and scores that are of no use."""
    keyed, labels = facts([{"id": "a", "y_pred": 1}]), facts([{"id": "b", "label": 1}], role="labels")
    none, some = ({"model_labels_total": [Sample(("churn", "1"), value)]} for value in (0, 1))

    assert absent(keyed, labels, samples=none)["model_accuracy"] == "no label has met its prediction"
    assert absent(keyed, labels, samples=some)["model_accuracy"] == "no label lies in a window"
    in_window = {**some, "model_window_labels": [Sample(("churn", "1", "1h"), 1)]}
    assert absent(keyed, labels, samples=in_window)["model_accuracy"].startswith("labels and predictions do not")
    with_label = facts([{"y_pred": 1, "label": 1}])
    assert absent(with_label)["model_roc_auc"] == "no score: predictions are classes"
    assert absent(with_label)["model_label_delay_seconds"] == "labels came with their predictions"
    percent = facts([{"y_pred": 1, "score": 97, "label": 1}])
    assert absent(percent)["model_roc_auc"].startswith("scores are not used")


def test_references_that_do_not_do() -> None:
    """One that cannot be loaded says why for every metric that needs it; one without predictions has no output."""
    model = a_model(reference={"uri": "r.csv"})
    rows = facts([{"y_pred": 1, "features": {"age": 1}}])
    reference = facts([{"features": {"age": 1}}], role="reference")

    broken = absent(rows, model=model, problem="reference r.csv: gone")
    assert {broken[name] for name in ("model_feature_psi", "model_performance_baseline")} == {"reference r.csv: gone"}
    fine = absent(rows, model=model, reference=reference, unlearned={"reconstruction": "one column"})
    assert fine["model_prediction_psi"] == "the reference has no predictions"
    assert fine["model_feature_drift_detected"].startswith("fewer than 50 rows")
    assert fine["model_reconstruction_error"] == "no reconstruction: one column"
    assert fine["model_performance_baseline"].startswith("no baseline: the reference has no labels")


def test_what_is_published() -> None:
    """Groups with their versions and windows, and headline numbers of the last window."""
    samples = {
        "model_accuracy": [Sample(("churn", "3", "1h"), 0.5), Sample(("churn", "3", "24h"), 0.75)],
        "model_info": [Sample(("churn", "3", "r", "e", "u"), 1)],
    }
    given = Given(
        model=a_model(), predictions=facts([{"y_pred": 1}]), labels=None, samples=samples, reference=None, problem="",
        unlearned={}, min_samples=50,
    )  # fmt: skip
    found = publication(given, at=1_767_614_400_000_000, said=())

    assert (found.at, found.series, found.values) == ("2026-01-05T12:00:00Z", 3, {"model_accuracy": 0.75})
    assert [(g.group, g.series, g.versions, g.windows) for g in found.groups] == [
        ("Performance", 2, ("3",), ("1h", "24h")),
        ("Freshness and identity", 1, ("3",), ()),
    ]
    assert iso(None) == ""
