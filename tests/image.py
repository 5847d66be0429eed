"""The image, built and started: `python -m image`, which `make image-test` runs as root, with buildah and debootstrap.

There is no registry in it: the base is made by debootstrap, and the container is what a runtime makes of an image's
configuration. Its user, a root file system that cannot be written, the volume, `/dev/shm`, and process 1 of its own.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mlflow

from e2e.servers import mlflow_server
from processes import children_of

ROOT: Final = Path(__file__).parent.parent
WORK: Final = ROOT / ".image"
STORAGE: Final = ("--storage-driver", "vfs", "--root", str(WORK / "storage"), "--runroot", str(WORK / "run"))
BASE: Final = "localhost/driftgauge-base"
IMAGE: Final = "localhost/driftgauge"
PACKAGES: Final = "ca-certificates,python3,python3-venv"
# Read-only and for the build alone: how this machine reaches PyPI.
FROM_THE_MACHINE: Final = ("/etc/ssl/certs", "/etc/pip.conf")
USER: Final = 10210
PORT: Final = 10210
MLFLOW_PORT: Final = 15021
ROWS: Final = 500
_CLONE_NEWNET: Final = 0x40000000
MOST_BYTES: Final = 700_000_000
UNWANTED: Final = ("usr/bin/gcc", "usr/bin/cc", "opt/driftgauge/bin/pip", "root/.cache", "source", "wheels")
# What a container runtime does: $1 is the root, $2 the volume, $3 the configuration, $4 the user; then the command.
RUNTIME: Final = """\
set -eu
root=$1 state=$2 config=$3 user=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/etc/driftgauge"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mkdir -m 1777 "$root/dev/shm"
mount --bind "$config" "$root/etc/driftgauge"
mount --bind "$state" "$root/var/lib/driftgauge"
exec chroot --userspec="$user:$user" --groups="$user" "$root" /usr/bin/env -i "$@"
"""


def buildah(*arguments: str) -> str:
    """Run buildah on storage of our own and return what it printed."""
    return subprocess.run(
        ["buildah", *STORAGE, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def make_base() -> None:
    """Make the base image, unless an earlier run left it."""
    if subprocess.run(["buildah", *STORAGE, "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return
    tree = WORK / "base"
    shutil.rmtree(tree, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(tree)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    # debootstrap may leave it mounted.
    subprocess.run(["umount", tree / "proc"], stderr=subprocess.DEVNULL, check=False)
    # As the slim images have it.
    for name in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(tree / name)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(tree), "/")
    buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(tree)


def build() -> None:
    """Build the image as `docker build` would, but for the base."""
    mounts = [f"--volume={name}:{name}:ro" for name in FROM_THE_MACHINE if Path(name).exists()]
    options = ["--isolation=chroot", "--format=docker", f"--build-arg=BASE={BASE}", "--build-arg=VERSION=test", *mounts]
    places = ["--ignorefile=.dockerignore", "--file=deploy/docker/Dockerfile", f"--tag={IMAGE}", "."]
    with (WORK / "build.log").open("w") as log:
        command = ["nice", "-n", "5", "buildah", *STORAGE, "bud", *options, *places]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    if done.returncode:
        sys.exit(f"image: it does not build:\n{(WORK / 'build.log').read_text()[-5000:]}")


@dataclass(frozen=True)
class Container:
    """The image's configuration, its files, and the folders that are mounted into it."""

    configuration: Mapping[str, Any]
    files: Path
    state: Path
    config: Path

    def command(self, words: Sequence[str]) -> list[str]:
        """Return what runs words as the image says: its variables, user and working folder."""
        settings = [*self.configuration["Env"], "MLFLOW_DISABLE_TELEMETRY=true"]
        inside = [f"--chdir={self.configuration['WorkingDir']}", *settings, *words]
        return ["sh", "-c", RUNTIME, "runtime", str(self.files), str(self.state), str(self.config), str(USER), *inside]

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Run the image's own command as process 1 of its own; yield its number on this machine."""
        words = [*self.configuration["Entrypoint"], *self.configuration["Cmd"]]
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        with (WORK / "container.log").open("w") as log:
            process = subprocess.Popen([*alone, *self.command(words)], stdout=log, stderr=log)
        try:
            wait(lambda: children_of(process.pid), "the container's first process")
            (first,) = children_of(process.pid)
            yield first
            process.wait(30)
            expect(process.returncode == 0, f"stopped, it ended with {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def is_healthy(self, first: int | None = None) -> bool:
        """Run the image's health check, in the container if one runs."""
        words = self.configuration["Healthcheck"]["Test"][1:]
        if first is None:
            return subprocess.run(["unshare", "--mount", *self.command(words)], check=False).returncode == 0
        settings = self.configuration["Env"]
        inside = ["chroot", f"--userspec={USER}:{USER}", str(self.files), "env", "-i", *settings, *words]
        return (
            subprocess.run(["nsenter", f"--target={first}", "--mount", "--pid", *inside], check=False).returncode == 0
        )


@contextlib.contextmanager
def container() -> Iterator[Container]:
    """Make a container of the image, with an empty volume and a configuration for it."""
    name = buildah("from", IMAGE)
    try:
        inspected = json.loads(buildah("inspect", "--type=image", IMAGE))["Docker"]["config"]
        state, config = WORK / "state", WORK / "config"
        for folder in (state, config):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        os.chown(state, USER, USER)
        text = f'mlflow: {{tracking_uri: "http://127.0.0.1:{MLFLOW_PORT}"}}\nrefresh_interval: 2s\nmodels:\n'
        text += "  - {name: churn, predictions: {experiment: churn}}\n"
        (config / "driftgauge.yml").write_text(text, encoding="utf-8")
        yield Container(inspected, Path(buildah("mount", name)), state, config)
    finally:
        buildah("rm", name)


def leave_the_network() -> None:
    """Have a loopback of our own from here on (unshare(2)): others on this machine may use the same ports."""
    expect(ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0, "a network namespace is refused here")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def log_predictions() -> None:
    """Put a file of predictions into MLflow."""
    mlflow.set_tracking_uri(f"http://127.0.0.1:{MLFLOW_PORT}")
    mlflow.set_experiment("churn")
    rows = [{"request_id": f"r{i}", "features": {"age": i % 70}, "prediction": i % 2, "label": 1} for i in range(ROWS)]
    with mlflow.start_run():
        mlflow.log_text("".join(json.dumps(row) + "\n" for row in rows), "predictions.jsonl")


def page() -> str:
    """Scrape it; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def wait(condition: Any, what: str, seconds: float = 120) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


def expect(condition: object, otherwise: str) -> None:
    """End with what is wrong, and what the container said, unless the condition holds."""
    if not condition:
        log = WORK / "container.log"
        sys.exit(f"image: {otherwise}\n{log.read_text()[-3000:] if log.exists() else ''}")


def processes_of(first: int) -> dict[int, dict[str, str]]:
    """Return by process what the system says of it, for the first one and all below it."""
    found, waiting = {}, [first]
    while waiting:
        pid = waiting.pop()
        waiting += children_of(pid)
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        found[pid] = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return found


def zombies_of(first: int) -> int:
    """Count the ended children that the first process has not asked about."""
    listed = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split()
    states = [Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] for pid in listed]
    return states.count("Z")


def check_configuration(made: Container) -> None:
    """See what the image says of itself."""
    said = made.configuration
    expect(said["User"] == f"{USER}:{USER}", f"its user is {said['User']}")
    expect(list(said["Volumes"]) == ["/var/lib/driftgauge"], f"its volumes are {said['Volumes']}")
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in said["Labels"].items()}
    expect(labels.get("version") == "test" and labels.get("licenses") == "Apache-2.0", f"its labels are {labels}")
    expect(not [name for name in UNWANTED if (made.files / name).exists()], "it has what only its building needs")


def check_compiled(made: Container) -> None:
    """See that what serving imports is compiled, with times that match: else each start compiles all of it again."""
    words = ["python", "-v", "-c", "import driftgauge.service.front, driftgauge.service.refresher, driftgauge.source"]
    shown = subprocess.run(["unshare", "--mount", *made.command(words)], capture_output=True, text=True, check=True)
    source = [line for line in shown.stderr.splitlines() if line.startswith("# code object from '/opt/")]
    fresh = [line for line in source if not line.endswith(".pyc'")]
    expect(not fresh, f"{len(fresh)} modules are compiled at each start: {fresh[:3]}")


def check_running(made: Container) -> None:
    """Start it, scrape it, look at its processes, kill one, and stop it."""
    expect(not made.is_healthy(), "it is healthy before it is started")
    began = time.monotonic()
    with made.running() as first:
        wait(
            lambda: f'model_predictions_total{{model="churn",version="unknown"}} {ROWS}.0' in page(), "the predictions"
        )
        print(f"scraped: {ROWS} predictions, {time.monotonic() - began:.1f} s after the start")  # noqa: T201
        expect(made.is_healthy(first), "it runs, and its health check says otherwise")
        found = processes_of(first)
        for pid, status in found.items():
            print(f"process {status['NSpid'].split()[-1]:>4}: {status['Name']}, user {status['Uid'].split()[0]}")  # noqa: T201
            expect(set(status["Uid"].split()) == {str(USER)}, f"process {pid} runs as {status['Uid']}")
            expect(int(status["CapEff"], 16) == 0, f"process {pid} has capabilities {status['CapEff']}")
        os.kill(min(children_of(first)), signal.SIGKILL)
        wait(lambda: 'driftgauge_refresher_restarts_total{reason="killed"} 1.0' in page(), "a new refresher")
        wait(lambda: "driftgauge_refresher_up 1.0" in page(), "a new refresher at work")
        wait(lambda: zombies_of(first) == 0, "process 1 to ask for all that ended", 20)
        os.kill(first, signal.SIGTERM)


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of each file below a folder."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_size, status.st_mtime_ns)
    return found


def report_size(made: Container) -> None:
    """Print how large the image is, and what takes most of it."""
    site = next((made.files / "opt" / "driftgauge" / "lib").glob("python3*")) / "site-packages"
    sizes = {path.name: _bytes(path) for path in site.iterdir()}
    total = _bytes(made.files)
    print(f"size: {total / 1e6:.0f} MB, of which the base {(total - _bytes(made.files / 'opt')) / 1e6:.0f}")  # noqa: T201
    largest = sorted(sizes, key=lambda name: -sizes[name])[:10]
    print("largest: " + ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in largest))  # noqa: T201
    expect(total <= MOST_BYTES, f"it is larger than {MOST_BYTES / 1e6:.0f} MB")


def _bytes(path: Path) -> int:
    return int(
        subprocess.check_output(
            ["du", "--summarize", "--apparent-size", "--block-size=1", "--one-file-system", path]
        ).split()[0]
    )


def main() -> None:
    """Build and look."""
    if os.geteuid() != 0:
        sys.exit("image: only root can make a container here; run `sudo make image-test`")
    WORK.mkdir(exist_ok=True)
    make_base()
    build()
    leave_the_network()
    (WORK / "container.log").unlink(missing_ok=True)
    folder = WORK / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with container() as made, mlflow_server(folder, MLFLOW_PORT):
        log_predictions()
        check_configuration(made)
        check_compiled(made)
        before = listed(made.files)
        check_running(made)
        changed = {name for name, what in listed(made.files).items() if before.get(name) != what}
        # The place to mount the configuration at, which a runtime makes.
        expect(changed <= {"etc", "etc/driftgauge"}, f"it wrote outside of its volume: {sorted(changed)}")
        print(f"written: {', '.join(sorted(path.name for path in made.state.iterdir()))}, all in the volume")  # noqa: T201
        report_size(made)


if __name__ == "__main__":
    main()
