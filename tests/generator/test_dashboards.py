"""The dashboards as Grafana loads them: complete, consistent with each other, and only about what exists."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from driftgauge.families import FAMILIES
from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.dashboards.queries import PROCESS, SCRAPE
from driftgauge.generator.thresholds import Thresholds, parse, shipped
from generator.dashboard_rules import Json, panels, selected, targets
from generator.known_series import TARGET_LABELS, labels_of
from generator.promql_trees import groupings, parsed, selectors

DASHBOARDS: Final = {Path(path).stem: json.loads(text) for path, text in dashboards(shipped()).items()}
EACH: Final = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))
CHAIN: Final = ("datasource", "job", "instance", "model", "version", "window", "feature")


def test_all_are_there() -> None:
    """Each dashboard has the file name and uid that alerts and runbooks link to."""
    expected = [f"driftgauge-{name}" for name in ("fleet", "model", "why", "features", "quality", "exporter")]

    assert list(DASHBOARDS) == expected
    assert [each["uid"] for each in DASHBOARDS.values()] == expected


@EACH
def test_it_is_provisioned_as_it_is(dashboard: Json) -> None:
    """Nothing has to be filled in when it is imported, and its JSON has one form only."""
    text = dashboards(shipped())[f"dashboards/{dashboard['uid']}.json"]

    assert dashboard["schemaVersion"] == 42
    assert dashboard.keys() & {"__inputs", "__requires", "id"} == set()
    assert text == json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@EACH
def test_panels_stand_side_by_side(dashboard: Json) -> None:
    """Ids are distinct and begin at 1; no panel overlaps another or leaves the 24 columns."""
    ids = [panel["id"] for panel in dashboard["panels"]]
    cells = [
        (x, y)
        for box in (panel["gridPos"] for panel in dashboard["panels"])
        for x, y in itertools.product(range(box["x"], box["x"] + box["w"]), range(box["y"], box["y"] + box["h"]))
    ]

    assert ids == list(range(1, len(ids) + 1))
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


@EACH
def test_overrides_have_objects_for_values(dashboard: Json) -> None:
    """Grafana's published schema takes nothing else, for what is overridden as for the name of whose it is."""
    overrides = [each for panel in panels(dashboard) for each in panel["fieldConfig"]["overrides"]]

    assert all(isinstance(each["matcher"]["options"], dict) for each in overrides)
    assert all(isinstance(one["value"], dict) for each in overrides for one in each["properties"])


@EACH
def test_variables_narrow_each_other(dashboard: Json) -> None:
    """Variables stand in the order of the chain, and each query uses those before it and no other."""
    names = [variable["name"] for variable in dashboard["templating"]["list"]]

    assert names == [name for name in CHAIN if name in names]
    for position, variable in enumerate(dashboard["templating"]["list"][1:]):
        assert set(re.findall(r"\$(\w+)", variable["query"])) == set(names[1 : position + 1])


@EACH
def test_only_series_and_labels_that_exist(dashboard: Json) -> None:
    """Every selector names a series that driftgauge, its client library or Prometheus exposes, and labels it has."""
    for title, selector in selected(dashboard):
        assert selector.matchers.keys() <= known_labels(selector.name), f"{title}: {selector.name}"


@EACH
def test_results_keep_only_labels_that_exist(dashboard: Json) -> None:
    """No aggregation keeps a label that its series do not have."""
    for title, target in targets(dashboard):
        for labels, node in groupings(parsed(target["expr"])):
            assert set(labels) <= {label for each in selectors(node) for label in known_labels(each.name)}, title


def known_labels(name: str) -> frozenset[str]:
    """Return the labels that a series has; fail when there is no such series."""
    labels = TARGET_LABELS if name in SCRAPE | PROCESS else labels_of(name)
    assert labels is not None, name
    return labels


@EACH
def test_legends_say_what_the_query_keeps(dashboard: Json) -> None:
    """A legend names only labels that are left after aggregation, and every label that tells two lines apart."""
    for title, target in targets(dashboard):
        if target.get("format") == "table":
            continue
        (labels, _), *_ = groupings(parsed(target["expr"]))
        named = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        assert named <= set(labels), title
        consumed = {"le"} if "histogram_quantile" in target["expr"] else set()
        assert set(labels) - consumed - named <= {"python_version"}, title


def test_every_family_is_shown() -> None:
    """Nothing that driftgauge exposes is missing from all dashboards."""
    shown = {selector.name for dashboard in DASHBOARDS.values() for _, selector in selected(dashboard)}
    bare = {re.sub(r"_(bucket|g?count|g?sum)$", "", name) for name in shown}

    assert set(FAMILIES) - shown - bare == set()


@EACH
def test_gauge_histograms_have_no_rate(dashboard: Json) -> None:
    """What shrinks when the window moves is never taken for a counter."""
    for title, selector in selected(dashboard):
        if selector.name.startswith("model_window_latency_seconds"):
            assert not {"rate", "irate", "increase"} & set(selector.around), title


@EACH
def test_replicas_are_reduced_first(dashboard: Json) -> None:
    """Two exporters that watch the same model count as one: the first aggregation is never a sum."""
    for title, selector in selected(dashboard):
        if selector.name.startswith("model_"):
            aggregations = [name for name in selector.around if name in {"sum", "count", "max", "min", "avg"}]
            assert aggregations[:1] in (["max"], ["min"]), title


