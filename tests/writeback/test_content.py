"""What is written of the versions of a model."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from driftgauge.config import ModelConfig
from driftgauge.samples import Sample, Samples
from driftgauge.source import Result
from driftgauge.writeback.content import Finding, Known, results

# 2026-01-01, 12:00:00.5 UTC
NOW = 1_767_268_800_500_000
WINDOWS = {"performance": "24h", "drift": "24h", "quality": "24h", "service": "1h"}
DRIFTED = {
    "alert": "ModelFeatureDrifted",
    "severity": "low",
    "text": "age drifted",
    "runbook": "https://r",
    "version": "2",
    "window": "24h",
}
LATE = {**DRIFTED, "alert": "ModelLabelsLate", "version": "", "window": ""}


def samples(*flags: str, name: str = "m") -> Samples:
    """Return samples of versions 2, 1 and 0, of which 0 has no rows in windows; of version 2 these features drifted."""
    rows = {"2": 10, "1": 5, "0": 0}
    return {
        "model_predictions_total": [Sample((name, version), 100) for version in rows],
        "model_window_predictions": [Sample((name, version, "24h"), count) for version, count in rows.items()],
        "model_drift_detected": [Sample((name, "2", "24h"), float(bool(flags)))],
        "model_feature_drift_detected": [
            *(Sample((name, "2", "24h", flag), 1) for flag in flags),
            Sample((name, "2", "24h", "steady"), 0),
            Sample((name, "2", "1h", "too short"), 1),
        ],
        "model_accuracy": [Sample((name, "1", "24h"), 0.5)],
    }


def written(found: Samples, *findings: Finding, judged: bool = True, **model: Any) -> list[Result]:
    """Return what is written of a model with these samples."""
    section = {"name": "m", "predictions": {"experiment": "/m"}, "writeback": {"experiment": "/results"}, **model}
    known = Known(ModelConfig.model_validate(section), found, NOW, WINDOWS, findings, judged=judged)
    return list(results(known))


def test_one_of_each_version_with_rows() -> None:
    """Versions that nobody asks any more are left out; each is of its day, and in the registry if it has a number."""
    newest, older = written(samples("age"), DRIFTED)
    assert (newest.name, newest.registered, newest.at, newest.shown) == (
        "m 2 2026-01-01",
        ("m", "2"),
        NOW // 1000,
        "alerts.json",
    )
    assert (older.tags["driftgauge.version"], older.metrics) == ("1", {"predictions": 5.0, "accuracy": 0.5})
    assert (newest.experiment, newest.tags["driftgauge.day"]) == ("/results", "2026-01-01")
    assert newest.tags["driftgauge.windows"] == "performance 24h, drift 24h, quality 24h, service 1h"
    assert len({newest.key, older.key}) == 2
    assert written({}) == []
    assert written(samples(), writeback=None) == []


def test_a_version_without_rows_is_written_while_alerts_are_about_it() -> None:
    """The newest version is, also when traffic has stopped: what MLflow says of it is not to stand still."""
    found = {**samples(), "model_window_predictions": []}
    assert [result.tags["driftgauge.version"] for result in written(found, LATE)] == ["2"]


@pytest.mark.parametrize(
    ("findings", "judged", "expected"),
    [
        ([DRIFTED], True, ("action_required", "unjudged")),
        ([LATE], True, ("action_required", "action_required")),
        ([], True, ("healthy", "unjudged")),
        ([], False, ("unjudged", "unjudged")),
    ],
)
def test_the_status_of_each_version(findings: Sequence[Finding], *, judged: bool, expected: tuple[str, str]) -> None:
    """Findings of a version are its own, those of a model are of all; without a judgement nothing is healthy."""
    found = written(samples(), *findings, judged=judged)
    assert tuple(result.status for result in found) == expected


def test_alerts_as_json() -> None:
    """The file has what alerts say, and is no file of rows: an object, not a list of records."""
    newest, _ = written(samples("age"), LATE, DRIFTED)
    document = json.loads(newest.files()["alerts.json"])
    assert document["findings"] == [LATE, DRIFTED]
    assert (document["model"], document["version"], document["status"]) == ("m", "2", "action_required")
    assert document["at"] == "2026-01-01T12:00:00.500000+00:00"
    assert newest.tags["alerts"] == "ModelLabelsLate, ModelFeatureDrifted"


def test_other_findings_have_another_tag() -> None:
    """By it a run tells whether something changed; what an alert says may differ each time."""

    def tag(*findings: Finding) -> str:
        return written(samples(), *findings)[0].tags["driftgauge.findings"]

    assert tag(DRIFTED) == tag({**DRIFTED, "text": "age drifted more"}) == tag(DRIFTED)
    assert len({tag(), tag(DRIFTED), tag(LATE), tag(LATE, DRIFTED), tag({**DRIFTED, "severity": "high"})}) == 5


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "none"),
        (["b", "a"], "a, b"),
        (['x\ny"', "p, q", "ü", " "], '" ", "p, q", "x\\ny\\"", ü'),
        (["a" * 400, "b" * 90, "c", "d"], f"{'a' * 400}, {'b' * 90}, c, d"),
        (["a" * 400, "b" * 99, "c"], f"{'a' * 400} and 2 more"),
        (["a" * 501, "b"], "2 names too long for a tag"),
    ],
)
def test_features_that_drifted(names: list[str], expected: str) -> None:
    """They are one bounded tag, in which any name can be told from its neighbours."""
    tag = written(samples(*names))[0].tags["drifted_features"]
    assert tag == expected
    assert tag.isprintable()


def test_features_that_were_not_judged() -> None:
    """Of a version without flags it is not said that none drifted."""
    assert written(samples())[1].tags["drifted_features"] == "not judged"


def test_hostile_names() -> None:
    """Nothing that MLflow takes for a name, a path or a filter is made of a model's or a version's name."""
    hostile = "a/../b' OR 1=1 --"
    found = written(samples(name=hostile), name=hostile, reference={"uri": "models:/churn@champion/r.parquet"})
    assert all(len(result.key) == 32 and result.key.isalnum() for result in found)
    assert found[0].registered == ("churn", "2")
    assert found[0].files().keys() == {"alerts.json"}
    odd = {family: [Sample((s.labels[0], "v\n1", *s.labels[2:]), s.value) for s in each if isinstance(s, Sample)][:1]
           for family, each in samples().items()}  # fmt: skip
    (version,) = written(odd)
    assert version.name == 'm "v\\n1" 2026-01-01'
    assert version.registered is None


def test_a_report_is_what_is_shown() -> None:
    """Where there is a page, it is a file of the run, rendered only when it is written."""
    section = {"name": "m", "predictions": {"experiment": "/m"}, "writeback": {"experiment": "/results"}}
    rendered: list[str] = []

    def report(version: str) -> bytes:
        rendered.append(version)
        return b"<p>"

    known = Known(ModelConfig.model_validate(section), samples(), NOW, WINDOWS, (), judged=True, report=report)
    first, _ = results(known)
    assert (first.shown, rendered) == ("report.html", [])
    assert first.files().keys() == {"report.html", "alerts.json"}
    assert rendered == ["2"]
