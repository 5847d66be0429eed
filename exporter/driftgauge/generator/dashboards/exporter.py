"""The dashboard of driftgauge itself: can its values be believed, and is there room for more."""

from collections.abc import Callable
from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.links import Link, to_board
from driftgauge.generator.dashboards.marks import Mark, Marks
from driftgauge.generator.dashboards.panels import About, PanelScale, bars, figure, lines, states
from driftgauge.generator.dashboards.queries import (
    Query,
    Scope,
    about_target,
    age,
    grown,
    growth,
    highest,
    lowest,
    per_second,
    total,
)
from driftgauge.generator.dashboards.tables import number, ranking

SCOPE: Final = Scope()
_NOT_SCRAPED: Final = "Not scraped"
_NEVER: Final = "No refresh succeeded yet"
_MORE: Final[Link] = to_board("fleet")
_BY: Final = "{{instance}}"


def exporter(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="exporter",
        description="driftgauge itself: refreshes, MLflow, series, failures and the process.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("Health over time", [(24, _health())], height=7),
            Row(
                "Refresh",
                [*((8, panel) for panel in _refresh(marks)), *((12, _by_reason(*each)) for each in _FAILURES)],
            ),
            Row("Results in MLflow", [(8, panel) for panel in _results(marks)]),
            Row("Series and state", [(6, panel) for panel in _series(marks)]),
            Row("Process", [(8, panel) for panel in _process()]),
        ],
        alerts='alertname=~"Driftgauge.+", alertname!="DriftgaugeWatchdog"',
        since="now-6h",
    )


def _now(marks: Marks) -> Row:
    health = PanelScale(unit="none", words=scales.HEALTH)
    last = SCOPE.of("driftgauge_last_refresh_success_timestamp_seconds")
    figures = [
        ("Scraped", "Whether Prometheus reaches every exporter.", lowest(about_target("up")), health),
        ("MLflow", "Whether MLflow answered at the last refresh.", lowest(SCOPE.of("driftgauge_mlflow_up")), health),
        (
            "Refresh",
            "Whether the last refresh succeeded for every model.",
            lowest(SCOPE.of("driftgauge_refresh_success")),
            health,
        ),
        (
            "Last success",
            "Time since the last refresh that succeeded for every model.",
            age(lowest(last)),
            scales.seconds(marks.stale),
        ),
        (
            "Configuration",
            "Whether the last reload of the configuration was accepted.",
            lowest(SCOPE.of("driftgauge_config_last_reload_successful")),
            health,
        ),
        (
            "Series dropped",
            "Series left out in the time range because limits.max_series was reached.",
            total(growth(SCOPE.of("driftgauge_series_dropped_total"))),
            scales.count(Mark(1, marks.dropped.severity)),
        ),
    ]
    stats = [
        (3, figure(About(title, text, _NOT_SCRAPED, _MORE), Query(expr), scale=scale))
        for title, text, expr, scale in figures
    ]
    version = About("Version", "The running versions of driftgauge.", _NOT_SCRAPED, _MORE)
    build = Query(highest(SCOPE.of("driftgauge_build_info"), "version", "python_version"), "driftgauge {{version}}")
    stats.append((6, figure(version, build, scale=PanelScale(unit="none", words={1: ("running", "green")}))))
    return Row("Now", stats, height=4)


def _health() -> Panel:
    about = About(
        "Health",
        "Red is where something failed: the scrape, MLflow, a refresh, its process, or a reload of the configuration.",
        _NOT_SCRAPED,
        _MORE,
    )
    queries = [
        Query(lowest(selector, "instance"), f"{name} {_BY}")
        for name, selector in (
            ("scrape", about_target("up")),
            ("MLflow", SCOPE.of("driftgauge_mlflow_up")),
            ("refresh", SCOPE.of("driftgauge_refresh_success")),
            ("refresher", SCOPE.of("driftgauge_refresher_up")),
            ("configuration", SCOPE.of("driftgauge_config_last_reload_successful")),
            ("versions' configuration", SCOPE.of("driftgauge_monitoring_config_last_reload_successful")),
        )
    ]
    return states(about, *queries, scale=PanelScale(unit="none", words=scales.HEALTH))


def _refresh(marks: Marks) -> list[Panel]:
    last = SCOPE.of("driftgauge_last_refresh_success_timestamp_seconds")
    of_model = SCOPE.of("model_last_refresh_timestamp_seconds")
    return [
        lines(
            About(
                "Duration of the last refresh", "Longer than refresh_interval means values lag.", _NOT_SCRAPED, _MORE
            ),
            Query(highest(SCOPE.of("driftgauge_refresh_duration_seconds"), "instance"), _BY),
            scale=scales.SECONDS,
        ),
        lines(
            About(
                "Age of the last success",
                "Time since the last refresh that succeeded for every model; the line is the threshold of the alert.",
                _NEVER,
                _MORE,
            ),
            Query(age(highest(last, "instance")), _BY),
            scale=scales.seconds(marks.stale),
        ),
        lines(
            About(
                "Age of each model",
                "Time since a model was last refreshed without a failure: a slow one is older than the others.",
                _NEVER,
                _MORE,
            ),
            Query(age(highest(of_model, "model")), "{{model}}"),
            scale=scales.SECONDS,
        ),
    ]


# Title, text, what to say when there is none, and family of what is counted by reason.
_FAILURES: Final = (
    (
        "Failed refreshes by reason",
        "Refreshes that failed for at least one model. The log says which one and what to do.",
        "No refresh ever failed",
        "driftgauge_refresh_failures_total",
    ),
    (
        "Restarts of the refresher by reason",
        "Ends of the process that refreshes, which is started again. The log says why.",
        "The refresher never ended",
        "driftgauge_refresher_restarts_total",
    ),
)


