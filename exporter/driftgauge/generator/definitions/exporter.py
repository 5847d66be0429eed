"""Alerts on driftgauge itself: absent, down, failing, stale, blind, misconfigured; and the one that always fires.

Alerts are per instance: of two replicas one may fail alone.
"""

from typing import Final

from driftgauge.generator.annotations import listed, lookup
from driftgauge.generator.definitions.watching import by_reason, target_links
from driftgauge.generator.promql import Target, duration, either, matcher, narrowed, number
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

# By these labels of driftgauge's rules tell what they judge.
_JUDGED_BY: Final = ("model", "version", "window", "feature", "metric", "quantile", "reason")
# Of a target, where each shard's have one: rules about all shards look over it.
SHARD_LABEL: Final = "shard"
# What of the counters of `driftgauge hook`, a process of its own in a scrape job of its own, is a failure.
_FAILURES: Final = {
    "driftgauge_hook_triggers_total": 'result=~"failed|unclear"',
    "driftgauge_hook_bodies_refused_total": 'reason!="too_large"',
}
_SUBJECT: Final = "driftgauge at {{ $labels.instance }}"


def absent(thresholds: Thresholds) -> Alarm:
    """Look for an exporter of the job that answers: while this fires, alerts on models are muted."""
    up = Target.of(thresholds).series("up")
    recent = f"max_over_time({up}[{duration(thresholds.smoothing)}])"
    return Alarm(
        expr=f"absent({up})\nor\nmax by (job) ({recent}) == 0",
        summary="No driftgauge answers Prometheus",
        description="No exporter of the job {{ $labels.job }} answers, or Prometheus knows none: no model is watched.\n"
        "If DriftgaugeDown fires too, begin there; else look at the scrape configuration and service discovery, "
        "and whether exporter.job in thresholds.yml is right.",
        links=target_links(thresholds.links, "job"),
    )


