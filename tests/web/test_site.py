"""Paths and links, as the flags make them."""

import pytest

from driftgauge.errors import ConfigError
from driftgauge.web.app import create_app
from driftgauge.web.site import Site, site_of

from .servers import Stub, fetch, running

PAGES = ("/", "/metrics", "/config", "/models/churn", "/-/healthy", "/-/ready")
EXTERNAL = "https://monitoring.example.com/driftgauge/"


@pytest.mark.parametrize(
    ("route_prefix", "external_url", "expected"),
    [
        pytest.param(None, "", Site(), id="neither"),
        pytest.param("/", "", Site(), id="no prefix"),
        pytest.param("/a", "", Site(prefix="/a", outside="/a"), id="prefix"),
        pytest.param("a/b/", "", Site(prefix="/a/b", outside="/a/b"), id="prefix without a slash before it"),
        pytest.param(None, EXTERNAL, Site(prefix="/driftgauge", outside="/driftgauge"), id="external"),
        pytest.param("/", EXTERNAL, Site(outside="/driftgauge"), id="a proxy takes the prefix off"),
        pytest.param("/a", "http://[::1]:9090", Site(prefix="/a"), id="a proxy adds a prefix"),
        pytest.param("/a", EXTERNAL, Site(prefix="/a", outside="/driftgauge"), id="a proxy replaces it"),
    ],
)
def test_site_of(route_prefix: str | None, external_url: str, expected: Site) -> None:
    """The prefix is the external URL's path unless it is given; links follow the external URL."""
    assert site_of(route_prefix=route_prefix, external_url=external_url) == expected


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"route_prefix": "/a b"}, '--web.route-prefix: "/a b" is no path'),
        ({"route_prefix": "/a/../b"}, '--web.route-prefix: "/a/../b" is no path'),
        ({"route_prefix": "/{model}"}, '--web.route-prefix: "/{model}" is no path'),
        ({"route_prefix": "/a//b"}, '--web.route-prefix: "/a//b" is no path'),
        ({"telemetry_path": "metrics"}, '--web.telemetry-path: "metrics" is no path'),
        ({"telemetry_path": "/"}, '--web.telemetry-path: "/" is no path'),
        ({"telemetry_path": ""}, '--web.telemetry-path: "" is no path'),
        ({"telemetry_path": "/-/healthy"}, '--web.telemetry-path: "/-/healthy" is another page'),
        ({"telemetry_path": "/config"}, '--web.telemetry-path: "/config" is another page'),
        ({"external_url": "monitoring.example.com"}, '--web.external-url: "monitoring.example.com" is no URL'),
        ({"external_url": "ftp://a/b"}, '--web.external-url: "ftp://a/b" is no URL'),
        ({"external_url": "http://"}, '--web.external-url: "http://" is no URL'),
        ({"external_url": "http://a:port/"}, '--web.external-url: "http://a:port/" is no URL'),
        ({"external_url": "http://[::1/"}, '--web.external-url: "http://[::1/" is no URL'),
        ({"external_url": "http://a/b c"}, '--web.external-url: "http://a/b c" is no URL'),
        ({"external_url": "http://u:hunter2@a/"}, '--web.external-url: "http://<secret>@a/" is no URL'),
        ({"external_url": "http://a/?token=hunter2"}, '--web.external-url: "http://a/?<secret>" is no URL'),
    ],
)
def test_site_of_refuses(flags: dict[str, str], said: str) -> None:
    """One line names the flag, what it was, and what it should be; nothing secret is in it."""
    with pytest.raises(ConfigError) as refusal:
        site_of(**flags)
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_pages_below_a_prefix() -> None:
    """All pages are below it, the metrics where they were asked for, and nothing is anywhere else."""
    site = site_of(route_prefix="/drift", telemetry_path="/prometheus/metrics")
    with running(create_app(Stub, version="1", site=site)) as url:
        statuses = [fetch(url, f"/drift{page}").status for page in (*PAGES, "/prometheus/metrics")]
        outside = [fetch(url, page).status for page in ("/metrics", "/-/healthy", "/driftmetrics", "/drift/drift/")]
        page = fetch(url, "/drift/").body.decode()

    assert statuses == [200, 404, 200, 200, 200, 200, 200]
    assert outside == [404] * 4
    links = ("/drift/prometheus/metrics", "/drift/config", "/drift/-/healthy", "/drift/-/ready")
    assert [f'href="{link}"' in page for link in links] == [True] * 4
    assert "POST /drift/-/reload" in page


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (site_of(route_prefix="/drift"), "/drift/"),
        (site_of(external_url=EXTERNAL), "/driftgauge/"),
        (site_of(route_prefix="/drift", external_url=EXTERNAL), "/driftgauge/"),
        (site_of(route_prefix="/drift", external_url="http://monitoring"), "/drift/"),
    ],
    ids=["prefix", "external", "both", "a proxy adds the prefix"],
)
def test_redirects(site: Site, expected: str) -> None:
    """From the root, and from the prefix without a slash, people get to the landing page, on the host they know."""
    with running(create_app(Stub, version="1", site=site)) as url:
        replies = [fetch(url, path) for path in ("/", site.prefix)]

    assert [(reply.status, reply.headers["location"]) for reply in replies] == [(302, expected)] * 2


def test_no_redirect_without_a_prefix() -> None:
    """Without one the landing page is at the root, and links follow the proxy's path."""
    with running(create_app(Stub, version="1", site=site_of(route_prefix="/", external_url=EXTERNAL))) as url:
        reply = fetch(url, "/")
        assert fetch(url, "/metrics/").status == 404

    assert reply.status == 200
    assert b'href="/driftgauge/metrics"' in reply.body
