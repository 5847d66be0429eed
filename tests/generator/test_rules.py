"""What an offline reading of the rules can find: series that do not exist, traps of PromQL, words that lead nowhere.

Every check is a function from a rule to what is wrong with it; each is shown a rule that it refuses.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from driftgauge.config.units import parse_duration
from driftgauge.families import FAMILIES
from driftgauge.generator.alerts import MODEL_ALERTS, WATCHDOG
from driftgauge.generator.outputs import outputs
from driftgauge.generator.promql import Target
from driftgauge.generator.recording import RECORDINGS
from driftgauge.generator.rules import DEFINITIONS, FOLDER, alert, rule_files
from driftgauge.generator.thresholds import parse, shipped
from generator.known_series import unknown
from generator.promql_trees import Selected, groupings, parsed, selectors

OWN: Final = Path(__file__).parents[1] / "data" / "thresholds" / "own.yml"
# The label that the scrape configuration of the own file adds.
OWN_LABEL: Final = "env"
Rule = dict[str, Any]
# Each asks Prometheus for something when the alert is shown.
LOOKUP: Final = re.compile(r"printf `([^`]+)`((?: \$labels\.\w+)+) \| query")
COUNTERS_ONLY: Final = {"rate", "irate", "increase"}
# Only asked whether they are there at all, within the default lookback of Prometheus.
ONLY_PRESENT: Final = {"driftgauge_build_info", "model_last_label_timestamp_seconds"}
NAME: Final = re.compile(r"(version|feature|model):model_\w+:(max|min|sum|increase|replaced)")


def rules(text: str) -> list[Rule]:
    """Return all rules of a file of thresholds."""
    files = rule_files(parse(text, filename="own.yml")).values()
    return [rule for file in files for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]


SHIPPED: Final = rules("{}")
ALL: Final = [*SHIPPED, *rules(OWN.read_text(encoding="utf-8"))]
ALERTS: Final = [rule for rule in ALL if "alert" in rule]


def name(rule: Rule) -> str:
    """Return what a rule is called."""
    return str(rule.get("alert") or rule.get("record"))


def scraped(rule: Rule) -> Iterator[Selected]:
    """Yield the selectors of driftgauge's own families."""
    yield from (each for each in selectors(parsed(rule["expr"])) if each.name in FAMILIES)


def asks_in_vain(rule: Rule) -> Iterator[str]:
    """Find series and labels that do not exist, in the expression and in the queries of the words."""
    queries = [rule["expr"]]
    for query, labels in (found for text in rule.get("annotations", {}).values() for found in LOOKUP.findall(text)):
        queries.append(query.replace("%q", '"x"'))
        if query.count("%q") != labels.count("$labels"):
            yield f"{query}: not one label for each %q"
    yield from (each for query in queries for each in unknown(query) if not each.endswith(f"{{{OWN_LABEL}}}"))


def rates_a_gauge(rule: Rule) -> Iterator[str]:
    """Find rates of what may fall: each fall would count as a new beginning."""
    for each in scraped(rule):
        if COUNTERS_ONLY & set(each.around) and FAMILIES[each.name].type != "counter":
            yield each.name


def forgets_a_missed_scrape(rule: Rule) -> Iterator[str]:
    """Find series looked at for an instant: one missed scrape would restart the waiting time."""
    for each in scraped(rule):
        if each.range_seconds is None and each.name not in ONLY_PRESENT:
            yield each.name


def asks_other_jobs(rule: Rule) -> Iterator[str]:
    """Find series that are not narrowed to the job."""
    yield from (each.name for each in scraped(rule) if each.matchers.get("job", ("",))[0] != "Equal")


def always_fires(rule: Rule) -> Iterator[str]:
    """Find a condition that compares nothing."""
    if not re.search(r"[<>]=?|==|absent", rule["expr"]) and name(rule) != WATCHDOG:
        yield rule["expr"]


