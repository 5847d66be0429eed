"""A marker in each key of the configuration and in each secret variable: none is found in whatever comes out.

The keys are those of the classes of the configuration, and the variables those of MLflow's own list, so that a new one
is covered by itself.
"""

import base64
import json
import os
import re
import signal
import traceback
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import duckdb
import pytest
import yaml
from mlflow import MlflowClient, environment_variables
from pydantic import BaseModel

from driftgauge.config import Config, parse, redacted, secrets
from driftgauge.config.section import Section
from driftgauge.errors import ConfigError
from driftgauge.redaction import Secrets, is_secret_name
from e2e.exporter import Exporter, command, serving
from mlflow_servers import free_port

Path_ = tuple[str | int, ...]
# Keys of mappings that have to be valid.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {"columns": ("score",), "baseline": ("accuracy",), "segments": ("s", "f")}
# What MLflow does not list.
_VARIABLES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_CLIENT_SECRET",
    "DATABRICKS_TOKEN",
    "DATABRICKS_CLIENT_SECRET",
    "DRIFTGAUGE_HASH_KEY",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "SOME_PASSWORD",
    "SOME_TOKEN",
    "SOME_SECRET",
    "SOME_KEY",
    "SOME_CREDENTIALS",
)


@dataclass
class Markers:
    """Makes markers, remembers them, and tells which of them a text has, and in which spelling."""

    made: list[str] = field(default_factory=list)

    def new(self) -> str:
        """Return another one."""
        self.made.append(f"MARK/{len(self.made):03}+x")
        return self.made[-1]

    def among(self, text: str) -> set[str]:
        """Return the markers in a text."""
        return {
            text[max(0, text.index(spelling) - 80) :][:160]
            for marker in self.made
            for spelling in (marker, quote(marker), quote(marker, safe=""), base64.b64encode(marker.encode()).decode())
            if spelling in text
        }


