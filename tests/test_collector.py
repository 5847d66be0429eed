"""Exposition: exact text, strict parsers, promtool, and what is refused."""

import gzip
import math
import os
import re
import subprocess
import time
import zlib
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from driftgauge.collector import (
    END,
    HEAD,
    Body,
    Page,
    ProcessMetrics,
    checksum,
    ending,
    packed,
    render,
    validate,
    written,
)
from driftgauge.collector.checksums import joined
from driftgauge.families import FAMILIES, LATENCY_BUCKETS, Family
from driftgauge.samples import HistogramSample, Sample, Samples
from snapshot_collector import SnapshotCollector

Series = Sequence[Sample | HistogramSample]
write_text: Callable[[SnapshotCollector], bytes] = generate_latest
write_openmetrics: Callable[[SnapshotCollector], bytes] = exposition.generate_latest
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families

# (family, samples, lines in text 0.0.4, lines in OpenMetrics); HELP lines are left out, they repeat the table.
EXPOSITIONS: list[tuple[str, Series, str, str]] = [
    (
        "model_accuracy",
        [Sample(("churn", "3", "24h"), 0.75), Sample(("churn", "2", "24h"), 1)],
        """\
# TYPE model_accuracy gauge
model_accuracy{model="churn",version="2",window="24h"} 1.0
model_accuracy{model="churn",version="3",window="24h"} 0.75
""",
        """\
# TYPE model_accuracy gauge
model_accuracy{model="churn",version="2",window="24h"} 1.0
model_accuracy{model="churn",version="3",window="24h"} 0.75
# EOF
""",
    ),
    (
        "model_missing_ratio",
        [
            Sample(("churn", "3", "24h"), 0.5, 'a "b"\\'),
            Sample(("churn", "3", "24h"), 0.25),
            Sample(("churn", "2", "24h"), 0, "germany"),
        ],
        """\
# TYPE model_missing_ratio gauge
model_missing_ratio{model="churn",segment="germany",version="2",window="24h"} 0.0
model_missing_ratio{model="churn",version="3",window="24h"} 0.25
model_missing_ratio{model="churn",segment="a \\"b\\"\\\\",version="3",window="24h"} 0.5
""",
        """\
# TYPE model_missing_ratio gauge
model_missing_ratio{model="churn",segment="germany",version="2",window="24h"} 0.0
model_missing_ratio{model="churn",version="3",window="24h"} 0.25
model_missing_ratio{model="churn",segment="a \\"b\\"\\\\",version="3",window="24h"} 0.5
# EOF
""",
    ),
    (
        "model_predictions_total",
        [Sample(("churn", "3"), 1234567)],
        """\
# TYPE model_predictions_total counter
model_predictions_total{model="churn",version="3"} 1.234567e+06
""",
        """\
# TYPE model_predictions counter
model_predictions_total{model="churn",version="3"} 1.234567e+06
# EOF
""",
    ),
    (
        "model_label_delay_seconds",
        [HistogramSample(("churn", "3"), (60.0, 2592000.0), (1, 2, 3), 7.5)],
        """\
# TYPE model_label_delay_seconds histogram
model_label_delay_seconds_bucket{le="60.0",model="churn",version="3"} 1.0
model_label_delay_seconds_bucket{le="2.592e+06",model="churn",version="3"} 3.0
model_label_delay_seconds_bucket{le="+Inf",model="churn",version="3"} 6.0
model_label_delay_seconds_count{model="churn",version="3"} 6.0
model_label_delay_seconds_sum{model="churn",version="3"} 7.5
""",
        """\
# TYPE model_label_delay_seconds histogram
model_label_delay_seconds_bucket{le="60.0",model="churn",version="3"} 1.0
model_label_delay_seconds_bucket{le="2.592e+06",model="churn",version="3"} 3.0
model_label_delay_seconds_bucket{le="+Inf",model="churn",version="3"} 6.0
model_label_delay_seconds_count{model="churn",version="3"} 6.0
model_label_delay_seconds_sum{model="churn",version="3"} 7.5
# EOF
""",
    ),
    (
        "model_window_latency_seconds",
        [HistogramSample(("churn", "3", "1h"), (0.25,), (2, 1), 0.875)],
        """\
# TYPE model_window_latency_seconds histogram
model_window_latency_seconds_bucket{le="0.25",model="churn",version="3",window="1h"} 2.0
model_window_latency_seconds_bucket{le="+Inf",model="churn",version="3",window="1h"} 3.0
# TYPE model_window_latency_seconds_gcount gauge
model_window_latency_seconds_gcount{model="churn",version="3",window="1h"} 3.0
# TYPE model_window_latency_seconds_gsum gauge
model_window_latency_seconds_gsum{model="churn",version="3",window="1h"} 0.875
""",
        """\
# TYPE model_window_latency_seconds gaugehistogram
model_window_latency_seconds_bucket{le="0.25",model="churn",version="3",window="1h"} 2.0
model_window_latency_seconds_bucket{le="+Inf",model="churn",version="3",window="1h"} 3.0
model_window_latency_seconds_gcount{model="churn",version="3",window="1h"} 3.0
model_window_latency_seconds_gsum{model="churn",version="3",window="1h"} 0.875
# EOF
""",
    ),
    (
        "model_latency_quantile_seconds",
        [Sample(("churn", "3", "1h", "0.99"), 0.5), Sample(("churn", "3", "1h", "0.5"), 0.125)],
        """\
# TYPE model_latency_quantile_seconds summary
model_latency_quantile_seconds{model="churn",quantile="0.5",version="3",window="1h"} 0.125
model_latency_quantile_seconds{model="churn",quantile="0.99",version="3",window="1h"} 0.5
""",
        """\
# TYPE model_latency_quantile_seconds summary
model_latency_quantile_seconds{model="churn",quantile="0.5",version="3",window="1h"} 0.125
model_latency_quantile_seconds{model="churn",quantile="0.99",version="3",window="1h"} 0.5
# EOF
""",
    ),
    (
        "driftgauge_build_info",
        [Sample(("0.1.0", "3.11.2"), 1)],
        """\
# TYPE driftgauge_build_info gauge
driftgauge_build_info{python_version="3.11.2",version="0.1.0"} 1.0
""",
        """\
# TYPE driftgauge_build info
driftgauge_build_info{python_version="3.11.2",version="0.1.0"} 1.0
# EOF
""",
    ),
    (
        "driftgauge_mlflow_up",
        [Sample((), 0)],
        "# TYPE driftgauge_mlflow_up gauge\ndriftgauge_mlflow_up 0.0\n",
        "# TYPE driftgauge_mlflow_up gauge\ndriftgauge_mlflow_up 0.0\n# EOF\n",
    ),
]
by_type = pytest.mark.parametrize(
    ("name", "series", "text", "openmetrics"),
    EXPOSITIONS,
    ids=[f"{FAMILIES[name].type} {name}" for name, *_ in EXPOSITIONS],
)


