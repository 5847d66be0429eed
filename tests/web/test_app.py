"""Every route of the exporter over real HTTP."""

import html.parser
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from driftgauge.web.answer import Answer
from driftgauge.web.app import create_app
from driftgauge.web.status import Feature, ModelStatus, Remark, Score, Status, Verdict
from processes import eventually

from .servers import NOW, Reply, Stub, fetch, running

STUB = Stub()
DASH = "\N{EN DASH}"
HEALTHY = ModelStatus(
    name="churn",
    task="binary",
    windows=("1h", "7d"),
    last_prediction=NOW - timedelta(seconds=42),
    last_label=NOW - timedelta(hours=5),
    predictions=1234567,
    judged="healthy",
    version="7",
    scores=(Score("accuracy", 0.91666, "24h", labels=4200, baseline=0.92),),
    drifted_features=0,
    monitored_features=12,
    drift_window="24h",
)
DRIFTING = replace(
    HEALTHY,
    judged="drifting",
    verdicts=(
        Verdict("ModelFeatureDrifted", "low", "version 7: age drifted in 24h", "https://docs.acme.dev/ModelFeatureDrifted.md"),
    ),
    scores=(*HEALTHY.scores, Score("roc_auc", 0.81, "24h", labels=4200)),
    worst=(Feature("age", 0.31, 0.18, drifted=True), Feature("plan", 0.02, None, drifted=False)),
    drifted_features=3,
    counts=(("rows rejected", "bad_timestamp", 17),),
    remarks=(
        Remark(
            "read with doubt", "bad_timestamp", "ts", "soon", "is no time", "a.csv", 2, NOW - timedelta(hours=2), NOW
        ),
    ),
    dashboard="http://grafana:3000/d/driftgauge-model",
)  # fmt: skip
UNWRITTEN = replace(
    HEALTHY,
    unwritten="deleted; restore it",
    unwritten_since=NOW - timedelta(hours=3),
    unwritten_runbook="https://docs.acme.dev/DriftgaugeWritebackFailing.md",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the URL of an exporter that is ready."""
    with running(create_app(lambda: STUB, version="1.2.3")) as url:
        yield url


class Reader(html.parser.HTMLParser):
    """Collects the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        """Take a piece of text."""
        self.parts.append(data)


def text_of(page: bytes) -> str:
    """Return what a reader of an HTML page sees, on one line."""
    reader = Reader()
    reader.feed(re.sub(r"<style>.*?</style>", "", page.decode(), flags=re.DOTALL))
    return " ".join(" ".join(reader.parts).split())


def landing(status: Status) -> Reply:
    """Return the landing page of an exporter in this state."""
    with running(create_app(lambda: Stub(shown=status), version="1.2.3")) as url:
        return fetch(url)


@pytest.mark.parametrize(
    ("accept", "encoding", "expected"),
    [
        ("*/*", "", (False, False, "text/plain; version=0.0.4; charset=utf-8")),
        ("*/*", "gzip", (False, True, "text/plain; version=0.0.4; charset=utf-8")),
        (
            "application/openmetrics-text",
            "identity",
            (True, False, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ),
        (
            "application/openmetrics-text",
            "gzip",
            (True, True, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ),
    ],
)
def test_metrics(url: str, accept: str, encoding: str, expected: tuple[bool, bool, str]) -> None:
    """The format and the encoding follow the request, and the headers say which it was."""
    openmetrics, gzip, content_type = expected
    reply = fetch(url, "/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})

    assert (reply.status, reply.body) == (200, STUB.page(openmetrics=openmetrics, gzip=gzip))
    assert (reply.headers["content-type"], reply.headers.get("content-encoding")) == (
        content_type,
        "gzip" if gzip else None,
    )
    assert reply.headers["vary"] == "Accept, Accept-Encoding"


def test_metrics_head(url: str) -> None:
    """HEAD tells the length and sends nothing."""
    head, get = (fetch(url, "/metrics", method=method) for method in ("HEAD", "GET"))

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize(
    ("path", "status", "media_type", "said"),
    [
        ("/models/churn", 200, "text/html; charset=utf-8", "('churn', None, None, 'html', '/')"),
        (
            "/models/a%2Fb%20%3Cc%3E/d?version=7&window=24h&format=json",
            200,
            "application/json",
            "('a/b <c>/d', '7', '24h', 'json', '/')",
        ),
        ("/models/churn?format=md", 200, "text/markdown; charset=utf-8", "('churn', None, None, 'md', '/')"),
        (
            "/models/churn?format=pdf",
            400,
            "text/plain; charset=utf-8",
            "There is no format of that name; there are html, md, json.\n",
        ),
    ],
    ids=["usual", "hostile name", "markdown", "no form"],
)
def test_reports(url: str, path: str, status: int, media_type: str, said: str) -> None:
    """A report is asked for by model, version, window and form; the page may load nothing."""
    reply = fetch(url, path)

    assert (reply.status, reply.headers["content-type"], reply.body.decode()) == (status, media_type, said)
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert reply.headers.keys().isdisjoint({"retry-after", "refresh"})


def test_a_report_that_is_not_there_yet() -> None:
    """Programs are told when to ask again, and a browser is told to load the page again: nobody has to press a key."""

    class Busy(Stub):
        def report(self, model: str, **_: str | None) -> Answer:
            return Answer.text(503, f"{model} is being made", retry_after=5)

    with running(create_app(Busy, version="1")) as url:
        reply = fetch(url, "/models/churn")
    assert (reply.status, reply.body) == (503, b"churn is being made\n")
    assert (reply.headers["retry-after"], reply.headers["refresh"]) == ("5", "5")


def test_large_pages_arrive_whole() -> None:
    """A page of many slices is put together again as it was."""
    page = bytes(range(256)) * 5000
    with running(create_app(lambda: Stub(pages={(False, False): page}), version="1")) as url:
        assert fetch(url, "/metrics").body == page


def test_any_number_of_scrapes() -> None:
    """A limit of 0 is none."""
    with running(create_app(Stub, version="1", max_scrapes=0)) as url:
        assert fetch(url, "/metrics").status == 200


def test_reloads_that_wait_are_one() -> None:
    """Whoever asks while a reload is under way gets the answer of the next one, and so do all others that wait."""
    let_go, calls = threading.Event(), []

    class Slow(Stub):
        def reload(self) -> str | None:
            calls.append(None)
            assert let_go.wait(30)
            return f"mistake {len(calls)}"

    slow = Slow()
    replies: list[bytes] = []

    def ask() -> None:
        replies.append(fetch(url, "/-/reload", method="POST").body)

    with running(create_app(lambda: slow, version="1")) as url:
        threads = [threading.Thread(target=ask) for _ in range(30)]
        threads[0].start()
        assert eventually(lambda: len(calls) == 1, seconds=30)
        for thread in threads[1:]:
            thread.start()
        time.sleep(0.5)
        assert fetch(url, "/config").status == 200
        let_go.set()
        for thread in threads:
            thread.join(30)

    assert len(calls) <= 3
    assert len(replies) == 30
    assert sum(b"mistake 1" in reply for reply in replies) == 1


def test_a_refused_configuration_is_shown() -> None:
    """The landing page says that an older one is in use, and why."""
    status = Status(now=NOW, started=NOW, mlflow_uri="")

    shown = text_of(landing(replace(status, refused="a.yml:2: unknown key")).body)
    assert "Configuration an older one is in use a.yml:2: unknown key" in shown
    assert "older" not in text_of(landing(status).body)


def test_shards_are_shown_where_there_are_some() -> None:
    """The landing page says which shard it is and what came and went; an exporter that is alone says nothing of it."""
    placed = ("3 of 7 models are on this shard.", "The number of shards changed from 2 to 3.")
    shown = text_of(landing(Status(now=NOW, started=NOW, mlflow_uri="", shard="1/3", placed=placed)).body)

    assert f"Shard 1/3 {' '.join(placed)}" in shown
    assert "Shard" not in text_of(landing(Status(now=NOW, started=NOW, mlflow_uri="")).body)


def test_too_many_scrapes_are_sent_away() -> None:
    """Clients that do not read hold their places; one more gets 503 at once, and is served when a place is free."""
    app = create_app(lambda: Stub(pages={(False, False): b"#" * 30_000_000}), version="1", max_scrapes=2, patience=60)
    with running(app) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        slow = [socket.create_connection((parts.hostname, parts.port)) for _ in range(2)]
        for client in slow:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"

        refused = fetch(url, "/metrics")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert fetch(url, "/-/healthy").status == 200

        for client in slow:
            client.close()
        assert any(fetch(url, "/metrics", method="HEAD").status == 200 for _ in range(100))


def test_healthy_and_ready(url: str) -> None:
    """Both checks say so in words."""
    assert [fetch(url, path).status for path in ("/-/healthy", "/-/ready")] == [200, 200]


def test_not_ready_before_the_first_refresh() -> None:
    """A cold exporter is healthy, not ready, and serves its metrics all the same."""
    with running(create_app(lambda: Stub(ready=False), version="1")) as url:
        assert [fetch(url, path).status for path in ("/-/healthy", "/-/ready", "/metrics")] == [200, 503, 200]


def test_reload(url: str) -> None:
    """POST reloads; a mere visit does not."""
    assert fetch(url, "/-/reload", method="POST").status == 200
    assert fetch(url, "/-/reload").status == 405


def test_a_failed_reload_says_why() -> None:
    """A rejected configuration is a 500 with its message."""
    with running(create_app(lambda: Stub(mistake="driftgauge.yml:3: unknown key"), version="1")) as url:
        reply = fetch(url, "/-/reload", method="POST")

    assert reply.status == 500
    assert reply.body.decode() == "The old configuration stays in use: driftgauge.yml:3: unknown key\n"


def test_config(url: str) -> None:
    """The configuration is shown as YAML."""
    reply = fetch(url, "/config")

    assert (reply.headers["content-type"], reply.body.decode()) == ("text/yaml; charset=utf-8", STUB.config_text())


def test_unknown_paths(url: str) -> None:
    """Anything else is a plain 404."""
    assert fetch(url, "/nowhere").status == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/ready", "/nowhere"])
def test_security_headers(url: str, path: str) -> None:
    """Every page forbids scripts, frames and sniffing."""
    headers = fetch(url, path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_landing_page_shows_a_healthy_model() -> None:
    """The page has the key figures of a model and of the exporter, in words."""
    status = Status(
        now=NOW,
        started=NOW - timedelta(days=4),
        mlflow_uri="http://user:***@mlflow:5000",
        mlflow_up=True,
        last_refresh=NOW - timedelta(seconds=12),
        refresh_seconds=0.8231,
        refresh_succeeded=True,
        models=(HEALTHY,),
    )

    text = text_of(landing(status).body)

    assert "version 1.2.3" in text
    assert "MLflow reachable http://user:***@mlflow:5000" in text
    assert "Last refresh succeeded 12 s ago , took 0.8231 s" in text
    assert "Running since 2026-01-27 12:00:05 UTC 4 d ago" in text
    row = "churn binary, version 7 healthy 1,234,567 in 7d 0.9167 accuracy in 24h baseline 0.92 0 of 12 in 24h 42 s ago"
    assert row in text


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(Stub().shown, ["not known yet", "none finished yet", "No models yet."], id="cold start"),
        pytest.param(
            replace(Stub().shown, mlflow_up=False, refresh_succeeded=False), ["unreachable", "failed"], id="MLflow down"
        ),
        pytest.param(replace(Stub().shown, mlflow_uri=""), ["MLflow not used"], id="files only"),
        pytest.param(
            replace(Stub().shown, models=(ModelStatus("new", "binary", ("1h",)),)),
            [f"new binary waiting {DASH} {DASH} {DASH} none yet none yet"],
            id="nothing read yet",
        ),
        pytest.param(
            replace(Stub().shown, models=(DRIFTING,)),
            [
                "drifting",
                "3 of 12",
                "ModelFeatureDrifted low version 7: age drifted in 24h · runbook",
                "accuracy 0.9167 in 24h on 4200 labels, baseline 0.92 · roc_auc 0.81 in 24h",
                "age PSI 0.31, KS 0.18, drifted · plan PSI 0.02 in 24h",
                "17 rows rejected bad_timestamp",
                "read with doubt bad_timestamp ts is no time (such as soon ) a.csv, 2 files since 2 h ago",
            ],
            id="drift",
        ),
        pytest.param(
            replace(Stub().shown, models=(replace(HEALTHY, error="no such experiment"),)),
            ["failing", "no such experiment"],
            id="error",
        ),
        pytest.param(
            replace(Stub().shown, models=(replace(HEALTHY, again="being read again, 2 of 5 files so far"),)),
            ["being read again, 2 of 5 files so far"],
            id="read again",
        ),
        pytest.param(
            replace(Stub().shown, models=(UNWRITTEN,)),
            ["healthy", "Results not written to MLflow deleted; restore it Waiting since 3 h ago · runbook"],
            id="results not written",
        ),
    ],
)
def test_landing_page_tells_the_state(status: Status, expected: list[str]) -> None:
    """Whatever the state, it stands there as a word and not as a colour only."""
    text = text_of(landing(status).body)

    assert [phrase for phrase in expected if phrase not in text] == []


def test_landing_page_escapes() -> None:
    """Names and errors come from files others wrote: they are shown, never interpreted."""
    bad, worse = "<script>alert(1)</script>", '"><img src=x>'
    model = replace(
        DRIFTING,
        name=bad,
        version=worse,
        error=worse,
        verdicts=(Verdict(bad, worse, bad, "javascript:alert(1)"),),
        scores=(Score(bad, 1, worse), Score(worse, 1, bad)),
        worst=(Feature(bad, 1, 1, drifted=True),),
        counts=((bad, worse, 1),),
        remarks=(Remark(bad, worse, bad, worse, bad, worse, 2, NOW, NOW),),
        dashboard="javascript:alert(1)//",
    )

    page = landing(replace(Stub().shown, models=(model,))).body.decode()

    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_landing_page_loads_nothing_and_links_to_what_is_there(url: str) -> None:
    """The page needs no other file, and each link on it leads somewhere."""
    page = fetch(url).body.decode()
    links = set(re.findall(r'href="([^"]*)"', page))

    assert not re.search(r"\bsrc=|url\(|@import|<script|<link", page)
    ours = {link for link in links if link.startswith("/")}
    assert ours == {"/metrics", "/config", "/-/healthy", "/-/ready"}
    assert {fetch(url, link).status for link in ours} == {200}
    assert [link.partition("/driftgauge/")[0] for link in links - ours] == ["https://github.com"]


def test_landing_page_links_to_what_helps() -> None:
    """The runbook of each alert, and the dashboard with the model chosen."""
    model = replace(DRIFTING, name="a&b c")
    page = landing(replace(Stub().shown, models=(model,))).body.decode()
    links = {html.unescape(link) for link in re.findall(r'href="([^"]*)"', page)}
    assert "https://docs.acme.dev/ModelFeatureDrifted.md" in links
    assert "http://grafana:3000/d/driftgauge-model?var-model=a%26b%20c" in links
