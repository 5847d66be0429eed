"""The rules in Prometheus' own hands: promtool loads them, lints them, and replays each alert's story."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from driftgauge.families import FAMILIES
from driftgauge.generator.alerts import ALERTS, WATCHDOG
from driftgauge.generator.rules import rule_files
from driftgauge.generator.thresholds import parse
from driftgauge.generator.write import write
from installed import found

ROOT: Final = Path(__file__).parents[2]
STORIES: Final = sorted((ROOT / "alerting-rules" / "tests").glob("*.test.yml"))
OF_WINDOWS: Final = [path for path in STORIES if "window=" in path.read_text(encoding="utf-8")]
OWN: Final = ROOT / "tests" / "data" / "thresholds" / "own.yml"
OWN_STORIES: Final = OWN.with_name("own.test.yml")
ANNOTATIONS: Final = {"summary", "description", "runbook_url", "dashboard_url"}


# A third less CPU than Go takes by itself: it collects garbage four times less often, for 50 MB more, in one thread.
_OF_GO: Final = {"GOGC": "400", "GOMAXPROCS": "1"}


def promtool(*arguments: str | Path) -> None:
    """Run every promtool there is; fail with what it says."""
    for number, place in found("promtool").items():
        command = [place, *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | _OF_GO)
        assert ran.returncode == 0, f"promtool {number}: {ran.stdout}{ran.stderr}"


@pytest.fixture(scope="module")
def own_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the rules of somebody's own thresholds, with their tests; return the folder."""
    folder = tmp_path_factory.mktemp("own")
    write(rule_files(parse(OWN.read_text(encoding="utf-8"), filename=str(OWN))), folder)
    (folder / "alerting-rules" / "tests").mkdir()
    shutil.copy(OWN_STORIES, folder / "alerting-rules" / "tests")
    return folder / "alerting-rules"


def test_prometheus_loads_the_committed_rules() -> None:
    """They are valid, and no two write the same series."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted((ROOT / "alerting-rules").glob("*.rules.yml")))


@pytest.mark.parametrize("file", STORIES, ids=lambda path: path.name)
def test_stories(file: Path) -> None:
    """Each alert waits, fires with all its labels and words, stays silent where it should, and resolves."""
    promtool("test", "rules", file)


@pytest.mark.parametrize("file", OF_WINDOWS, ids=lambda path: path.name)
def test_segments_change_no_alert(file: Path, tmp_path: Path) -> None:
    """Next to each series about a window there are some about segments, as bad as can be, and no story changes."""
    text = file.read_text(encoding="utf-8")
    # Values as they are written: to YAML, 0x90 is a number.
    story, written = yaml.safe_load(text), yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes texts only
    story["rule_files"] = [str(file.parent / name) for name in story["rule_files"]]
    for test, as_written in zip(story["tests"], written["tests"], strict=True):
        series = as_written["input_series"]
        test["input_series"] = [*series, *(twin for each in series for twin in of_segments(each["series"]))]
        assert len(test["input_series"]) > len(series) or "window=" not in str(series)
    (tmp_path / file.name).write_text(yaml.safe_dump(story), encoding="utf-8")
    promtool("test", "rules", tmp_path / file.name)


def of_segments(series: str) -> list[dict[str, str]]:
    """Return series like one about a window, but about segments; none if it is about something else."""
    name = re.sub(r"_(bucket|gcount|gsum)$", "", series.partition("{")[0])
    if name not in FAMILIES or not FAMILIES[name].segmented or "segment=" in series:
        return []
    return [
        {"series": re.sub(r"[}]$", f', segment="of {value}"}}', series), "values": f"{value}x4000"}
        for value in ("-1000000", "0", "1000000")
    ]


def test_rules_of_ones_own(own_rules: Path) -> None:
    """Thresholds, windows, bounds and labels of a file of one's own decide, and are what notifications say."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(own_rules.glob("*.rules.yml")))
    promtool("test", "rules", own_rules / "tests" / OWN_STORIES.name)


@cache
def stories() -> list[dict[str, Any]]:
    """Return every story of every file."""
    texts = [path.read_text(encoding="utf-8") for path in (*STORIES, OWN_STORIES)]
    return [story for text in texts for story in yaml.safe_load(text)["tests"]]


def notifications(alert: str) -> list[list[dict[str, Any]]]:
    """Return what is expected of an alert in each story that asks for its words, in the order of time."""
    of_alert = [[c for c in story.get("alert_rule_test", []) if c["alertname"] == alert] for story in stories()]
    return [checks for checks in of_alert if any(check["exp_alerts"] for check in checks)]


def resolved(alert: str) -> bool:
    """Tell whether some story looks for the end of an alert that fired, as an alert or as a series."""
    gone = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    queries = [query for story in stories() for query in story.get("promql_expr_test", [])]
    return any(checks[-1]["exp_alerts"] == [] for checks in notifications(alert)) or any(
        query["expr"] == gone and query["exp_samples"] == [] for query in queries
    )


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_story(alert: str) -> None:
    """No alert is without one that asks for: not yet, all labels and words, and the end."""
    fired = [each for checks in notifications(alert) for check in checks for each in check["exp_alerts"]]

    assert all(set(each["exp_annotations"]) >= ANNOTATIONS for each in fired)
    assert all("severity" in each["exp_labels"] for each in fired)
    assert fired
    if alert != WATCHDOG:
        assert any(checks[0]["exp_alerts"] == [] for checks in notifications(alert))
        assert resolved(alert)
