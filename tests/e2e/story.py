"""Traffic of three models that has something to show: two versions, drift, errors, gaps, late labels.

`churn` is a binary classifier whose labels come later in files of their own, `eta` a regression and `intent` a
multiclass classifier whose records carry their label. What is wrong at a time is an argument; times are seconds
since 1970.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient

Floats = npt.NDArray[np.float64]

MINUTE: Final = 60
HOUR: Final = 3600
# Of the models whose version never changes; characters that mean something in a regular expression included.
VERSIONS: Final = {"eta": "2.1", "intent": "2026-11+de"}
INTENTS: Final = ("billing", "other", "refund")
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state
refresh_interval: 2s
windows: [1h, 6h, 24h, 7d]
models:
  - name: churn
    predictions: {{experiment: /churn, artifacts: "predictions*"}}
    labels: {{experiment: /churn, artifacts: "labels*"}}
    reference: {{uri: "{folder}/references/churn.parquet"}}
    monitoring: "{folder}/references/churn.yml"
    writeback: {{experiment: /results}}
    publish_bins: true
    segments: {{young: {{age: {{below: 35}}}}}}
  - name: eta
    task: regression
    predictions: {{experiment: /eta}}
    writeback: {{experiment: /deleted}}
    reference: {{uri: "{folder}/references/eta.parquet"}}
  - name: intent
    task: multiclass
    predictions: {{experiment: /intent}}
    reference: {{uri: "{folder}/references/intent.parquet"}}
"""


@dataclass(frozen=True)
class Circumstances:
    """What is wrong with a batch.

    drift: shift of the features in standard deviations. wrong: share of labels that are not what the features say.
    slow: factor on latency. The others are shares of rows.
    """

    version: str = "3"
    drift: float = 0.0
    wrong: float = 0.0
    missing: float = 0.02
    unseen: float = 0.0
    failed: float = 0.01
    slow: float = 1.0


def churn(rng: np.random.Generator, rows: int, now: Circumstances) -> pd.DataFrame:
    """Return a binary model's rows; the score is what the model believes, the label what became true."""
    age, income = rng.normal(40 + 10 * now.drift, 10, rows), rng.lognormal(10 + 0.4 * now.drift, 0.5, rows)
    plan = rng.choice(["basic", "plus", "pro"], rows, p=_mixed((0.6, 0.3, 0.1), (0.2, 0.3, 0.5), now.drift))
    region = np.where(rng.random(rows) < now.unseen, "overseas", rng.choice(["north", "south"], rows))
    logit = (age - 40) / 5 - 0.5 * (plan == "pro") + rng.normal(0, 0.6, rows)
    score = 1 / (1 + np.exp(-logit))
    truth = np.where(rng.random(rows) < now.wrong, rng.random(rows), score) >= 0.5
    return pd.DataFrame(
        {
            "feature_age": age,
            "feature_income": np.where(rng.random(rows) < now.missing, np.nan, income),
            "feature_tenure": rng.exponential(24, rows).round(1),
            "feature_plan": plan,
            "feature_region": region,
            "probability": score,
            "label": (truth ^ (rng.random(rows) < 0.05)).astype(int),
            "latency_s": rng.lognormal(-3.5, 0.6, rows) * now.slow,
        }
    )


def eta(rng: np.random.Generator, rows: int, now: Circumstances) -> pd.DataFrame:
    """Return a regression's rows: minutes until arrival."""
    distance = rng.gamma(2, 4, rows) * (1 + 0.5 * now.drift)
    return pd.DataFrame(
        {
            "feature_distance": distance,
            "feature_city": rng.choice(["Bern", "Genf", "Basel"], rows),
            "prediction": 5 + 2 * distance,
            "label": 5 + 2 * distance + rng.normal(0, 3 + 12 * now.wrong, rows),
            "latency_s": rng.lognormal(-4.5, 0.4, rows) * now.slow,
        }
    )


