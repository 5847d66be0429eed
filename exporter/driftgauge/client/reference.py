"""Writes the reference a model is compared with, and how good the model was on it, to the run that made the model.

The exporter finds the file by `models:/<name>@<alias>/reference.parquet`: where a version's own artifacts have no such
file, it looks in those of its run. The columns are written as `PredictionLogger` writes predictions, so that a feature,
a redacted column and a digest are the same in both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypedDict, Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from driftgauge.client.baseline import LabelledRows, metrics
from driftgauge.client.monitoring import monitoring_text
from driftgauge.client.options import Options
from driftgauge.client.privacy import Privacy
from driftgauge.client.records import LABEL, PREDICTION, SCORE
from driftgauge.client.shapes import input_columns
from driftgauge.client.values import array_column
from driftgauge.client.versions import run_of
from driftgauge.errors import ReferenceUnusable
from driftgauge.schema import CLASS_SCORE_PREFIXES, FEATURE_PREFIXES, MONITORING_FILE, SPELLINGS, Average, Task

METRIC_PREFIX: Final = "baseline_"
_ROLES: Final = {"label": LABEL, "prediction": PREDICTION, "score": SCORE}
# Columns that describe a row but are not inputs of a model.
_LEFT_OUT: Final = frozenset(name for role, names in SPELLINGS.items() if role not in _ROLES for name in names)


class PrivacySettings(TypedDict, total=False):
    """The arguments of `PredictionLogger` that decide what is stored."""

    redact: Collection[str]
    hash: Collection[str]
    hash_key: str | bytes | None


@dataclass(frozen=True, slots=True)
class LoggedReference:
    """Where the reference is (`uri`), how many rows it has, and the metrics logged to the same run."""

    uri: str
    rows: int
    metrics: Mapping[str, float]


def log_reference(
    dataframe: Any,
    model_uri: str,
    *,
    task: Task = "binary",
    average: Average = "weighted",
    threshold: float = 0.5,
    columns: Mapping[str, str] | None = None,
    file_name: str = "reference.parquet",
    monitoring: Mapping[str, Any] | Path | None = None,
    **privacy: Unpack[PrivacySettings],
) -> LoggedReference:
    """Log `dataframe` as the reference of the model at `model_uri`, and its metrics as `baseline_accuracy` and so on.

    dataframe: a pandas DataFrame or a mapping of arrays, one row per example; best the model's validation data.
    columns: role -> column for `label`, `prediction` and `score`; default, the spellings the exporter knows, and
    `proba_<class>`. Ids, times, versions, latencies and errors are left out; every other column is a feature.
    task, average, threshold: as in the exporter's configuration of the model. monitoring: what the exporter is to know
    of this version, as that configuration would have it, or a YAML file of it; it is logged as `driftgauge.yml`.
    privacy: redact, hash and hash_key as for `PredictionLogger`; with other values, categories would differ.

    Raises SourceError when there is no such model or run, ReferenceUnusable when the table cannot be a reference or
    one is there already, and ConfigError for the privacy arguments and what `monitoring` cannot say.
    """
    import mlflow  # noqa: PLC0415 - takes seconds

    said = None if monitoring is None else monitoring_text(monitoring)
    frame = input_columns(dataframe).columns
    found = _roles(frame, columns or {})
    # Only for the privacy arguments, which it checks and completes as the logger does; nothing is logged with it.
    options = Options(experiment=model_uri, model_version="-", **privacy)
    table = _table(frame, found, Privacy.of(options.redact, options.hash, options.key))
    computed = _metrics(frame, found, task=task, average=average, threshold=threshold)
    client = mlflow.MlflowClient()
    run_id = run_of(client, model_uri)
    _refuse_second(client, run_id, model_uri, file_name)
    if said is not None:
        _refuse_second(client, run_id, model_uri, MONITORING_FILE)
    # The table comes last: until it is there, everything can be repeated.
    _log_metrics(client, run_id, computed)
    if said is not None:
        client.log_text(run_id, said, MONITORING_FILE)
    _log_table(client, run_id, table, file_name)
    return LoggedReference(f"runs:/{run_id}/{file_name}", table.num_rows, computed)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of the table by their use. roles: role -> column; class_scores and features: name -> column."""

    roles: Mapping[str, str]
    class_scores: Mapping[str, str]
    features: Mapping[str, str]


