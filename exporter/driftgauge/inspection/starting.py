"""Where an inspection starts: a file, a run of MLflow, or a configuration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftgauge.config import Config, Limits, ModelConfig, parse
from driftgauge.errors import ConfigError
from driftgauge.hiding import hidden
from driftgauge.inspection.choosing import NamedFiles, newest_runs, only_run
from driftgauge.inspection.drafting import features_to_include, keys_of_times, mapped, section
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.findings import Findings
from driftgauge.inspection.inspecting import Bench, Inspector, Looked, monitored
from driftgauge.inspection.joining import meet
from driftgauge.inspection.reporting import findings
from driftgauge.inspection.tasks import task_of
from driftgauge.patterns import matches
from driftgauge.schema import Task
from driftgauge.scratch import Scratch, temporary_folder
from driftgauge.source import Source

if TYPE_CHECKING:
    from driftgauge.feed import FileRole

_RUN: Final = re.compile(r"(?:runs:/+)?([0-9a-f]{32})/?")
_VARIABLE: Final = "MLFLOW_TRACKING_URI"
_FROM_ENVIRONMENT: Final = f"${{{_VARIABLE}}}"
_LABELS: Final = "labels*"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
# To tell tasks and keys apart, this many chunks of each file will do.
_CHUNKS: Final = 2
_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says besides where the files are."""

    task: Task | None = None
    labels: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The model's section so far, and which files it is about. tracking_uri: "" where MLflow is not asked."""

    settings: Mapping[str, Any]
    tracking_uri: str = ""
    named: NamedFiles | None = None
    run_id: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def text(self, settings: Mapping[str, Any], commented: Sequence[str] = ()) -> str:
        """Return the configuration of these settings, and lines that are comments, as a file has it."""
        has_secrets = hidden(self.tracking_uri) != self.tracking_uri
        return section(settings, commented, tracking_uri=_FROM_ENVIRONMENT if has_secrets else self.tracking_uri)

    def config(self, settings: Mapping[str, Any]) -> Config:
        """Return what that text means."""
        return parse(self.text(settings), filename="the proposed configuration", environ=self.environ)

    def inspector(self, bench: Bench, settings: Mapping[str, Any]) -> Inspector:
        """Return what looks at a model with these settings."""
        config = self.config(settings)
        choose = only_run(self.run_id) if self.run_id else newest_runs()
        return Inspector(bench, config, config.models[0], choose=choose, named=self.named)


def of_configuration(config: Config, model: ModelConfig) -> Findings:
    """Return what is found about a model of a configuration.

    Raises SourceError, and ConfigError when what its registered version says cannot be used.
    """
    with Bench(config) as bench:
        found = monitored(bench, config, model)
        if found.problem:
            raise ConfigError(found.problem)
        inspector = Inspector(bench, config, found.found.model if found.found else model, choose=newest_runs())
        return findings(inspector, task_why="as configured", draft=None)


def of_target(target: str, wanted: Wanted, environ: Mapping[str, str]) -> Findings:
    """Return what is found in a file, a folder of files or a run.

    Raises ConfigError when there is nothing of that name, or nothing in it that can be read; SourceError.
    """
    start = _start(target, wanted, environ)
    with Bench(start.config(start.settings)) as bench:
        looked = start.inspector(bench, start.settings).files(most=_CHUNKS)
        _refuse_unreadable(target, looked)
        settings, why = _completed(start, looked, wanted, bench)
        inspector = start.inspector(bench, settings)
        by_value = ["columns were paired by equal values: check them"] if _is_mapped(settings) else []
        return findings(inspector, task_why=why, draft=lambda lines: start.text(settings, [*by_value, *lines]))


def _start(target: str, wanted: Wanted, environ: Mapping[str, str]) -> Start:
    path, run = Path(target), _RUN.fullmatch(target)
    task = {"task": wanted.task} if wanted.task else {}
    if path.is_dir():
        folder = str(path.resolve())
        has_labels = any(matches(found.name, _LABELS) for found in path.iterdir())
        place = {"predictions": {"files": folder}} | ({"labels": {}} if has_labels else {})
        return Start({"name": _name(path.resolve().name), **task, **place, **_reference(wanted)}, environ=environ)
    if path.exists():
        files: dict[FileRole, Path] = {"predictions": path.resolve()}
        settings: dict[str, Any] = {"name": _name(path.name.partition(".")[0]), **task, "predictions": _place(path)}
        if wanted.labels:
            labels = _existing(wanted.labels, "--labels")
            files["labels"] = labels
            settings["labels"] = _place(labels)
        named = NamedFiles(files, max_bytes=Limits().max_artifact_bytes)
        return Start({**settings, **_reference(wanted)}, named=named, environ=environ)
    if run is None:
        raise ConfigError(f"{target}: there is no such file, and it is no id of an MLflow run")
    return _start_of_run(run[1], wanted, environ, task)