def example(family: Family) -> Sample | HistogramSample:
    """Return a plausible sample of a family, with label values that need care."""
    labels = tuple("0.5" if label == "quantile" else f'{label} "a\\b"\n€' for label in family.labels)
    if family.type in {"histogram", "gaugehistogram"}:
        return HistogramSample(labels, LATENCY_BUCKETS, (1.0,) * (len(LATENCY_BUCKETS) + 1), 100.0)
    return Sample(labels, 1.0)


EVERYTHING: Samples = {name: [example(family)] for name, family in FAMILIES.items()}


def text_of(page: Page) -> str:
    """Return a page in format 0.0.4."""
    return page.text.plain.decode()


def openmetrics_of(page: Page) -> str:
    """Return a page in OpenMetrics."""
    return (page.openmetrics.plain + END).decode()


def series_of(families: Sequence[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the parsed samples by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


@by_type
def test_text(name: str, series: Series, text: str, openmetrics: str) -> None:
    """Each family type has this exact text in format 0.0.4."""
    del openmetrics
    page = text_of(render({name: series}))

    assert text == re.sub(r"# HELP .*\n", "", page)


@by_type
def test_openmetrics(name: str, series: Series, text: str, openmetrics: str) -> None:
    """Each family type has this exact text in OpenMetrics."""
    del text
    page = openmetrics_of(render({name: series}))

    assert openmetrics == re.sub(r"# HELP .*\n", "", page)


def test_families_keep_the_order_of_the_table() -> None:
    """Families come in table order, whatever the order of the mapping, each with its help text."""
    samples = {"driftgauge_series": [Sample((), 2)], "model_r2_score": [Sample(("m", "1", "1h"), 0.5)]}

    expected = ["model_r2_score", "driftgauge_series"]

    families = list(parse_text(text_of(render(samples))))
    assert [(name, FAMILIES[name].help) for name in expected] == [(f.name, f.documentation) for f in families]


def test_a_family_without_samples_is_not_mentioned() -> None:
    """An empty family leaves no trace: absent is absent."""
    page = render({"model_accuracy": []})

    assert (text_of(page), openmetrics_of(page)) == ("", "# EOF\n")


def test_both_formats_expose_the_same_series() -> None:
    """A query finds the same series whichever format Prometheus asked for, and strict parsers accept both pages."""
    page = render(EVERYTHING)
    text = list(parse_text(text_of(page)))
    openmetrics = list(parse_openmetrics(openmetrics_of(page)))

    assert series_of(text) == series_of(openmetrics)
    types = {family.name: family.type for family in openmetrics}
    assert types["model_window_latency_seconds"] == "gaugehistogram"
    assert len(FAMILIES) == len(openmetrics)


def test_promtool_is_content() -> None:
    """`promtool check metrics` has nothing to say about a page with every family and the process families."""
    processes = ProcessMetrics(prefix="driftgauge_refresher", child=os.getpid)
    page = render(EVERYTHING).text.plain + processes.lines(openmetrics=False)

    check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)

    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_as_a_label_value(value: str) -> None:
    """Quotes, newlines, backslashes, controls and any script come out of either format as they went in."""
    page = render({"model_batches_total": [Sample((value,), 1)]})

    # The text parser splits lines as Python does, so ask it one logical line at a time, as Go splits.
    line = text_of(page).split("\n")[2]
    text = re.fullmatch(r'model_batches_total\{model="(.*)"\} 1\.0', line, re.DOTALL)
    assert text is not None
    unescaped = re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text[1], flags=re.DOTALL)
    assert value == unescaped
    assert {"model": value} == next(iter(parse_openmetrics(openmetrics_of(page)))).samples[0].labels


