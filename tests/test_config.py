"""The configuration file: what is accepted, how each mistake is reported, and that no secret is shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import ErrorDetails

from driftgauge.config import (
    Config,
    Drift,
    Labels,
    Mlflow,
    ModelConfig,
    Predictions,
    Window,
    format_duration,
    format_size,
    load_mapping,
    parse,
    parse_duration,
    parse_size,
    redacted,
)
from driftgauge.config.document import ParsedFile
from driftgauge.config.mistakes import mistake
from driftgauge.config.section import Section
from driftgauge.errors import ConfigError
from driftgauge.families import BASIC_SIGNALS
from driftgauge.sharding import Shard

DATA = Path(__file__).parent / "data" / "config"
DOCUMENTATION = Path(__file__).parent.parent / "exporter" / "docs" / "configuration.md"
ENVIRON = {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "API_TOKEN": "s3cr3t"}
MINIMAL = (DATA / "good-minimal.yml").read_text()


def parsed(text: str, **environ: str) -> Config:
    """Parse with a tracking server in the environment."""
    return parse(text, filename="driftgauge.yml", environ=ENVIRON | environ)


def refusal(text: str, **environ: str) -> str:
    """Return the message with which `text` is refused."""
    with pytest.raises(ConfigError) as caught:
        parsed(text, **environ)
    return str(caught.value)


def model(*more: str) -> str:
    """Return the minimal file with more keys for its model."""
    return MINIMAL + "".join(f"    {each}\n" for each in more)


def test_the_deadline_follows_the_interval() -> None:
    """A refresh may show no progress for ten intervals, but for five minutes at least, unless another time is given."""
    assert parsed(f"refresh_interval: 1m\n{MINIMAL}").refresh_deadline == 600
    assert parsed(f"refresh_interval: 1s\n{MINIMAL}").refresh_deadline == 300
    assert parsed(f"refresh_interval: 1s\nrefresh_deadline: 30s\n{MINIMAL}").refresh_deadline == 30


def test_minimal_file_gets_every_default() -> None:
    """A model with only a name and an experiment works, with the defaults of the contract."""
    config = parsed(MINIMAL)
    (only,) = config.models
    assert config.mlflow.tracking_uri == "http://mlflow:5000"
    assert (config.refresh_interval, config.refresh_deadline) == (30.0, 300.0)
    assert config.state_dir == "./driftgauge-state"
    assert config.windows == (Window("1h", 3600), Window("24h", 86_400), Window("7d", 604_800))
    assert config.limits.max_artifact_bytes == 512 * 1024 * 1024
    assert (only.name, only.task, only.threshold, only.average) == ("churn-predictor", "binary", 0.5, "weighted")
    assert (only.predictions.experiment, only.predictions.artifacts) == ("/monitoring/churn", "*")
    assert (only.labels, only.reference, only.baseline, only.columns) == (None, None, None, {})
    assert only.drift == Drift(
        significance=0.01,
        correction="benjamini-hochberg",
        ks=0.1,
        tvd=0.1,
        psi=0.2,
        min_samples=50,
        bins=10,
        binning="quantile",
        rule="effect",
        grid=10_000,
    )


FILES_ONLY = "models:\n  - name: churn\n    predictions: {files: /data}\n"


@pytest.mark.parametrize(
    "more", ["", "    labels: {}\n", "    labels: {files: /l}\n", "    reference: {uri: /r.csv}\n"]
)
def test_files_need_no_tracking_server(more: str) -> None:
    """Where nothing is read from MLflow, it need not be named; labels without a place are in the predictions' one."""
    config = parse(FILES_ONLY + more, filename="x.yml", environ={})
    assert config.mlflow.tracking_uri is None
    (only,) = config.models
    assert (only.predictions.files, only.predictions.experiment) == ("/data", None)
    assert only.labels is None or (only.labels.files, only.labels.experiment) in {("/data", None), ("/l", None)}
    assert parse(redacted(config), filename="x.yml", environ={}) == config


@pytest.mark.parametrize(
    "more",
    [
        "    labels: {experiment: /l}\n",
        '    reference: {uri: "models:/churn@champion/reference.parquet"}\n',
        "  - name: two\n    predictions: {experiment: /e}\n",
        "    writeback: {experiment: /r}\n",
        '    monitoring: "models:/churn@champion/driftgauge.yml"\n',
    ],
)
def test_anything_in_mlflow_needs_a_tracking_server(more: str) -> None:
    """One experiment or registered reference is enough to need MLflow."""
    with pytest.raises(ConfigError, match=r"mlflow\.tracking_uri: is missing"):
        parse(FILES_ONLY + more, filename="x.yml", environ={})


def test_full_example_of_the_contract() -> None:
    """The example of the public contract, word for word, gives these values."""
    (churn,) = parse((DATA / "good-full.yml").read_text(), filename="good-full.yml", environ={}).models
    assert churn.labels == Labels(
        experiment="/monitoring/churn-labels",
        artifacts="labels*",
        key=("request_id",),
        horizon=30 * 86_400,
        window_by="label_time",
    )
    assert churn.reference is not None
    assert churn.reference.uri == "models:/churn-predictor@champion/reference.parquet"
    assert churn.baseline == {"accuracy": 0.92, "f1": 0.91, "roc_auc": 0.96}


