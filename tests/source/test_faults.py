"""The fault table: what goes wrong between a tracking server and us, what is said of it, and that nothing is lost."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from driftgauge.errors import BatchError, DriftgaugeError, SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Artifact, Discovery, Source
from driftgauge.source.schedule import Portions
from source import fault_proxy
from source.conftest import LIMIT, Bench, answers, bench_at
from source.fault_proxy import Fault, FaultProxy, status

TIMEOUT: Final = 4.0
# Longer waits for a turn are for a test of their own.
IMPATIENT: Final = Portions(patience=1.0)
# What a busy machine may add to the bound of a call.
SLACK: Final = 3.0
TEXT: Final = "prediction\n" + "".join(f"{number}\n" for number in range(10_000))

EXPERIMENT: Final = "experiments/get-by-name"
SEARCH: Final = "runs/search"
LISTING: Final = "mlflow-artifacts/artifacts?path="
DOWNLOAD: Final = "/predictions.csv"
ANYTHING: Final = "/"

RETRY_AFTER: Final = ("Retry-After", "600")
LATE: Final = "it did not answer in time; look at the server's log; it is asked again later"
BROKEN: Final = "its answer broke off; look at the proxies on the way"
STRANGE: Final = "its answer is not MLflow's; check that mlflow.tracking_uri leads to MLflow, not to a login page"
REFUSED: Final = "it refuses the credentials (401); set MLFLOW_TRACKING_USERNAME"
BUSY: Final = "too many requests (429); it is asked more slowly"
FAILING: Final = "the server fails (5"
UNAVAILABLE: Final = "it is out of service, or limits requests (503); look at the proxies on the way"

FAULTS: Final[tuple[tuple[str, Fault, str], ...]] = (
    ("no answer", fault_proxy.silent, LATE),
    ("headers trickle", fault_proxy.trickling_head, LATE),
    ("body trickles", fault_proxy.trickling_body, LATE),
    ("body stalls", fault_proxy.stalled, LATE),
    ("body shorter than promised", fault_proxy.short, BROKEN),
    ("connection reset", fault_proxy.reset, BROKEN),
    ("chunk cut", fault_proxy.cut_chunk, BROKEN),
    ("login page", fault_proxy.login_page, STRANGE),
    ("credentials expired", status(401), REFUSED),
    ("busy", status(429), BUSY),
    ("busy, with Retry-After", status(429, RETRY_AFTER), BUSY),
    ("failing", status(500), FAILING),
    ("failing, with Retry-After", status(503, RETRY_AFTER), UNAVAILABLE),
    ("failing in a way of its own", status(520), FAILING),
)
# Where JSON is expected, these are faults too.
JSON_FAULTS: Final = (
    ("half of a body as if it were all", fault_proxy.hidden_cut, STRANGE),
    ("JSON of another service", fault_proxy.other_json, STRANGE),
)
# Each of these meets another part of MLflow's client or of ours in the middle of a pass.
PAGE_FAULTS: Final = ("connection reset", "credentials expired", "failing", "half of a body as if it were all")


@pytest.fixture
def proxy(mlflow_server: str) -> Iterator[FaultProxy]:
    """Return a proxy in front of the tracking server."""
    running = FaultProxy(mlflow_server)
    yield running
    running.close()


@pytest.fixture
def source(proxy: FaultProxy, tmp_path: Path) -> Source:
    """Return a source that asks through the proxy."""
    spool = Scratch(tmp_path / "spool")
    return Source(proxy.url, max_artifact_bytes=LIMIT, spool=spool, timeout=TIMEOUT, portions=IMPATIENT)


@pytest.fixture
def paging(proxy: FaultProxy, tmp_path: Path) -> Source:
    """Return a source that asks for one run at a time."""
    portions = replace(IMPATIENT, page=1)
    return Source(
        proxy.url, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "p"), timeout=TIMEOUT, portions=portions
    )


def failure_of_pass(source: Source, bench: Bench) -> str:
    """Return what a pass that fails says, once it said it in time."""
    started = time.monotonic()
    with pytest.raises(SourceUnavailable) as failure:
        source.runs(bench.experiment, known={}, full=True)
    assert time.monotonic() - started < TIMEOUT + SLACK
    return checked(failure.value)


def checked(failure: DriftgaugeError) -> str:
    """Return the message of a failure, which shows no credentials and nothing of a stranger's page."""
    assert "geheim" not in str(failure)
    return str(failure)


def content(source: Source, artifact: Artifact) -> str:
    """Return what an artifact holds."""
    with source.opener(artifact)() as file:
        return file.read().decode()


def filled(bench: Bench) -> str:
    """Log a run with one prediction file and return its id."""
    run_id = bench.run()
    bench.log(run_id, "predictions.csv", TEXT)
    return run_id


