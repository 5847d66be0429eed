"""Made-up traffic of three models, as plain data frames: what the stores are filled with and the oracle computes from.

Columns of predictions: time and label_time (ms since 1970), version, request_id, predicted, score, latency (s), failed,
label, and the features. A label that never came has a missing label_time.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

AT: Final = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp())
HOUR: Final = 3600
DAY: Final = 24 * HOUR
CLASSES: Final = ("billing", "other", "refund")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Traffic:
    """One model's data. `corrections` replace earlier labels, `orphans` are labels of requests nobody made."""

    model: str
    task: str
    average: str
    by_label_time: bool
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    predictions: pd.DataFrame
    reference: pd.DataFrame | None = None
    corrections: pd.DataFrame = field(default_factory=pd.DataFrame)
    orphans: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def features(self) -> list[str]:
        """Return the names of all features."""
        return [*self.numeric, *self.categorical]


def churn(rng: np.random.Generator, rows: int) -> Traffic:
    """Return a binary model with drift, outliers, gaps, unseen categories, failures and labels that come late."""
    age = np.sort(rng.uniform(-8 * DAY, 0, rows - 40))
    newest = np.array([*rng.uniform(-DAY, -2 * HOUR, 39), -HOUR / 2])
    seconds = np.concatenate([age, newest])
    # A little ahead of the clock: believed, counted in totals, in no window yet.
    seconds[:3] = 120
    late = rng.random(rows) < np.where(seconds > -2 * DAY, 0.7, 0.3)
    version = np.where(late, "2", "1").astype(object)
    version[-40:] = "3"
    frame = _churn_features(rng, rows, drift=np.clip(1 + seconds / (4 * DAY), 0, 1))
    frame["region"] = frame["region"].mask(pd.Series(rng.random(rows) < 0.01), "mars")
    frame["time"], frame["version"] = (AT * 1000 + seconds * 1000).astype(np.int64), version
    frame["request_id"] = [f"r{n:07d}" for n in range(rows)]
    frame["latency"] = rng.lognormal(-4, 0.8, rows)
    frame["failed"] = rng.random(rows) < 0.005
    for name in ("score", "predicted"):
        frame[name] = frame[name].mask(frame["failed"])
    _add_label_times(rng, frame)
    labelled = frame[frame["label_time"] < (AT - 2 * HOUR) * 1000]
    corrections = labelled.sample(500, random_state=1)[["request_id", "label", "label_time"]]
    corrections = corrections.assign(
        label=corrections["label"].map({"0": "1", "1": "0"}), label_time=corrections["label_time"] + HOUR * 1000
    )
    orphans = pd.DataFrame({"request_id": [f"x{n}" for n in range(50)], "label": "1", "label_time": (AT - 60) * 1000})
    return Traffic(
        model="churn",
        task="binary",
        average="weighted",
        by_label_time=True,
        numeric=("age", "income", "tenure", "balance", "usage", "visits", "price"),
        categorical=("plan", "region", "tier"),
        predictions=frame.sort_values("time", kind="stable", ignore_index=True),
        reference=_churn_features(rng, 5_000, drift=np.zeros(5_000)),
        corrections=corrections,
        orphans=orphans,
    )


def _churn_features(rng: np.random.Generator, rows: int, *, drift: Floats) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, rows),
            "income": rng.lognormal(10, 0.6, rows) * np.where(rng.random(rows) < 0.01, 20, 1),
            "tenure": rng.exponential(24, rows).round(1),
            "balance": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(0, 1000, rows)),
            "usage": rng.random(rows),
            "visits": rng.poisson(4, rows).astype(float),
            "price": rng.normal(100 + 8 * drift, 15),
            "plan": pd.Series(rng.choice(["A", "B", "C"], rows), dtype=object).mask(
                pd.Series(rng.random(rows) < 0.02), None
            ),
            "region": pd.Series(rng.choice(["Nord", "Süd", "Łódź"], rows, p=[0.5, 0.3, 0.2]), dtype=object),
            "tier": rng.integers(1, 5, rows).astype(str).astype(object),
        }
    )
    logit = (frame["age"] - 40) / 12 + (frame["plan"] == "C") - 2 * frame["usage"]
    frame["label"] = (rng.random(rows) < _sigmoid(logit)).astype(int).astype(str).astype(object)
    frame["score"] = _sigmoid(logit + rng.normal(0, 0.5, rows))
    frame["predicted"] = (frame["score"] >= 0.5).astype(int).astype(str).astype(object)
    return frame


def _sigmoid(values: pd.Series) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)


def _add_label_times(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    """Let labels come 15 minutes or much longer after the prediction, one in ten never."""
    rows = len(frame)
    arrival = frame["time"] + ((HOUR / 4 + rng.exponential(8 * HOUR, rows)) * 1000).astype(np.int64)
    came = (arrival <= AT * 1000) & (rng.random(rows) >= 0.1) & ~frame["failed"]
    frame["label_time"] = arrival.where(came)


def eta(rng: np.random.Generator, rows: int) -> Traffic:
    """Return a regression whose records carry their label."""

    def sample(count: int) -> pd.DataFrame:
        frame = pd.DataFrame({"distance": rng.gamma(2, 4, count), "city": rng.choice(["Bern", "Genf"], count)})
        frame["label"] = 5 + 2 * frame["distance"] + rng.normal(0, 3, count)
        return frame.assign(predicted=5 + 2.1 * frame["distance"], score=np.nan)

    frame = sample(rows)
    frame["time"] = np.sort(rng.integers((AT - 8 * DAY) * 1000, AT * 1000, rows))
    frame = frame.assign(label_time=frame["time"], version="7", failed=False, latency=np.nan)
    return Traffic(
        model="eta",
        task="regression",
        average="weighted",
        by_label_time=True,
        numeric=("distance",),
        categorical=("city",),
        predictions=frame,
        reference=sample(6_000),
    )


def intent(rng: np.random.Generator, rows: int) -> Traffic:
    """Return a multiclass model with class probabilities, a key of two columns and no reference."""
    signal = rng.normal(0, 1, (rows, 3))
    probabilities = np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
    frame = pd.DataFrame({f"proba_{name}": probabilities[:, n] for n, name in enumerate(CLASSES)})
    truth = (probabilities.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, 2)
    frame["predicted"] = np.array(CLASSES, dtype=object)[probabilities.argmax(axis=1)]
    frame["label"] = np.array(CLASSES, dtype=object)[truth]
    frame["words"] = rng.poisson(12, rows).astype(float)
    frame["time"] = np.sort(rng.integers((AT - 8 * DAY) * 1000, AT * 1000, rows))
    frame["session"], frame["turn"] = [f"s{n // 4}" for n in range(rows)], np.arange(rows) % 4
    frame = frame.assign(version="unknown", failed=False, latency=0.004, score=np.nan)
    _add_label_times(rng, frame)
    return Traffic(
        model="intent",
        task="multiclass",
        average="macro",
        by_label_time=False,
        numeric=("words",),
        categorical=(),
        predictions=frame,
    )