@pytest.mark.parametrize(
    ("description", "more", "where", "expected"),
    [
        ("labels use the predictions' experiment", "labels: {}", "labels.experiment", "/monitoring/churn"),
        ("a time zone", "timezone: Asia/Kolkata", "timezone", "Asia/Kolkata"),
        ("a class that is a number", "positive_class: 2", "positive_class", "2"),
        ("a class that is true", "positive_class: true", "positive_class", "true"),
        ("a class that is a word", "positive_class: churn", "positive_class", "churn"),
        ("a scale", "score: {scale: percent}", "score.scale", "percent"),
        ("a unit", "latency_unit: us", "latency_unit", "us"),
        ("labels name their own", "labels: {experiment: /l}", "labels.experiment", "/l"),
        ("labels in a folder", "labels: {files: /l}", "labels.files", "/l"),
        ("labels in a folder are in no experiment", "labels: {files: /l}", "labels.experiment", None),
        ("an empty key counts as absent", "drift:", "drift.bins", 10),
        ("a date is text", "columns: {score: 2024-01-01}", "columns", {"score": "2024-01-01"}),
        ("a number in exponent notation", "drift: {significance: 1e-3}", "drift.significance", 0.001),
        ("a number from a variable", "threshold: ${T:-0.7}", "threshold", 0.7),
        ("two columns as key", "labels: {key: [order, line]}", "labels.key", ("order", "line")),
        ("a plain number of seconds", "labels: {horizon: 90}", "labels.horizon", 90.0),
        ("an anchor is repeated", "features: {include: &a [x], categorical: *a}", "features.categorical", ("x",)),
    ],
)
def test_values_of_a_model(description: str, more: str, where: str, expected: object) -> None:
    """Spellings that people use are read as they mean them."""
    value: Any = parsed(model(more)).models[0]
    for name in where.split("."):
        value = getattr(value, name)
    assert value == expected, description


def test_size_as_plain_number() -> None:
    """A size without unit is bytes."""
    assert parsed(f"limits: {{max_artifact_bytes: 1048576}}\n{MINIMAL}").limits.max_artifact_bytes == 1_048_576


def test_signals() -> None:
    """By default a model has all signals; the basic ones stay, whatever a list leaves out."""
    every = parsed(model("task: binary")).models[0].signals
    assert parsed(model("signals: default")).models[0].signals == every
    assert parsed(model("signals: [latency]")).models[0].signals == BASIC_SIGNALS
    assert parsed(model("signals: []")).models[0].signals == BASIC_SIGNALS


def test_a_positive_class_needs_two_classes() -> None:
    """Other tasks have none."""
    words = "models[0].positive_class: needs task binary, and this one is multiclass; leave it out"
    assert words in refusal(model("task: multiclass\n    positive_class: a"))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Europe/Berln", 'unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?'),
        ("europe/berlin", 'did you mean "Europe/Berlin"?'),
        ("Berlin", 'did you mean "Europe/Berlin"?'),
        ("xyzzy", 'unknown time zone "xyzzy"; write a name like Europe/Berlin'),
        ("../../etc/passwd", "write a name like Europe/Berlin"),
    ],
)
def test_unknown_time_zones_are_refused(written: str, words: str) -> None:
    """With the nearest name, if one is near."""
    assert words in refusal(model(f"timezone: {written}"))


def test_section_of_another_task() -> None:
    """Errors and R² are baselines of a regression."""
    (only,) = parsed(model("task: regression\n    baseline: {rmse: 3.5, r2: -0.2}")).models
    assert only.baseline == {"rmse": 3.5, "r2": -0.2}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/var/${WHO}", "/var/me"),
        ("${WHO:-you}", "me"),
        ("${NOBODY:-you}", "you"),
        ("${EMPTY:-you}", "you"),
        ("x${EMPTY}y", "xy"),
        ("$$x $${WHO} $x", "$x ${WHO} $x"),
        ("${TRICK}", "${WHO}"),
    ],
)
def test_variables(written: str, expected: str) -> None:
    """Variables and their defaults are put in once, and `$$` is one dollar."""
    config = parsed(f"state_dir: {written}\n{MINIMAL}", WHO="me", EMPTY="", TRICK="${WHO}")
    assert config.state_dir == expected


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("localhost:5000", "http://localhost:5000 for a server, ./localhost:5000 for a folder"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000 for a server, ./127.0.0.1:5000 for a folder"),
        ("mlflow.example.com/prefix", "http://mlflow.example.com/prefix for a server"),
        ("mlflow", "http://mlflow for a server, ./mlflow for a folder"),
        ("mlruns", "./mlruns for a folder"),
        ("[::1]:5000", "http://[::1]:5000 for a server"),
        ("http:mlflow:5000", "write http://mlflow:5000 for a server"),
        ("http:/mlflow:5000", "write http://mlflow:5000 for a server"),
        ("//mlflow:5000", "write http://mlflow:5000 for a server"),
        ("http://", "names no host; write it, like http://mlflow:5000"),
        ("alice:pass@host:5000", "write http://mlflow:5000 for a server"),
        ("${MY_TOKEN}:5000", "write http://mlflow:5000 for a server"),
    ],
)
def test_tracking_uri_without_a_scheme(uri: str, remedy: str) -> None:
    """MLflow would take it for a folder of this machine; what may be secret is not repeated."""
    text = f"mlflow: {{tracking_uri: '{uri}'}}\n" + MINIMAL
    with pytest.raises(ConfigError) as refused:
        parse(text, filename="d.yml", environ={"MY_TOKEN": "host"})
    message = str(refused.value)
    assert message.startswith("d.yml:1: mlflow.tracking_uri: ")
    assert remedy in message
    assert "alice" not in message
    assert "host:5000" not in message.replace("localhost", "")
    with pytest.raises(ConfigError, match=r"mlflow\.tracking_uri: "):
        parse(MINIMAL, filename="d.yml", environ={"MLFLOW_TRACKING_URI": uri.replace("$", "")})


