"""MLflow's client in a loop: `mlflow_loop.py URL EXPERIMENT RUNS` lists and downloads the artifacts of every run."""

import sys
import tempfile
from pathlib import Path

import mlflow
from clocks import report, start
from mlflow import MlflowClient

url, name, runs = sys.argv[1:]
client = MlflowClient(url)
began = start()
with tempfile.TemporaryDirectory() as folder:
    experiment = client.get_experiment_by_name(name)
    for run in client.search_runs([experiment.experiment_id], max_results=10_000):
        place = Path(folder) / run.info.run_id
        place.mkdir()
        for artifact in client.list_artifacts(run.info.run_id):
            client.download_artifacts(run.info.run_id, artifact.path, str(place))
    count = sum(path.is_file() for path in Path(folder).rglob("*"))
    report(began, count == int(runs), mlflow=mlflow.__version__)