def ranks(rule: Rule) -> Iterator[str]:
    """Find ranks, which make alerts come and go with others."""
    around = {outer for each in selectors(parsed(rule["expr"])) for outer in each.around}
    yield from {"topk", "bottomk", "sort", "sort_desc"} & around


def labels_vary(rule: Rule) -> Iterator[str]:
    """Find labels that are not fixed: a value in one makes a new alert of every evaluation."""
    yield from (value for value in rule["labels"].values() if "{{" in value)
    yield from {"severity"} ^ set(rule["labels"])


def loses_its_model(rule: Rule) -> Iterator[str]:
    """Find aggregations after which an alert no longer says which model, or which exporter, it is about."""
    wanted = "model" if rule["alert"].startswith("Model") else "job"
    yield from (str(by) for by, _ in groupings(parsed(rule["expr"])) if wanted not in by)


def flaps(rule: Rule) -> Iterator[str]:
    """Find waiting times that two refreshes do not fill, and alerts that resolve at the first good value."""
    if name(rule) != WATCHDOG:
        if parse_duration(rule.get("for", "0")) < 2 * shipped().exporter.refresh_interval:
            yield "for"
        if not parse_duration(rule.get("keep_firing_for", "0")):
            yield "keep_firing_for"


def says_too_little(rule: Rule) -> Iterator[str]:
    """Find summaries that vary, and descriptions that do not say who, from which limit, and what to look at."""
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    if "{{" in summary:
        yield summary
    if name(rule) != WATCHDOG:
        if "$labels." not in description or "\n" not in description:
            yield description
        if "$value" in description and not re.search(r"limit is|should be", description):
            yield f"no limit: {description}"


def good(**changes: Any) -> Rule:
    """Return a rule that no check refuses, with something changed."""
    words = {"summary": "All is lost", "description": "{{ $labels.model }} fell.\nLook."}
    waits = {"for": "5m", "keep_firing_for": "5m", "labels": {"severity": "low"}, "annotations": words}
    expr = 'max by (job, model) (max_over_time(model_batches_total{job="a"}[5m])) > 3'
    return {"alert": "ModelLost", "expr": expr, **waits, **changes}


Check = Callable[[Rule], Iterator[str]]
OF_ALL: Final[dict[Check, Rule]] = {
    asks_in_vain: good(expr="model_acuracy > 1"),
    rates_a_gauge: good(expr="rate(model_accuracy[5m]) > 1"),
    forgets_a_missed_scrape: good(expr="model_accuracy < 1"),
    asks_other_jobs: good(expr='model_accuracy{job=~"a|b"} < 1'),
}
OF_ALERTS: Final[dict[Check, Rule]] = {
    always_fires: good(expr="model_accuracy"),
    ranks: good(expr="topk(3, model_accuracy) > 1"),
    labels_vary: good(labels={"severity": "low", "value": "{{ $value }}"}),
    loses_its_model: good(expr="max by (job) (model_accuracy) > 1"),
    flaps: good(**{"for": "59s"}),
    says_too_little: good(annotations={"summary": "All is lost", "description": "It is {{ $value }}."}),
}


@pytest.mark.parametrize("check", [*OF_ALL, *OF_ALERTS], ids=lambda check: check.__name__)
def test_no_rule_is_refused(check: Check) -> None:
    """The rules that ship and those of somebody's own thresholds pass, and a bad one does not."""
    checked = ALL if check in OF_ALL else ALERTS

    assert {name(rule): found for rule in checked if (found := list(check(rule)))} == {}
    assert list(check(good())) == []
    assert list(check({**OF_ALL, **OF_ALERTS}[check])) != []


def test_lookups_give_a_label_for_each_place() -> None:
    """A query in the words of an alert has as many labels as it has places for them."""
    words = {"description": "{{ with printf `up{job=%q}` $labels.job $labels.model | query }}x{{ end }}"}

    assert list(asks_in_vain(good(annotations=words))) == ["up{job=%q}: not one label for each %q"]