@pytest.mark.parametrize(
    "uri",
    ["http://mlflow:5000", "HTTPS://mlflow", "sqlite:///mlflow.db", "postgresql+psycopg2://u:p@db/mlflow", "databricks",
     "databricks://profile", "databricks-uc", "/srv/mlruns", "./mlruns", "../mlruns", "file:mlruns", "file:///srv/mlruns"],
)  # fmt: skip
def test_tracking_uri_as_mlflow_takes_it(uri: str) -> None:
    """Schemes of servers and databases, platforms, and folders that begin like a path."""
    assert (
        parse(f"mlflow: {{tracking_uri: '{uri}'}}\n" + MINIMAL, filename="d.yml", environ={}).mlflow.tracking_uri == uri
    )


def test_tracking_uri_in_the_file_wins() -> None:
    """The environment is only the default."""
    assert parsed(f"mlflow: {{tracking_uri: 'sqlite:///x.db'}}\n{MINIMAL}").mlflow.tracking_uri == "sqlite:///x.db"


def test_configuration_from_values() -> None:
    """Code builds the same configuration from numbers and windows."""
    built = Config(
        mlflow=Mlflow(tracking_uri="http://mlflow:5000"),
        windows=(Window("1h", 3600), Window("24h", 86_400), Window("7d", 604_800)),
        models=(ModelConfig(name="churn-predictor", predictions=Predictions(experiment="/monitoring/churn")),),
    )
    assert built == parsed(MINIMAL)


def test_configuration_is_frozen() -> None:
    """Nobody changes a configuration that another thread reads."""
    with pytest.raises(ValueError, match="frozen"):
        parsed(MINIMAL).models[0].drift.bins = 3  # type: ignore[misc]  # that is the point


LOOK = "look at the indentation, colons, brackets and quotes here and just above"
KEYS = "mlflow, refresh_interval, refresh_deadline, state_dir, windows, limits, thresholds, models"
DURATION = "must be a duration like 30s, 1h, 7d or 1h30m"

