"""The document: its form is the published schema, and its figures are those of the samples, or computed by hand."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any, Final

import jsonschema
import pyarrow as pa
import pytest

from data_builders import MICROS, a_model
from driftgauge.generator.runbooks import mitigation
from driftgauge.generator.thresholds import shipped
from driftgauge.reference import Reference
from driftgauge.report import Days, NotPublished, document
from driftgauge.samples import Sample
from driftgauge.snapshot import Identity, ModelState
from report.hostile import HOSTILE
from report.subjects import NOW, ROWS, a_finding, a_state, a_subject, panes_of, rows_of

DOCS: Final = Path(__file__).parents[2] / "exporter" / "docs"
SCHEMA: Final = jsonschema.Draft202012Validator(json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8")))
HEALTHY: Final = a_subject(a_state(days=1))
FINDINGS: Final = (
    a_finding("ModelFeaturesDrifted", "high", "2 of 4 features drifted", runbook="https://x/y", version="2"),
    *(a_finding("ModelFeatureDrifted", "low", f"feature {n} drifted", feature=str(n)) for n in range(30)),
)


def of(subject: Any, **chosen: Any) -> Mapping[str, Any]:
    """Return the document of a subject, which is as the schema says and survives JSON."""
    found = document(subject.chosen(**chosen), driftgauge="1.2.3")
    SCHEMA.validate(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


@pytest.fixture(scope="module")
def drifted() -> Mapping[str, Any]:
    """Return the document of a model whose first feature moved and whose answers became worse."""
    return of(a_subject(a_state(shift=1.0, wrong=0.3), findings=FINDINGS))


@pytest.mark.parametrize(
    "state",
    [
        ModelState(a_model()),
        a_state(days=1, task="regression"),
        a_state(days=1, signals=["latency", "moments", "distribution", "outcomes"]),
    ],
    ids=["nothing known", "another task", "few signals"],
)
def test_every_document_fits_the_schema(state: ModelState) -> None:
    """Whatever is known of a model."""
    assert of(a_subject(state))["model"] == "churn"


def test_figures_are_those_of_the_page(drifted: Mapping[str, Any]) -> None:
    """What the report says of performance, features and versions is what the metrics say."""
    samples = a_subject(a_state(shift=1.0, wrong=0.3)).samples

    def value(family: str, *labels: str) -> float:
        (found,) = (s for s in samples[family] if s.labels == ("churn", "2", "24h", *labels) and not s.segment)
        assert isinstance(found, Sample)
        return found.value

    accuracy = drifted["performance"]["metrics"][0]
    assert (accuracy["metric"], accuracy["value"]) == ("accuracy", value("model_accuracy"))
    assert accuracy["lower"] == value("model_performance_bound", "accuracy", "lower")
    assert accuracy["degradation"] == pytest.approx(0.9 - value("model_accuracy"))
    first = drifted["features"]["items"][0]
    assert (first["feature"], first["drifted"]) == ("f0", True)
    assert first["statistics"]["psi"] == value("model_feature_psi", "f0")
    assert [row["version"] for row in drifted["versions"]] == ["2", "1"]
    assert drifted["versions"][0]["metrics"]["accuracy"] == value("model_accuracy")
    assert drifted["slices"]["worse"] == value("model_segments_worse")
    assert drifted["slices"]["items"]


def test_shares_of_categories(drifted: Mapping[str, Any]) -> None:
    """Bars are shares of rows; PSI by hand from them is the one that is reported."""
    plan = next(row for row in drifted["features"]["items"] if row["feature"] == "plan")
    pairs = list(zip(plan["shape"]["reference"], plan["shape"]["window"], strict=True))

    assert sorted(plan["shape"]["labels"]) == ["A", "B", "C"]
    assert sum(q for _, q in pairs) == pytest.approx(1)
    assert sum((q - p) * log(q / p) for p, q in pairs) == pytest.approx(plan["statistics"]["psi"], rel=1e-3)


def test_the_verdict(drifted: Mapping[str, Any]) -> None:
    """The gravest finding speaks, in one sentence; without one, what was measured does."""
    assert drifted["verdict"] == {
        "status": "action_required",
        "severity": "high",
        "sentence": "High: 2 of 4 features drifted (besides: ModelFeatureDrifted).",
    }
    healthy = of(HEALTHY)["verdict"]
    assert (healthy["status"], healthy["severity"]) == ("healthy", None)
    assert healthy["sentence"].startswith("No alert holds for version 2: accuracy is 0.")
    assert "against a baseline of 0.9 on 400 labels in 24h, 0 of 4 features drifted in 24h." in healthy["sentence"]
    nothing = of(a_subject(ModelState(a_model())))["verdict"]
    assert (nothing["status"], nothing["sentence"]) == (
        "unknown",
        "Nothing can be said yet: no prediction of this model was read.",
    )


def test_labels_that_give_no_figures() -> None:
    """Labels of classes that are never predicted are not passed over: they came, and nothing follows from them."""
    rows = replace(rows_of(ROWS, seed=1), label=pa.array(["x", "y"] * (ROWS // 2)))
    known = a_state(days=1)

    def verdict(reference: Reference | None) -> Mapping[str, Any]:
        predictions, outcomes = panes_of(rows, reference, version="2", hours_ago=2)
        state = replace(known, reference=reference, baseline={}, predictions=predictions, outcomes=outcomes)
        found: Mapping[str, Any] = of(a_subject(state))["verdict"]
        return found

    without_figures = "its 400 labels in the window give no figures of performance"
    assert verdict(None)["sentence"] == (
        f"No alert holds, and version 2 cannot be judged yet: it has no reference, {without_figures}."
    )
    found = verdict(known.reference)
    assert (found["status"], found["severity"]) == ("unknown", None)
    assert found["sentence"].startswith(f"No alert holds for version 2: {without_figures}, accuracy is expected to be ")
    assert found["sentence"].endswith(", 0 of 4 features drifted in 24h.")


def test_findings_come_with_what_is_to_be_done(drifted: Mapping[str, Any]) -> None:
    """One entry for each alert, at most 20 of what it holds of, and the actions of its runbook as plain text."""
    many, each = drifted["findings"]

    assert (many["alert"], many["count"], each["count"], len(each["items"])) == ("ModelFeaturesDrifted", 1, 30, 20)
    assert many["actions"][1] == {
        "do": "Roll back",
        "text": "when the drift began with a release of the model or of feature code.",
    }
    assert len(many["actions"]) == len(mitigation("ModelFeaturesDrifted", shipped()))
    assert 'raise the model\'s drift.psi; "for" is alerts.ModelFeatureDrifted.' in each["actions"][-1]["text"]


def test_a_recommendation() -> None:
    """It follows the metric of the version; without that there is none."""
    family = [Sample(("churn", "2", "performance"), 1), Sample(("churn", "2", "data_drift"), 0)]
    subject = replace(HEALTHY, samples={**HEALTHY.samples, "model_retraining_recommended": family})

    assert of(HEALTHY)["recommendation"] is None
    assert of(subject)["recommendation"] == {
        "retrain": True,
        "reasons": ["performance"],
        "sentence": "Retraining is recommended: performance fell.",
    }


def test_another_version_and_window() -> None:
    """A report is on the version and window that are asked for, and says which there are when it is none."""
    found = of(HEALTHY, version="1", window="7d")

    assert (found["version"], found["window"], found["period"]["predictions"]) == ("1", "7d", ROWS)
    with pytest.raises(NotPublished, match='churn has no version "9" that is published; it has 2, 1'):
        HEALTHY.chosen(version="9")
    with pytest.raises(NotPublished, match='there is no window "1y"; there are 1h, 24h, 7d'):
        HEALTHY.chosen(window="1y")


def test_hostile_names() -> None:
    """Names of features, categories, versions and runs are in JSON as they are, whatever is in them."""
    names = (*HOSTILE[:4], 'quote" \\ \u2028 \x00')
    state = a_state(days=1, features=len(names), names=names, name=HOSTILE[0])
    found = of(a_subject(replace(state, identities={"2": Identity(HOSTILE[1], HOSTILE[2], f"models:/{HOSTILE[3]}/2")})))

    assert found["model"] == HOSTILE[0]
    assert {row["feature"] for row in found["features"]["items"]} == {*names, "plan"}
    assert all(re.fullmatch(r"http://localhost:\d+/[\w%.~?&=/#-]*", address) for address in found["links"].values())


def test_links_are_those_of_the_alerts(drifted: Mapping[str, Any]) -> None:
    """Dashboards with model and version chosen; run and registered version in MLflow, quoted."""
    assert drifted["links"] == {
        "model": "http://localhost:3000/d/driftgauge-model?var-model=churn&var-version=2",
        "why": "http://localhost:3000/d/driftgauge-why?var-model=churn&var-version=2",
        "features": "http://localhost:3000/d/driftgauge-features?var-model=churn&var-version=2",
        "quality": "http://localhost:3000/d/driftgauge-quality?var-model=churn&var-version=2",
        "mlflow_run": "http://localhost:5000/#/experiments/12/runs/run%207",
        "mlflow_version": "http://localhost:5000/#/models/churn/versions/2",
    }


def test_days(drifted: Mapping[str, Any]) -> None:
    """Three days of panes are three days, of which the last moved; a summary counts each once."""
    history = drifted["history"]
    accuracies = [day["metrics"]["accuracy"] for day in history["days"]]

    assert [day["day"] for day in history["days"]] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert [day["complete"] for day in history["days"]] == [True, True, False]
    assert [day["drifted_features"] for day in history["days"]] == [0, 0, 2]
    summary = history["summary"]["accuracy"]
    assert summary["average"] == pytest.approx(sum(accuracies) / 3)
    assert (summary["lowest"], summary["highest"]) == (min(accuracies), max(accuracies))
    assert history["batches"] == 4
    assert (history["alerts"]["now"], history["alerts"]["by_kind"]) == (
        31,
        {"ModelFeatureDrifted": 30, "ModelFeaturesDrifted": 1},
    )
    assert history["heatmap"]["features"][:2] == ["f0", "plan"]
    assert [psi > 0.2 for psi in history["heatmap"]["psi"][0]] == [False, False, True]


def test_alerts_of_days_before() -> None:
    """What would have held on a day by its rows alone, judged by the rules that ship, comes after what holds now."""
    state = a_state(days=2, shift=1.0, wrong=0.3)
    later = replace(a_subject(state, now=NOW + 86_400 * MICROS), findings=FINDINGS[:1])
    alerts = of(later)["history"]["alerts"]

    assert alerts["last"][0]["when"] == "now"
    assert {each["when"] for each in alerts["last"][1:]} == {"2026-01-05"}
    assert alerts["by_kind"]["ModelPerformanceDegraded"] == 2
    assert alerts["by_severity"]["critical"] == 2
    assert alerts["last"][1]["text"].startswith("churn version 2: accuracy in the last 24h is 0.")


def test_days_that_are_over_are_told_once() -> None:
    """The next report has what was told of them, until their panes are others; that of today is made each time."""
    state, known = a_state(days=3), Days()

    def told(of: ModelState) -> list[float]:
        found = document(a_subject(of).chosen(), driftgauge="1", known=known)
        return [day["metrics"]["accuracy"] for day in found["history"]["days"]]

    first = told(state)
    assert told(state) == first
    assert len(known) == 2
    key = next(key for key in state.outcomes if key.version == "2" and key.start < (NOW // MICROS) - 2 * 86_400)
    wrong = panes_of(rows_of(ROWS, seed=3, wrong=0.4), state.reference, version="2", hours_ago=1)[1]
    corrected = replace(state, outcomes={**state.outcomes, key: next(iter(wrong.values()))})
    assert told(corrected)[0] < first[0] - 0.1
    assert told(corrected)[1:] == first[1:]
    known.keep(state)
    assert len(known) == 1
    known.keep(replace(state, predictions={}, outcomes={}))
    assert len(known) == 0
