"""The words of an alert: pieces of Go template for notifications, and the links to where one looks next.

Written for a person who was woken: what, how far off, on how many rows, then what to look at. Further figures are
queried from Prometheus when the notification is made, and left out when there are none, so that no alert is lost
because of its words. This module does not know which alert says what.
"""

from typing import Final, Literal

from driftgauge.generator.promql import Target, all_rows, any_of, matcher, narrowed
from driftgauge.generator.thresholds import Links

Board = Literal["fleet", "model", "why", "features", "quality", "exporter"]

# How many features a text names, and what it says beside each.
_NAMED: Final = 5
_VALUE: Final = "{{ printf `%.3g` $each.Value }}"


def lookup(name: str, target: Target, *labels: str, only: str = "", **fixed: str) -> str:
    """Return a selector for `query`, into which the alert's own target labels and `labels` are put at notification.

    only: a further matcher.
    """
    own = [f"{label}=%q" for label in (*target.labels, *labels)]
    return narrowed(name, (*own, only, *(matcher(*pair) for pair in fixed.items()), *all_rows(name)))


def query(promql: str, target: Target, *labels: str) -> str:
    """Return the template pipeline that queries an expression with one or several selectors of `lookup`."""
    values = [f"$labels.{label}" for label in (*target.labels, *labels)]
    times = promql.count("%q") // len(values)
    return f"printf `{promql}` {' '.join(values * times)} | query"


def figure(promql: str, target: Target, *labels: str, text: str, otherwise: str = "") -> str:
    """Return `text`, in which `.` is the sample that was found; `otherwise` when there is none."""
    instead = f"{{{{ else }}}}{otherwise}" if otherwise else ""
    found = f"{{{{ with . | first }}}}{text}{{{{ end }}}}"
    return f"{{{{ with {query(promql, target, *labels)} }}}}{found}{instead}{{{{ end }}}}"


def worst_features(promql: str, target: Target, *labels: str) -> str:
    """Return the features with the highest values, each with its value, and how many more there are."""
    return listed(promql, target, *labels, named_by="feature", text="%s")


def listed(promql: str, target: Target, *labels: str, named_by: str, text: str, beside: str = _VALUE) -> str:
    """Return `text` with the highest values in place of %s, each after its label `named_by`; empty without any.

    beside: what is said instead of the value of the sample `$each`.
    """
    each = f"{{{{ $each.Labels.{named_by} }}}} ({beside})"
    found = (
        "{{ range $place, $each := . }}"
        f"{{{{ if lt $place {_NAMED} }}}}{{{{ if $place }}}}, {{{{ end }}}}{each}{{{{ end }}}}"
        f"{{{{ if eq $place {_NAMED} }}}} and more{{{{ end }}}}"
        "{{ end }}"
    )
    asked = query(f"sort_desc({promql})", target, *labels)
    return f"{{{{ with {asked} }}}}{text.replace('%s', found)}{{{{ end }}}}"


def suspect(target: Target, *labels: str) -> str:
    """Return the sentence that names the feature whose shift explains most of the expected loss; empty when none does.

    By Jensen-Shannon distance times impact, as the dashboard ranks; only features count that are flagged as drifted and
    that make the loss larger.
    """
    drifted = f"max by (feature) ({lookup('model_feature_drift_detected', target, *labels)}) == 1"
    distance = f"max by (feature) ({lookup('model_feature_js_distance', target, *labels)})"
    # One loss per task: units of squared errors would outweigh the others.
    losses = any_of("metric", ("accuracy", "mae"))
    impact = f"max by (feature) ({lookup('model_feature_performance_impact', target, *labels, only=losses)})"
    found = f"topk(1, {distance} * on (feature) ({impact} > 0) and on (feature) {drifted})"
    said = "Most of the expected loss comes from {{ .Labels.feature }}, by its shift (Jensen-Shannon) times its impact"
    return figure(found, target, *labels, text=f"{said}: a suspect.\n")


def dashboard(links: Links, board: Board, *labels: str) -> str:
    """Return the address of a dashboard with the alert's own labels chosen."""
    query = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels)
    return f"{links.grafana}/d/driftgauge-{board}{'?' if query else ''}{query}"


def report(links: Links, *labels: str) -> dict[str, str]:
    """Return the annotation with the address of the report on the alert's model, none where reports have no address.

    labels: of version and window, as far as the alert has them.
    """
    if links.reports is None:
        return {}
    # What the query writes as a plus would be one in a path.
    model = "{{ $labels.model | urlquery | reReplaceAll `[+]` `%20` }}"
    query = "&".join(f"{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels)
    return {"report_url": f"{links.reports}/models/{model}{'?' if query else ''}{query}"}


def mlflow_run(links: Links, target: Target) -> str:
    """Return the address of the MLflow run of the alert's version, or of MLflow when no run is known."""
    return _in_mlflow(links, target, "model", "version")


def mlflow_experiment(links: Links, target: Target) -> str:
    """Return the address of the MLflow experiment of the alert's model, or of MLflow when none is known."""
    return _in_mlflow(links, target, "model")


def _in_mlflow(links: Links, target: Target, *labels: str) -> str:
    experiment = "{{ with .Labels.experiment_id }}/#/experiments/{{ . | urlquery }}{{ end }}"
    run = "{{ with .Labels.run_id }}/runs/{{ . | urlquery }}{{ end }}" if "version" in labels else ""
    known = lookup("model_info", target, *labels)
    return links.mlflow + figure(known, target, *labels, text=experiment + run)


def runbook(links: Links, name: str) -> str:
    """Return the address of a runbook: below the common one, unless it is a whole address already."""
    return name if "://" in name else f"{links.runbooks}/{name}"
