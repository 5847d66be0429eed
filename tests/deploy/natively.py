"""Runs the services of a Compose file without Docker: `natively.py COMPOSE.json FOLDER`, as root of new namespaces.

`test_compose.py` starts it by `unshare`. It sees the machine's programs, an empty network, and each file that Compose
mounts at the very place where the container has it: in a file system laid over the machine's, which is gone with it.
So the files are used as they are, with their addresses: names of services lead to this machine. Each container's
program is the machine's own; images and users are not used.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

# What a container's command is run with, by the last part of its image's name, where it does not name its program.
PROGRAMS: Final = {
    "prometheus": ["prometheus"],
    "alertmanager": ["prometheus-alertmanager"],
    "driftgauge": ["driftgauge"],
}
# There is no Grafana here; its files are parsed by the tests.
LEFT_OUT: Final = ("grafana",)


def run(*command: str | Path) -> None:
    """Run a program of the system."""
    subprocess.run(command, check=True)


def lay_over(folder: Path) -> Path:
    """Return a root folder that shows the machine's files and keeps what is written to it in memory."""
    run("mount", "--make-rprivate", "/")
    memory = folder / "memory"
    memory.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", memory)
    for name in ("upper", "work", "root"):
        (memory / name).mkdir()
    places = f"lowerdir=/,upperdir={memory / 'upper'},workdir={memory / 'work'}"
    run("mount", "-t", "overlay", "-o", places, "overlay", memory / "root")
    run("mount", "--rbind", "/dev", memory / "root" / "dev")
    run("mount", "-t", "proc", "proc", memory / "root" / "proc")
    return memory / "root"


def mount(root: Path, service: dict[str, Any], secrets: dict[str, Any], volumes: Path) -> None:
    """Put what a container has into the root: mounted files, and its volumes with what a folder has for them."""
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        place = root / target.lstrip("/")
        if source.startswith("/"):
            bind(Path(source), place)
        else:
            place.mkdir(parents=True, exist_ok=True)
            if (volumes / source).exists():
                shutil.copytree(volumes / source, place, dirs_exist_ok=True)
    for secret in service.get("secrets", []):
        bind(Path(secrets[secret["source"]]["file"]), root / "run" / "secrets" / secret["source"])


def bind(source: Path, place: Path) -> None:
    """Show a file at another place, where the machine may have one of its own."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    run("mount", "--bind", source, place)


def words_of(service: dict[str, Any]) -> list[str]:
    """Return a container's command."""
    if "entrypoint" in service:
        return [*service["entrypoint"], *service.get("command", [])]
    image = service["image"].rpartition("/")[2].partition(":")[0]
    # What the image itself would run.
    default = ["serve", "--config.file=/etc/driftgauge/driftgauge.yml", "--web.listen-address=0.0.0.0:10210"]
    return [*PROGRAMS.get(image, []), *service.get("command", default)]


def start(name: str, service: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """Start a service; what it prints goes to a file of its name."""
    with (folder / f"{name}.log").open("wb") as log:
        environment = os.environ | service.get("environment", {})
        return subprocess.Popen(words_of(service), cwd="/", env=environment, stdout=log, stderr=log)


def healthy(service: dict[str, Any]) -> bool:
    """Run a service's health check."""
    return subprocess.run(service["healthcheck"]["test"][1:], capture_output=True, check=False).returncode == 0


def ask(url: str, body: Any = None) -> Any:
    """Return what a service answers, null while it does not. body: what to send, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    try:
        request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - the test says where
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            text = answer.read().decode()
    except OSError:
        return None
    return json.loads(text) if answer.headers.get_content_type() == "application/json" else text


def main() -> None:
    """Start all services in the order that they ask for, then ask them what standard input says, a line each."""
    compose, folder = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    services = {name: service for name, service in compose["services"].items() if name not in LEFT_OUT}
    run("ip", "link", "set", "lo", "up")
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(services)}\n", encoding="utf-8")
    root = lay_over(folder)
    run("mount", "--bind", hosts, root / "etc" / "hosts")
    run("mount", "--bind", folder, root / folder.relative_to("/"))
    for service in services.values():
        mount(root, service, compose["secrets"], folder / "volumes")
    os.chroot(root)
    os.chdir("/")
    started: dict[str, subprocess.Popen[bytes]] = {}
    while len(started) < len(services):
        for name in sorted(set(services) - set(started)):
            if all(
                _is_met(started.get(on), services[on], how) for on, how in services[name].get("depends_on", {}).items()
            ):
                started[name] = start(name, services[name], folder)
        time.sleep(0.2)
    print("started", flush=True)  # noqa: T201 - to the test
    for line in sys.stdin:
        print(json.dumps(ask(*json.loads(line))), flush=True)  # noqa: T201 - as above


def _is_met(process: subprocess.Popen[bytes] | None, service: dict[str, Any], how: dict[str, str]) -> bool:
    if process is None:
        return False
    if how["condition"] == "service_completed_successfully":
        if process.poll():
            sys.exit(f"{process.args} ended with {process.returncode}")
        return process.returncode == 0
    return healthy(service)


if __name__ == "__main__":
    main()