def exactly_as_prometheus_client(samples: Samples) -> None:
    """Assert that both formats are byte for byte what prometheus_client writes."""
    page, oracle = render(samples), SnapshotCollector(samples)

    assert write_text(oracle).decode() == text_of(page)
    assert write_openmetrics(oracle).decode() == openmetrics_of(page)


def test_every_family_is_written_as_prometheus_client_does() -> None:
    """Headers, names, label order, escapes and numbers of every family are those of prometheus_client."""
    exactly_as_prometheus_client(EVERYTHING)


names = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=4)
numbers = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.one_of(st.integers(0, 10**18), st.floats(0, 1e300))


@given(
    st.dictionaries(st.tuples(names, names, names, names), numbers, max_size=6),
    st.dictionaries(st.tuples(names, names), st.tuples(amounts, amounts, numbers), max_size=4),
    st.dictionaries(st.tuples(names, names, names), st.tuples(amounts, amounts, numbers), max_size=4),
)
def test_anything_is_written_as_prometheus_client_does(
    gauges: dict[tuple[str, ...], float],
    histograms: dict[tuple[str, ...], tuple[float, float, float]],
    window_histograms: dict[tuple[str, ...], tuple[float, float, float]],
) -> None:
    """Whatever the labels and numbers, nothing but the time differs from prometheus_client."""

    def distributions(found: dict[tuple[str, ...], tuple[float, float, float]]) -> Series:
        return [HistogramSample(labels, (0.25,), (low, high), total) for labels, (low, high, total) in found.items()]

    exactly_as_prometheus_client(
        {
            "model_accuracy": [Sample(labels[:3], value, labels[3]) for labels, value in gauges.items()],
            "model_latency_seconds": distributions(histograms),
            "model_window_latency_seconds": distributions(window_histograms),
        }
    )


