"""What the alerts share: who is watched, when there are enough rows, and what every notification says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from driftgauge.generator.alerts import OnLabels, OnPredictions
from driftgauge.generator.annotations import (
    Board,
    dashboard,
    figure,
    lookup,
    mlflow_experiment,
    mlflow_run,
    query,
    report,
)
from driftgauge.generator.cases import AlertT, Case
from driftgauge.generator.promql import Target, either, matcher, narrowed
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Links, Thresholds

RowsT = TypeVar("RowsT", bound=OnLabels | OnPredictions)


class Judged(NamedTuple):
    """A comparison that needs another number of rows than its alert: fewer, for what is certain on few."""

    comparison: str
    least: int


SUBJECT: Final = "{{ $labels.model }} version {{ $labels.version }}"
MODEL: Final = "{{ $labels.model }}"
IN_WINDOW: Final = "in the last {{ $labels.window }}"


@dataclass(frozen=True, slots=True)
class _Count:
    """The recorded series of a number of rows, and what to call them."""

    series: str
    rows: str


_COUNTS: Final = {
    True: _Count("version:model_window_labels:min", "labels"),
    False: _Count("version:model_window_predictions:min", "predictions"),
}


def of_case(name: str, case: Case[AlertT], *matchers: str) -> str:
    """Return a recorded series narrowed to the models and the window of a case."""
    return narrowed(name, (case.matcher, *matchers, matcher("window", case.window) if case.window else ""))


def version_alarm(
    thresholds: Thresholds,
    found: Sequence[Case[RowsT]],
    *,
    condition: Callable[[Case[RowsT]], Iterable[str | Judged]],
    summary: str,
    facts: str,
    look: str,
    board: Board,
    limit: str = "",
) -> Alarm | None:
    """Return an alert on versions; None when it is disabled for all models.

    found: its cases. condition: comparisons of a case, of which any is enough. facts, look: what is the matter, and
    what to look at first. limit: as the facts have it. It holds on enough rows only, and for versions that were not
    replaced.
    """
    if not found:
        return None
    target = Target.of(thresholds)
    count = _COUNTS[isinstance(found[0].limits, OnLabels)]
    judged_by = [
        each if isinstance(each, Judged) else Judged(each, case.limits.least)
        for case in found
        for each in condition(case)
    ]
    expr = either(
        f"{comparison}\nand on {target.by(*VERSION)} {count.series} >= {least}\n{unless_replaced(target)}"
        for comparison, least in judged_by
    )
    judged = figure(
        lookup(count.series, target, *VERSION),
        target,
        *VERSION,
        text=f" Judged on {{{{ . | value | printf `%.0f` }}}} {count.rows}.",
    )
    return Alarm(expr, summary, f"{SUBJECT}: {facts}.{judged}\n{look}", version_links(thresholds, board), limit)


def unless_replaced(target: Target) -> str:
    """Return the end of an expression about versions: those that were replaced are left out."""
    return f"unless on {target.by('model', 'version')} version:model_predictions:replaced"


def version_links(thresholds: Thresholds, board: Board, *labels: str) -> Mapping[str, str]:
    """Return where an alert on a version leads; labels: those that choose on the dashboard, by default window too."""
    return {
        "dashboard_url": dashboard(thresholds.links, board, "job", "model", *(labels or VERSION[1:])),
        **report(thresholds.links, *(labels or VERSION[1:])),
        "mlflow_url": mlflow_run(thresholds.links, Target.of(thresholds)),
    }


def model_links(thresholds: Thresholds, board: Board) -> Mapping[str, str]:
    """Return where an alert on a model leads."""
    return {
        "dashboard_url": dashboard(thresholds.links, board, "job", "model"),
        **report(thresholds.links),
        "mlflow_url": mlflow_experiment(thresholds.links, Target.of(thresholds)),
    }


def target_links(links: Links, *labels: str) -> Mapping[str, str]:
    """Return where an alert on the exporter leads."""
    return {"dashboard_url": dashboard(links, "exporter", *labels)}


def known_labels(target: Target) -> str:
    """Return the sentence on how many predictions of the window have their label; empty where it is not known."""
    return figure(
        f"max({lookup('model_label_ratio', target, *VERSION)})",
        target,
        *VERSION,
        text=" {{ . | value | humanizePercentage }} of the window's predictions have theirs.",
    )


def by_reason(target: Target, family: str, *labels: str) -> str:
    """Return the sentence that lists a counter by reason, the most frequent first."""
    counted = f"sort_desc(max by (reason) ({lookup(family, target, *labels)}))"
    each = "{{ $each.Labels.reason }} {{ $each.Value }}"
    return (
        f"{{{{ with {query(counted, target, *labels)} }}}} Since the start, by reason: "
        f"{{{{ range $place, $each := . }}}}{{{{ if $place }}}}, {{{{ end }}}}{each}{{{{ end }}}}.{{{{ end }}}}"
    )


def chain(branches: Sequence[tuple[str, str]], otherwise: str = "") -> str:
    """Return a piece of template with one text per condition."""
    if not branches:
        return otherwise
    conditions = "{{ else ".join(f"if {condition} }}}}{text}" for condition, text in branches)
    rest = f"{{{{ else }}}}{otherwise}" if otherwise else ""
    return f"{{{{ {conditions}{rest}{{{{ end }}}}"


def percent(ratio: float) -> str:
    """Return a ratio as people say it."""
    return f"{ratio * 100:.4g}%"