def leaves(section: type[BaseModel], path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each key of a section that holds no other section; of lists their first entry."""
    for name, details in section.model_fields.items():
        kind = details.annotation
        inner = [part for part in _parts(kind) if isinstance(part, type) and issubclass(part, Section)]
        is_list = "tuple" in str(kind) and name != "signals"
        below = (*path, name, *_KEYS.get(name, ()), *((0,) if is_list else ()))
        if inner:
            yield from leaves(inner[0], below)
        else:
            yield below


def _parts(kind: Any) -> Iterator[Any]:
    yield kind
    for part in typing.get_args(kind):
        yield from _parts(part)


KEYS: Final = tuple(leaves(Config))


def with_value(values: Any, path: Path_, value: Any) -> Any:
    """Return nested mappings and lists with one value set."""
    if not path:
        return value
    first, *rest = path
    if isinstance(first, int):
        found = list(values or [None])
        found[first] = with_value(found[first], tuple(rest), value)
        return found
    return {**(values or {}), first: with_value((values or {}).get(first), tuple(rest), value)}


def base(uri: str = "http://mlflow") -> dict[str, Any]:
    """Return a valid configuration."""
    model = {"name": "all-keys", "predictions": {"experiment": "e"}, "labels": {}, "reference": {"uri": "/nowhere.csv"}}
    return {"mlflow": {"tracking_uri": uri}, "models": [model]}


def place(values: dict[str, Any], path: Path_, text: str) -> dict[str, Any]:
    """Return a configuration with a text at a key; of keys that exclude one another only this one."""
    found: dict[str, Any] = with_value(values, path, text)
    if path[-1] == "files":
        found["models"][0][path[-2]].pop("experiment", None)
    return found


def parsed(values: Any, environ: Mapping[str, str]) -> Config:
    """Return a configuration."""
    return parse(yaml.safe_dump(values), filename="c.yml", environ=environ)


def test_keys() -> None:
    """The walk finds keys at every depth."""
    written = {".".join(map(str, key)) for key in KEYS}
    assert {"mlflow.tracking_uri", "mlflow.artifact_hosts.0", "state_dir", "models.0.name"} <= written
    assert {"models.0.reference.uri", "models.0.columns.score", "models.0.segments.s.f"} <= written
    assert {"models.0.drift.bins", "models.0.labels.key.0", "windows.0", "limits.max_series"} <= written


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ".".join(map(str, key)))
def test_a_secret_in_a_key(key: Path_) -> None:
    """Neither what a mistake says nor the configuration that is shown has it, and whoever hides texts is told it."""
    markers = Markers()
    for form in ("{}", "s3://bucket/{}/x", "https://bob:{}@host/x", "./{}"):
        environ = {"SOME_SECRET": markers.new()}
        try:
            config = parsed(place(base(), key, form.format("${SOME_SECRET}")), environ)
        except ConfigError as error:
            said = "".join(traceback.format_exception(error))
        else:
            said = redacted(config)
            # A model's name is the only value that is not kept.
            assert environ["SOME_SECRET"] in secrets(config) or config.models[0].name == form.format("<secret>")
        assert markers.among(said) == set()


def variables(markers: Markers) -> dict[str, str]:
    """Return a marker for each secret variable, and one in the URI of a proxy."""
    listed = [getattr(each, "name", None) for each in vars(environment_variables).values()]
    names = {name for name in (*listed, *_VARIABLES) if isinstance(name, str) and is_secret_name(name)}
    environ = {name: markers.new() for name in sorted(names)}
    # MLflow's import fails when this is no such key.
    environ["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    markers.made.append(environ["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"])
    proxy = f"http://proxy:{quote(markers.new(), safe='')}@127.0.0.1:1"
    return {**environ, "ALL_PROXY": proxy, "no_proxy": "127.0.0.1"}


@dataclass
class Planted:
    """A configuration with a marker in every key that takes one, and models that work; and its environment."""

    folder: Path
    uri: str
    markers: Markers = field(default_factory=Markers)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the configuration, and what its models read."""
        self.environ = variables(self.markers)
        values = base(self.uri.replace("http://", f"http://bob:{quote(self.markers.new(), safe='')}@"))
        for key in KEYS:
            name = f"KEY_{len(self.environ)}_SECRET"
            self.environ[name] = marker = self.markers.new()
            if key == ("mlflow", "tracking_uri") or key[-1] == "files":
                continue
            form = f"{self.folder}/${{{name}}}" if key in (("state_dir",), ("thresholds",)) else f"${{{name}}}"
            if key == ("thresholds",):
                thresholds = self.folder / marker
                thresholds.parent.mkdir(parents=True, exist_ok=True)
                thresholds.write_text("{}")
            tried = place(values, key, form)
            try:
                parsed(tried, self.environ)
            except ConfigError:
                continue
            values = tried
            assert marker
        values["models"] += [self.working(), self.with_uri("https://bob:{0}@127.0.0.1:1/x/reference.csv?sig={1}")]
        values["models"] += [
            self.with_uri(f"{form}://bob:{{0}}@127.0.0.1:1/x.csv?sig={{1}}") for form in ("sftp", "ftp")
        ]
        values["refresh_interval"] = "300ms"
        self.config = self.folder / "driftgauge.yml"
        self.config.write_text(yaml.safe_dump(values))

    def secret(self) -> tuple[str, str]:
        """Return how another variable is written, and its value."""
        name = f"MORE_{len(self.environ)}_TOKEN"
        # So that it can be in a path and in the name of an experiment.
        self.environ[name] = self.markers.new()
        return f"${{{name}}}", self.environ[name]

    def working(self) -> dict[str, Any]:
        """Return a model of which the experiment, the reference and a feature have secret names, and log its rows."""
        (experiment, name), (place_, path), (feature, column) = (self.secret() for _ in range(3))
        reference = self.folder / "data" / path / "reference.jsonl"
        reference.parent.mkdir(parents=True)
        rows = [{"features": {"age": n, column: n % 7}, "prediction": n / 100, "label": n % 2} for n in range(60)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        reference.write_text(text)
        client = MlflowClient(self.uri)
        run = client.create_run(client.create_experiment(f"/secrets/{name}")).info.run_id
        client.log_text(run, text, "predictions.jsonl")
        client.log_text(run, f"{column}\nnot json", f"predictions {column.replace('/', '-')}.jsonl")
        client.set_terminated(run)
        return {
            "name": "works",
            "predictions": {"experiment": f"/secrets/{experiment}"},
            "reference": {"uri": f"{self.folder}/data/{place_}/reference.jsonl"},
            "features": {"include": ["age", feature]},
        }

    def with_uri(self, form: str) -> dict[str, Any]:
        """Return a model with rows in a folder and a reference at a URI with two markers."""
        (self.folder / "rows").mkdir(exist_ok=True)
        (self.folder / "rows" / "a.jsonl").write_text('{"prediction": 1}\n')
        uri = form.format(*(quote(self.markers.new(), safe="") for _ in range(2)))
        return {"name": f"fails-{len(self.markers.made)}", "predictions": {"files": str(self.folder / "rows")}} | {
            "reference": {"uri": uri}
        }

    def stored(self) -> str:
        """Return all that is in the state folder: the names and bytes of files, and the texts of the database."""
        texts = []
        for path in self.folder.rglob("*.duckdb"):
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute("select table_name from information_schema.tables").fetchall():
                    texts.append(str(connection.execute(f'select * from "{table}"').fetchall()))  # noqa: S608
        state = next(self.folder.rglob("*.duckdb")).parent
        files = [path for path in state.rglob("*") if path.is_file()]
        assert texts
        assert files
        return " ".join(
            [*texts, *(path.name for path in files), *(path.read_bytes().decode("latin-1") for path in files)]
        )


@pytest.fixture(scope="module")
def planted(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Return a configuration full of markers."""
    return Planted(tmp_path_factory.mktemp("secrets"), mlflow_server)


def pages(exporter: Exporter, config: Path) -> dict[str, str]:
    """Return all that the exporter answers, also to what is wrong."""
    accept = {"Accept": "application/openmetrics-text"}
    found = {path: exporter.get(path)[1] for path in ("/", "/metrics", "/config", "/-/ready", "/nowhere")}
    found["openmetrics"] = exporter.get("/metrics", headers=accept)[1]
    good = config.read_text()
    config.write_text(good + 'modles: "${SOME_SECRET}"\nrefresh_deadline: "${SOME_TOKEN}"\n')
    found["reload"] = exporter.get("/-/reload", method="POST")[1]
    config.write_text(good)
    assert "modles" in found["reload"]
    return found


def test_serve(planted: Planted) -> None:
    """Pages, the log with its tracebacks, and the state; of models that work and of others."""
    with serving(planted.config, free_port(), "--log.level=debug", env=os.environ | planted.environ) as exporter:
        exporter.wait_until_ready()
        exporter.wait_for(lambda: 'model_feature_mean{feature="age",model="works"' in exporter.get("/metrics")[1])
        exporter.wait_for(lambda: "driftgauge_refresh_success" in exporter.get("/metrics")[1])
        found = pages(exporter, planted.config)
        exporter.stop(signal.SIGTERM)
    found["log"] = exporter.log.read_text()
    assert re.search(r'model_feature_mean\{feature="<secret \d+>",model="works"', found["/metrics"]), found["log"][
        -3000:
    ]
    assert found["/"].count("&lt;secret&gt;") > 3
    assert found["log"].count("<secret>") > 3
    assert "model=<secret>" in found["log"]
    assert {name: planted.markers.among(text) for name, text in found.items() if planted.markers.among(text)} == {}
    assert planted.markers.among(planted.stored()) == set()


@pytest.mark.parametrize("arguments", ["once --config.file", "check-config --online", "inspect --config.file"])
def test_commands(planted: Planted, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands print of models that work and of others, also where their output is not guarded as a whole."""
    for name, value in planted.environ.items():
        monkeypatch.setenv(name, value)
    done = command(*arguments.split(), planted.config)
    assert "<secret" in done.stdout + done.stderr
    assert planted.markers.among(done.stdout + done.stderr) == set()


def test_markers_are_told() -> None:
    """The search finds what is there, in each spelling."""
    markers = Markers()
    marker = markers.new()
    for text in (marker, quote(marker, safe=""), base64.b64encode(marker.encode()).decode()):
        assert markers.among(f"x{text}y") == {f"x{text}y"}
    assert Secrets([marker]).hide_known(marker) == "<secret>"