BAD_FILES = {
    "alias-bomb": "1: holds more than 100000 values, repeated ones (*name) included; write fewer",
    "average": (
        '4: models[0].average: "binary" needs task binary, and this one is multiclass; use weighted, macro or micro'
    ),
    "baseline-negative-error": "5: models[0].baseline.mse: must be at least 0, but is -1",
    "baseline-of-another-task": (
        "5: models[0].baseline.accuracy: does not fit task regression; valid metrics: mse, rmse, mae, r2"
    ),
    "baseline-percent": "4: models[0].baseline.accuracy: must be between 0 and 1, but is 92",
    "baseline-unknown-metric": '4: models[0].baseline.acuracy: unknown metric "acuracy"; did you mean "accuracy"?',
    "bins-fraction": "4: models[0].drift.bins: must be a whole number, but is 7.5",
    "bins-yes": '4: models[0].drift.bins: must be a whole number, but is "yes"',
    "column-with-two-roles": "6: models[0].columns.score: is the column of prediction already; a column has one role",
    "control-character": "2: holds a character that YAML does not allow; remove it",
    "drift-is-text": '4: models[0].drift: must be a mapping of keys to values, but is "high"',
    "duration": f'1: refresh_interval: {DURATION}, but is "5 minutes"',
    "empty": "1: is empty; it needs at least one model under models:",
    "endless-alias": "1: is nested more than 20 levels deep; no key needs that",
    "derived-features": (
        '7: models[0].features.include[1]: must say what to derive, as: age_days, hour, weekday, but is "years"\n'
        '8: models[0].features.include[2].colum: unknown key "colum"; did you mean "column"?\n'
        "9: models[0].features.include[3]: must name its column, like {column: signup_date, as: age_days}\n"
        "10: models[0].features.include[4]: must be a column or like {column: signup_date, as: age_days}, but is 3"
    ),
    "feature-in-and-out": "4: models[0].features.exclude[0]: is under include as well; keep one of the two",
    "files": (
        "3: models[0].predictions.files: must be a folder, or a URL that begins with file: or s3:, "
        'but is "gs://bucket/churn"\n'
        '5: models[1].predictions.files: must be a folder without .., but is "/data/../secret"\n'
        "7: models[2].predictions.experiment: is missing; "
        "name the MLflow experiment, like /monitoring/churn, or set files to a folder\n"
        '7: models[2].predictions.sql: unknown key "sql"; valid keys: files, experiment, artifacts'
    ),
    "glob-leaves-run": (
        "3: models[0].predictions.artifacts: must be a pattern inside the run's artifacts, "
        'like "predictions*", without leading / or .., but is "../*.csv"'
    ),
    "grid": "4: models[0].drift.grid: must be at most 1000000, but is 2000000",
    "horizon-too-long": '4: models[0].labels.horizon: must be between 1s and 3650d, but is "9999w"',
    "indentation": f"3: not valid YAML: mapping values are not allowed here; {LOOK}",
    "key-empty": "4: models[0].labels.key: must have at least one entry",
    "limit-zero": "1: limits.max_series: must be at least 1, but is 0",
    "list-as-key": "1: a key must be one word, without brackets",
    "list-at-top": "1: must be a mapping at the top, like models: followed by a list",
    "many": (
        '1: refresh_intervall: unknown key "refresh_intervall"; did you mean "refresh_interval"?\n'
        f'2: windows[1]: {DURATION}, but is "1x"\n'
        "3: state_dir: environment variable STATE_DIR is not set; "
        "set it, or write a default: ${STATE_DIR:-default}\n"
        "5: models[0].name: is missing; every model needs one\n"
        '5: models[0].task: unknown value "regresion"; did you mean "regression"?\n'
        "6: models[0].threshold: must be less than 1, but is 2\n"
        "7: models[0].predictions.experiment: is missing; "
        "name the MLflow experiment, like /monitoring/churn, or set files to a folder\n"
        "9: models[1].predictions.experiment: must be text, but is a list\n"
        '10: models[1].columns.scor: unknown role "scor"; did you mean "score"?'
    ),
    "merge-key": (
        '5: models[1]."<<": merge keys are not supported; '
        "give a whole section an anchor (&name) and repeat it with *name"
    ),
    "models-empty": "1: models: must have at least one entry",
    "models-not-a-list": "1: models: must be a list, like [a, b], but is a mapping",
    "name-empty": "2: models[0].name: must not be empty",
    "name-is-a-number": "2: models[0].name: must be text, but is 42; put it in quotes",
    "name-too-long": "2: models[0].name: must have at most 200 characters, but has 201",
    "name-twice": "4: models[1].name: is the name of models[0] too; give each model its own",
    "name-with-line-break": (
        '2: models[0].name: must not contain line breaks or control characters, but is "churn\\nfraud"'
    ),
    "nesting": "1: is nested more than 20 levels deep; no key needs that",
    "no-models": "1: models: is missing; list at least one model, with name and predictions",
    "no-name": "2: models[0].name: is missing; every model needs one",
    "no-predictions": (
        "3: models[0].predictions: is missing; say where they are, like predictions: {experiment: /monitoring/churn}"
    ),
    "no-tracking-uri": (
        "2: mlflow.tracking_uri: is missing; "
        "write it, like http://mlflow:5000, or set MLFLOW_TRACKING_URI in the environment"
    ),
    "reference-without-uri": (
        '4: models[0].reference.uri: is missing; say where the data is, like "models:/churn@champion/reference.parquet"'
    ),
    "repeated-key": "5: models[0].drift: is written twice, first in line 4; keep one of the two",
    "secret-in-wrong-place": (
        f'1: mlflow: must be a mapping of keys to values, but is "https://<secret>@mlflow:5000?<secret>"\n'
        f'2: refresh_interval: {DURATION}, but is "<secret>"'
    ),
    "segment-without-condition": ("4: models[0].segments.everyone: must have at least one condition, like country: DE"),
    "segments": (
        "6: models[0].segments.germany.country[1]: must be a text, a number, true or false, but is a mapping\n"
        '7: models[0].segments.new.tenure.bellow: unknown key "bellow"; did you mean "below"?\n'
        "8: models[0].segments.none.age: holds for no value: at_least must be less than below\n"
        "9: models[0].segments.empty.age: must have at least one value\n"
        "10: models[0].segments.open.age: must have a bound: at_least or below\n"
        '11: models[0].segments.odd.age.below: must be a finite number, but is "yes"\n'
        '12: models[0].segments.text: must be a mapping of keys to values, but is "DE"\n'
        "13: models[0].segments: a key must be one word, without brackets"
    ),
    "segments-of-features": (
        "7: models[0].segments.one.customer: is no feature, as features says, so no row could meet it"
    ),
    "signal": '4: models[0].signals[1]: unknown signal "momnets"; did you mean "moments"?',
    "significance-infinite": "4: models[0].drift.significance: must be a finite number, but is inf",
    "size": '1: limits.max_artifact_bytes: must be a size like 512MiB, 1GB or 1048576, but is "512 megs"',
    "tab": (
        "2: not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token; "
        "indent with spaces instead of tabs"
    ),
    "tag": "1: tags are not supported; remove the word that begins with !",
    "task": '3: models[0].task: unknown value "multi-class"; did you mean "multiclass"?',
    "threshold": "3: models[0].threshold: must be less than 1, but is 1.5",
    "threshold-not-a-number": '3: models[0].threshold: must be a number, but is "half"',
    "two-documents": (
        "2: not valid YAML: expected a single document in the stream, but found another document; "
        "remove this line and what follows it"
    ),
    "tolerance-of-an-id": ("4: models[0].labels.tolerance: needs one time among labels.key, like key: [timestamp]"),
    "writeback": (
        "5: models[0].writeback.experiment: is missing; name the MLflow experiment for results, like "
        "/monitoring/churn-results\n"
        '5: models[0].writeback.every: must be a duration between 1m and 1d, or on_change, but is "30s"\n'
        '10: models[1].writeback.every: must be a duration between 1m and 1d, or on_change, but is "sometimes"\n'
        '11: models[1].writeback.experimnt: unknown key "experimnt"; did you mean "experiment"?'
    ),
    "writeback-into-rows": (
        "5: models[0].writeback.experiment: is what models[1] reads; write results to an experiment of their own"
    ),
    "two-places": (
        "3: models[0].predictions.experiment: is next to files; keep one of the two\n"
        "6: models[1].labels.experiment: is next to files; keep one of the two"
    ),
    "unknown-key": '5: models[0].drift.bin: unknown key "bin"; did you mean "bins"?',
    "unknown-role": '4: models[0].columns.predicton: unknown role "predicton"; did you mean "prediction"?',
    "unknown-top-key": (f'1: colour: unknown key "colour"; valid keys: {KEYS}'),
    "unquoted-variable": (
        "3: not valid YAML: while parsing a flow mapping, expected ',' or '}', but got '{'; "
        'inside {} and [], write variables in quotes: "${NAME}"'
    ),
    "variable-malformed": (
        "1: state_dir: cannot read what follows ${; write ${NAME}, ${NAME:-default}, or $$ for the character $"
    ),
    "variable-unset": (
        "1: state_dir: environment variable STATE_DIR is not set; set it, or write a default: ${STATE_DIR:-default}"
    ),
    "window-too-short": '1: windows[1]: must be whole seconds between 1m and 90d, but is "30s"',
    "window-twice": "3: windows[1]: is as long as windows[0]; keep one of the two",
    "windows-too-many": "1: windows: has 9 entries; keep at most 8, for each adds its own series",
}


