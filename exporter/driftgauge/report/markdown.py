"""A report as Markdown, for mails, tickets and terminals. Every text from outside is escaped where it is written."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from driftgauge.report import reading
from driftgauge.report.document import Document
from driftgauge.report.reading import WORDS, figure, pvalue, share, short, signed, when

# Features that get a row; JSON has all of them.
MOST_FEATURES: Final = 50
# Within a line; the last two begin an address that GitHub would make a link of.
_SPECIAL: Final = re.compile(r"([\\`*_\[\]#|~$@]|:(?=//)|(?<=www)\.)")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LINK: Final = str.maketrans(
    {" ": "%20", "(": "%28", ")": "%29", "<": "%3C", ">": "%3E", '"': "%22", "|": "%7C", "\n": "%0A"}
)


def markdown(report: Document) -> str:
    """Return the text, which ends in a line break."""
    return "\n".join(_lines(report)) + "\n"


def escaped(text: str) -> str:
    """Return a text as it is to be read: on one line, and no sign in it means anything to Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", short(text)).translate(_HTML)


def _lines(report: Document) -> Iterator[str]:
    version = f" version {escaped(report['version'])}" if report["version"] else ""
    yield f"# {escaped(report['model'])}{version}"
    yield ""
    period = report["period"]
    yield f"{report['task']}, window {escaped(report['window'])}: {when(period['start'])} to {when(period['end'])}"
    yield ""
    yield f"**{WORDS['status'][report['verdict']['status']]}.** {_prose(report['verdict']['sentence'])}"
    yield ""
    if report["recommendation"]:
        yield from (_prose(report["recommendation"]["sentence"]), "")
    if report["failure"]:
        yield from (f"Not refreshed in full: {_prose(report['failure'])}", "")
    yield from _findings(report["findings"])
    yield from _performance(report)
    yield from _output(report)
    yield from _features(report)
    yield from _history(report["history"])
    yield from _rows(report)
    yield from _versions(report)
    yield from _quality(report)
    yield "## Links"
    yield ""
    yield from (f"- {_link(WORDS['links'][name], address)}" for name, address in report["links"].items())
    yield ""
    yield f"Made by driftgauge {escaped(report['driftgauge'])}. {reading.ABSENT} stands for what is not known."


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Findings and what to do"
    yield ""
    for each in findings:
        yield f"### {escaped(each['alert'])} ({escaped(each['severity'])})"
        yield ""
        yield from (f"- {_prose(item['text'])}" for item in each["items"])
        if each["count"] > len(each["items"]):
            yield f"- and {each['count'] - len(each['items'])} more"
        yield ""
        yield "What to do:"
        yield ""
        for action in each["actions"]:
            gap = "" if action["text"][:1] in set(":,.;") else " "
            yield f"- **{_prose(action['do'])}**{gap}{_prose(action['text'])}"
        yield f"- {_link('Runbook', each['runbook'])}"
        yield ""
    if not findings:
        yield from ("No alert holds.", "")


def _performance(report: Document) -> Iterator[str]:
    found = report["performance"]
    yield "## Performance"
    yield ""
    if not found["metrics"]:
        yield from ("No metric is known.", "")
    columns = ("Metric", "Value", "95 %", "Baseline", "Worse by", "Expected", "95 %", "Due to inputs", "Due to concept")
    yield from _table(
        columns,
        (
            (
                row["metric"],
                figure(row["value"]),
                reading.between(row["lower"], row["upper"]),
                figure(row["baseline"]),
                signed(row["degradation"]),
                figure(row["estimated"]),
                reading.between(row["estimated_lower"], row["estimated_upper"]),
                signed(row["inputs_part"]),
                signed(row["concept_part"]),
            )
            for row in found["metrics"]
        ),
    )
    yield from _table(
        ("Class", "Precision", "Recall", "F1", "Of predictions", "Of labels"),
        (
            (
                row["class"],
                *(figure(row[key]) for key in ("precision", "recall", "f1")),
                *(share(row[key]) for key in ("share_predicted", "share_of_labels")),
            )
            for row in found["classes"]
        ),
    )


def _output(report: Document) -> Iterator[str]:
    yield "## Output and labels"
    yield ""
    yield from _table(
        ("What", "Drifted", "Statistics"),
        (
            (name, reading.judged(of["drifted"]), reading.statistics(of["statistics"]))
            for name, of in (("output", report["output"]), ("labels", report["label_drift"]))
        ),
    )


def _features(report: Document) -> Iterator[str]:
    found = report["features"]
    yield "## Features, worst first"
    yield ""
    if found["monitored"] is not None:
        yield f"{figure(found['drifted'])} of {found['monitored']} judged features drifted."
        yield ""
    yield from _table(
        ("Feature", "Drifted", "PSI", "KS or TVD", "p", "Mean", "Reference", "Missing", "Outliers", "Unseen", "Impact"),
        (_feature(row) for row in found["items"][:MOST_FEATURES]),
    )
    if len(found["items"]) > MOST_FEATURES:
        yield f"{len(found['items']) - MOST_FEATURES} more features are in the other forms of this report."
        yield ""


