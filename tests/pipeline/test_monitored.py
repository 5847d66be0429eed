"""What a registered version may say of a model, what that makes of its section, and how it is kept."""

from pathlib import Path

import pytest

from driftgauge.config import Config, ModelConfig, parse
from driftgauge.errors import ConfigError, StateError
from driftgauge.pipeline.monitored import in_force, keep, kept
from driftgauge.service.judging import rules_of

URI = "models:/churn@champion/driftgauge.yml"
IDENTITY = "models:/churn/3/driftgauge.yml from mlflow-artifacts:/0/abc"
HEAD = f"""
mlflow: {{tracking_uri: "http://m"}}
models:
  - name: churn
    predictions: {{experiment: /m}}
    monitoring: {URI}
    """


def config(more: str = "") -> Config:
    """Return a configuration whose model says more."""
    return parse(HEAD + more, filename="driftgauge.yml", environ={"SECRET": "geheim"})


def taken(text: str, more: str = "") -> ModelConfig:
    """Return the model as the version's file has it."""
    found = in_force(config(more).models[0], text, identity=IDENTITY).found
    assert found is not None
    return found.model


def test_what_is_in_force() -> None:
    """The version is named, not the alias; another text has another hash."""
    one, other = (
        in_force(config().models[0], text, identity=IDENTITY) for text in ("task: regression", "task: binary")
    )
    assert (one.source, one.problem) == ("models:/churn/3/driftgauge.yml", "")
    assert one.found is not None
    assert other.found is not None
    assert one.found.model.task == "regression"
    assert one.found.hash != other.found.hash


def test_the_exporters_own_file_comes_first() -> None:
    """Key by key, and one level below that; what neither says has its default."""
    text = """
      task: multiclass
      average: macro
      drift: {psi: 0.9, ks: 0.05}
      segments: {germany: {plan: A}, plan: {plan: {each: [A, B]}}}
      features: {exclude: [id], categorical: [zip]}
    """
    found = taken(text, "drift: {psi: 0.3}\n    segments: {germany: {country: DE}}\n    features: {exclude: []}")
    assert (found.task, found.average) == ("multiclass", "macro")
    assert (found.drift.psi, found.drift.ks, found.drift.tvd) == (0.3, 0.05, 0.1)
    assert found.segments.keys() == {"germany", "plan: A", "plan: B"}
    assert found.segments["germany"].keys() == {"country"}
    assert (found.features.exclude, found.features.categorical) == ((), ("zip",))
    assert (found.name, found.predictions.experiment, found.monitoring) == ("churn", "/m", URI)


def test_thresholds_of_a_version() -> None:
    """They reach the verdict on that model alone, on top of the exporter's; one that these name keeps what they say."""
    text = "thresholds: {windows: {drift: 7d}, floors: {accuracy: 0.8}, alerts: {ModelPredictionShifted: {psi: 0.4}}}"
    whole = config()
    whole.judge_by("alerts: {ModelPredictionShifted: {psi: 0.3}, ModelMissingValues: {missing_ratio: 0.5}}")
    found = rules_of(whole, taken(text)).thresholds
    churn, others = found.for_model("churn"), found.for_model("others")
    assert (churn.alerts.ModelPredictionShifted.psi, others.alerts.ModelPredictionShifted.psi) == (0.4, 0.3)
    assert (churn.windows.drift.name, others.windows.drift.name) == ("7d", "24h")
    assert churn.alerts.ModelMissingValues.missing_ratio == 0.5
    assert churn.floors == {"accuracy": 0.8}

    whole.judge_by("models: {churn: {alerts: {ModelPredictionShifted: {psi: 0.2}}}}")
    assert rules_of(whole, taken(text)).thresholds.for_model("churn").alerts.ModelPredictionShifted.psi == 0.2
    assert rules_of(whole, whole.models[0]) is rules_of(whole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state_dir: /", "1: state_dir: is not for a version to say; write it into the exporter's own configuration"),
        ("tracking_uri: http://evil", "1: tracking_uri: is not for a version to say"),
        ("task: binary\npredictions: {experiment: /else}", "2: predictions: is not for a version to say"),
        ("reference: {uri: /etc/passwd}", "1: reference: is not for a version to say"),
        ("writeback: {experiment: /r}", "1: writeback: is not for a version to say"),
        ("monitoring: /etc/passwd", "1: monitoring: is not for a version to say"),
        ("name: other", "1: name: is not for a version to say"),
        ("threshhold: 0.4", '1: threshhold: unknown key "threshhold"; did you mean "threshold"?'),
        ("timezone: ${SECRET}", "1: timezone: variables are not read in this file; write the value"),
        ("segments: {a: {b: '${SECRET:-x}'}}", "1: segments.a.b: variables are not read in this file"),
        ("threshold: 2", "1: threshold: must be less than 1, but is 2"),
        ("baseline: {mae: 1}", "1: baseline.mae: does not fit task binary"),
        ("thresholds: {team: x}", "1: thresholds.team: is not for a version to say; leave it out"),
        ("thresholds: {alerts: {ModelOutliers: {for: 1h}}}", "alerts.ModelOutliers.for: is the same for all models"),
        (
            "thresholds: {alerts: {ModelPredictionShifted: {psi: -1}}}",
            "alerts.ModelPredictionShifted.psi: must be more",
        ),
        ("thresholds: 3", "1: thresholds: must be a mapping"),
        ("", "1: is empty; write what the version says, or log none"),
        ("- task", "1: must be a mapping at the top"),
        ("task: [", "1: not valid YAML"),
        ("task: !!python/name:os.system x", "1: tags are not supported"),
        ("segments: &a {a: *a}", "1: is nested more than 20 levels deep"),
        ("<<: {task: binary}", '1: "<<": merge keys are not supported'),
    ],
)
def test_hostile_and_broken_files(text: str, message: str) -> None:
    """Each mistake is a line with place, key and remedy; nothing of the environment is in it."""
    with pytest.raises(ConfigError) as refusal:
        taken(text)
    found = str(refusal.value).replace("models:/churn/3/driftgauge.yml:", "")
    assert message in found
    assert "geheim" not in found


def test_the_last_good_one_is_kept(tmp_path: Path) -> None:
    """A new process has it again, while the configuration names the same place; names are no paths."""
    state, model = str(tmp_path), config().models[0]
    assert kept(state, model).found is None
    keep(state, model, "task: regression", identity=IDENTITY)
    found = kept(state, model)
    assert (found.identity, found.found and found.found.model.task) == (IDENTITY, "regression")
    elsewhere = model.model_copy(update={"monitoring": "models:/churn@other/driftgauge.yml"})
    assert kept(state, elsewhere).found is None
    assert kept(state, model.model_copy(update={"monitoring": None})).found is None
    hostile = model.model_copy(update={"name": "../../etc/x"})
    keep(state, hostile, "task: binary", identity=IDENTITY)
    assert {path.parent.name for path in tmp_path.rglob("*.json")} == {"monitoring"}
    assert (tmp_path / "monitoring").stat().st_mode & 0o777 == 0o700


def test_what_was_kept_may_be_damaged(tmp_path: Path) -> None:
    """Then there is none, as there is where it no longer fits the exporter's own file; both are logged."""
    state, model = str(tmp_path), config().models[0]
    keep(state, model, "positive_class: churned", identity=IDENTITY)
    assert kept(state, config("task: regression").models[0]).found is None
    (file,) = (tmp_path / "monitoring").iterdir()
    file.write_text("{")
    assert kept(state, model).found is None
    with pytest.raises(StateError, match="cannot write"):
        keep(str(file), model, "task: binary", identity=IDENTITY)
