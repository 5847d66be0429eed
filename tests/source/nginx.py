"""A real nginx in front of a tracking server: gateways as they are deployed, and how often they were asked."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.servers import running
from mlflow_servers import free_port
from web.servers import write_certificate

_PATHS = "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;"
# Of each gateway what it does with a request; HOST is the tracking server, PORT.NAME the port of another gateway.
_GATEWAYS: Mapping[str, str] = {
    "plain": "location / { proxy_pass HOST; }",
    "limit 20": "limit_req zone=z20 burst=40 nodelay; limit_req_status 429; location / { proxy_pass HOST; }",
    # As nginx does it without a word: 503.
    "limit 10": "limit_req zone=z10 burst=5 nodelay; location / { proxy_pass HOST; }",
    "limit 10 with Retry-After": "limit_req zone=z10r burst=5 nodelay; limit_req_status 429; error_page 429 @slow; "
    "location / { proxy_pass HOST; } location @slow { add_header Retry-After 1 always; return 429; }",
    "prefix": "location /mlflow/ { proxy_pass HOST/; } location / { return 404; }",
    "https": "TLS location / { proxy_pass HOST; }",
    "client certificate": "TLS ssl_client_certificate cert.pem; ssl_verify_client on; location / { proxy_pass HOST; }",
    "redirect 301": "return 301 https://localhost:PORT.https$request_uri;",
    "redirect 308": "return 308 https://localhost:PORT.https$request_uri;",
    "login page": "location /login { default_type text/html; return 200 '<html>log in, geheim</html>'; } "
    "location / { return 302 /login?next=geheim; }",
    "token": 'location / { if ($http_authorization != "Bearer s3cr3t-token") { return 401; } proxy_pass HOST; }',
    "dead upstream": "location / { proxy_pass http://127.0.0.1:PORT.nobody; }",
}


@dataclass(frozen=True)
class Gateways:
    """The gateways by name, and where nginx notes what it was asked."""

    ports: Mapping[str, int]
    folder: Path

    def url(self, name: str) -> str:
        """Return the address of a gateway."""
        scheme = "https" if "TLS" in _GATEWAYS[name] else "http"
        return f"{scheme}://{'localhost' if scheme == 'https' else '127.0.0.1'}:{self.ports[name]}"

    @property
    def certificate(self) -> Path:
        """The certificate of those that speak TLS, which trust it as a client's too."""
        return self.folder / "cert.pem"

    def asked(self, name: str) -> list[int]:
        """Return the statuses of all answers of a gateway so far."""
        # It writes a line when the answer is out.
        time.sleep(0.05)
        lines = (self.folder / "access.log").read_text().splitlines()
        return [int(status) for port, status in map(str.split, lines) if int(port) == self.ports[name]]


@contextlib.contextmanager
def gateways(upstream: str, folder: Path) -> Iterator[Gateways]:
    """Run nginx in front of the tracking server at `upstream` until the block is left."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.fail("nginx is not installed: run tests/install-servers")
    certificate, key = write_certificate(folder, "cert")
    shutil.copyfile(certificate, folder / "cert.pem")
    shutil.copyfile(key, folder / "key.pem")
    ports = {name: free_port() for name in (*_GATEWAYS, "nobody")}
    (folder / "nginx.conf").write_text(_configuration(ports, upstream))
    subprocess.run([program, "-t", "-q", "-p", folder, "-c", "nginx.conf"], check=True)
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"]
    with running(command, health=f"http://127.0.0.1:{ports['plain']}/health", folder=folder):
        yield Gateways(ports, folder)


def _configuration(ports: Mapping[str, int], upstream: str) -> str:
    servers = []
    words = {"TLS": "ssl_certificate cert.pem; ssl_certificate_key key.pem;", "HOST": upstream}
    words |= {f"PORT.{name}": str(port) for name, port in ports.items()}
    for name, text in _GATEWAYS.items():
        listen = f"127.0.0.1:{ports[name]}" + (" ssl" if "TLS" in text else "")
        for word, meaning in words.items():
            text = text.replace(word, meaning)  # noqa: PLW2901 - one word after the other
        servers.append(f"server {{ listen {listen}; {text} }}")
    zones = "".join(
        f"limit_req_zone $binary_remote_addr zone={zone}:1m rate={rate}r/s; "
        for zone, rate in {"z20": 20, "z10": 10, "z10r": 10}.items()
    )
    log = "log_format short '$server_port $status'; access_log access.log short;"
    head = f"pid nginx.pid; error_log error.log crit; worker_processes 1; events {{}}\nhttp {{ {_PATHS} {log} {zones}"
    return "\n".join([head, *servers, "}", ""])
