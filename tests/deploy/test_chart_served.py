"""A pod of the chart as a process: what it is given works, the kubelet's probes pass, and Prometheus gets in."""

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import bcrypt
import pytest
import urllib3

from deploy.charts import Object, exporter_of, of_kind, only, pod_of, rendered
from web.servers import write_certificate

# The kubelet takes any certificate, and so do the probes here.
pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")

USER: Final = "prometheus"
PASSWORD: Final = "correct horse"  # noqa: S105 - of this test
SECONDS: Final = 60
ROWS: Final = [{"prediction": 1, "features": {"age": 30 + place}} for place in range(20)]


class Pod(NamedTuple):
    """The objects, where the process listens, and the folder that has the Secrets' files."""

    objects: list[Object]
    port: int
    tls: Path


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Run the exporter with the arguments, files and variables that its container would have."""
    folder = tmp_path_factory.mktemp("pod")
    (folder / "batches").mkdir()
    (folder / "batches" / "predictions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    objects = rendered(
        {
            "config": {"models": [{"name": "churn", "predictions": {"files": "${BATCHES}", "experiment": None}}]},
            "extraEnv": [{"name": "BATCHES", "value": str(folder / "batches")}],
            "web": {
                "tls": {"enabled": True, "existingSecret": "tls"},
                "basicAuth": {"enabled": True, "users": {USER: hashed}},
            },
            # The name that the certificate of these tests has.
            "serviceMonitor": {
                "enabled": True,
                "basicAuth": {"existingSecret": "scrape"},
                "tlsConfig": {"serverName": "localhost"},
            },
        }
    )
    files = _volumes(objects, folder)
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {each["name"]: each.get("value", "demo-driftgauge-0") for each in exporter_of(objects)["env"]}
    # Of the container's own, as pytest's is of this test.
    assert given.pop("TMPDIR") == "/tmp"  # noqa: S108
    arguments = [_here(argument, folder, port) for argument in exporter_of(objects)["args"]]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "driftgauge", *arguments], env={**os.environ, **given}, stderr=log, cwd=folder
        )
        try:
            found = Pod(objects, port, files)
            _wait(found, process, folder / "log")
            yield found
        finally:
            process.terminate()
            process.wait(SECONDS)


def _volumes(objects: list[Object], folder: Path) -> Path:
    """Write what the pod's volumes have into a folder of each mount's name; return that of the certificate."""
    for volume in pod_of(objects)["spec"]["volumes"]:
        place = folder / volume["name"]
        place.mkdir()
        for each in objects:
            if each["kind"] == "ConfigMap" and each["metadata"]["name"] == volume.get("configMap", {}).get("name"):
                for key, text in each["data"].items():
                    (place / key).write_text(_here(text, folder, 0))
            if each["kind"] == "Secret" and each["metadata"]["name"] == volume.get("secret", {}).get("secretName"):
                for key, value in each["data"].items():
                    (place / key).write_text(_here(base64.b64decode(value).decode(), folder, 0))
    certificate, key = write_certificate(folder / "tls", "pod")
    certificate.rename(folder / "tls" / "tls.crt")
    key.rename(folder / "tls" / "tls.key")
    (folder / "tls" / "ca.crt").write_bytes((folder / "tls" / "tls.crt").read_bytes())
    return folder / "tls"


def _here(text: str, folder: Path, port: int) -> str:
    """Return the text with this folder and port in place of the container's."""
    here = text.replace("/etc/driftgauge", str(folder)).replace("/var/lib/driftgauge", str(folder / "state"))
    return here.replace(":10210", f"127.0.0.1:{port}")


def _wait(pod: Pod, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while _probe(pod, "readiness") != 200:
        if time.monotonic() > deadline or process.poll() is not None:
            pytest.fail(f"not ready: {log.read_text()}")
        time.sleep(0.1)


def _probe(pod: Pod, kind: str) -> int:
    """Ask as the kubelet does: by the probe's scheme and path, without credentials, and taking any certificate."""
    probe: dict[str, Any] = exporter_of(pod.objects)[f"{kind}Probe"]["httpGet"]
    (port,) = [each for each in exporter_of(pod.objects)["ports"] if each["name"] == probe["port"]]
    assert port["containerPort"] == 10210
    pools = {"HTTP": urllib3.HTTPConnectionPool, "HTTPS": urllib3.HTTPSConnectionPool}
    try:
        with pools[probe["scheme"]]("127.0.0.1", pod.port, **_any_certificate(probe["scheme"])) as pool:
            status: int = pool.request("GET", probe["path"], retries=False).status
            return status
    except urllib3.exceptions.HTTPError:
        return 0


def _any_certificate(scheme: str) -> dict[str, Any]:
    return {"cert_reqs": ssl.CERT_NONE, "assert_hostname": False} if scheme == "HTTPS" else {}


def _scrape(pod: Pod, *, password: str) -> tuple[int, str]:
    """Ask as Prometheus does that the operator configured: authority, name, user and path of the ServiceMonitor."""
    (endpoint,) = only(pod.objects, "ServiceMonitor")["spec"]["endpoints"]
    tls = endpoint["tlsConfig"]
    assert (endpoint["scheme"], tls["ca"]["secret"]["name"], endpoint["basicAuth"]["username"]["name"]) == (
        "https",
        "tls",
        "scrape",
    )
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1",
        pod.port,
        ca_certs=str(pod.tls / tls["ca"]["secret"]["key"]),
        cert_reqs=ssl.CERT_REQUIRED,
        server_hostname=tls["serverName"],
        assert_hostname=tls["serverName"],
    ) as pool:
        headers = urllib3.make_headers(basic_auth=f"{USER}:{password}")
        answer = pool.request("GET", endpoint["path"], headers=headers, retries=False)
        return answer.status, answer.data.decode()


def test_probes_pass_without_credentials(pod: Pod) -> None:
    """With TLS and users the kubelet, which has no password, sees that the pod lives and is ready."""
    assert {kind: _probe(pod, kind) for kind in ("liveness", "readiness")} == {"liveness": 200, "readiness": 200}


def test_scrape_passes_with_credentials_only(pod: Pod) -> None:
    """What the ServiceMonitor says is enough to get the series of the model, and a wrong password is not."""
    status, page = _scrape(pod, password=PASSWORD)
    refused, nothing = _scrape(pod, password="wrong")  # noqa: S106 - of this test

    assert status == 200
    assert 'model_predictions_total{model="churn",version="unknown"} 20' in page
    assert (refused, "churn" in nothing) == (401, False)


def test_state_is_in_the_volume(pod: Pod) -> None:
    """The exporter keeps its state where the pod has its volume, and writes nothing next to the files it is given."""
    folder = pod.tls.parent
    assert (folder / "state" / "driftgauge.duckdb").exists()
    assert sorted(each.name for each in (folder / "config").iterdir()) == ["driftgauge.yml"]
    assert len(of_kind(pod.objects, "ConfigMap")) == 1
