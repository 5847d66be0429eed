"""Accept and Accept-Encoding, with the headers real clients send."""

import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, CONTENT_TYPE_PLAIN_1_0_0, choose_encoder
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from driftgauge.web.negotiation import OPENMETRICS, TEXT, accepts_gzip, exposition

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,"
    "application/openmetrics-text;version=0.0.1;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)
# With one of `scrape_protocols` each.
ONLY_TEXT_1 = "text/plain;version=1.0.0;escaping=underscores;q=0.7,*/*;q=0.6"
ONLY_TEXT_0 = "text/plain;version=0.0.4;q=0.7,*/*;q=0.6"
NATIVE_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "application/openmetrics-text;version=2.0.0;escaping=dots;q=0.6,"
    "application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,*/*;q=0.4"
)
ALLOWED = "; escaping=allow-utf-8"
LABELS = [
    ("Prometheus 2.42", PROMETHEUS_2_42, OPENMETRICS),
    ("Prometheus 3", PROMETHEUS_3, OPENMETRICS + ALLOWED),
    ("text 1.0.0", ONLY_TEXT_1, "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
    ("text 0.0.4", ONLY_TEXT_0, TEXT),
    ("formats that are not there", NATIVE_FIRST, f"{OPENMETRICS}; escaping=dots"),
    ("text 1.0.0 before 0.0.4", "text/plain;version=0.0.4;q=0.3,text/plain;version=1.0.0", CONTENT_TYPE_PLAIN_1_0_0),
    ("text 0.0.4 before 1.0.0", "text/plain;version=0.0.4,text/plain;version=1.0.0;q=0.3", TEXT),
    ("an escaping nobody knows", "text/plain;version=1.0.0;escaping=x\\r", CONTENT_TYPE_PLAIN_1_0_0),
    ("0.0.4 has no escaping", "text/plain;version=0.0.4;escaping=allow-utf-8", TEXT),
    ("a version of the future", "text/plain;version=3.0.0", TEXT),
    ("anything", "*/*", TEXT),
]
ACCEPT = [
    ("no header", "", False),
    ("curl", "*/*", False),
    ("a browser", "text/html,application/xhtml+xml,*/*;q=0.8", False),
    ("Prometheus 2.42", PROMETHEUS_2_42, True),
    ("Prometheus 3", PROMETHEUS_3, True),
    ("no version asked for", "application/openmetrics-text", True),
    ("capitals, spaces and quotes", 'Application/OpenMetrics-Text ; Version="1.0.0"', True),
    ("only an old draft", "application/openmetrics-text;version=0.0.1", False),
    ("text wanted more", "application/openmetrics-text;q=0.3,text/plain;q=0.7", False),
    ("both wanted alike", "text/plain,application/openmetrics-text", True),
    ("OpenMetrics forbidden", "application/openmetrics-text;q=0,*/*", False),
    ("unreadable quality", "application/openmetrics-text;q=much", False),
    ("nonsense", ";;,=,", False),
]
ENCODING = [
    ("no header", "", False),
    ("gzip", "gzip", True),
    ("among others", "deflate, GZIP;q=0.5, br", True),
    ("others only", "deflate, br", False),
    ("forbidden", "gzip;q=0", False),
    ("anything", "*", True),
    ("anything but gzip", "*, gzip;q=0.0", False),
    ("nothing at all", "identity, *;q=0", False),
]


@pytest.mark.parametrize(("header", "expected"), [row[1:] for row in ACCEPT], ids=[row[0] for row in ACCEPT])
def test_openmetrics_when_asked(header: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """OpenMetrics goes to those who ask for it and want nothing more."""
    found = exposition(header)

    assert found.openmetrics is expected
    assert found.content_type.startswith(OPENMETRICS if expected else "text/plain; version=")


@pytest.mark.parametrize(("header", "label"), [row[1:] for row in LABELS], ids=[row[0] for row in LABELS])
def test_label_of_the_answer(header: str, label: str) -> None:
    """Version and escaping are those that were asked for, where there are such: what Prometheus asks for it gets."""
    assert exposition(header).content_type == label


@pytest.mark.parametrize("header", [PROMETHEUS_3, ONLY_TEXT_1, ONLY_TEXT_0])
def test_label_is_prometheus_clients(header: str) -> None:
    """The Python client library answers Prometheus 3 under the same label."""
    assert exposition(header).content_type == choose_encoder(header)[1]


@pytest.mark.parametrize(("header", "expected"), [row[1:] for row in ENCODING], ids=[row[0] for row in ENCODING])
def test_gzip_when_accepted(header: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Gzip goes to those who accept it, by name or by wildcard."""
    assert expected == accepts_gzip(header)


def test_content_types_are_prometheus_clients() -> None:
    """Both content types are the ones the Python client library sends."""
    assert (TEXT, OPENMETRICS) == (CONTENT_TYPE_PLAIN_0_0_4, CONTENT_TYPE_LATEST)