def _roles(frame: Mapping[str, Any], configured: Mapping[str, str]) -> _Columns:
    wrong = [f'"{role}"' for role in configured if role not in _ROLES]
    if wrong:
        raise ReferenceUnusable(f"log_reference(columns=…) knows no role {', '.join(wrong)}: use {', '.join(_ROLES)}")
    absent = [f'"{column}"' for column in configured.values() if column not in frame]
    if absent:
        raise ReferenceUnusable(f"log_reference(columns=…): there is no column {', '.join(absent)} in the table")
    free = frame.keys() - set(configured.values())
    spelled = {role: next((name for name in SPELLINGS[role] if name in free), None) for role in _ROLES}
    roles = {role: name for role, name in spelled.items() if name is not None} | dict(configured)
    class_scores = {_stripped(name, CLASS_SCORE_PREFIXES): name for name in frame if _has(name, CLASS_SCORE_PREFIXES)}
    used = {*roles.values(), *class_scores.values()}
    left = [name for name in frame if name not in used and name not in _LEFT_OUT]
    return _Columns(roles, class_scores, {_stripped(name, FEATURE_PREFIXES): name for name in left})


def _table(frame: Mapping[str, Any], found: _Columns, privacy: Privacy) -> Any:
    arrays = {
        **{f"{FEATURE_PREFIXES[0]}{name}": (name, column) for name, column in found.features.items()},
        **{f"{CLASS_SCORE_PREFIXES[0]}{name}": (column, column) for name, column in found.class_scores.items()},
        **{_ROLES[role]: (_ROLES[role], column) for role, column in found.roles.items()},
    }
    kept = {written: privacy.kept(name, array_column(frame[column])) for written, (name, column) in arrays.items()}
    table = pa.table({name: array for name, array in kept.items() if array is not None})
    compared = [name for name in table.column_names if name != LABEL]
    if table.num_rows < 2 or not compared:
        raise ReferenceUnusable(
            f"the reference has {table.num_rows} rows and {len(compared)} columns to compare with; "
            "it needs at least 2 rows, better 1,000 or more, and a feature or a prediction"
        )
    return table


def _metrics(
    frame: Mapping[str, Any], found: _Columns, *, task: Task, average: Average, threshold: float
) -> dict[str, float]:
    values = {role: array_column(frame[column]).to_pylist() for role, column in found.roles.items()}
    if "label" not in values:
        return {}
    scores = {name: array_column(frame[column]).to_pylist() for name, column in found.class_scores.items()}
    labelled = LabelledRows(values["label"], values.get("prediction"), values.get("score"), scores)
    return metrics(labelled, task=task, average=average, threshold=threshold)


def _refuse_second(client: Any, run_id: str, model_uri: str, file_name: str) -> None:
    """Refuse a file that the exporter would not read: it prefers another, or has read an earlier one of that name."""
    import mlflow  # noqa: PLC0415 - as above

    if file_name in {entry.path for entry in client.list_artifacts(run_id)}:
        raise ReferenceUnusable(
            f'run {run_id} already has "{file_name}", and an exporter that has read it keeps it: log a new version of '
            "the model, or pass another file_name and name that file in models[].reference.uri"
        )
    if file_name in {entry.path for entry in mlflow.artifacts.list_artifacts(artifact_uri=model_uri)}:
        raise ReferenceUnusable(
            f'the artifacts of "{model_uri}" hold a "{file_name}" of their own, which the exporter takes before that '
            "of the run: pass another file_name and name that file in models[].reference.uri"
        )


def _log_table(client: Any, run_id: str, table: Any, file_name: str) -> None:
    with TemporaryDirectory(prefix="driftgauge-reference-") as folder:
        path = Path(folder, file_name)
        pq.write_table(table, path)
        client.log_artifact(run_id, str(path))


def _log_metrics(client: Any, run_id: str, computed: Mapping[str, float]) -> None:
    from mlflow.entities import Metric  # noqa: PLC0415 - as above
    from mlflow.utils.time import get_current_time_millis  # noqa: PLC0415 - as above

    at = get_current_time_millis()
    found = [Metric(METRIC_PREFIX + name, value, at, step=0) for name, value in computed.items()]
    client.log_batch(run_id, metrics=found)


def _has(name: str, prefixes: Collection[str]) -> bool:
    return any(name.startswith(prefix) and name != prefix for prefix in prefixes)


def _stripped(name: str, prefixes: Collection[str]) -> str:
    return next((name.removeprefix(p) for p in prefixes if name.startswith(p) and name != p), name)
