"""Findings as text."""

from driftgauge.inspection.findings import Absence, Findings, LabelsFinding, Publication
from driftgauge.inspection.text import render


def test_labels_absences_and_remedies() -> None:
    """Shares are never rounded to all or nothing, delays are durations, long lists are cut, control signs replaced."""
    labels = LabelsFinding(
        labels=1000, matched=999, joined=999, shared=0, delay_median=5400.0, delay_least=-60.0, delay_most=86_400.0,
        unmatched_label="r-1", unmatched_prediction="", remedy="",
    )  # fmt: skip
    values = {"model_window_labels": 1e6, "model_accuracy": 0.91239}
    absent = Absence(("model_a", "model_b", "model_c", "model_d", "model_e"), "no labels")
    found = Findings(
        model="churn", task="binary", task_why="as configured", files=(), labels=labels, reference=None,
        reference_problem="", publication=Publication("2026-01-05T12:00:00Z", 0, (), (absent,), (), values),
        remedies=("do this",), config="",
    )  # fmt: skip

    assert render(found).splitlines() == [
        "Model churn: binary (as configured)",
        "",
        "Labels and predictions: 999 of 1,000 labels have the key of a prediction (99.9%)",
        "  999 were joined",
        "  they come 1h30m after the prediction (median; from -1m to 1d)",
        "  a label without its prediction: r-1",
        "",
        "Published, as of 2026-01-05T12:00:00Z: 0 series",
        "  for instance model_window_labels 1,000,000, model_accuracy 0.9124",
        "Absent",
        "  no labels: model_a, model_b, model_c and 2 others",
        "",
        "What to do",
        "  - do this",
    ]