def _start_of_run(run_id: str, wanted: Wanted, environ: Mapping[str, str], task: Mapping[str, Any]) -> Start:
    uri = environ.get(_VARIABLE, "")
    if not uri:
        raise ConfigError(f"{run_id}: to ask MLflow for this run, set {_VARIABLE}")
    if wanted.labels:
        raise ConfigError("--labels goes with a file; of a run, files named labels* are the labels")
    with temporary_folder() as folder:
        source = Source(uri, max_artifact_bytes=Limits().max_artifact_bytes, spool=Scratch(folder))
        experiment = source.experiment_of(run_id)
    settings = {"name": _name(experiment.rpartition("/")[2]), **task, "predictions": {"experiment": experiment}}
    return Start({**settings, "labels": {}, **_reference(wanted)}, tracking_uri=uri, run_id=run_id, environ=environ)


def _completed(start: Start, looked: Looked, wanted: Wanted, bench: Bench) -> tuple[dict[str, Any], str]:
    """Return the settings with what the files say: task, key and features; and what speaks for the task."""
    settings = dict(start.settings)
    predictions, labels = looked.facts.get("predictions", Facts()), looked.facts.get("labels")
    if labels is None:
        settings.pop("labels", None)
    elif found := mapped(predictions, labels):
        settings["labels"] = {**settings["labels"], **found.get("labels", {})}
        if "columns" in found:
            settings["columns"] = found["columns"]
        looked = start.inspector(bench, settings).files(most=_CHUNKS)
        predictions, labels = looked.facts.get("predictions", Facts()), looked.facts.get("labels")
    if labels is not None and not labels.usable and "missing_key" in labels.rejected:
        settings["labels"], predictions, labels = _with_key_of_times(start, settings, predictions, labels, bench)
    task, why = (wanted.task, "--task") if wanted.task else task_of(predictions, labels)
    # Without a reference nothing says which of the columns of a flat table are features.
    if "reference" not in settings and (include := features_to_include(predictions)):
        settings["features"] = {"include": include}
    kept = {key: value for key, value in settings.items() if key not in {"name", "task"}}
    return {"name": settings["name"], "task": task, **kept}, why


def _with_key_of_times(
    start: Start, settings: Mapping[str, Any], predictions: Facts, labels: Facts, bench: Bench
) -> tuple[dict[str, Any], Facts, Facts]:
    """Return the section of labels with a key that has the time in it, if rows meet by it, and the files read so."""
    place: dict[str, Any] = settings["labels"]
    for key in keys_of_times(predictions, labels):
        section = {**place, "key": key}
        looked = start.inspector(bench, {**settings, "labels": section}).files(most=_CHUNKS)
        found = looked.facts.get("predictions", Facts()), looked.facts.get("labels", Facts())
        if 2 * meet(*found, joined=0, complete=True).matched > found[1].usable:
            return section, *found
    return place, predictions, labels


def _is_mapped(settings: Mapping[str, Any]) -> bool:
    return "columns" in settings or bool({"key", "columns"} & settings.get("labels", {}).keys())


def _refuse_unreadable(target: str, looked: Looked) -> None:
    """Raise ConfigError when not one row of any file could be read."""
    if any(facts.columns for facts in looked.facts.values()):
        return
    problems = [(path, text) for facts in looked.facts.values() for path, (_, text) in facts.problems.items()]
    if problems:
        raise ConfigError(
            f"{target}: {problems[0][1]}" if len(problems) == 1 else f"{target}: {': '.join(problems[0])}"
        )
    if not looked.facts:
        raise ConfigError(f"{target}: there is no file in it whose name ends like .jsonl, .json, .csv or .parquet")
    if not any(facts.rows for facts in looked.facts.values()):
        raise ConfigError(f"{target}: it has no rows")
    raise ConfigError(f"{target}: not one row of it could be read")


def _place(path: Path) -> dict[str, str]:
    whole = path.resolve()
    return {"files": str(whole.parent), "artifacts": _GLOB.sub(lambda found: f"[{found[0]}]", whole.name)}


def _reference(wanted: Wanted) -> dict[str, Any]:
    uri = wanted.reference
    if not uri:
        return {}
    if ":" not in uri.partition("/")[0]:
        uri = str(_existing(uri, "--reference"))
    return {"reference": {"uri": uri}}


def _existing(path: str, option: str) -> Path:
    if not Path(path).exists():
        raise ConfigError(f"{option}: {path}: there is no such file")
    return Path(path).resolve()


def _name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("-", text).strip("-") or "model"
