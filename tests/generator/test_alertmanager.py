"""`alertmanager.yml` as amtool and a running Alertmanager understand it: who is notified, and what stays silent."""

from pathlib import Path

import pytest
import yaml

from driftgauge.generator.alertmanager import alertmanager
from driftgauge.generator.alerts import ALERTS, WATCHDOG
from driftgauge.generator.rules import alert
from driftgauge.generator.thresholds import Thresholds, parse, shipped
from generator.alertmanager_sets import TWO_TEAMS, amtool, written

ODD_NAME = 'a.b+ "c"\\d | x'


@pytest.fixture(scope="module")
def two_teams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of a file with two teams besides the default one."""
    return written(parse(TWO_TEAMS, filename="thresholds.yml"), tmp_path_factory.mktemp("two"))


LEFT_OUT = "notifications: {smtp: false, watchdog: false, severities: {critical: {channels: []}, low: {channels: []}}}"


@pytest.mark.parametrize("text", ["{}", TWO_TEAMS, "exporter: {target_labels: [env]}", LEFT_OUT])
def test_amtool_accepts_it(tmp_path: Path, text: str) -> None:
    """The shipped set, one with teams and one with target labels are valid for Debian's Alertmanager."""
    checked = amtool("check-config", written(parse(text, filename="thresholds.yml"), tmp_path))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 templates" in checked.stdout


ROUTES = [
    ("the watchdog", {"alertname": WATCHDOG, "severity": "none"}, "watchdog"),
    ("the exporter", {"alertname": "DriftgaugeDown", "severity": "critical"}, "ml-platform-critical"),
    ("a model without a team", {"model": "eta", "severity": "critical"}, "ml-platform-critical"),
    ("a model nobody named", {"model": "new", "severity": "low"}, "ml-platform-low"),
    ("an unknown severity is not lost", {"model": "new", "severity": "urgent"}, "ml-platform-high"),
    ("no severity is not lost", {"alertname": "Other"}, "ml-platform-high"),
    ("an unknown severity of a team's model", {"model": "fraud", "severity": "urgent"}, "risk-high"),
    *(
        (f"{severity} of a team", {"model": model, "severity": severity}, f"{team}-{severity}")
        for severity in ("critical", "high", "medium", "low")
        for model, team in (
            ("churn-predictor", "growth"),
            (ODD_NAME, "growth"),
            ("fraud", "risk"),
            ("eta", "ml-platform"),
        )
    ),
    ("a name that only begins like one", {"model": "fraud-2", "severity": "low"}, "ml-platform-low"),
    ("a name that only matches as a pattern", {"model": 'aXbb "c"1 ', "severity": "low"}, "ml-platform-low"),
    ("a part of a name with a bar in it", {"model": " x", "severity": "low"}, "ml-platform-low"),
]


@pytest.mark.parametrize(("labels", "receiver"), [row[1:] for row in ROUTES], ids=[row[0] for row in ROUTES])
def test_routes(two_teams: Path, labels: dict[str, str], receiver: str) -> None:
    """Each severity of each team has a receiver of its own, and nothing falls through."""
    shown = [f"{name}={_quoted(value)}" for name, value in labels.items()]

    tested = amtool("config", "routes", "test", f"--config.file={two_teams}", f"--verify.receivers={receiver}", *shown)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_reaches_its_severity(tmp_path: Path) -> None:
    """With the shipped file every alert goes to the receiver of its severity, in one call each."""
    thresholds = shipped()
    config = written(thresholds, tmp_path)
    for name in ALERTS:
        severity = thresholds.alert(name).severity
        receiver = "watchdog" if severity == "none" else f"ml-platform-{severity}"
        about = ["model=churn"] if name.startswith("Model") else []
        labels = [f"alertname={name}", f"severity={severity}", *about]

        tested = amtool(
            "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}", *labels
        )

        assert tested.returncode == 0, f"{name}: {tested.stdout}{tested.stderr}"