def _feature(row: Mapping[str, Any]) -> tuple[str, ...]:
    statistics = row["statistics"]
    return (
        row["feature"],
        reading.judged(row["drifted"]),
        figure(statistics.get("psi")),
        figure(statistics.get("ks_statistic", statistics.get("total_variation_distance"))),
        pvalue(statistics.get("ks_pvalue", statistics.get("chi2_pvalue"))),
        figure(row["mean"]),
        figure(row["reference_mean"]),
        share(row["missing_ratio"]),
        share(row["outlier_ratio"]),
        share(row["unseen_ratio"]),
        signed(row["impact"]),
    )


def _history(history: Mapping[str, Any]) -> Iterator[str]:
    yield "## Day by day"
    yield ""
    metrics = list(history["summary"])
    yield from _table(
        ("Metric", "Days", "Average", "Lowest", "Highest", "Deviation"),
        (
            (metric, *(figure(row[key]) for key in ("days", "average", "lowest", "highest", "deviation")))
            for metric, row in history["summary"].items()
        ),
    )
    yield from _table(
        ("Day", "Predictions", "Labels", *metrics, "Drifted features", "Output PSI"),
        (
            (
                day["day"],
                figure(day["predictions"]),
                figure(day["labels"]),
                *(figure(day["metrics"].get(metric)) for metric in metrics),
                figure(day["drifted_features"]),
                figure(day["prediction_psi"]),
            )
            for day in reversed(history["days"])
        ),
    )
    heatmap = history["heatmap"]
    yield from _table(
        ("PSI of", *heatmap["days"]),
        ((name, *map(figure, row)) for name, row in zip(heatmap["features"], heatmap["psi"], strict=True)),
    )
    yield "Alerts now, and on these days by the rows of each day alone:"
    yield ""
    yield from _table(
        ("When", "Alert", "Severity", "What"),
        ((each["when"], each["alert"], each["severity"], each["text"]) for each in history["alerts"]["last"]),
        cell=_prose,
    )


def _rows(report: Document) -> Iterator[str]:
    yield "## Slices and rows to look at"
    yield ""
    slices = report["slices"]
    yield from _table(
        ("Slice", "Labelled rows", slices["metric"] or "Performance", "Loss rose at least by", "Concept part"),
        (
            (
                row["slice"],
                figure(row["rows"]),
                figure(row["performance"]),
                signed(row["degradation_lower"]),
                signed(row["concept_part"]),
            )
            for row in slices["items"]
        ),
    )
    yield from _table(
        ("Request id", "Time", "Distance²", "Features"),
        (
            (row["request_id"] or "not kept", when(row["time"]), figure(row["distance"]), ", ".join(row["features"]))
            for row in report["unusual"]["items"]
        ),
    )


def _versions(report: Document) -> Iterator[str]:
    yield "## Versions side by side"
    yield ""
    metrics = [row["metric"] for row in report["performance"]["metrics"]]
    yield from _table(
        ("Version", "Predictions", "Labels", *metrics, "Drifted features", "Failed", "p99"),
        (
            (
                row["version"],
                figure(row["predictions"]),
                figure(row["labels"]),
                *(figure(row["metrics"].get(metric)) for metric in metrics),
                figure(row["drifted_features"]),
                share(row["error_ratio"]),
                reading.seconds(row["latency_p99"]),
            )
            for row in report["versions"]
        ),
    )


def _quality(report: Document) -> Iterator[str]:
    labels, quality = report["labels"], report["quality"]
    yield "## Labels and data quality"
    yield ""
    rejected = {**quality["rows_rejected"], **quality["files_set_aside"]}
    facts = {
        "Labelled predictions": figure(labels["labels"]),
        "Of the window's predictions": share(labels["coverage"]),
        "Labels that met their prediction": share(labels["match_ratio"]),
        "Last label": when(labels["last_label"]),
        "Mean delay": reading.seconds(labels["delay"]["mean_seconds"]) if labels["delay"] else reading.ABSENT,
        "Values missing": share(quality["missing_ratio"]),
        "Outliers": share(quality["outlier_ratio"]),
        "Requests failed": share(quality["error_ratio"]),
        "Batches read so far": figure(quality["batches"]),
        "Rows and files not used so far": ", ".join(f"{why} {figure(count)}" for why, count in rejected.items())
        or "none",
    }
    yield from _table(("What", "Value"), facts.items())
    for each in quality["said"]:
        about = f" {escaped(each['subject'])}" if each["subject"] else ""
        yield f"- **{escaped(each['what'])}** {escaped(each['reason'])}{about}: {_prose(each['text'])}"
    if quality["said"]:
        yield ""


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, cell: Callable[[str], str] = escaped
) -> Iterator[str]:
    """Yield the lines of a table and an empty one; nothing without rows. cell: escapes what is in one."""
    cells = [list(map(cell, row)) for row in rows]
    if cells:
        yield _line([escaped(name) for name in head])
        yield _line(["---"] * len(head))
        yield from map(_line, cells)
        yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _prose(text: str) -> str:
    """Return a sentence: escaped as a name is, whatever its length."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).translate(_HTML)


def _link(text: str, address: str) -> str:
    found = reading.link(address)
    return f"[{text}]({found.translate(_LINK)})" if found else f"{text}: {escaped(address)}"
