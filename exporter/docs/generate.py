#!/usr/bin/env python3
"""Writes metrics.md, the reference of every metric, from `driftgauge.families`, and the table of records.md.

generate.py            write the files
generate.py --check    exit with 1 when one of them is not what would be written
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from records_table import with_table

from driftgauge.families import FAMILIES, LABEL_DELAY_BUCKETS, LATENCY_BUCKETS, PERFORMANCE_GAUGES, Family

INTRODUCTION: Final = """\
# Metrics

<!-- Written by generate.py from exporter/driftgauge/families; change that package and run `make docs`. -->

Every metric driftgauge exposes, in the order of `/metrics`. A value that cannot be computed (too few rows, one class
only, the deviation of a constant reference) is an absent series: never NaN, 0 or an old number.

`/metrics` also has the `process_*` and `python_*` metrics of the Python client library, about the process that answers
scrapes, and the same as `driftgauge_refresher_process_*` about its child that refreshes, its workers left out.

The page comes as OpenMetrics 1.0 or as Prometheus text 0.0.4 or 1.0.0, whichever `Accept` wants most, gzipped where
that is accepted. `/metrics?name[]=model_accuracy&name[]=model_info` has only the families of these names, as with
Prometheus' own client libraries (`params: {"name[]": […]}` in a scrape job): names are those of the tables, without
the suffixes of a histogram's series. One that does not exist is no mistake; when none does, the page is empty.
"""

LABELS: Final = {
    "model": "The model's `name` in the configuration.",
    "version": "The model version as the records or their run say it, else `unknown`; for `driftgauge_build_info`, "
    "that of driftgauge.",
    "window": "The window as written in the configuration, for example `24h`. It ends at the last refresh.",
    "segment": "The segment's name in the configuration; of `model_segment_*`, the slice. Series about all rows do not "
    'have this label, so `segment=""` selects them.',
    "feature": "The feature's name as the records have it.",
    "class": "The class, as the labels spell it.",
    "predicted": "The class that was predicted, as the predictions spell it.",
    "kind": "Of what it is: `predicted`, `label` or `reference` of a class, `window` or `reference` of a feature.",
    "metric": "Which performance metric; see the table below.",
    "bound": "`lower` or `upper` end of the interval.",
    "part": "`inputs` or `concept`: what the change comes from.",
    "level": "`0.99` or `0.999`: the share of the reference's rows that are nearer.",
    "signal": "What the evidence is about.",
    "quantile": "`0.5`, `0.9` or `0.99`.",
    "reason": "A short fixed word that says what was wrong; [faults.md](faults.md) lists them.",
    "run_id": "The MLflow run that produced the model version.",
    "experiment_id": "The MLflow experiment of that run.",
    "model_uri": "Where MLflow keeps the model version.",
    "source": "Where the monitoring configuration of a model lies, such as `models:/churn/3/driftgauge.yml`.",
    "hash": "Of the text of that file, in 16 hexadecimal digits.",
    "python_version": "The version of the interpreter.",
}

TYPES: Final = """\
## Types

- **counter**: only grows, counts each row exactly once, and survives restarts; query it with `rate()` or `increase()`.
- **gauge**: the value as of the last refresh.
- **histogram**: everything since the start, in `_bucket`, `_count` and `_sum`; query it with
  `histogram_quantile(0.99, sum by (le, model) (rate(…_bucket[5m])))`.
- **gaugehistogram**: what is in the window now, in `_bucket`, `_gcount` and `_gsum`; query it without `rate()`, as
  `histogram_quantile(0.99, sum by (le, model) (…_bucket{window="1h"}))`. In the text format its type reads `histogram`.
- **summary**: quantiles of the window, without `_count` and `_sum`; they cannot be averaged or summed.
- **info**: always 1; its labels are the information. Join it with `* on (model, version) group_left (run_id)`.
"""


def main(arguments: Sequence[str]) -> int:
    """Write or check the files, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write metrics.md and the table of records.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    wrong = 0
    for target, make in TARGETS.items():
        committed = target.read_text(encoding="utf-8") if target.exists() else ""
        text = make(committed)
        if not check:
            target.write_text(text, encoding="utf-8")
        elif text != committed:
            sys.stderr.write(f"{target} is not what the tables of driftgauge say: run `make docs`\n")
            wrong = 1
    return wrong


def page() -> str:
    """Return the whole reference as Markdown."""
    return "\n".join((INTRODUCTION, *_groups(), _labels(), _performance(), _buckets(), TYPES))


def _groups() -> Iterator[str]:
    for title, families in itertools.groupby(FAMILIES.values(), key=lambda family: family.group):
        rows = ((f"`{family.name}`", family.type, _label_list(family), family.help) for family in families)
        yield f"## {title}\n\n{_table(('Metric', 'Type', 'Labels', 'Meaning'), rows)}"


def _label_list(family: Family) -> str:
    return ", ".join(f"`{label}`" for label in _label_names(family)) or "none"


def _label_names(family: Family) -> tuple[str, ...]:
    return (*family.labels, "segment") if family.segmented else family.labels


def _labels() -> str:
    used = {label for family in FAMILIES.values() for label in _label_names(family)}
    rows = ((f"`{label}`", LABELS[label]) for label in sorted(used, key=list(LABELS).index))
    return f"## Labels\n\n{_table(('Label', 'Value'), rows)}"


def _performance() -> str:
    rows = ((f"`{metric}`", f"`{name}`") for metric, name in PERFORMANCE_GAUGES.items())
    return f"The label `metric` and the gauge that shows the same quantity:\n\n{_table(('`metric`', 'Gauge'), rows)}"


def _buckets() -> str:
    latency, delay = (", ".join(f"{bound:g}" for bound in bounds) for bounds in (LATENCY_BUCKETS, LABEL_DELAY_BUCKETS))
    return (
        "## Buckets\n\n"
        f"- `model_latency_seconds`, `model_window_latency_seconds`: {latency}\n"
        f"- `model_label_delay_seconds`: {delay}\n"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# By file: what makes its text of the one that is there.
TARGETS: Final[dict[Path, Callable[[str], str]]] = {
    Path(__file__).with_name("metrics.md"): lambda _: page(),
    Path(__file__).with_name("records.md"): with_table,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
