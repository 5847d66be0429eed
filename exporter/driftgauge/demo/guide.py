"""The texts for the demo's user: a configuration with comments, and what to open."""

import shutil
import sys
from pathlib import Path
from string import Template
from typing import Final

from driftgauge.config.units import DAY, HOUR, format_duration
from driftgauge.demo.alerting import Alerting
from driftgauge.demo.flights import WEATHER
from driftgauge.demo.names import ALIAS, LABELS, MODEL, PREDICTIONS, REFERENCE, THRESHOLD, quoted, tracking_uri
from driftgauge.demo.pace import Pace

CONFIG_FILE: Final = "driftgauge.yml"

_CONFIG: Final = Template("""\
# Written by `driftgauge demo`, which overwrites it at every start. To monitor a model of your own, copy it and
# change the tracking URI, the names and the reference.
mlflow:
  tracking_uri: $tracking_uri
# How often MLflow is asked for new files.
refresh_interval: $refresh
# Counts, the join of predictions with labels, and what has been read already: survives restarts.
state_dir: $state_dir
# The first holds a week of flights as they come now; the alerts look at it.
windows: [$windows]
${thresholds}models:
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
    # Flights of January and February that the model has not seen, with its scores and their labels. Drift is measured
    # against them, and so is performance: their metrics are the baseline.
    reference:
      uri: $reference
    # The weather of a week is never that of two months: it would be flagged every week, and rightly so. The model uses
    # it all the same; whether that goes well shows in its scores and in its performance.
    features:
      exclude: [$weather]
    drift:
      # A windy week delays many flights a little, a calm one few. 0.1 and 0.2, the defaults, are for windows that hold
      # more than a week.
      ks: 0.3
      psi: 0.4
      # Of two days and more: part of a day is no day.
      min_samples: 2000
""")
_LIMITS: Final = Template("""\
# Those of the alerts, so that pages and reports say what these say.
thresholds: $thresholds
""")
# The usual windows in addition to the story's own.
_USUAL: Final = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY}

_OPEN: Final = """
Serving. Open
  {url}/                     status of the model
  {url}/models/{model}  report on it: what moved, how sure that is, what to do
  {url}/metrics              everything Prometheus gets

For instance
  curl -s {url}/metrics | grep '^model_accuracy'
  curl -s {url}/metrics | grep '^model_feature_psi.*window="{window}"'
  curl -s {url}/metrics | grep '^model_drifted_features{{'
{prometheus}
The exporter's configuration is {config}.
The runs behind the figures, where links to MLflow lead (those to dashboards lead to a Grafana on port 3000):
  {mlflow} ui --backend-store-uri '{tracking_uri}'

{own}
New flights depart until Ctrl-C.
"""
# What to do after the demo.
_OWN_DATA: Final = """\
For your own data
  {driftgauge} inspect FILE                              what it is taken for, and a configuration to paste
  {driftgauge} check-config --online driftgauge.yml      whether it fits to what is in MLflow
  {driftgauge} serve --config.file=driftgauge.yml        metrics, from then on
"""
_OWN_PROMETHEUS: Final = """
In prometheus.yml
  scrape_configs:
    - job_name: driftgauge
      honor_labels: true
      scrape_interval: 10s
      static_configs: [{{targets: ["{target}"]}}]
"""
_OUR_PROMETHEUS: Final = """
Prometheus and Alertmanager run too, until the demo ends
  {prometheus}/          under Alerts: what waits and what fires
  {alertmanager}/          what would page; Debian's has no such page, but
    amtool alert query --alertmanager.url={alertmanager}      (--inhibited: what is muted)
  {hook}/metrics  what alerts have started: retraining, once the story turns it on
Rules, thresholds, runbooks, and dashboards for Grafana are in {folder}
"""


def config_text(directory: Path, pace: Pace, *, thresholds: Path | None = None) -> str:
    """Return the configuration of a demo in the absolute `directory`; thresholds: of its alerts, if there are any."""
    windows = [format_duration(pace.window), *(name for name, seconds in _USUAL.items() if seconds != pace.window)]
    return _CONFIG.substitute(
        tracking_uri=quoted(tracking_uri(directory)),
        refresh=format_duration(pace.refresh),
        state_dir=quoted(str(directory / "state")),
        thresholds=_LIMITS.substitute(thresholds=quoted(str(thresholds))) if thresholds else "",
        windows=", ".join(windows),
        model=MODEL,
        threshold=THRESHOLD,
        predictions=PREDICTIONS,
        labels=LABELS,
        reference=quoted(f"models:/{MODEL}@{ALIAS}/{REFERENCE}"),
        weather=", ".join(WEATHER),
    )


def what_to_open(url: str, config: Path, *, pace: Pace, servers: Alerting | None) -> str:
    """Return what to try while the exporter answers at `url`; `config` is the demo's configuration file."""
    own = _OWN_PROMETHEUS.format(target=target_of(url))
    return _OPEN.format(
        url=url,
        window=format_duration(pace.window),
        prometheus=own if servers is None else _OUR_PROMETHEUS.format(**_places(servers)),
        config=config,
        tracking_uri=tracking_uri(config.parent),
        model=MODEL,
        mlflow=_program("mlflow"),
        own=own_data(),
    )


def own_data() -> str:
    """Return what to do after the demo."""
    return _OWN_DATA.format(driftgauge=_program("driftgauge"))


def _program(name: str) -> str:
    """Return what to call a program that is installed with us: its path, unless the shell finds it by its name."""
    ours = Path(sys.executable).with_name(name)
    if shutil.which(name) or not ours.exists():
        return name
    return str(ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours)


def target_of(url: str) -> str:
    """Return what Prometheus calls the target behind a URL."""
    return url.partition("//")[2]


def _places(servers: Alerting) -> dict[str, object]:
    return {name: getattr(servers, name) for name in ("prometheus", "alertmanager", "hook", "folder")}
