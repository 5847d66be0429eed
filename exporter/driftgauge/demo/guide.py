"""What the demo tells its user: a configuration with comments, and what to open."""

import json
from pathlib import Path
from string import Template
from typing import Final

from driftgauge.demo.names import ALIAS, LABELS, MODEL, PREDICTIONS, REFERENCE, THRESHOLD, tracking_uri

CONFIG_FILE: Final = "driftgauge.yml"

_CONFIG: Final = Template("""\
# Written by `driftgauge demo`, which overwrites it at every start. To monitor a model of your own, copy it and
# change the tracking URI, the names and the reference.
mlflow:
  tracking_uri: $tracking_uri
# How often MLflow is asked for new files.
refresh_interval: 5s
# Counts, the join of predictions with labels, and what has been read already: survives restarts.
state_dir: $state_dir
windows: [1h, 24h, 7d]
models:
  - name: $model
    task: binary
    # A flight is predicted to be late from this score on.
    threshold: $threshold
    predictions:
      experiment: $predictions
      artifacts: "predictions*"
    labels:
      experiment: $labels
      artifacts: "labels*"
      key: [request_id]
    # Flights of January to March that the model has not seen, with its scores and their labels. Drift is measured
    # against them, and so is performance: their metrics are the baseline.
    reference:
      uri: $reference
""")

_OPEN: Final = """
Serving. Open
  {url}/            status of the model
  {url}/metrics     everything Prometheus gets

For instance
  curl -s {url}/metrics | grep '^model_accuracy'
  curl -s {url}/metrics | grep '^model_feature_psi.*window="7d"'
  curl -s {url}/metrics | grep '^model_drifted_features{{'

In prometheus.yml
  scrape_configs:
    - job_name: driftgauge
      scrape_interval: 10s
      static_configs: [{{targets: ["{target}"]}}]

Its configuration is {config}.
The runs behind the figures:
  mlflow ui --backend-store-uri '{tracking_uri}'

New flights depart until Ctrl-C.
"""


def config_text(directory: Path) -> str:
    """Return the configuration of a demo in the absolute `directory`."""
    return _CONFIG.substitute(
        tracking_uri=_quoted(tracking_uri(directory)),
        state_dir=_quoted(str(directory / "state")),
        model=MODEL,
        threshold=THRESHOLD,
        predictions=PREDICTIONS,
        labels=LABELS,
        reference=_quoted(f"models:/{MODEL}@{ALIAS}/{REFERENCE}"),
    )


def what_to_open(url: str, config: Path) -> str:
    """Return what to try while the exporter answers at `url`; `config` is the demo's configuration file."""
    return _OPEN.format(
        url=url,
        target=url.partition("//")[2],
        config=config,
        tracking_uri=tracking_uri(config.parent),
    )


def _quoted(text: str) -> str:
    # JSON's strings are YAML's too; a lone $ would begin a variable.
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")
