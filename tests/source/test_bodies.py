"""Answers are bounded in size, in the memory they unpack to, and in time, however they are sent."""

import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from driftgauge.source.bodies import AnswerTooLong, filled, pieces, read_seconds
from driftgauge.source.transport import Abroad, Home

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], str]]:
    """Return what starts a server that answers in this way, and returns its URL."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sending(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Return how a whole body is answered."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def trickling(chunk: bytes) -> Answer:
    """Return how a chunk comes now and then, for ever."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            time.sleep(0.05)

    return answer


def bomb(mebibytes: int) -> bytes:
    """Return gzip that unpacks to so many MiB of blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * (1 << 20)
    return b"".join(packer.compress(blanks) for _ in range(mebibytes)) + packer.flush()


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_usual_answers(answering: Callable[[Answer], str], encoding: str) -> None:
    """They come as they are, packed or not, and the connection is used again."""
    text = json.dumps({"files": [{"path": f"{number}.csv"} for number in range(1_000)]}).encode() * 100
    packed = {"": text, "gzip": gzip.compress(text), "deflate": zlib.compress(text)}[encoding]
    peers = set()
    usual = sending(packed, **({"Content_Encoding": encoding} if encoding else {}))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        peers.add(handler.client_address)
        usual(handler)

    url = answering(answer)
    with requests.Session() as session:
        assert filled(session.get(url, stream=True), seconds=5).content == text
        parts = list(pieces(session.get(url, stream=True), seconds=5))
        assert b"".join(parts) == text
        assert [len(part) for part in parts[:-1]] == [1 << 20] * (len(parts) - 1)
    assert len(peers) == 1


def test_a_bomb_is_not_unpacked(answering: Callable[[Answer], str]) -> None:
    """Two GiB in two MB of gzip: what is over the bound is never in memory."""
    url = answering(sending(bomb(2048), Content_Encoding="gzip"))
    begun = time.monotonic()
    with pytest.raises(AnswerTooLong):
        filled(requests.get(url, stream=True, timeout=5), seconds=20)
    assert max(map(len, _first(5, pieces(requests.get(url, stream=True, timeout=5), seconds=5)))) == 1 << 20
    assert time.monotonic() - begun < 10


def _first(most: int, parts: Iterator[bytes]) -> list[bytes]:
    return [part for _, part in zip(range(most), parts, strict=False)]


@pytest.mark.parametrize("part", [b"{},", b"[],", b"1,"])
def test_json_of_many_small_values(answering: Callable[[Answer], str], part: bytes) -> None:
    """Bytes that would become a hundred times as many in memory are too long as well."""
    url = answering(sending(b"[" + part * 2_100_000 + b"1]"))
    with pytest.raises(AnswerTooLong):
        filled(requests.get(url, stream=True, timeout=5), seconds=20)


@pytest.mark.parametrize(
    "read", [lambda response: list(pieces(response, seconds=0.5)), lambda r: filled(r, seconds=0.5)]
)
def test_a_body_that_trickles(answering: Callable[[Answer], str], read: Callable[[requests.Response], object]) -> None:
    """A byte now and then is over when its time is, in the thread that reads it too."""
    url = answering(trickling(b"{"))
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        read(requests.get(url, stream=True, timeout=5))
    assert 0.5 <= time.monotonic() - begun < 2


def test_a_slow_body_of_many_pieces(answering: Callable[[Answer], str]) -> None:
    """Each MiB has its own time, so that a large file may take long."""
    url = answering(trickling(b"x" * 300_000))
    assert len(_first(6, pieces(requests.get(url, stream=True, timeout=5), seconds=0.5))) == 6


@pytest.mark.parametrize("session", [Abroad, lambda: Home(requests.Session())])
def test_redirects_have_no_body(answering: Callable[[Answer], str], session: Callable[[], requests.Session]) -> None:
    """What comes with a redirect is not unpacked; the answer behind it is bounded."""
    end = answering(sending(b"{}"))
    packed = bomb(512)
    url = answering(sending(packed, 302, Content_Encoding="gzip", Location=end))
    begun = time.process_time()
    assert session().get(url, timeout=5).content == b"{}"
    # Unpacking takes a second.
    assert time.process_time() - begun < 0.3


def test_mlflow_reads_bounded_answers(answering: Callable[[Answer], str]) -> None:
    """The session of MLflow's client raises what says so."""
    url = answering(sending(bomb(64), Content_Encoding="gzip"))
    with pytest.raises(AnswerTooLong):
        Home(requests.Session()).get(url, timeout=5)


@pytest.mark.parametrize(("timeout", "seconds"), [((4.0, 20.0), 20.0), (7, 7.0), (None, float("inf"))])
def test_times(timeout: object, seconds: float) -> None:
    """The time to read is the last of a request's timeouts."""
    assert read_seconds(timeout) == seconds
