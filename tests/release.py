"""What a release is made of, built and tried: `python -m tests.release --output dist`, which `make release-check` runs.

Both distributions are built twice, from copies at other places with other times and permissions, and must come out with
the same bytes. Then they are installed as people install them, in environments with nothing else: the client alone, the
exporter beside it in both orders, from wheels and from source, and each is removed again.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parent.parent
# The folder of each distribution's pyproject.toml.
DISTRIBUTIONS: Final = ("exporter/client", ".")
# What only the exporter needs, and whoever installs the client must not get.
HEAVY: Final = ("alembic", "bcrypt", "duckdb", "jinja2", "pandas", "scikit-learn", "scipy", "sqlalchemy", "structlog")
CONFIGURATION: Final = """\
mlflow: {tracking_uri: "http://mlflow:5000"}
models: [{name: churn, predictions: {experiment: /monitoring/churn}}]
"""
LOGGING: Final = """\
import sys
from driftgauge.client import PredictionLogger

with PredictionLogger("/monitoring/churn", "3", tracking_uri=sys.argv[1], spool_dir=sys.argv[2]) as logger:
    assert logger.log({"age": 35, "plan": "A"}, 1, score=0.81, latency=0.004)
    assert logger.flush(upload=True), "the rows did not reach MLflow"