def down(thresholds: Thresholds) -> Alarm:
    """Look whether all scrapes of the last minutes failed."""
    return Alarm(
        expr=f"{_recent(thresholds, 'up')} == 0",
        summary="Prometheus cannot scrape driftgauge",
        description=f"{_SUBJECT} has not answered a scrape for {duration(thresholds.smoothing)} and longer: "
        "unless another one watches its models, nothing is known of them.\n"
        "Look whether the process runs, what it logged last, and whether the address can be reached from Prometheus.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def refresh_failing(thresholds: Thresholds) -> Alarm:
    """Look whether all refreshes of the last minutes failed for some model."""
    failures = by_reason(Target.of(thresholds), "driftgauge_refresh_failures_total", "instance")
    return Alarm(
        expr=f"{_recent(thresholds, 'driftgauge_refresh_success')} == 0",
        summary="driftgauge cannot refresh at least one model",
        description=f"{_SUBJECT}: no refresh of the last {duration(thresholds.smoothing)} succeeded for every model; "
        f"those that failed show old values.{failures}\n"
        "The exporter's first page (/) and its log name the model and what to do about it.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def stale(thresholds: Thresholds) -> Alarm:
    """Compare the age of the last full success, unless something was read since: then one model fails alone.

    Before the first success the age is that of the process.
    """
    target = Target.of(thresholds)
    labels, age = target.by("instance"), thresholds.alerts.DriftgaugeStale.age
    batches = f"changes({target.series('model_last_batch_timestamp_seconds')}[{duration(age)}])"
    return Alarm(
        expr=f"time() - (\n"
        f"  {_recent(thresholds, 'driftgauge_last_refresh_success_timestamp_seconds')}\n"
        f"  or {_recent(thresholds, 'process_start_time_seconds')}\n"
        f") > {number(age)}\n"
        f"unless on {labels} (max by {labels} ({batches}) > 0)",
        summary="What driftgauge shows is old",
        description=f"{_SUBJECT}: the last successful refresh was {{{{ $value | humanizeDuration }}}} ago and no batch "
        f"was read since; the limit is {duration(age)}. No alert on its models says how things are now.\n"
        "Look at DriftgaugeMlflowUnreachable first; else a refresh hangs or takes long: see its duration and the log.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def mlflow_unreachable(thresholds: Thresholds) -> Alarm:
    """Look whether MLflow answered at no refresh of the last minutes."""
    links = target_links(thresholds.links, "job", "instance")
    return Alarm(
        expr=f"{_recent(thresholds, 'driftgauge_mlflow_up')} == 0",
        summary="driftgauge cannot reach MLflow",
        description=f"{_SUBJECT}: MLflow answered at no refresh of the last {duration(thresholds.smoothing)}; the "
        "values from before are still shown, and nothing is lost: what was logged meanwhile is read afterwards.\n"
        "Look whether MLflow answers, then at its credentials and the network between the two.",
        links={**links, "mlflow_url": thresholds.links.mlflow},
    )


def series_dropped(thresholds: Thresholds) -> Alarm:
    """Look whether series were left out."""
    target, within = Target.of(thresholds), thresholds.alerts.DriftgaugeSeriesDropped.within
    counter = target.series("driftgauge_series_dropped_total")
    return Alarm(
        expr=f"max by {target.by('instance')} (increase({counter}[{duration(within)}])) > 0",
        summary="driftgauge leaves out series",
        description=f"{_SUBJECT} has more series than limits.max_series allows. Series per feature and class are left "
        "out, those of the models configured last first: alerts on them are blind.\n"
        "Raise limits.max_series if Prometheus can bear it, or watch fewer features, classes, versions or windows.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def config_reload_failed(thresholds: Thresholds) -> Alarm:
    """Look whether the last reload was refused."""
    return Alarm(
        expr=f"{_recent(thresholds, 'driftgauge_config_last_reload_successful')} == 0",
        summary="driftgauge refused its configuration file",
        description=f"{_SUBJECT} still runs with the configuration from before; it will not start with the new one.\n"
        "Run `driftgauge check-config` on the file: it names each mistake with its line and remedy.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def labels_renamed(thresholds: Thresholds) -> Alarm:
    """Look for labels of the target that have the name of one of driftgauge's, which Prometheus then renames.

    `segment` is not on series about all rows, so the target's is taken for it, and rules find nothing.
    """
    target, job = Target.of(thresholds), matcher("job", thresholds.exporter.job)
    ours = {label: f'{{__name__=~"(model|driftgauge)_.+", {job}, exported_{label}!=""}}' for label in _JUDGED_BY}
    every = {**ours, "segment": f'driftgauge_build_info{{{job}, segment!=""}}'}
    found = either(
        f'label_replace(last_over_time({selector}[{duration(thresholds.smoothing)}]), "label", "{label}", "", "")'
        for label, selector in every.items()
    )
    return Alarm(
        expr=f"count by {target.by('instance', 'label')} (\n{found}\n) > 0",
        summary="The scrape renames labels of driftgauge",
        description=f"{_SUBJECT}: the target has a label {{{{ $labels.label }}}} of its own, so rules and dashboards "
        "see that one instead of driftgauge's, or nothing: what they say of models is wrong.\n"
        "Write honor_labels: true into the scrape job (honorLabels in a ServiceMonitor), or drop the target's label; "
        "one called segment has to be dropped.",
        links=target_links(thresholds.links, "job", "instance"),
    )


def shards_missing(thresholds: Thresholds) -> Alarm:
    """Compare how many shards there should be with how many are there: replicas of one count once."""
    by = Target.of(thresholds).apart_from(SHARD_LABEL).by()
    ordinal, total = (_of_shards(thresholds, family) for family in ("shard_ordinal", "total_shards"))
    return Alarm(
        expr=f'max by {by} ({total})\n- count by {by} (count_values by {by} ("ordinal", {ordinal}))\n> 0',
        summary="Shards of driftgauge are missing",
        description="Of the shards of {{ $labels.job }}, {{ $value | printf `%.0f` }} cannot be scraped: nothing is "
        "known of the models that they have; there should be 0.\n"
        "Look which driftgauge_shard_ordinal is not there, whether its pod runs, and whether it is a target at all.",
        links=target_links(thresholds.links, "job"),
    )


def shards_mismatch(thresholds: Thresholds) -> Alarm:
    """Look whether exporters that share the models do not agree on how many they are."""
    by = Target.of(thresholds).apart_from(SHARD_LABEL).by()
    total = _of_shards(thresholds, "total_shards")
    return Alarm(
        expr=f"max by {by} ({total})\n> min by {by} ({total})",
        summary="Shards of driftgauge do not agree on how many they are",
        description="Some exporters of {{ $labels.job }} share the models as if they were "
        "{{ $value | printf `%.0f` }}, others as if they were fewer, which should be one number: models may be watched "
        "twice, or by nobody.\n"
        "Look at driftgauge_total_shards by instance, and whether a rollout is stuck: --shard=I/N needs the same N.",
        links=target_links(thresholds.links, "job"),
    )


def writeback_failing(thresholds: Thresholds) -> Alarm:
    """Compare since when the oldest results wait that are due in MLflow; while MLflow is away another alert says so.

    Nobody waits where nothing is due, and one write that succeeds ends it, so a short outage never gets this old.
    """
    target, age = Target.of(thresholds), thresholds.alerts.DriftgaugeWritebackFailing.age
    labels, waiting = target.by("instance"), "driftgauge_writeback_waiting_since_timestamp_seconds"
    oldest = f"min by {labels} (min_over_time({target.series(waiting)}[{duration(thresholds.smoothing)}]))"
    named = listed(
        f"time() - min by (model, reason) ({lookup(waiting, target, 'instance')}) > {number(age)}",
        target,
        "instance",
        named_by="model",
        text=" Models and reasons, the longest first: %s.",
        beside="{{ $each.Labels.reason }}",
    )
    links = target_links(thresholds.links, "job", "instance")
    return Alarm(
        expr=f"time() - {oldest} > {number(age)}\n"
        f"unless on {labels} {_recent(thresholds, 'driftgauge_mlflow_up')} == 0",
        summary="driftgauge cannot write results to MLflow",
        description=f"{_SUBJECT}: results have waited for {{{{ $value | humanizeDuration }}}} to be written to MLflow, "
        f"which is tried at least hourly; the limit is {duration(age)}.{named}\n"
        "MLflow shows how these models were before; metrics and alerts are not affected. The exporter's first page (/) "
        "and its log say what to do for each: give rights (forbidden), restore the experiment (missing), or look at "
        "the tracking server and its artifact store.",
        links={**links, "mlflow_url": thresholds.links.mlflow},
    )


def hook_failing(thresholds: Thresholds) -> Alarm:
    """Look for triggers that failed, and for notifications that were refused: what they asked for does not happen."""
    within = duration(thresholds.alerts.DriftgaugeHookFailing.within)
    triggers, refused = (narrowed(name, [each]) for name, each in _FAILURES.items())
    return Alarm(
        expr=f"sum by (job, instance, action, result) (increase({triggers}[{within}])) > 0\n"
        f"or\nsum by (job, instance, reason) (increase({refused}[{within}])) > 0",
        summary="driftgauge hook could not do what an alert asked for",
        description="The hook at {{ $labels.instance }}: in the last "
        f"{within} {{{{ if $labels.action }}}}{{{{ printf `%.0f` $value }}}} triggers of the action "
        "{{ $labels.action }} ended as {{ $labels.result }}{{ else }}{{ printf `%.0f` $value }} requests were refused "
        "({{ $labels.reason }}){{ end }}; there should be 0.\n"
        "{{ if $labels.action }}Its log and the runs in MLflow say what the target answered; start by hand what is "
        "urgent.{{ else }}Compare url and token of Alertmanager's receiver with those of the hook.{{ end }}",
        links=target_links(thresholds.links),
    )


def watchdog(thresholds: Thresholds) -> Alarm | None:
    """Fire always, if anybody listens."""
    if thresholds.notifications.watchdog is None:
        return None
    return Alarm(
        expr="vector(1)",
        summary="Alerting works",
        description="This alert always fires. When it stops arriving, Prometheus or Alertmanager is broken.",
        links=target_links(thresholds.links),
    )


def _of_shards(thresholds: Thresholds, family: str) -> str:
    """Return what each exporter said last of its shard, of those that were there in the last minutes."""
    series = Target.of(thresholds).series(f"driftgauge_{family}")
    return f"last_over_time({series}[{duration(thresholds.smoothing)}])"


def _recent(thresholds: Thresholds, family: str) -> str:
    """Return the best of the last minutes, so that a missed scrape or one failure decides nothing."""
    target = Target.of(thresholds)
    recent = f"max_over_time({target.series(family)}[{duration(thresholds.smoothing)}])"
    return f"max by {target.by('instance')} ({recent})"