def test_every_bad_file_has_its_message() -> None:
    """No file of mistakes lies around without a test."""
    assert {f"bad-{name}.yml" for name in BAD_FILES} == {path.name for path in DATA.glob("bad-*.yml")}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(name: str) -> None:
    """Each mistake is one exact line: file, line, key, what is wrong, what to do."""
    path = DATA / f"bad-{name}.yml"
    environ = {} if name == "no-tracking-uri" else ENVIRON
    with pytest.raises(ConfigError) as caught:
        parse(path.read_text(), filename=path.name, environ=environ)
    assert str(caught.value).splitlines() == [f"{path.name}:{line}" for line in BAD_FILES[name].splitlines()]


@pytest.mark.parametrize(
    ("description", "text", "expected"),
    [
        ("too large", "#" * (2**20 + 1), "1: is longer than 1048576 characters; is this the right file?"),
        ("thousands of levels", "a: " + "[" * 50_000, "1: is nested more than 20 levels deep; no key needs that"),
        (
            "a long text with a variable, repeated",
            f"a: &a '$$ {'x' * 10_000}'\nb: [{'*a, ' * 1000}]",
            "1: holds more than 100000 values, repeated ones (*name) included; write fewer",
        ),
        (
            "more digits than Python converts",
            model(f"threshold: {'9' * 5000}"),
            f'4: models[0].threshold: must be a finite number, but is "{"9" * 59}…"',
        ),
        (
            "a number no float can hold",
            f"refresh_interval: {10**400}\n{MINIMAL}",
            f"1: refresh_interval: must be between 100ms and 1d, but is {str(10**400)[:60]}",
        ),
        (
            "a lone surrogate, which no encoding can write",
            f'state_dir: "\\ud800"\n{MINIMAL}',
            '1: state_dir: must be text without broken characters, but is "\\ud800"',
        ),
        (
            "a key with a line break",
            f'"a\\nb": 1\n{MINIMAL}',
            f'1: "a\\nb": unknown key "a\\nb"; valid keys: {KEYS}',
        ),
    ],
)
def test_hostile_files(description: str, text: str, expected: str) -> None:
    """What cannot be a configuration is refused at once, in one line."""
    assert refusal(text) == f"driftgauge.yml:{expected}", description


def keys_of(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Yield the full name of every key, lists as `name[]`."""
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}"
        parts = [field.annotation, *get_args(field.annotation)]
        for below in parts:
            if isinstance(below, type) and issubclass(below, Section):
                mark = "[]" if field.annotation is not below and name == "models" else ""
                yield from keys_of(below, f"{prefix}{name}{mark}.")


WRONG_KINDS: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    float("nan"),
    "",
    "\n",
    "x" * 300,
    "../x",
    [],
    [[]],
    [None],
    {},
    {"x": {}},
]


@pytest.mark.parametrize("key", list(keys_of(Config)))
def test_no_jargon(key: str) -> None:
    """Whatever is put under whatever key, the message is plain, one line per mistake, and names the file."""
    for value in WRONG_KINDS:
        values = yaml.safe_load(MINIMAL)
        at: Any = values
        *above, last = key.split(".")
        for name in above:
            at = at["models"][0] if name == "models[]" else at.setdefault(name, {})
        at[last] = value
        try:
            parsed(yaml.safe_dump(values))
        except ConfigError as error:
            for line in str(error).splitlines():
                assert re.fullmatch(r"driftgauge\.yml:\d+: [^ ]+: .+", line)
                assert not re.search(r"Input|should|valid \w+ing|pydantic|https", line)


def test_kind_of_error_not_foreseen() -> None:
    """A kind of error that a later pydantic brings is still reported with its place."""
    error = ErrorDetails(type="new_kind", loc=("state_dir",), msg="Something new", input=3)
    document = ParsedFile(values={}, lines={(): 1, ("state_dir",): 7}, masked={}, mistakes=())
    assert mistake(error, document, Config).line == 7
    assert mistake(error, document, Config).text == "Something new, but is 3"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1h", 3600),
        ("7d", 604_800),
        ("1w", 604_800),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("90", 90),
        ("0.5", 0.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Durations are read as Prometheus writes them, or as seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1 h", "1h1h", "30m1h", "-1s", "1.5h", "1H", "٣s", "1y", "inf", "1h\n"])
def test_not_durations(text: str) -> None:
    """What could be misread is refused."""
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512MiB", 536_870_912), ("1GB", 10**9), ("1048576", 1_048_576), ("2 kib", 2048), ("5B", 5)]
)
def test_sizes(text: str, size: int) -> None:
    """Binary and decimal units differ, cases do not."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5GB", "1M", "1 giga"])
