"""Years replayed through the product: what was expected, what came when the labels had come, and what alarmed.

`make replays` prints the table of `employment` and draws the picture of `flights` for exporter/docs/statistics.md.

employment: NannyML's census data of Massachusetts. The reference is 2015; 2016 to 2018 come month by month, the rows of
a year in random order, since the data have no days, and labels a month later. flights: the demo's model of January and
February 2013 over the rest of the year, week by week, with labels a day after each landing.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import structlog
from matplotlib.figure import Figure

from driftgauge.config import parse
from driftgauge.demo.flights import load_flights, new_york_time
from driftgauge.demo.training import train
from driftgauge.report import Document
from driftgauge.service.reporting import report_once
from nannyml_data import data_set

from .measuring import ROOT

SEED: Final = 20261130
DAY: Final = 86_400.0
HOUR: Final = 3600.0
MONTH: Final = 30 * DAY
WEEK: Final = 7 * DAY
MONTHS: Final = 36
PICTURE: Final = ROOT / "exporter" / "docs" / "pictures" / "flights-of-a-year.svg"
_SHOWN: Final = 4
_BLUE, _ORANGE = "#1f77b4", "#d95f02"
_CAUSES: Final = ("#1b9e77", "#7570b3", "#e6ab02", "#999999")


class Replay:
    """A model whose rows come in files, in a folder of its own, with a state that is kept from look to look."""

    def __init__(self, folder: Path, reference: pd.DataFrame, window: str, model: dict[str, Any]) -> None:
        self._folder, self._looks = folder, 0
        for name in ("predictions", "labels"):
            (folder / name).mkdir()
        reference.to_parquet(folder / "reference.parquet", index=False)
        section = {
            "name": "replayed",
            "task": "binary",
            "predictions": {"files": str(folder / "predictions")},
            "labels": {"files": str(folder / "labels"), "horizon": "60d", "window_by": "label_time"},
            "reference": {"uri": str(folder / "reference.parquet")},
        }
        # All alerts look at the one window that there is.
        kinds = ("performance", "drift", "quality", "service", "traffic", "labels")
        (folder / "thresholds.yml").write_text(json.dumps({"windows": dict.fromkeys(kinds, window)}))
        document = {"state_dir": str(folder / "state"), "windows": [window], "models": [section | model]}
        document["thresholds"] = str(folder / "thresholds.yml")
        self._config = parse(json.dumps(document), filename="driftgauge.yml", environ={})

    def look(self, predictions: pd.DataFrame, labels: pd.DataFrame, *, now: float) -> Document:
        """Let files come, and return the report as of `now` (s since 1970)."""
        self._looks += 1
        for name, rows in (("predictions", predictions), ("labels", labels)):
            if len(rows):
                rows.to_parquet(self._folder / name / f"{name}-{self._looks:03}.parquet", index=False)
        found, failure = report_once(self._config, model=None, version=None, window=None, now=now)
        if failure:
            raise SystemExit(f"{failure}")
        return found


def employment() -> None:
    """Print by month what was expected, what came a month later, and what alarmed."""
    found = data_set("employment")
    analysis = found.analysis.assign(label=found.labels[found.label].to_numpy())
    features = [name for name in analysis if name not in ("id", "year", "prediction", "predicted_probability", "label")]
    reference = found.reference.rename(columns={found.label: "label"})[
        [*features, "prediction", "predicted_probability", "label"]
    ]
    model = {"columns": {"score": "predicted_probability"}, "features": {"include": features}}
    rng, start = np.random.default_rng(SEED), pd.Timestamp("2016-01-01", tz="UTC").timestamp()
    month = 12 * (analysis["year"].to_numpy() - 2016) + rng.integers(0, 12, len(analysis))
    analysis = analysis.assign(timestamp=start + month * MONTH + rng.uniform(0, MONTH - HOUR, len(analysis)))
    analysis["request_id"] = analysis["id"].astype(str)
    say(["month", "expected accuracy", "what came a month later", "alerts"])
    with tempfile.TemporaryDirectory() as folder:
        replay, before, inside, alarmed = Replay(Path(folder), reference, "30d", model), None, [], 0
        for number in range(MONTHS):
            now = start + (number + 1) * MONTH
            rows = analysis[month == number]
            labels = analysis[month == number - 1][["request_id", "label", "timestamp"]]
            labels = labels.assign(timestamp=labels["timestamp"] + MONTH)
            served = rows[["request_id", "timestamp", *features, "prediction", "predicted_probability"]]
            found_now = replay.look(served, labels, now=now)
            accuracy = metric_of(found_now, "accuracy")
            if before is not None:
                alarmed += bool(found_now["findings"])
                inside.append(before["estimated_lower"] <= accuracy["value"] <= before["estimated_upper"])
                expected = (
                    f"{before['estimated']:.4f} ({before['estimated_lower']:.4f} to {before['estimated_upper']:.4f})"
                )
                say(
                    [
                        f"{2016 + (number - 1) // 12}-{(number - 1) % 12 + 1:02}",
                        expected,
                        f"{accuracy['value']:.4f}",
                        alerts_of(found_now),
                    ]
                )
            before = accuracy
        say(
            [f"{len(inside)} months", f"{np.mean(inside):.0%} within the bounds", "", f"{alarmed} months with an alert"]
        )


def flights() -> None:
    """Draw the year: accuracy expected and real by week, and the features that most of the expected loss comes from."""
    table = load_flights()
    training = train(table)
    start = new_york_time(2013, 3, 1)
    year = table[table["departed"] >= start].reset_index(drop=True)
    answers = training.model.predict(year)
    served = answers.assign(request_id=year["request_id"], timestamp=year["departed"])
    labels = pd.DataFrame(
        {"request_id": year["request_id"], "label": year["late"], "timestamp": year["landed"] + DAY}
    ).dropna()
    labels["label"] = labels["label"].astype(int)
    weeks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        model = {"labels": {"files": f"{folder}/labels", "window_by": "prediction_time"}}
        replay = Replay(Path(folder), training.reference, "7d", model)
        for number, now in enumerate(np.arange(start + WEEK, year["departed"].max(), WEEK)):
            rows = served[(served["timestamp"] < now) & (served["timestamp"] >= now - WEEK)]
            come = labels[(labels["timestamp"] < now) & (labels["timestamp"] >= now - WEEK)]
            report = replay.look(rows, come, now=float(now))
            weeks.append({"now": now, **metric_of(report, "accuracy"), "causes": causes(report)})
            one = weeks[-1]
            figures = (shown(one[key]) for key in ("estimated", "value"))
            say([str(number + 1), *figures, alerts_of(report), ", ".join(one["causes"])])
    truth = real(year, answers, [week["now"] for week in weeks])
    draw(weeks, truth)


def real(year: pd.DataFrame, answers: pd.DataFrame, ends: Sequence[float]) -> list[float]:
    """Return the accuracy of each week when all of its flights had landed."""
    right = (year["late"] == answers["prediction"]).where(year["late"].notna())
    return [float(right[(year["departed"] < end) & (year["departed"] >= end - WEEK)].mean()) for end in ends]


def alerts_of(report: Document) -> str:
    """Return the alerts that hold, each with its sentences."""
    said = [f"{found['alert']}: {item['text']}" for found in report["findings"] for item in found["items"]]
    return "; ".join(said) or "none"


def metric_of(report: Document, name: str) -> dict[str, Any]:
    """Return what a report says of a metric."""
    return next(row for row in report["performance"]["metrics"] if row["metric"] == name)


def causes(report: Document) -> dict[str, float]:
    """Return by drifted feature how much of the loss its shift explains."""
    items = (item for item in report["features"]["items"] if item["drifted"] and (item["impact"] or 0) > 0)
    ranked = sorted(items, key=lambda item: -item["impact"] * item["statistics"]["js_distance"])
    return {item["feature"]: item["impact"] for item in ranked[:_SHOWN]}


def draw(weeks: Sequence[dict[str, Any]], truth: Sequence[float]) -> None:
    """Draw estimate, truth and causes by week."""
    days = [pd.Timestamp(week["now"], unit="s") for week in weeks]
    figure = Figure(figsize=(9, 6), layout="constrained", facecolor="white")
    above, below = figure.subplots(2, sharex=True)
    known = [(day, week) for day, week in zip(days, weeks, strict=True) if week["estimated"] is not None]
    above.fill_between(
        [day for day, _ in known],
        [week["estimated_lower"] for _, week in known],
        [week["estimated_upper"] for _, week in known],
        color=_BLUE,
        alpha=0.2,
        label="95 % bounds of it",
    )
    above.plot(
        [day for day, _ in known], [week["estimated"] for _, week in known], color=_BLUE, label="expected accuracy"
    )
    above.plot(days, truth, "o-", markersize=3, color=_ORANGE, label="accuracy when all had landed")
    above.axhline(weeks[0]["baseline"], color="#666666", linestyle="--", linewidth=1, label="baseline")
    above.set_title("A model of January and February on the flights of 2013, by week", fontsize=11)
    above.legend(frameon=False, fontsize=9)
    total: dict[str, float] = {}
    for week in weeks:
        for name, impact in week["causes"].items():
            total[name] = total.get(name, 0) + impact
    for name, colour in zip(sorted(total, key=lambda each: -total[each])[:_SHOWN], _CAUSES, strict=False):
        below.plot(
            days, [week["causes"].get(name, np.nan) for week in weeks], "o-", markersize=3, color=colour, label=name
        )
    below.set_title("Loss of accuracy that the shift of a drifted feature explains", fontsize=11)
    below.legend(frameon=False, fontsize=9)
    for axes in (above, below):
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    figure.savefig(PICTURE, metadata={"Date": None, "Creator": None})


def shown(value: float | None) -> str:
    """Return a figure of a table."""
    return "none" if value is None else f"{value:.4f}"


def say(cells: Sequence[str]) -> None:
    """Print a row of a table."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.replays", description=__doc__)
    parser.add_argument("what", choices=("employment", "flights"), nargs="*", default=["employment", "flights"])
    for name in parser.parse_args().what:
        {"employment": employment, "flights": flights}[name]()