"""


def build(source: Path, output: Path, *, epoch: str) -> dict[str, str]:
    """Build sdist and wheel of both distributions; return their SHA-256 by name. Wheels are built from the sdists."""
    for folder in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={output}", str(source / folder)]
        run(command, environment={"SOURCE_DATE_EPOCH": epoch})
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.iterdir())}


def copied(folder: Path, *, mode: int) -> Path:
    """Copy the files that git knows, or would, to a new folder, with today's times and this umask."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    before = os.umask(mode)
    try:
        for name in filter(None, listed.split("\0")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                target.symlink_to((ROOT / name).readlink())
            elif (ROOT / name).exists():
                shutil.copyfile(ROOT / name, target)
    finally:
        os.umask(before)
    return folder


def build_twice(place: Path, output: Path) -> None:
    """Build from two copies and compare; the files are left in `output`."""
    epoch = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()
    first = build(copied(place / "one", mode=0o022), output, epoch=epoch)
    again = build(copied(place / "some" / "other", mode=0o077), place / "again", epoch=epoch)
    for name, digest in first.items():
        print(f"{digest}  {name}")  # noqa: T201
    if first != again:
        sys.exit(f"release: the second build differs: {again}")
    if len(first) != 2 * len(DISTRIBUTIONS):
        sys.exit(f"release: expected an sdist and a wheel of each distribution, but there are {sorted(first)}")


class Fresh:
    """A new environment with pip and nothing else, and a folder to work in."""

    def __init__(self, place: Path, dist: Path) -> None:
        self.place, self.bin, self.dist = place, place / "venv" / "bin", dist
        run([sys.executable, "-m", "venv", place / "venv"])

    def pip(self, *arguments: str) -> None:
        """Run pip, which finds the release before what an index has."""
        run([self.bin / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments])

    def install(self, name: str, *, source: bool = False) -> None:
        """Install a distribution of the release by its name, with what it declares."""
        only = ["--no-binary=driftgauge,driftgauge-client"] if source else []
        self.pip("install", f"--find-links={self.dist}", *only, f"{name}=={version_of(self.dist)}")
        self.pip("check")

    def exporter_works(self) -> None:
        """Run what needs no server."""
        driftgauge = self.bin / "driftgauge"
        (self.place / "driftgauge.yml").write_text(CONFIGURATION, encoding="utf-8")
        run([driftgauge, "demo", "--help"], folder=self.place)
        run([driftgauge, "check-config", "driftgauge.yml"], folder=self.place)
        run([driftgauge, "generate", "--output", "generated"], folder=self.place)
        run([driftgauge, "generate", "--output", "generated", "--check"], folder=self.place)

    def client_works(self) -> None:
        """Log a row, and see it come to MLflow."""
        store = self.place / "mlruns"
        settings = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [self.bin / "python", "-c", LOGGING, f"file://{store}", self.place / "spool"]
        run(command, folder=self.place, environment=settings)
        if not list(store.rglob("*.parquet")):
            sys.exit("release: the client logged a row, and MLflow has no file of it")

    def lacks_the_exporter(self) -> None:
        """See that the client brought nothing of the exporter's."""
        shown = subprocess.check_output([self.bin / "python", "-m", "pip", "list", "--format=freeze"], text=True)
        found = {line.partition("==")[0].lower() for line in shown.splitlines()}
        if found & {*HEAVY, "mlflow", "driftgauge"}:
            sys.exit(f"release: driftgauge-client brought {sorted(found & {*HEAVY, 'mlflow', 'driftgauge'})}")
        print(f"driftgauge-client alone: {len(found)} distributions")  # noqa: T201

    def exporter_says_what_it_lacks(self) -> None:
        """Run the exporter without the client: one line, and no traceback."""
        shown = subprocess.run([self.bin / "driftgauge", "--version"], capture_output=True, text=True, check=False)
        if (
            shown.returncode != 1
            or shown.stderr.count("\n") != 1
            or "pip install driftgauge-client" not in shown.stderr
        ):
            sys.exit(f"release: without the client, the exporter said {shown.returncode}: {shown.stderr}")


def client_first(fresh: Fresh) -> None:
    """Install wheels: the client alone, then the exporter beside it, and remove the exporter."""
    fresh.install("driftgauge-client")
    fresh.lacks_the_exporter()
    fresh.client_works()
    fresh.install("driftgauge")
    fresh.exporter_works()
    fresh.client_works()
    fresh.pip("uninstall", "--yes", "driftgauge")
    fresh.client_works()


def exporter_first(fresh: Fresh) -> None:
    """Install from source: the exporter, which brings the client, and remove the client from below it."""
    fresh.install("driftgauge", source=True)
    fresh.exporter_works()
    fresh.install("driftgauge-client", source=True)
    fresh.client_works()
    fresh.pip("uninstall", "--yes", "driftgauge-client")
    fresh.exporter_says_what_it_lacks()
    fresh.install("driftgauge-client")
    fresh.exporter_works()
    fresh.client_works()
    fresh.pip("uninstall", "--yes", "driftgauge", "driftgauge-client")
    left = list((fresh.place / "venv" / "lib").glob("python*/site-packages/driftgauge*"))
    if left:
        sys.exit(f"release: after both were removed, this is left: {left}")


def version_of(dist: Path) -> str:
    """Return the version that was built."""
    (wheel,) = dist.glob("driftgauge-*.whl")
    return wheel.name.split("-")[1]


def run(command: Sequence[str | Path], *, folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
    """Run a program, show what it printed only when it fails, and end with that."""
    # Not this environment's packages, nor those of a folder that happens to be the working one.
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    shown = subprocess.run(
        command,
        cwd=folder,
        env=inherited | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if shown.returncode:
        sys.exit(f"release: {' '.join(map(str, command))} failed with {shown.returncode}:\n{shown.stdout}")


def main() -> None:
    """Build, compare, check and install."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the folder for the release, which is emptied")
    dist = parser.parse_args().output.resolve()
    shutil.rmtree(dist, ignore_errors=True)
    with TemporaryDirectory(prefix="driftgauge-release-") as name:
        place = Path(name)
        build_twice(place, dist)
        run([sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir())])
        print("twine check --strict: passed")  # noqa: T201
        for order in (client_first, exporter_first):
            folder = place / order.__name__
            folder.mkdir()
            order(Fresh(folder, dist))
            print(f"installed and removed, {order.__name__.replace('_', ' ')}: works")  # noqa: T201


if __name__ == "__main__":
    main()
