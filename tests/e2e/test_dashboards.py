"""Every query of every dashboard, as Grafana sends it, has data on a Prometheus that scrapes a running exporter."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.thresholds import shipped
from e2e.grafana import Json, Prometheus, Timing, answer, choices, expand, legend, queries
from e2e.watching import BROKEN, Watched, gone_wrong, watching
from pictures.drawing import Picture

PATIENCE: Final = 240
DASHBOARDS: Final = {Path(path).stem: json.loads(text) for path, text in dashboards(shipped()).items()}


@pytest.fixture(scope="module")
def watched(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Let traffic come, then let go wrong what can: a bad version, files, a model, and the refresher."""
    with watching(tmp_path_factory.mktemp("dashboards"), empty_database) as found:
        wait_for(found.prometheus, "model_label_delay_seconds_count")
        with found.config.open("a", encoding="utf-8") as config:
            config.write(BROKEN)
        assert found.exporter.get("/-/reload", method="POST")[0] == 200
        found.exporter.kill_refresher()
        gone_wrong(found.journal)
        yield found


def wait_for(prometheus: Prometheus, expr: str) -> None:
    """Wait until a query has an answer."""
    deadline = time.monotonic() + PATIENCE
    while not prometheus.instant(expr, time.time()):
        assert time.monotonic() < deadline, expr
        time.sleep(0.2)


def until_now(watched: Watched) -> Timing:
    """Return the time since the first scrape, at the finest step.

    Grafana gets a longer scrape interval than the real one: on a busy machine some scrapes are late.
    """
    return Timing(start=watched.since, end=time.time(), interval=1, scrape_interval=5)


@dataclass
class Sheet:
    """The queries of a dashboard: those without an answer so far, and of the others one value each."""

    missing: dict[str, str]
    rows: list[str]


def ask(dashboard: Json, watched: Watched, *, everything: bool) -> Sheet:
    """Send every query, until it has data, with every choice of values."""
    timing, sheet = until_now(watched), Sheet({place(*each): each[1]["expr"] for each in queries(dashboard)}, [])
    for choice in choices(dashboard, watched.prometheus, timing, everything=everything):
        for panel, target in queries(dashboard):
            if place(panel, target) not in sheet.missing:
                continue
            found = answer(target, choice, dashboard, watched.prometheus, timing)
            if found:
                del sheet.missing[place(panel, target)]
                labels, points = found[0]
                expr = expand(target["expr"], choice, dashboard, timing)
                sheet.rows.append(f"| {panel['title']} | {legend(target, labels)} | `{expr}` | {points[-1][1]:g} |")
    return sheet


def place(panel: Json, target: Json) -> str:
    """Return which query of which panel it is."""
    return f"{panel['id']} {panel['title']} {target['refId']}"


@pytest.mark.parametrize("everything", [True, False], ids=["all", "picked"])
@pytest.mark.parametrize("uid", list(DASHBOARDS))
def test_every_query_returns_data(watched: Watched, uid: str, everything: bool) -> None:  # noqa: FBT001
    """Panels show something, with "All" chosen and with every value picked; `pytest -rP` prints query and value."""
    deadline = time.monotonic() + PATIENCE
    while (sheet := ask(DASHBOARDS[uid], watched, everything=everything)).missing:
        assert time.monotonic() < deadline, sheet.missing
        time.sleep(1)
    print("\n".join(sheet.rows))  # noqa: T201 - the table is what the test is run for


@pytest.mark.parametrize("uid", list(DASHBOARDS))
def test_firing_alerts_are_annotations(watched: Watched, uid: str) -> None:
    """The alerts that fire by now are marked in the graphs of every dashboard, with their severity."""
    dashboard, deadline = DASHBOARDS[uid], time.monotonic() + PATIENCE
    (annotation,) = dashboard["annotations"]["list"]
    while True:
        timing = until_now(watched)
        chosen = list(choices(dashboard, watched.prometheus, timing, everything=True))
        exprs = {expand(annotation["expr"], each, dashboard, timing) for each in chosen}
        found = [series for expr in exprs for series in watched.prometheus.over(expr, timing)]
        if found:
            break
        assert time.monotonic() < deadline, exprs
        time.sleep(1)

    assert all({"alertname", "severity"} <= labels.keys() for labels, _ in found)


def test_it_can_be_drawn(watched: Watched, tmp_path: Path) -> None:
    """`make pictures` has what it needs: every kind of panel becomes part of one small picture."""
    dashboard, timing = DASHBOARDS["driftgauge-features"], until_now(watched)
    chosen = choices(dashboard, watched.prometheus, timing, everything=True)[0]

    Picture(dashboard, chosen, watched.prometheus, timing).draw(tmp_path / "features.png")

    assert 20_000 < (tmp_path / "features.png").stat().st_size < 150_000