def test_not_sizes(text: str) -> None:
    """What could be misread is refused."""
    with pytest.raises(ValueError, match="must be a size"):
        parse_size(text)


@given(st.floats(0, 1e9) | st.integers(0, 10**9).map(float))
def test_durations_come_back(seconds: float) -> None:
    """A formatted duration is the same number again."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 10**15))
def test_sizes_come_back(size: int) -> None:
    """A formatted size is the same number again."""
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("description", "uri", "expected"),
    [
        ("password", "http://admin:hunter2@mlflow:5000/x", "http://<secret>@mlflow:5000/x"),
        ("token as user", "https://hunter2@mlflow", "https://<secret>@mlflow"),
        ("password with a slash", "postgresql://me:hun/ter2@db/mlflow", "postgresql://<secret>@db/mlflow"),
        ("password with an at", "postgresql://me:hun@ter2@db/mlflow", "postgresql://<secret>@db/mlflow"),
        ("query", "https://mlflow/x?sig=hunter2&se=1", "https://mlflow/x?<secret>"),
        ("fragment", "https://mlflow/x#token=hunter2", "https://mlflow/x#<secret>"),
        ("variable with a telling name", "http://mlflow/${API_TOKEN}/x", "http://mlflow/<secret>/x"),
        ("variable without", "http://${HOST}:5000", "http://mlflow:5000"),
        ("alias of a model", "models:/churn@champion/reference.parquet", "models:/churn@champion/reference.parquet"),
        ("path with at", "s3://bucket/reference@v2.parquet", "s3://bucket/reference@v2.parquet"),
        ("plain path", "/data/reference#1?.parquet", "/data/reference#1?.parquet"),
    ],
)
def test_redaction(description: str, uri: str, expected: str) -> None:
    """User information, query, fragment and secret variables are hidden, the rest of a URI is not."""
    is_tracked = not uri.startswith("models:")
    server = f"mlflow: {{tracking_uri: '{uri if is_tracked else '/mlruns'}'}}\n"
    shown = yaml.safe_load(redacted(parsed(server + model(f"reference: {{uri: '{uri}'}}"), HOST="mlflow")))
    assert shown["mlflow"]["tracking_uri"] == (expected if is_tracked else "/mlruns"), description
    assert shown["models"][0]["reference"]["uri"] == expected, description


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("files.example.com", True),
        ("files.example.com:8443", True),
        ("10.0.0.1:80", True),
        ("[2001:db8::1]:80", True),
        ("http://files.example.com", False),
        ("files.example.com/x", False),
        ("me@files.example.com", False),
        ("files.example.com:99999", False),
        ("files.example.com:", False),
        ("2001:db8::1", False),
        ("files example", False),
        ("", False),
    ],
)
def test_artifact_hosts(host: str, *, right: bool) -> None:
    """Hosts with or without a port, and nothing else of a URL."""
    text = f"mlflow: {{tracking_uri: 'http://mlflow', artifact_hosts: ['{host}']}}\n{MINIMAL}"
    if right:
        assert parsed(text).mlflow.artifact_hosts == (host,)
    else:
        with pytest.raises(ConfigError, match=r"d?\.yml:1: mlflow\.artifact_hosts\[0\]: "):
            parsed(text)


def test_redaction_of_the_environments_tracking_uri() -> None:
    """A default from the environment is hidden as well."""
    shown = redacted(parsed(MINIMAL, MLFLOW_TRACKING_URI="http://admin:hunter2@mlflow:5000"))
    assert yaml.safe_load(shown)["mlflow"]["tracking_uri"] == "http://<secret>@mlflow:5000"


def test_redaction_follows_a_copied_secret() -> None:
    """Labels that take over the predictions' experiment take over its mask."""
    text = MINIMAL.replace("/monitoring/churn", '"/x/${API_TOKEN}"') + "    labels: {}\n"
    shown = redacted(parsed(text))
    assert "s3cr3t" not in shown
    assert yaml.safe_load(shown)["models"][0]["labels"]["experiment"] == "/x/<secret>"


def test_redacted_is_readable() -> None:
    """Durations, sizes and windows are shown as people write them."""
    shown = yaml.safe_load(redacted(parsed(model("labels: {horizon: 36h}"))))
    assert (shown["refresh_interval"], shown["windows"]) == ("30s", ["1h", "24h", "7d"])
    assert shown["limits"]["max_artifact_bytes"] == "512MiB"
    assert shown["models"][0]["labels"]["horizon"] == "1d12h"


def test_no_secret_in_the_traceback() -> None:
    """What pydantic says below our message keeps values to itself, for logs print causes too."""
    with pytest.raises(ConfigError) as caught:
        parsed(f"refresh_interval: ${{API_TOKEN}}\n{MINIMAL}")
    assert "s3cr3t" not in f"{caught.value}{caught.value.__cause__}"


