"""The demo's model and its traffic: predictions, labels a minute later, and drift after some minutes.

It uses what serving code uses, `driftgauge.client`. Nothing is trained: the model is a formula, and the registry has
its reference.
"""

import math
import os
import random
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from driftgauge.client import PredictionLogger, log_reference

MODEL: Final = "churn-predictor"
EXPERIMENT: Final = "/monitoring/churn"
ROWS_A_SECOND: Final = 10
# Seconds until the truth is known, and until customers are older and on another plan than the reference's.
LABELS_AFTER: Final = 60
DRIFT_AFTER: Final = int(os.environ.get("DRIFT_AFTER", "600"))
PLANS: Final = ("basic", "plus", "gold")


def customer(chance: random.Random, *, drifted: bool) -> dict[str, float | str]:
    """Return the features of somebody."""
    age = chance.gauss(58 if drifted else 40, 12)
    plan = chance.choices(PLANS, (1, 1, 6) if drifted else (5, 3, 2))[0]
    return {"age": round(age), "plan": plan, "spending": round(chance.lognormvariate(3, 0.5), 2)}


def probability(features: Mapping[str, float | str]) -> float:
    """Return the model's score: the young and thrifty leave."""
    return 1 / (1 + math.exp((float(features["age"]) - 40) / 8 + (float(features["spending"]) - 20) / 15))


def truth(chance: random.Random, score: float, *, drifted: bool) -> int:
    """Return whether they left; after the drift it has little to do with the score."""
    return int(chance.random() < (0.5 if drifted else score))


def register(chance: random.Random) -> str:
    """Register the model with its reference, unless it is; return its version."""
    client = MlflowClient()
    try:
        return str(client.get_model_version_by_alias(MODEL, "champion").version)
    except MlflowException:
        pass
    experiment = client.get_experiment_by_name("churn") or client.create_experiment("churn")
    run = client.create_run(experiment if isinstance(experiment, str) else experiment.experiment_id)
    client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(MODEL, "champion", made.version)
    rows = [customer(chance, drifted=False) for _ in range(5000)]
    scores = [probability(row) for row in rows]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    table |= {"prediction": [int(score >= 0.5) for score in scores], "score": scores}
    table |= {"label": [truth(chance, score, drifted=False) for score in scores]}
    log_reference(table, f"models:/{MODEL}@champion")
    client.set_terminated(run.info.run_id)
    return str(made.version)


def main() -> None:
    """Write until it is stopped."""
    chance = random.Random(7)  # noqa: S311 - made-up customers
    began, waiting = time.monotonic(), deque[tuple[float, str, int]]()
    with PredictionLogger(EXPERIMENT, register(chance), max_file_age=10) as logger:
        while True:
            now = time.monotonic()
            drifted = now - began > DRIFT_AFTER
            features = customer(chance, drifted=drifted)
            score = probability(features)
            request_id = logger.log(features, int(score >= 0.5), score=score, latency=chance.lognormvariate(-4, 0.4))
            if request_id is not None:
                waiting.append((now + LABELS_AFTER, request_id, truth(chance, score, drifted=drifted)))
            while waiting and waiting[0][0] <= now:
                _, request_id, label = waiting.popleft()
                logger.log_labels([request_id], [label])
            time.sleep(1 / ROWS_A_SECOND)


if __name__ == "__main__":
    main()