def _results(marks: Marks) -> list[Panel]:
    written = SCOPE.of("driftgauge_writeback_last_success_timestamp_seconds")
    waiting = SCOPE.of("driftgauge_writeback_waiting_since_timestamp_seconds")
    return [
        lines(
            About(
                "Age of the results in MLflow",
                "Time since the results of a model were last written; only of models with writeback.",
                "No model writes its results to MLflow",
                _MORE,
            ),
            Query(age(highest(written, "model")), "{{model}}"),
            scale=scales.SECONDS,
        ),
        lines(
            About(
                "Age of the results that wait for MLflow",
                "Time since the oldest result of a model that could not be written; the line is the alert's threshold.",
                "No result waits to be written",
                _MORE,
            ),
            Query(age(lowest(waiting, "model", "reason")), "{{model}} ({{reason}})"),
            scale=scales.seconds(marks.unwritten),
        ),
        _by_reason(
            "Results not written by reason",
            "Results that could not be written to MLflow. The log and the landing page say what to do.",
            "No result failed to be written",
            "driftgauge_writeback_failures_total",
        ),
    ]


def _by_reason(title: str, text: str, none: str, family: str) -> Panel:
    counted = total(grown(SCOPE.of(family), "$__rate_interval", "instance", "reason"), "reason")
    return bars(About(title, text, none, _MORE), Query(counted, "{{reason}}"), scale=scales.COUNT)


# Title, text and family of what the exporter keeps.
_GAUGES: Final = (
    ("Series", "Series on the exporter's page.", "driftgauge_series"),
    (
        "Pending predictions",
        "Predictions kept until their label comes or their horizon ends.",
        "driftgauge_pending_predictions",
    ),
    (
        "Pending labels",
        "Labels kept until their prediction comes or their horizon ends. They grow when keys do not match.",
        "driftgauge_pending_labels",
    ),
    (
        "Segments dropped",
        "Segments of the model that has most of them left out because of limits.max_segments.",
        "driftgauge_segments_dropped",
    ),
    (
        "Configuration",
        "Hash of the configuration in force: a step is another one; two replicas of a shard should agree.",
        "driftgauge_config_hash",
    ),
    (
        "Shard",
        "Which of the exporters that share the models this one is, counted from 0.",
        "driftgauge_shard_ordinal",
    ),
    (
        "Shards",
        "How many exporters share the models, as each says. When they do not agree for long, models are watched twice.",
        "driftgauge_total_shards",
    ),
)


def _series(marks: Marks) -> list[Panel]:
    dropped = total(growth(SCOPE.of("driftgauge_series_dropped_total"), "$__rate_interval"), "instance")
    reloaded = SCOPE.of("driftgauge_config_last_reload_success_timestamp_seconds")
    return [
        *(
            lines(
                About(title, text, _NOT_SCRAPED, _MORE),
                Query(highest(SCOPE.of(family), "instance"), _BY),
                scale=scales.COUNT,
            )
            for title, text, family in _GAUGES
        ),
        lines(
            About(
                "Series dropped",
                "Series left out because limits.max_series was reached: those per feature and class go first.",
                _NOT_SCRAPED,
                _MORE,
            ),
            Query(dropped, _BY),
            scale=scales.count(Mark(1, marks.dropped.severity)),
        ),
        ranking(
            About(
                "Configuration of versions",
                "Of each model with `monitoring`, whose file is in force, and a hash of its text.",
                "No model is configured by its registered version",
                _MORE,
            ),
            [number("In force", highest(SCOPE.of("model_monitoring_info"), "model", "source", "hash"))],
            keys=("model", "source", "hash"),
            links=(),
        ),
        lines(
            About("Age of the configuration", "Time since a configuration was last accepted.", _NOT_SCRAPED, _MORE),
            Query(age(highest(reloaded, "instance")), _BY),
            scale=scales.SECONDS,
        ),
    ]


def _process() -> list[Panel]:
    def of_both(name: str, process: Callable[[str], str] = str) -> list[Query]:
        """Return the figure of the process that answers and of the one that refreshes."""
        names = {"front": name, "refresher": f"driftgauge_refresher_{name}"}
        return [Query(highest(process(about_target(each)), "instance"), f"{who} {_BY}") for who, each in names.items()]

    def of_one(expr: str) -> list[Query]:
        return [Query(highest(expr, "instance"), _BY)]

    scraped = about_target("scrape_samples_scraped")
    wanted = [
        ("Memory", "Resident memory of either process.", of_both("process_resident_memory_bytes"), "bytes"),
        ("CPU", "CPU seconds used per second.", of_both("process_cpu_seconds_total", per_second), "short"),
        ("Open files", "Open file descriptors of the front.", of_one(about_target("process_open_fds")), "short"),
        ("Uptime", "Time since the exporter started.", of_one(age(about_target("process_start_time_seconds"))), "s"),
        (
            "Scrape duration",
            "How long Prometheus waits for the page.",
            of_one(about_target("scrape_duration_seconds")),
            "s",
        ),
        ("Samples per scrape", "Samples on the page, as Prometheus counts.", of_one(scraped), "short"),
    ]
    return [
        lines(About(title, text, _NOT_SCRAPED, _MORE), *queries, scale=PanelScale(unit=unit, least=0))
        for title, text, queries, unit in wanted
    ]
