"""Logs made-up traffic to an MLflow store, in the formats and spellings that serving code uses."""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
from mlflow import MlflowClient

from e2e.traffic import AT, CLASSES, DAY, HOUR, Traffic

SLICES: Final = 24
BROKEN_LINES: Final = 5
FUTURE_ROWS: Final = 7


@dataclass(frozen=True)
class Logged:
    """What was logged of a model: how many files can be read, and by version the labels of `model_info`."""

    batches: int
    identities: Mapping[str, Mapping[str, str]]


class Filling:
    """An MLflow store that is filled from files written to `folder`."""

    def __init__(self, tracking_uri: str, folder: Path) -> None:
        self.client = MlflowClient(tracking_uri)
        self._folder = folder

    def log(
        self, experiment: str, path: str, write: Callable[[Path], object], *, tags: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Log the file that `write` makes as the artifact `path` of a run of its own; return its `model_info`."""
        found = self.client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else self.client.create_experiment(experiment)
        run_id = self.client.create_run(experiment_id, tags=tags).info.run_id
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file)
        self.client.log_artifact(run_id, str(file), path.rpartition("/")[0] or None)
        self.client.set_terminated(run_id)
        return {"run_id": run_id, "experiment_id": experiment_id, "model_uri": ""}

    def log_churn(self, traffic: Traffic) -> Logged:
        """Log predictions in three formats, labels in another experiment, and the reference of registered version 1."""
        rows, start = traffic.predictions, (AT - 8 * DAY) * 1000
        part = ((rows["time"] - start) // (8 * HOUR * 1000)).clip(upper=SLICES - 1).astype(int)
        writers = ((write_jsonl, "jsonl"), (write_flat_parquet, "parquet"), (write_flat_csv, "csv.gz"))
        logged = {}
        for number, frame in rows.groupby(part):
            write, suffix = writers[int(number) % 3]
            spoilt = frame if number < SLICES - 1 else pd.concat([frame, _future(frame)])
            path = f"predictions/part-{number:02d}.{suffix}"
            logged = self.log("/monitoring/churn", path, partial(write, frame=spoilt, traffic=traffic))
        self.log("/monitoring/churn", "predictions-cut.parquet", partial(_write_cut, rows.head(100), traffic))
        labels = rows.dropna(subset="label_time")[["request_id", "label", "label_time"]]
        days = labels.groupby((labels["label_time"] - start) // (DAY * 1000))
        files = [*(frame for _, frame in days), traffic.orphans, traffic.corrections]
        for number, frame in enumerate(files):
            self.log("/monitoring/churn-labels", f"labels-{number}.jsonl", partial(write_labels, frame=frame))
        return Logged(SLICES + len(files), {"1": self._register(traffic), "2": logged, "3": logged})

    def _register(self, traffic: Traffic) -> dict[str, str]:
        assert traffic.reference is not None
        trained = self.log("/training", "reference.parquet", traffic.reference.drop(columns="predicted").to_parquet)
        self.client.create_registered_model(traffic.model)
        self.client.create_model_version(traffic.model, f"runs:/{trained['run_id']}/model", trained["run_id"])
        self.client.set_registered_model_alias(traffic.model, "champion", "1")
        return trained | {"model_uri": f"models:/{traffic.model}/1"}

    def log_eta(self, traffic: Traffic, reference: Path) -> Logged:
        """Log records that carry their label; the version is a tag of the run."""
        names = {"label": "actual", "predicted": "prediction", "distance": "feature_distance", "city": "feature_city"}
        frame = traffic.predictions[["time", *names]].rename(columns=names)
        logged = self.log("/monitoring/eta", "eta.parquet", frame.to_parquet, tags={"model_version": "7"})
        assert traffic.reference is not None
        known = traffic.reference.drop(columns="score").rename(columns={"predicted": "prediction"})
        known.to_csv(reference, index=False)
        return Logged(1, {"7": logged})

    def log_intent(self, traffic: Traffic) -> Logged:
        """Log labels, then the predictions they belong to, keyed by two columns."""
        rows, key = traffic.predictions, ["session", "turn"]
        labels = rows.dropna(subset="label_time")[[*key, "label", "label_time"]].rename(columns={"label_time": "ts"})
        self.log("/monitoring/intent", "labels.parquet", labels.to_parquet)
        names = {"words": "inputs.words", "latency": "latency_s", "predicted": "y_pred", "time": "ts"}
        frame = rows[[*key, *names, *(f"proba_{name}" for name in CLASSES)]].rename(columns=names)
        logged = self.log("/monitoring/intent", "predictions.csv", partial(frame.to_csv, index=False))
        return Logged(2, {"unknown": logged})


def _future(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows from too far in the future to be believed."""
    ids = [f"f{n}" for n in range(FUTURE_ROWS)]
    return frame.tail(FUTURE_ROWS).assign(time=(AT + 600) * 1000, request_id=ids)


def write_jsonl(path: Path, frame: pd.DataFrame, traffic: Traffic) -> None:
    """Write nested records whose prediction is a score, and a few lines that are no JSON at all in the first file."""
    features = _records(frame[traffic.features])
    times = pd.to_datetime(frame["time"], unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    columns = zip(*(frame[name] for name in ("request_id", "version", "score", "latency", "failed")), strict=True)
    lines = [
        json.dumps(
            {"request_id": key, "timestamp": time, "model_version": version, "latency_ms": latency * 1000}
            | ({"error": "timeout"} if failed else {"prediction": score})
            | {"features": values}
        )
        for time, values, (key, version, score, latency, failed) in zip(times, features, columns, strict=True)
    ]
    broken = ['{"request_id": "r'] * BROKEN_LINES if path.name == "part-00.jsonl" else []
    path.write_text("\n".join([*broken, *lines]) + "\n", encoding="utf-8")


def _records(frame: pd.DataFrame) -> Iterable[dict[str, Any]]:
    columns = {name: frame[name].tolist() for name in frame}
    for values in zip(*columns.values(), strict=True):
        yield {name: value for name, value in zip(columns, values, strict=True) if not pd.isna(value)}


def _flat(frame: pd.DataFrame, traffic: Traffic, prefix: str) -> pd.DataFrame:
    flat = frame[traffic.features].add_prefix(prefix)
    flat[f"{prefix}tier"] = flat[f"{prefix}tier"].astype(int)
    error = pd.Series("out of memory", index=frame.index).where(frame["failed"])
    return flat.assign(error=error.astype(object))


def write_flat_parquet(path: Path, frame: pd.DataFrame, traffic: Traffic) -> None:
    """Write columns with a prefix, timestamps as such, and scores without classes."""
    flat = _flat(frame, traffic, "feature_").assign(
        prediction_id=frame["request_id"],
        ts=pd.to_datetime(frame["time"], unit="ms", utc=True),
        model_version=frame["version"],
        probability=frame["score"],
        latency_s=frame["latency"],
    )
    flat.to_parquet(path)


def write_flat_csv(path: Path, frame: pd.DataFrame, traffic: Traffic) -> None:
    """Write columns with another prefix, epoch milliseconds, scores and classes."""
    flat = _flat(frame, traffic, "features.").assign(
        id=frame["request_id"],
        time=frame["time"],
        version=frame["version"],
        y_score=frame["score"],
        y_pred=frame["predicted"],
        latency_seconds=frame["latency"],
    )
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="") as file:
        flat.to_csv(file, index=False)


def write_labels(path: Path, frame: pd.DataFrame) -> None:
    """Write label records; the labels are numbers there."""
    renamed = frame.rename(columns={"label_time": "ts", "label": "actual_outcome"})
    renamed.astype({"ts": int, "actual_outcome": int}).to_json(path, orient="records", lines=True)


def _write_cut(frame: pd.DataFrame, traffic: Traffic, path: Path) -> None:
    write_flat_parquet(path, frame, traffic)
    path.write_bytes(path.read_bytes()[:-200])
