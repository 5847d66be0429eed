"""Prometheus, Alertmanager and the hook next to the demo's exporter, with rules rendered as by `driftgauge generate`.

The demo's thresholds are the shipped ones with times that fit into minutes, and with notifications that go to the
terminal. This module does not know what happens to the model and which alerts it raises.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final
from urllib.request import Request, urlopen

from driftgauge.config.units import format_duration
from driftgauge.demo.hooking import HOOK_PATH, hook_server
from driftgauge.demo.names import MODEL
from driftgauge.demo.pace import Pace
from driftgauge.demo.paging import ALERTS_PATH, RUNBOOKS_PATH, WATCHDOG_PATH, Phone, PhoneServer, serving_phone
from driftgauge.demo.programs import LocalServer, Programs, running
from driftgauge.generator.outputs import outputs
from driftgauge.generator.thresholds import FILE, parse
from driftgauge.generator.write import write

_RULES: Final = "alerting-rules"
_RELOAD_SECONDS: Final = 30.0
# That notifications may be told to wait.
_LONGEST_WAIT: Final = 3600
_PROMETHEUS_FILE: Final = "prometheus.yml"
# Prometheus reads it again when it changes; it is written once the exporter's address is known.
_TARGETS_FILE: Final = "targets.json"

_THRESHOLDS: Final = Template("""\
# Written by `driftgauge demo`. What is not here is as in the file that ships with driftgauge, which also says what
# each key means. Here an hour of flights takes $batch_interval s, so the times are short, and a week fits into $window.
links:
  # The demo answers here while it runs.
  runbooks: $phone$runbooks
  reports: $reports
exporter: {refresh_interval: $refresh}
# Within it, who was replaced by a new version answers no more.
activity: $replaced
windows: {performance: $window, drift: $window, quality: $window, service: $window, traffic: $window, labels: $window}
smoothing: $smoothing
notifications:
  watchdog: {url: "$phone$watchdog", bearer_token: false, every: 1m}
  severities:
    critical: {channels: [webhook], group_wait: 1s, group_interval: $often}
    high: {channels: [webhook], group_wait: 1s, group_interval: $often}
    medium: {channels: [webhook], group_wait: 1s, group_interval: $often}
    # Longer than the story: they are muted in it, which Alertmanager does not know at once when it is reloaded.
    low: {channels: [webhook], group_wait: $longest, group_interval: $often}
  teams:
    terminal: {webhook: {url: "$phone$alerts", bearer_token: false}}
  default_team: terminal
  # What may start retraining, once the story turns it on.
  hook: $hook
alerts:
  # Alerts that a critical alert mutes must last longer, or nobody would be notified of their end.
  ModelPerformanceDegraded: {for: $waiting, keep_firing_for: $short, min_labels: 1500, confident_labels: 1500}
  ModelEstimatedPerformanceDegraded: {for: $waiting, keep_firing_for: $short, min_predictions: 1500}
  # A week is that of its weather: in a calm one flights are late less often than their features explain.
  ModelConceptDrift: {for: $lasting, keep_firing_for: $short, min_labels: 1500}
  # It would tell of each week that `drift` in driftgauge.yml lets pass.
  ModelMultivariateDrift: {enabled: false}
  # The last labels of a version that is replaced are no week.
  ModelSlicesDegraded: {min_labels: 1500}
  # They count real hours, of which the demo lasts none, and last until they are reset.
  ModelPerformanceEvidence: {enabled: false}
  ModelDriftEvidence: {enabled: false}
  ModelFeaturesDrifted: {for: $waiting, keep_firing_for: $long, min_predictions: 1500}
  # The output of less than half a week is that of its days: of a version that has just begun, none is told.
  ModelPredictionShifted: {for: $waiting, keep_firing_for: $long, min_predictions: 3000}
  ModelOutputDrifted: {for: $waiting, keep_firing_for: $long, min_predictions: 3000}
  ModelFeatureDrifted: {for: $patient, keep_firing_for: $short, min_predictions: 1500}
  ModelUnseenCategories: {for: $waiting, keep_firing_for: $long, min_predictions: 1500}
  # The last values of a feature that then stays away are those of one evening.
  ModelOutliers: {for: $patient, keep_firing_for: $long, min_predictions: 1500}
  ModelMissingValues: {for: $waiting, keep_firing_for: $long, min_predictions: 1500}
models:
  $model:
    alerts:
      # The registry of planes lacks one in six.
      ModelMissingValues: {missing_ratio: 0.25}
      # Delays have a long tail, longer in bad weather.
      ModelOutliers: {outlier_ratio: 0.5}
      # A week of flights is little: on-time weeks move the scores by 0.26.
      ModelPredictionShifted: {psi: 0.4}
      # The replay shares the machine with everything else here.
      ModelLatencyHigh: {p99: 10s}
""")

_HOOK: Final = Template('{url: "$url", bearer_token: false, alerts: [$alerts], group_wait: 1s, group_interval: $often}')
# One starts it; the others are about the same.
_STARTERS: Final = ("ModelPerformanceDegraded", "ModelFeaturesDrifted")

_PROMETHEUS: Final = Template("""\
# Written by `driftgauge demo`.
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["$rules/*.rules.yml"]
alerting:
  alertmanagers: [{static_configs: [{targets: ["$alertmanager"]}]}]