@pytest.fixture(scope="module")
def stock(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a bench with one filled run, for tests that only read."""
    bench = bench_at(mlflow_server, tmp_path_factory.mktemp("stock"))
    filled(bench)
    return bench


def run_ids(found: Discovery) -> list[str]:
    """Return the runs of the artifacts of a discovery."""
    return [artifact.run_id for artifact in found.artifacts]


def cases(
    faults: tuple[tuple[str, Fault, str], ...], places: dict[str, str], *, slow_at: str
) -> list[tuple[str, str, Fault, str]]:
    """Return each fault at each place; those that take the whole timeout at one place only."""
    return [
        (f"{name} {words}", place, fault, expected)
        for name, fault, expected in faults
        for words, place in places.items()
        if expected != LATE or words == slow_at
    ]


@pytest.mark.parametrize(
    ("description", "place", "fault", "expected"),
    cases(
        FAULTS + JSON_FAULTS,
        {"at the runs": SEARCH, "at the files": LISTING, "everywhere": ANYTHING},
        slow_at="at the runs",
    )
    + cases(FAULTS[:1], {"everywhere": ANYTHING, "at the files": LISTING}, slow_at="everywhere")
    + cases(FAULTS[2:3], {"at the files": LISTING}, slow_at="at the files")
    + [("nothing at all at the experiment", EXPERIMENT, fault_proxy.empty, STRANGE)]
    + [("nothing at all everywhere", ANYTHING, fault_proxy.empty, STRANGE)],
)
def test_pass(
    stock: Bench,
    proxy: FaultProxy,
    source: Source,
    description: str,
    place: str,
    fault: Fault,
    expected: str,
) -> None:
    """A pass that meets a fault says so in time and gives nothing; the next pass gives all."""
    with proxy.spoiling(place, fault):
        message = failure_of_pass(source, stock)
    assert expected in message, description
    found = source.runs(stock.experiment, known={}, full=True)
    assert [artifact.path for artifact in found.artifacts] == ["predictions.csv"]
    assert content(source, found.artifacts[0]) == TEXT


@pytest.mark.parametrize(
    ("description", "place", "fault", "expected"),
    cases(FAULTS, {"at the file": DOWNLOAD}, slow_at="at the file"),
)
def test_download(
    stock: Bench,
    proxy: FaultProxy,
    source: Source,
    description: str,
    place: str,
    fault: Fault,
    expected: str,
) -> None:
    """A file that a server in order does not deliver is set aside in time, and is whole once it is delivered."""
    artifact = source.runs(stock.experiment, known={}, full=True).artifacts[0]
    started = time.monotonic()
    with proxy.spoiling(place, fault), pytest.raises(BatchError) as failure:
        source.opener(artifact)
    assert time.monotonic() - started < 2 * TIMEOUT + SLACK
    assert failure.value.reason == "not_delivered", description
    assert expected in checked(failure.value)
    assert content(source, artifact) == TEXT


@pytest.mark.parametrize("fault", [fault_proxy.reset, fault_proxy.stalled], ids=["reset", "stalled"])
def test_download_that_breaks_off_once(stock: Bench, proxy: FaultProxy, source: Source, fault: Fault) -> None:
    """One answer that breaks off is no broken file: the file is asked for again at once."""
    artifact = source.runs(stock.experiment, known={}, full=True).artifacts[0]
    with proxy.spoiling(DOWNLOAD, fault_proxy.at_first(fault)):
        assert content(source, artifact) == TEXT


def test_download_cut_without_a_sign(stock: Bench, proxy: FaultProxy, source: Source) -> None:
    """Half a file that passes for a whole one is recognised by the listed size."""
    artifact = source.runs(stock.experiment, known={}, full=True).artifacts[0]
    with proxy.spoiling(DOWNLOAD, fault_proxy.hidden_cut), pytest.raises(BatchError) as failure:
        source.opener(artifact)
    assert failure.value.reason == "incomplete"
    assert f"came with {len(TEXT) // 2:,} of {len(TEXT):,} bytes" in str(failure.value)
    assert content(source, artifact) == TEXT


@pytest.mark.parametrize(
    ("fault", "expected"), [(status(401), REFUSED), (status(503), UNAVAILABLE), (fault_proxy.login_page, STRANGE)]
)
def test_server_goes_away_before_a_download(
    stock: Bench, proxy: FaultProxy, source: Source, fault: Fault, expected: str
) -> None:
    """A file is not set aside when it is the whole server that fails."""
    artifact = source.runs(stock.experiment, known={}, full=True).artifacts[0]
    with proxy.spoiling(ANYTHING, fault), pytest.raises(SourceUnavailable) as failure:
        source.opener(artifact)
    assert expected in checked(failure.value)
    assert content(source, artifact) == TEXT


def test_connection_refused_in_mid_run(stock: Bench, proxy: FaultProxy, source: Source) -> None:
    """A server that is gone fails passes, downloads and health fast; when it is back, all is as before."""
    first = source.runs(stock.experiment, known={}, full=True)
    with proxy.down():
        message = failure_of_pass(source, stock)
        with pytest.raises(SourceUnavailable, match="connection refused; start the server"):
            source.opener(first.artifacts[0])
        assert not answers(source)
    assert "connection refused; start the server or correct mlflow.tracking_uri" in message
    assert answers(source)
    assert run_ids(source.runs(stock.experiment, known=first.states, full=False)) == run_ids(first)
    assert content(source, first.artifacts[0]) == TEXT


def test_credentials_expire_in_mid_run(http_bench: Bench, proxy: FaultProxy, source: Source) -> None:
    """A pass whose credentials expire between two of its questions fails as a whole; with new ones it gives all."""
    everyone = [filled(http_bench)]
    first = source.runs(http_bench.experiment, known={}, full=True)
    everyone.append(filled(http_bench))
    with proxy.spoiling(ANYTHING, status(401), spared=2):
        with pytest.raises(SourceUnavailable) as failure:
            source.runs(http_bench.experiment, known=first.states, full=False)
        assert not answers(source)
    assert REFUSED in checked(failure.value)
    assert run_ids(source.runs(http_bench.experiment, known=first.states, full=False)) == everyone


@pytest.mark.parametrize(
    ("description", "fault", "expected"),
    [fault for fault in FAULTS + JSON_FAULTS if fault[0] in PAGE_FAULTS],
)
def test_second_page(
    http_bench: Bench,
    proxy: FaultProxy,
    paging: Source,
    description: str,
    fault: Fault,
    expected: str,
) -> None:
    """A pass of which only the first page came gives nothing, rather than taking the other runs for deleted."""
    everyone = sorted(http_bench.run("a.csv") for _ in range(2))
    with proxy.spoiling(SEARCH, fault, spared=1):
        assert expected in failure_of_pass(paging, http_bench), description
    assert sorted(run_ids(paging.runs(http_bench.experiment, known={}, full=True))) == everyone


def test_pages_in_circles(http_bench: Bench, proxy: FaultProxy, paging: Source) -> None:
    """A server that gives the same page over and over does not hold the pass."""
    for _ in range(2):
        http_bench.run("a.csv")
    pages: list[bytes] = []

    def first_page_again(exchange: fault_proxy.Exchange) -> None:
        pages.append(exchange.body)
        exchange.head(("Content-Length", str(len(pages[0]))))
        exchange.write(pages[0])

    with proxy.spoiling(SEARCH, first_page_again):
        assert STRANGE in failure_of_pass(paging, http_bench)
    assert len(pages) == 2


def test_empty_page_heals(http_bench: Bench, proxy: FaultProxy, paging: Source) -> None:
    """A page without content reads as the last one, which MLflow's client cannot tell; the next full pass has all."""
    everyone = {http_bench.run("a.csv") for _ in range(2)}
    first = paging.runs(http_bench.experiment, known={}, full=True)
    with proxy.spoiling(SEARCH, fault_proxy.empty, spared=1):
        second = paging.runs(http_bench.experiment, known=first.states, full=True)
    third = paging.runs(http_bench.experiment, known=second.states, full=True)
    assert (len(second.states), set(third.states)) == (1, everyone)
    assert set(run_ids(third)) == everyone


def test_server_goes_away_while_runs_are_listed(http_bench: Bench, proxy: FaultProxy, tmp_path: Path) -> None:
    """When the server goes away behind the newest runs, the others are not asked for one by one."""
    portions = replace(IMPATIENT, threads=2)
    source = Source(
        proxy.url, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "p"), timeout=TIMEOUT, portions=portions
    )
    for _ in range(12):
        http_bench.run("a.csv")
    with proxy.spoiling("mlflow", status(503), spared=5):
        assert UNAVAILABLE in failure_of_pass(source, http_bench)
        asked = sum(LISTING in path for path in proxy.asked)
    # Two of the newest, and from each of the two threads a question or two, each with one retry.
    assert asked <= 2 + 2 * 2 * 2
    known, found = {}, 0
    for _ in range(3):
        # A server that answers 503 may limit requests: then some runs are left for the next pass.
        page = source.runs(http_bench.experiment, known=known, full=True)
        known, found = dict(page.states), found + len(page.artifacts)
        if page.left is None:
            break
    assert found >= 12
    assert set(known) == set(run_ids(source.runs(http_bench.experiment, known={}, full=True, relist=True)))


def test_reference(http_bench: Bench, proxy: FaultProxy, source: Source) -> None:
    """A reference that breaks off is a failure of the server; afterwards it is whole."""
    uri = f"runs:/{filled(http_bench)}/predictions.csv"
    with proxy.spoiling(DOWNLOAD, fault_proxy.short), pytest.raises(SourceUnavailable) as failure:
        source.reference(uri)
    assert BROKEN in checked(failure.value)
    with source.reference(uri).opener() as file:
        assert file.read().decode() == TEXT