def test_recorded_series_have_the_labels_they_announce() -> None:
    """The outermost `by` keeps target labels and those in the table, under a name of the common form."""
    kept = {}
    for rule in ALL:
        # `replaced` has the labels of the series it compares; its promtool story says so.
        if "record" in rule and not rule["record"].endswith(":replaced"):
            by, _ = next(iter(groupings(parsed(rule["expr"]))))
            kept[rule["record"]] = set(by) - {"job", OWN_LABEL}

    assert kept == {record: set(each.labels) for record, each in RECORDINGS.items() if record in kept}
    assert len(kept) == len(RECORDINGS) - 1
    assert [record for record in RECORDINGS if not NAME.fullmatch(record)] == []


def test_shards_are_counted_together() -> None:
    """Where each shard's target has a label `shard`, by which models are muted, shards are still counted as one set."""
    labelled = "exporter: {target_labels: [env, shard]}"
    found = {name(rule): rule["expr"] for rule in rules(labelled) if name(rule).startswith("DriftgaugeS")}

    for shards in ("DriftgaugeShardsMissing", "DriftgaugeShardsMismatch"):
        assert {tuple(by) for by, _ in groupings(parsed(found[shards]))} == {("job", "env")}
    assert ("job", "env", "shard", "instance") in {
        tuple(by) for by, _ in groupings(parsed(found["DriftgaugeSeriesDropped"]))
    }


def test_links_lead_to_pages_of_the_set() -> None:
    """Runbooks are files of the set, dashboards are named by a uid of the set."""
    texts = outputs(shipped())
    dashboards = "".join(text for path, text in texts.items() if path.startswith("dashboards/"))
    base = shipped().links.runbooks

    for rule in (rule for rule in SHIPPED if "alert" in rule):
        assert f"{FOLDER}/runbooks/{rule['annotations']['runbook_url'].removeprefix(base + '/')}" in texts
        (uid,) = re.findall(r"/d/([\w-]+)", rule["annotations"]["dashboard_url"])
        assert f'"uid": "{uid}"' in dashboards


def test_disabled_alerts_are_left_out() -> None:
    """They are in no file; the others stay in their order."""
    off = "alerts: {ModelOutliers: {enabled: false}, DriftgaugeStale: {enabled: false}}"

    assert [name(rule) for rule in rules(off)] == [
        each for rule in SHIPPED if (each := name(rule)) not in {"ModelOutliers", "DriftgaugeStale"}
    ]


def test_bounds_are_rules_only_where_a_model_has_some() -> None:
    """Without floors and ceilings there is no ModelBelowFloor."""
    assert "ModelBelowFloor" not in map(name, SHIPPED)
    assert "ModelBelowFloor" in map(name, rules("models: {a: {floors: {f1: 0.5}}}"))


def test_long_text_is_a_block() -> None:
    """People read these files: what has several lines is written on several lines, without escapes."""
    for text in rule_files(shipped()).values():
        assert text.startswith("# Generated by")
        assert "\\n" not in text


def test_selectors_refuse_what_does_not_exist() -> None:
    """A misspelt metric or label fails when rules are rendered, not in production."""
    target = Target.of(shipped())

    selected = target.series("model_window_labels", model='a"b')
    assert selected == 'model_window_labels{job="driftgauge", segment="", model="a\\"b"}'
    with pytest.raises(KeyError):
        target.series("model_windows_labels")
    with pytest.raises(KeyError):
        target.series("model_window_labels", feature="age")


def test_reports_are_linked_where_people_can_open_them() -> None:
    """Each alert on a model leads to its report; none does with `reports: false`."""
    floors = "models: {churn: {floors: {accuracy: 0.5}}}\n"

    def linked(text: str) -> set[str]:
        thresholds = parse(text, filename="thresholds.yml")
        rules = [rule for name in DEFINITIONS if (rule := alert(thresholds, name))]
        return {rule["alert"] for rule in rules if "report_url" in rule["annotations"]}

    assert linked(f"{floors}links: {{reports: https://driftgauge.acme.dev/}}") == set(MODEL_ALERTS)
    assert linked(f"{floors}links: {{reports: false}}") == set()