scrape_configs:
  - job_name: driftgauge
    honor_labels: true
    file_sd_configs: [{files: ["$targets"]}]
""")


@dataclass(frozen=True, slots=True)
class Alerting:
    """The running servers: their URLs, the folder of rendered files, and the phone.

    with_hook: the file of thresholds by which Alertmanager tells the hook as well.
    """

    prometheus: str
    alertmanager: str
    hook: str
    folder: Path
    phone: Phone
    with_hook: str

    def turn_on_retraining(self) -> None:
        """Render once more, and make Alertmanager read it, as somebody does who has decided to retrain."""
        _render(self.with_hook, self.folder)
        request = Request(f"{self.alertmanager}/-/reload", method="POST")  # noqa: S310 - our own server
        with urlopen(request, timeout=_RELOAD_SECONDS):  # noqa: S310 - as above
            pass

    def scrape(self, target: str) -> None:
        """Make Prometheus scrape the exporter at `target` (host:port)."""
        partial = self.folder / f".{_TARGETS_FILE}"
        partial.write_text(json.dumps([{"targets": [target]}]), encoding="utf-8")
        partial.replace(self.folder / _TARGETS_FILE)


@contextmanager
def alerting(
    programs: Programs, folder: Path, *, pace: Pace, say: Callable[[str], None], reports: str = ""
) -> Iterator[Alerting]:
    """Run the servers and the phone, which shows their alerts with `say`, during the block.

    folder: new; gets the rendered set, the configurations, the data and the logs. reports: where the exporter will
    answer, if that is known. Raises DriftgaugeError when a server does not start.
    """
    folder.mkdir()
    phone = Phone(folder / _RULES / "runbooks", say=say)
    with ExitStack() as stack:
        server = stack.enter_context(PhoneServer())
        stack.enter_context(serving_phone(phone, server))
        _render(thresholds_text(pace, phone=server.url, reports=reports), folder)
        hook = f"http://{stack.enter_context(running(hook_server(folder)))}"
        manager = stack.enter_context(running(_alertmanager(programs, folder)))
        (folder / _PROMETHEUS_FILE).write_text(_prometheus_text(manager), encoding="utf-8")
        prometheus = stack.enter_context(running(_prometheus(programs, folder)))
        with_hook = thresholds_text(pace, phone=server.url, reports=reports, hook=f"{hook}{HOOK_PATH}")
        yield Alerting(f"http://{prometheus}", f"http://{manager}", hook, folder, phone, with_hook)


def _render(text: str, folder: Path) -> None:
    write({**outputs(parse(text, filename=FILE)), FILE: text}, folder)


def thresholds_text(pace: Pace, *, phone: str, reports: str = "", hook: str = "") -> str:
    """Return the demo's file of thresholds. phone, reports: their URLs. hook: where it gets alerts, if it is to."""
    waits = {
        "window": pace.window,
        "refresh": pace.refresh,
        "smoothing": pace.smoothing,
        "waiting": pace.waiting,
        "patient": pace.waiting + pace.hours(25),
        "lasting": pace.waiting + pace.window,
        "short": pace.hours(5),
        "long": pace.hours(40, at_least=15),
        "longest": min(_LONGEST_WAIT, pace.hours(400)),
        "often": pace.hours(5),
        "replaced": pace.hours(30),
    }
    texts = {name: format_duration(seconds) for name, seconds in waits.items()}
    starters = ", ".join(_STARTERS)
    return _THRESHOLDS.substitute(
        texts,
        hook=_HOOK.substitute(url=hook, alerts=starters, often=texts["often"]) if hook else "false",
        batch_interval=f"{pace.batch_interval:g}",
        phone=phone,
        reports=reports or "false",
        alerts=ALERTS_PATH,
        watchdog=WATCHDOG_PATH,
        runbooks=RUNBOOKS_PATH,
        model=MODEL,
    )


def _prometheus_text(alertmanager: str) -> str:
    # Paths are relative to the file, so that no name of a directory has to be quoted or escaped.
    return _PROMETHEUS.substitute(rules=_RULES, targets=_TARGETS_FILE, alertmanager=alertmanager)


def _alertmanager(programs: Programs, folder: Path) -> LocalServer:
    def command(address: str) -> list[str]:
        return [
            programs.alertmanager,
            f"--config.file={_RULES}/alertmanager.yml",
            "--storage.path=alertmanager-data",
            f"--web.listen-address={address}",
            # No cluster.
            "--cluster.listen-address=",
        ]

    return LocalServer("alertmanager", command, 9093, folder)


def _prometheus(programs: Programs, folder: Path) -> LocalServer:
    def command(address: str) -> list[str]:
        return [
            programs.prometheus,
            f"--config.file={_PROMETHEUS_FILE}",
            "--storage.tsdb.path=prometheus-data",
            f"--web.listen-address={address}",
            # An alert that fires before Alertmanager is found is sent again after this; the default is a minute.
            "--rules.alert.resend-delay=5s",
        ]

    return LocalServer("prometheus", command, 9090, folder)
