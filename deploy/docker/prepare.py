"""Makes the environment of the image small and quick to start: the last step of its first stage.

What nobody runs here goes: tests and headers of libraries. What the exporter imports is compiled, since a read-only
file system keeps Python from doing it: all modules would take half as much room again, none thrice as long to start.
"""

import compileall
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

SITE: Final = Path(sysconfig.get_paths()["purelib"])
# In these libraries no module outside of `tests` imports anything from there.
LIBRARIES: Final = ("numpy", "pandas", "pyarrow", "scipy", "sklearn")
HEADERS: Final = ("numpy/_core/include", "pyarrow/include", "pyarrow/src")
# What its own compiler would read, and how Arrow talks to other servers, which nobody here imports.
SOURCES: Final = ("*.c", "*.cpp", "*.h", "*.hpp", "*.pxd", "*.pxi", "*.pyx")
UNUSED: Final = ("*_flight*", "flight.py")
# Of the two hundred services that botocore describes: the store, and those that say who asks it.
SERVICES: Final = {"s3", "signin", "sso", "sso-oidc", "sts"}
# What is imported only when it is needed, when a store of that kind is read.
LAZILY: Final = {
    "boto3": "import boto3; boto3.client('s3', 'eu-west-1'); boto3.client('sts', 'eu-west-1')",
    "s3fs": "import s3fs",
    "mlflow": "import mlflow.store.artifact.mlflow_artifacts_repo, mlflow.store.artifact.s3_artifact_repo",
    "sqlalchemy": "import mlflow.store.tracking.rest_store, mlflow.store.tracking.sqlalchemy_store",
}
CONFIGURATION: Final = """\
state_dir: {0}/state
models: [{{name: m, predictions: {{files: {0}}}, labels: {{files: {0}}}, reference: {{uri: {0}/reference.jsonl}}}}]
"""


def remove() -> None:
    """Remove what is not run."""
    for library in LIBRARIES:
        for folder in list((SITE / library).rglob("tests")):
            shutil.rmtree(folder)
        for path in [path for pattern in SOURCES for path in (SITE / library).rglob(pattern)]:
            path.unlink()
    for name in HEADERS:
        shutil.rmtree(SITE / name, ignore_errors=True)
    for path in [path for pattern in UNUSED for path in (SITE / "pyarrow").glob(pattern)]:
        path.unlink()
    for service in (SITE / "botocore" / "data").glob("*/"):
        if service.name not in SERVICES:
            shutil.rmtree(service)


def exercise(folder: Path) -> None:
    """Have the exporter refresh once, so that all that it imports for it is compiled."""
    rows = [{"request_id": f"r{i}", "features": {"a": i, "b": "xy"[i % 2]}, "prediction": i % 2} for i in range(100)]
    labels = [{"request_id": row["request_id"], "label": row["prediction"]} for row in rows]
    reference = [{**row["features"], "prediction": row["prediction"], "label": row["prediction"]} for row in rows]
    for name, table in (("predictions", rows), ("labels", labels), ("reference", reference)):
        text = "".join(json.dumps(row) + "\n" for row in table)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    configuration = folder / "driftgauge.yml"
    configuration.write_text(CONFIGURATION.format(folder), encoding="utf-8")
    command = [sys.executable, "-m", "driftgauge", "once", f"--config.file={configuration}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if 'model_accuracy{model="m"' not in done.stdout:
        sys.exit(f"the exporter in this image does not work:\n{done.stdout[-2000:]}{done.stderr}")


def main() -> None:
    """Remove, compile, and see that it works."""
    remove()
    compileall.compile_dir(SITE / "driftgauge", quiet=1)
    for library, program in LAZILY.items():
        # Extras are not in every image.
        if (SITE / library).exists():
            subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
    with TemporaryDirectory() as folder:
        exercise(Path(folder))


if __name__ == "__main__":
    main()