def intent(rng: np.random.Generator, rows: int, now: Circumstances) -> pd.DataFrame:
    """Return a multiclass classifier's rows, with a probability per class."""
    signal = rng.normal(0, 2, (rows, 3)) + now.drift * np.array([1.0, 0.0, 0.0])
    probabilities = np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
    believed = probabilities.argmax(axis=1)
    truth = np.where(rng.random(rows) < 0.1 + now.wrong, rng.integers(0, 3, rows), believed)
    frame = pd.DataFrame({f"proba_{name}": probabilities[:, n] for n, name in enumerate(INTENTS)})
    names = np.array(INTENTS, dtype=object)
    words = rng.poisson(12 + 3 * now.drift, rows).astype(float)
    return frame.assign(feature_words=words, y_pred=names[believed], label=names[truth])


def _mixed(usual: tuple[float, ...], other: tuple[float, ...], share: float) -> Floats:
    part = min(share, 1.0)
    return (1 - part) * np.array(usual) + part * np.array(other)


MODELS: Final[Mapping[str, Callable[[np.random.Generator, int, Circumstances], pd.DataFrame]]] = {
    "churn": churn,
    "eta": eta,
    "intent": intent,
}


class Journal:
    """Logs the story to an MLflow store, one run per model, through files in `folder`."""

    def __init__(self, tracking_uri: str, folder: Path, rng: np.random.Generator) -> None:
        self._client = MlflowClient(tracking_uri)
        self._folder = folder
        self._rng = rng
        self._files = 0
        self._runs = {name: self._client.create_run(self._experiment(name)).info.run_id for name in MODELS}

    def _experiment(self, model: str) -> str:
        place = (self._folder / "artifacts" / model).as_uri()
        return str(self._client.create_experiment(f"/{model}", artifact_location=place))

    def write_references(self) -> None:
        """Write what the models were trained on."""
        place = self._folder / "references"
        place.mkdir()
        for name, rows_of in MODELS.items():
            frame = rows_of(self._rng, 4_000, Circumstances(missing=0.02)).drop(columns="latency_s", errors="ignore")
            frame.to_parquet(place / f"{name}.parquet")
        (place / "churn.yml").write_text("average: binary\n", encoding="utf-8")

    def predictions(
        self, model: str, rows: int, *, start: float, end: float, now: Circumstances | None = None
    ) -> pd.DataFrame:
        """Log a batch of predictions made between two times; return its rows, for their labels."""
        now = now or Circumstances()
        frame = MODELS[model](self._rng, rows, now)
        self._files += 1
        frame = frame.assign(
            request_id=[f"{self._files}-{n}" for n in range(rows)],
            timestamp=np.sort(self._rng.uniform(start, end, rows)),
            model_version=VERSIONS.get(model, now.version),
            error=np.where(self._rng.random(rows) < now.failed, "timeout", None),
        )
        written = frame.drop(columns="label") if model == "churn" else frame
        self._log(model, f"predictions-{self._files:04d}.parquet", written)
        return frame

    def labels(self, predictions: pd.DataFrame, *, delay: float, until: float, share: float = 0.8) -> None:
        """Log the labels of `share` of churn's predictions, each about `delay` seconds late, none after `until`."""
        answered = predictions[predictions["error"].isna()].sample(frac=share, random_state=self._files)
        late = answered["timestamp"] + delay * self._rng.lognormal(0, 0.5, len(answered))
        frame = pd.DataFrame(
            {"request_id": answered["request_id"], "ts": late.clip(upper=until), "actual_outcome": answered["label"]}
        )
        self._log("churn", f"labels-{self._files:04d}.parquet", frame)

    def spoilt(self, model: str, now: float) -> None:
        """Log a file that is none, and one with rows that cannot be used."""
        self._files += 1
        self._write(model, f"predictions-{self._files:04d}-cut.parquet", lambda file: file.write_bytes(b"PAR1"))
        future = MODELS[model](self._rng, 20, Circumstances()).drop(columns="label")
        self._log(model, f"predictions-{self._files:04d}-future.parquet", future.assign(timestamp=now + 24 * HOUR))

    def _log(self, model: str, name: str, frame: pd.DataFrame) -> None:
        self._write(model, name, frame.to_parquet)

    def _write(self, model: str, name: str, write: Callable[[Path], object]) -> None:
        file = self._folder / name
        write(file)
        self._client.log_artifact(self._runs[model], str(file))
        file.unlink()