def test_groups_by_model() -> None:
    """Alerts of two models, or of two installations, never share a message."""
    (text,) = (text for path, text in alertmanager(_with_env()).items() if path.endswith("alertmanager.yml"))

    assert yaml.safe_load(text)["route"]["group_by"] == ["job", "env", "model"]


def test_graver_is_sent_sooner_and_repeated_sooner() -> None:
    """Graver alerts are sent sooner, so that they mute lesser ones before these are sent."""
    deliveries = [delivery for _, delivery in shipped().notifications.severities.items()]

    for key in ("group_wait", "group_interval", "repeat_interval"):
        waits = [getattr(delivery, key) for delivery in deliveries]
        assert waits == sorted(set(waits)), key


def test_watchdog_is_repeated_at_every_interval() -> None:
    """Every second look at the group is late enough for a repetition, and the one between is not."""
    (text,) = (text for path, text in alertmanager(shipped()).items() if path.endswith("alertmanager.yml"))
    watchdog = yaml.safe_load(text)["route"]["routes"][0]

    assert (watchdog["group_wait"], watchdog["group_interval"], watchdog["repeat_interval"]) == ("0s", "2m30s", "3m45s")


def test_the_hook_is_told_next_to_people(tmp_path: Path) -> None:
    """What may start retraining reaches it as well as its team, whoever owns the model; nothing else does."""
    hook = "notifications:\n  hook: {url: http://hook.test/alerts, alerts: [ModelConceptDrift, ModelOutliers]}\n"
    config = written(parse(TWO_TEAMS.replace("notifications:\n", hook), filename="thresholds.yml"), tmp_path)
    for name, receivers in (("ModelConceptDrift", "hook,risk-high"), ("ModelFeaturesDrifted", "risk-high")):
        labels = [f"alertname={name}", "severity=high", "model=fraud"]

        tested = amtool(
            "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receivers}", *labels
        )

        assert tested.returncode == 0, tested.stdout + tested.stderr
    text = config.read_text(encoding="utf-8")
    (found,) = (each for each in yaml.safe_load(text)["receivers"] if each["name"] == "hook")
    token = {"authorization": {"type": "Bearer", "credentials_file": "/etc/alertmanager/secrets/hook-token"}}
    assert found["webhook_configs"] == [{"url": "http://hook.test/alerts", "send_resolved": True, "http_config": token}]
    assert "#   /etc/alertmanager/secrets/hook-token: bearer token for driftgauge hook\n" in text


def test_teams_without_models_have_no_receivers(tmp_path: Path) -> None:
    """A team that nobody names needs no secrets."""
    config = written(parse("models: {}" + TWO_TEAMS.partition("eta: {}")[2], filename="thresholds.yml"), tmp_path)
    names = {receiver["name"] for receiver in yaml.safe_load(config.read_text(encoding="utf-8"))["receivers"]}

    assert names == {"watchdog", *(f"ml-platform-{severity}" for severity in ("critical", "high", "medium", "low"))}


def _with_env() -> Thresholds:
    return parse("exporter: {target_labels: [env]}", filename="thresholds.yml")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def test_what_can_be_left_out() -> None:
    """Without mail, watchdog and channels the file is whole: receivers that send nothing, and no alert for nobody."""
    mine = parse(
        "notifications: {smtp: false, watchdog: false, severities: {low: {channels: []}}, "
        "teams: {ml-platform: {email: [], webhook: false}}}",
        filename="mine.yml",
    )
    text = alertmanager(mine)["alerting-rules/alertmanager.yml"]
    found = yaml.safe_load(text)
    receivers = {each.pop("name"): each for each in found["receivers"]}
    assert receivers.keys() == {f"ml-platform-{severity}" for severity in ("critical", "high", "medium", "low")}
    assert receivers["ml-platform-low"] == {}
    assert not any("alertname" in str(route["matchers"]) for route in found["route"]["routes"])
    assert not any(key.startswith("smtp") for key in found["global"])
    assert "smtp-password" not in text
    assert "watchdog" not in text
    assert alert(mine, WATCHDOG) is None
    assert alert(parse("{}", filename="mine.yml"), WATCHDOG) is not None