# No colon, hence no URI; no characters that a name may not hold; no key that YAML would merge.
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=":"), min_size=1).filter(
    lambda name: name != "<<"
)
MODELS = st.fixed_dictionaries(
    {"predictions": st.fixed_dictionaries({"experiment": NAMES})},
    optional={
        "threshold": st.floats(0.01, 0.99),
        "labels": st.fixed_dictionaries(
            {}, optional={"horizon": st.floats(1, 1e8), "key": st.lists(NAMES, min_size=1)}
        ),
        "reference": st.fixed_dictionaries({"uri": NAMES}),
        "baseline": st.dictionaries(st.sampled_from(["accuracy", "f1", "roc_auc"]), st.floats(0, 1)),
        "columns": st.fixed_dictionaries({}, optional={"score": NAMES}),
        "features": st.fixed_dictionaries({}, optional={"include": st.lists(NAMES)}),
        "drift": st.fixed_dictionaries({}, optional={"psi": st.floats(0.01, 9), "bins": st.integers(2, 100)}),
        "writeback": st.fixed_dictionaries(
            # No name of an experiment that is read.
            {"experiment": NAMES.map(lambda name: f"{name}/results")},
            optional={"every": st.just("on_change") | st.floats(60, 86_400)},
        ),
    },
)
FILES = st.fixed_dictionaries(
    {"models": st.dictionaries(NAMES.map(lambda name: name[:200]), MODELS, min_size=1, max_size=2)},
    optional={
        "refresh_interval": st.floats(0.1, 86_400),
        "refresh_deadline": st.floats(10, 86_400),
        "windows": st.lists(st.integers(60, 7_776_000), min_size=1, max_size=8, unique=True),
        "limits": st.fixed_dictionaries({"max_artifact_bytes": st.integers(1, 10**12)}),
        "state_dir": NAMES,
    },
)


def dollars_doubled(value: Any) -> Any:
    """Return `value` with every `$` written as the file writes it."""
    if isinstance(value, dict):
        return {key: dollars_doubled(below) for key, below in value.items()}
    if isinstance(value, list):
        return [dollars_doubled(below) for below in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


@pytest.mark.no_cover
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES)
def test_redacted_parses_to_the_same(values: dict[str, Any]) -> None:
    """What `/config` shows is the configuration itself, when it holds no secret."""
    values["models"] = [{"name": name, **more} for name, more in values["models"].items()]
    config = parsed(yaml.safe_dump(dollars_doubled(values)))
    assert config.models[0].name == values["models"][0]["name"]
    assert parse(redacted(config), filename="redacted.yml", environ={}) == config


SCALARS = NAMES | st.integers(-(10**20), 10**20) | st.booleans() | st.floats(-1e300, 1e300)
CONDITIONS = (
    SCALARS
    | st.lists(SCALARS, min_size=1, max_size=3)
    | st.fixed_dictionaries({"below": st.floats(0, 9)}, optional={"at_least": st.floats(-9, -1)})
)


@pytest.mark.no_cover
@settings(deadline=None)
@given(st.dictionaries(NAMES.filter(lambda name: len(name) <= 200), st.dictionaries(NAMES, CONDITIONS, min_size=1)))
def test_segments_are_shown_as_they_are_written(segments: dict[str, Any]) -> None:
    """What `/config` shows of segments, of any names and values, is read as the same segments."""
    values = {"models": [{"name": "churn", "predictions": {"experiment": "e"}, "segments": segments}]}
    config = parsed(yaml.safe_dump(dollars_doubled(values)))
    assert list(config.models[0].segments) == sorted(segments)
    assert parse(redacted(config), filename="redacted.yml", environ={}) == config


def test_a_country_is_no_truth_value() -> None:
    """NO and on are texts, as in YAML 1.2; true, 1 and 1.0 are what they are."""
    config = parsed(model("segments: {norway: {country: [NO, on, true, 1, 1.0]}}"))
    assert repr(config.models[0].segments["norway"]["country"].values) == "('NO', 'on', True, 1, 1.0)"


def test_derived_features() -> None:
    """Names restrict the features, what is derived adds to them, and both are shown as they are written."""
    config = parsed(model("features: {include: [age, {column: signup, as: hour}]}"))
    features = config.models[0].features
    assert features.names == ("age",)
    assert [derived.name for derived in features.derived] == ["signup.hour"]
    assert parse(redacted(config), filename="redacted.yml", environ={}) == config


def documented_rows() -> dict[str, str]:
    """Return key -> default, as the tables of the documentation have them; those of flags are left out."""
    rows = re.findall(r"^\| `([^-`][^`]*)` \|[^|]*\| ([^|]*) \|", DOCUMENTATION.read_text(), re.MULTILINE)
    return {key: default.strip("`") for key, default in rows}


def test_every_key_is_documented() -> None:
    """The tables have every key and no other."""
    assert sorted(documented_rows()) == sorted(keys_of(Config))


def test_documented_defaults_are_the_defaults() -> None:
    """Defaults with a value in the tables are what a minimal file gets."""
    effective = yaml.safe_load(redacted(parsed(model("labels: {}", "writeback: {experiment: /r}"))))
    for key, default in documented_rows().items():
        if default in {"needed", "none", "computed", "the predictions'", "$MLFLOW_TRACKING_URI", "{}"}:
            continue
        value = effective
        for name in key.split("."):
            value = value["models"][0] if name == "models[]" else value[name]
        assert value == (yaml.safe_load(default) if default != "*" else "*"), key