@EACH
def test_every_panel_leads_on_and_says_when_it_is_empty(dashboard: Json) -> None:
    """Each panel has a link to another dashboard, and a text in place of missing data."""
    for panel in panels(dashboard):
        assert panel["links"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


def links(dashboard: Json) -> Iterator[str]:
    """Yield the URLs of all links in panels and data."""
    for panel in panels(dashboard):
        for link in [*panel["links"], *panel["fieldConfig"]["defaults"].get("links", [])]:
            yield link["url"]


@EACH
def test_links_lead_to_dashboards_and_variables_that_exist(dashboard: Json) -> None:
    """A link names one of them, sets only variables it has, and passes on only variables that are here."""
    for url in links(dashboard):
        parts = urlsplit(url)
        if parts.netloc:
            continue
        there = DASHBOARDS[parts.path.removeprefix("/d/")]
        set_there, kept = re.findall(r"var-(\w+)=", url), re.findall(r"\$\{(\w+):queryparam\}", url)
        assert set(set_there) <= {each["name"] for each in there["templating"]["list"]}, url
        assert set(kept) <= {each["name"] for each in dashboard["templating"]["list"]}, url
        assert "${__url_time_range}" in url


def test_what_belongs_together_is_one_click_away() -> None:
    """What fell and why are on two dashboards, each with a link to the other that keeps time and variables."""
    pair = {name: DASHBOARDS[f"driftgauge-{name}"] for name in ("model", "why")}

    variables = [[each["name"] for each in dashboard["templating"]["list"]] for dashboard in pair.values()]
    assert variables[0] == variables[1]
    for name, other in (("model", "why"), ("why", "model")):
        (link,) = (each for each in pair[name]["links"] if each.get("url") == f"/d/driftgauge-{other}")
        assert (link["includeVars"], link["keepTime"]) == (True, True)


@EACH
def test_links_name_labels_and_columns_that_are_there(dashboard: Json) -> None:
    """What a link takes from the line or row that is clicked is a label of every line, or a column of the table."""
    for panel in panels(dashboard):
        trees = [parsed(target["expr"]) for target in panel["targets"]]
        kept = [{label for labels, _ in groupings(tree) for label in labels} for tree in trees]
        for link in panel["fieldConfig"]["defaults"].get("links", []):
            fields = set(re.findall(r"__field\.labels\.(\w+)", link["url"]))
            columns = set(re.findall(r"__data\.fields\.(\w+)", link["url"]))
            assert all(fields <= labels for labels in kept), panel["title"]
            assert columns <= set().union(*kept), panel["title"]


def changed(text: str) -> dict[str, Any]:
    """Return the dashboards of a thresholds file."""
    thresholds: Thresholds = parse(text, filename="thresholds.yml")
    return {Path(path).stem: json.loads(found) for path, found in dashboards(thresholds).items()}


def steps(dashboard: Json, title: str) -> list[tuple[float | None, str]]:
    """Return the coloured thresholds of a panel."""
    (panel,) = (each for each in panels(dashboard) if each["title"] == title)
    return [(each["value"], each["color"]) for each in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_colours_follow_thresholds_and_severities() -> None:
    """A changed threshold moves the colour, and a changed severity changes it."""
    text = "alerts: {ModelPredictionShifted: {psi: 0.35, severity: critical}, ModelFeaturesDrifted: {features: 5}}"

    found = changed(text)["driftgauge-model"]

    assert steps(DASHBOARDS["driftgauge-model"], "Output PSI") == [(None, "green"), (0.2, "red")]
    assert steps(found, "Output PSI") == [(None, "green"), (0.35, "dark-red")]
    assert steps(found, "Drifted features") == [(None, "green"), (1, "yellow"), (5, "red")]


def test_alert_lines_follow_thresholds() -> None:
    """The red line of a metric is its baseline and what may be lost; a metric nobody watches has none."""
    found = changed("alerts: {ModelPerformanceDegraded: {degradation: {accuracy: 0.1, mae: 0.2, f1: false}}}")
    exprs = {
        panel["title"]: [target["expr"] for target in panel["targets"] if target.get("legendFormat") == "alert"]
        for panel in panels(found["driftgauge-model"])
    }

    assert exprs["Accuracy"][0].endswith(" - 0.1")
    assert exprs["Mean absolute error"][0].endswith(" * 1.2")
    assert exprs["F1"] == []


def test_nothing_watched_is_still_a_dashboard() -> None:
    """Taking every metric out of the alert leaves valid queries."""
    metrics = ", ".join(f"{name}: false" for name in shipped().alerts.ModelPerformanceDegraded.degradation)

    for dashboard in changed(f"alerts: {{ModelPerformanceDegraded: {{degradation: {{{metrics}}}}}}}").values():
        assert list(selected(dashboard))


def test_the_mlflow_address_and_the_first_window() -> None:
    """Links to runs lead to the MLflow of the file, and the drift window is the one chosen at first."""
    found = changed("{links: {mlflow: 'https://mlflow.example.com/'}, windows: {drift: 6h}}")["driftgauge-model"]
    (window,) = (each for each in found["templating"]["list"] if each["name"] == "window")

    runs = "https://mlflow.example.com/#/experiments/${__data.fields.experiment_id}/runs/${__data.fields.run_id}"
    assert runs in set(links(found))
    assert window["current"]["value"] == "6h"