MANY: Samples = {
    "model_accuracy": [Sample(("churn", str(number), "24h"), 1 / (1 + number)) for number in range(2_000)],
}


def whole(body: Body, tail: bytes) -> bytes:
    """Return a page with a tail as it is sent compressed."""
    return HEAD + body.deflated + ending(tail, size=len(body.plain), checksum=body.checksum)


@pytest.mark.parametrize("samples", [EVERYTHING, MANY, {}], ids=["every family", "many series", "nothing"])
@pytest.mark.parametrize("tail", [b"", b"up 1\n"], ids=["as it is", "with a tail"])
def test_gzip_twins_hold_the_same_page(samples: Samples, tail: bytes) -> None:
    """The compressed bodies unpack to the plain ones, with and without lines after them, as one gzip member."""
    page = render(samples)

    for body in (page.text, page.openmetrics):
        # curl, for one, stops at the end of the first member.
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        assert body.plain + tail == member.decompress(whole(body, tail))
        assert (member.eof, member.unused_data) == (True, b"")


FAMILIES_OF_BYTES = st.lists(st.binary(max_size=300))


@given(FAMILIES_OF_BYTES, st.binary())
def test_any_bytes_can_be_continued(families: list[bytes], tail: bytes) -> None:
    """Whatever the page and the lines of a scrape, the compressed document is both."""
    page = packed((str(number), lines) for number, lines in enumerate(families))

    assert gzip.decompress(whole(page, tail)) == b"".join(families) + tail


@given(FAMILIES_OF_BYTES, st.sets(st.integers(0, 20)), st.binary())
def test_any_families_of_a_page_are_a_page(families: list[bytes], chosen: set[int], tail: bytes) -> None:
    """Some families of a compressed page, put together, are the compressed page of these families."""
    page = packed((str(number), lines) for number, lines in enumerate(families))
    wanted, deflated, at = [], [], 0
    for number, stretch in enumerate(page.stretches):
        if number in chosen:
            wanted.append(stretch)
            deflated.append(page.deflated[at : at + stretch.deflated])
        at += stretch.deflated
    end = ending(tail, size=sum(each.plain for each in wanted), checksum=checksum(wanted))

    expected = b"".join(lines for number, lines in enumerate(families) if number in chosen)
    assert gzip.decompress(b"".join([HEAD, *deflated, end])) == expected + tail


@given(st.lists(st.binary()))
def test_checksum_of_parts_is_that_of_the_whole(parts: list[bytes]) -> None:
    """The CRC-32 of texts put together, from those of the parts, is zlib's."""
    assert joined((zlib.crc32(part), len(part)) for part in parts) == zlib.crc32(b"".join(parts))