def test_documented_examples_parse() -> None:
    """The examples of the documentation can be used as they stand."""
    examples = re.findall(r"```yaml\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    assert [len(parsed(example).models) for example in examples] == [1, 2, 1, 1, 1, 1]


def test_another_file_is_a_plain_mapping() -> None:
    """The web configuration is read with the same care and without variables: password hashes are full of `$`."""
    text = "basic_auth_users:\n  anna: $2b$12$abcdefghijklmnopqrstuuKmi\n"
    assert load_mapping(text, filename="web.yml") == {"basic_auth_users": {"anna": "$2b$12$abcdefghijklmnopqrstuuKmi"}}


def test_mistake_in_another_file() -> None:
    """A mistake in it is reported with its line."""
    with pytest.raises(ConfigError, match=r"^web\.yml:2: a: is written twice, first in line 1; keep one of the two$"):
        load_mapping("a: 1\na: 2\n", filename="web.yml")


def test_a_shard_has_its_models_and_shows_no_secret() -> None:
    """What is masked stays masked where models before it are on other shards, and each model is on one shard."""
    models = "".join(
        f"  - {{name: m{number}, predictions: {{files: 's3://u:${{KEY_SECRET}}@bucket/m{number}'}}}}\n"
        for number in range(9)
    )
    whole = parse(f"models:\n{models}", filename="driftgauge.yml", environ={"KEY_SECRET": "hunter2"})
    shards = [whole.of_shard(Shard(ordinal, 3)) for ordinal in range(3)]

    assert sorted(model.name for shard in shards for model in shard.models) == [f"m{number}" for number in range(9)]
    for ordinal, shard in enumerate(shards):
        assert shard.shard == Shard(ordinal, 3)
        assert {*shard.elsewhere, *(model.name for model in shard.models)} == {f"m{number}" for number in range(9)}
        assert all(shards[to].shard.takes(name) for name, to in shard.elsewhere.items())
        assert "hunter2" not in redacted(shard)
        assert len(shard.masked) == len(shard.models)
    assert (whole.shard, whole.elsewhere) == (Shard(), {})


def test_groups_of_segments() -> None:
    """`each` stands for a segment of each value, `between` for one of each range, and both for each combination."""
    config = parsed(
        model(
            "segments: {plan: {plan: {each: [A, 2, true]}}, age: {age: {between: [30, 50.5]}, tenure: {below: 1}},"
            " offer: {plan: {each: [A, B]}, region: {each: [EU, US]}}, germany: {country: DE}}"
        )
    )

    assert {
        name: {feature: condition.written for feature, condition in conditions.items()}
        for name, conditions in config.models[0].segments.items()
    } == {
        "plan: A": {"plan": "A"},
        "plan: 2": {"plan": 2},
        "plan: true": {"plan": True},
        "age: below 30": {"age": {"below": 30}, "tenure": {"below": 1}},
        "age: 30 to 50.5": {"age": {"at_least": 30, "below": 50.5}, "tenure": {"below": 1}},
        "age: 50.5 and above": {"age": {"at_least": 50.5}, "tenure": {"below": 1}},
        "offer: A, EU": {"plan": "A", "region": "EU"},
        "offer: A, US": {"plan": "A", "region": "US"},
        "offer: B, EU": {"plan": "B", "region": "EU"},
        "offer: B, US": {"plan": "B", "region": "US"},
        "germany": {"country": "DE"},
    }
    assert parsed(redacted(config)) == config


def test_segments_of_the_reference() -> None:
    """A list of columns and pairs is short for `each: reference`, and goes with all other forms."""
    both = (
        "[plan, [plan, region], {germany: {country: DE}}]",
        "{plan: {plan: &it {each: reference}}, 'plan, region': {plan: *it, region: *it}, germany: {country: DE}}",
    )
    short, long = (parsed(model(f"segments: {each}\n    reference: {{uri: r.csv}}")) for each in both)

    assert short == long
    assert list(short.models[0].segments) == ["plan", "plan, region", "germany"]
    assert [condition.every for condition in short.models[0].segments["plan, region"].values()] == [True, True]
    assert parsed(redacted(short)) == short


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ("[plan, 7]", "segments[1]: must be a column, a pair of columns, or named conditions, but is 7"),
        ("[[plan, region, tier]]", "segments[0]: must be a column or 2 different ones"),
        ("[[plan, plan]]", "segments[0]: must be a column or 2 different ones"),
        ("[plan, {plan: {plan: A}}]", 'segments[1]: gives two segments the name "plan"; keep one'),
        ("[plan]", "segments.plan.plan: stands for the values of a reference; set one, or list them"),
        (
            "{p: {plan: {each: A}}}",
            'segments.p.plan.each: must be a list of values, or reference for those that it has, but is "A"',
        ),
        ("{p: {plan: {each: []}}}", "segments.p.plan.each: must be a list of values, or reference"),
        ("{p: {age: {between: [x]}}}", "segments.p.age.between: must be a list of numbers, but is a list"),
        ("{p: {age: {between: [2, 1]}}}", "segments.p.age.between: must be numbers that rise"),
        ("{p: {age: {between: [2], below: 1}}}", "segments.p.age: each and between go with nothing else; keep one"),
        ("{p: {a: {each: [1, 1]}}}", 'segments.p: gives two segments the name "p: 1"; rename one'),
        (f"{{p: {{a: {{each: {list(range(40))}}}, b: {{each: {list(range(40))}}}}}}}", "stands for 1600 segments"),
    ],
)
def test_groups_that_are_wrong(segments: str, message: str) -> None:
    """A group that cannot be meant is refused with its place and what to do."""
    with pytest.raises(ConfigError) as refused:
        parsed(model(f"segments: {segments}"))

    assert message in str(refused.value)
