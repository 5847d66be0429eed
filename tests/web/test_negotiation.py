"""Accept and Accept-Encoding, with the headers real clients send."""

import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from driftgauge.web.negotiation import OPENMETRICS, TEXT, accepts_gzip, prefers_openmetrics

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
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
    assert expected == prefers_openmetrics(header)


@pytest.mark.parametrize(("header", "expected"), [row[1:] for row in ENCODING], ids=[row[0] for row in ENCODING])
def test_gzip_when_accepted(header: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Gzip goes to those who accept it, by name or by wildcard."""
    assert expected == accepts_gzip(header)


def test_content_types_are_prometheus_clients() -> None:
    """Both content types are the ones the Python client library sends."""
    assert (TEXT, OPENMETRICS) == (CONTENT_TYPE_PLAIN_0_0_4, CONTENT_TYPE_LATEST)