def test_checksum_of_long_parts() -> None:
    """It is so for parts of any size."""
    parts = [bytes(1 << 20), b"a" * 12_345_678, b"", b"\xff"]

    assert joined((zlib.crc32(part), len(part)) for part in parts) == zlib.crc32(b"".join(parts))


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_processes_by_name(openmetrics: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Families about the process are found under the names that text has."""
    names = {"process_cpu_seconds_total", "python_info", "process_cpu_seconds", "no_such"}
    lines = ProcessMetrics().lines(openmetrics=openmetrics, names=names).decode()

    assert re.findall(r"^(\w+)[{ ]", lines, re.MULTILINE) == ["process_cpu_seconds_total", "python_info"]


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_a_few_samples_are_written_as_a_page_is(openmetrics: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """What is written per scrape reads like what is rendered per refresh."""
    page = render(EVERYTHING)

    assert written(EVERYTHING, openmetrics=openmetrics) == (page.openmetrics if openmetrics else page.text).plain


def test_the_process_follows_the_page() -> None:
    """A page, the process families and the end mark are one valid document."""
    document = (render(EVERYTHING).openmetrics.plain + ProcessMetrics().lines(openmetrics=True) + END).decode()

    names = {sample.name for family in parse_openmetrics(document) for sample in family.samples}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info", "model_accuracy"} <= names
    assert document.count("# EOF\n") == 1


def test_a_child_has_families_of_its_own() -> None:
    """The figures of a child process stand next to one's own, and are absent while there is no child."""

    def names(child: Callable[[], int | None]) -> set[str]:
        lines = ProcessMetrics(prefix="of_child", child=child).lines(openmetrics=False).decode()
        return {family.name for family in parse_text(lines) if family.name.startswith("of_child")}

    assert {"of_child_process_cpu_seconds", "of_child_process_resident_memory_bytes"} <= names(os.getppid)
    assert names(lambda: None) == set()


def test_process_metrics_are_fresh() -> None:
    """The process families are read at the scrape: CPU time moves on between two of them."""
    metrics = ProcessMetrics()

    def cpu_seconds() -> float:
        families = parse_text(metrics.lines(openmetrics=False).decode())
        return next(
            sample.value for f in families for sample in f.samples if sample.name == "process_cpu_seconds_total"
        )

    before = cpu_seconds()
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    assert cpu_seconds() > before


LABELS = ("churn", "3", "1h")
REFUSED: list[tuple[str, Samples, str]] = [
    ("unknown family", {"model_acuracy": [Sample(LABELS, 1)]}, "model_acuracy: no such family"),
    (
        "too few labels",
        {"model_accuracy": [Sample(("churn",), 1)]},
        "expected the labels ('model', 'version', 'window')",
    ),
    ("duplicate", {"model_accuracy": [Sample(LABELS, 1), Sample(LABELS, 0)]}, "duplicate series"),
    ("segment of a counter", {"model_batches_total": [Sample(("m",), 1, "germany")]}, "the family has no segments"),
    (
        "duplicate of a segment",
        {"model_accuracy": [Sample(LABELS, 1, "a"), Sample(LABELS, 0, "a")]},
        "duplicate series",
    ),
    ("surrogate", {"model_batches_total": [Sample(("\ud800",), 1)]}, "label values must be text that UTF-8 can encode"),
    ("NaN", {"model_accuracy": [Sample(LABELS, math.nan)]}, "nan is not a finite number"),
    ("infinite", {"model_accuracy": [Sample(LABELS, -math.inf)]}, "-inf is not a finite number"),
    ("negative counter", {"model_batches_total": [Sample(("churn",), -1)]}, "a counter cannot be negative"),
    ("info of 2", {"driftgauge_build_info": [Sample(("1", "3"), 2)]}, "an info metric is always 1"),
    ("number for a histogram", {"model_latency_seconds": [Sample(("m", "1"), 1)]}, "needs a HistogramSample"),
    (
        "histogram for a number",
        {"model_accuracy": [HistogramSample(LABELS, (1,), (1, 1), 1)]},
        "a gauge cannot hold a HistogramSample",
    ),
    (
        "no +Inf count",
        {"model_latency_seconds": [HistogramSample(("m", "1"), (1, 2), (1, 1), 1)]},
        "2 bounds need 3 counts, not 2",
    ),
    (
        "infinite bound",
        {"model_latency_seconds": [HistogramSample(("m", "1"), (1, math.inf), (1, 1, 0), 1)]},
        "must be finite numbers",
    ),
    (
        "NaN sum",
        {"model_window_latency_seconds": [HistogramSample(LABELS, (1,), (1, 1), math.nan)]},
        "must be finite numbers",
    ),
    ("falling bounds", {"model_latency_seconds": [HistogramSample(("m", "1"), (2, 1), (1, 1, 1), 1)]}, "must increase"),
    (
        "negative count",
        {"model_latency_seconds": [HistogramSample(("m", "1"), (1,), (2, -1), 1)]},
        "counts cannot be negative",
    ),
]


@pytest.mark.parametrize(("samples", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(samples: Samples, message: str) -> None:
    """Whatever would spoil a scrape is refused before rendering, with the family in the message."""
    name = next(iter(samples))
    with pytest.raises(ValueError, match=re.escape(message)) as refusal:
        validate(samples)
    assert str(refusal.value).startswith(name)
    with pytest.raises(ValueError, match=re.escape(message)):
        render(samples)
