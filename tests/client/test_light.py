"""The client alone: with what driftgauge-client declares and nothing else of driftgauge's dependencies."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
HEAVY: Final = (
    "bcrypt", "click", "duckdb", "jinja2", "mlflow", "pandas", "prometheus_client", "pydantic", "scipy", "sklearn",
    "starlette", "structlog", "uvicorn", "yaml",
)  # fmt: skip
PROGRAM: Final = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import driftgauge.client
assert "pyarrow" not in sys.modules
from driftgauge.client import PredictionLogger

class Frame(dict):
    columns = property(dict.keys)

with PredictionLogger("/e", "1", spool_dir=sys.argv[1], flush_timeout=30) as log:
    assert log.log({{"age": 3}}, 0.5)
    assert log.log_batch(Frame(age=[1, 2]), [0, 1])
    assert log.log_labels(["a"], [1])
    assert log.flush()
    print(log.flush(upload=True), log.health().spooled)
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""


def test_the_client_needs_nothing_heavy(tmp_path: Path) -> None:
    """It logs rows, frames and labels, and says what the upload lacks, without the libraries of the exporter."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == ["False 4", "[]"]
    assert "ModuleNotFoundError" in shown.stderr


def test_it_declares_what_it_needs() -> None:
    """Arrow to write and MLflow's light edition to send, within the exporter's bounds, so that both fit together."""
    client, exporter = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in ("exporter/client", ".")
    )

    assert client["dependencies"] == ["mlflow-skinny>=3.10,<4", "pyarrow>=18,<26"]
    needed = [*client["dependencies"], *client["optional-dependencies"]["reference"]]
    assert [name for name in needed if name not in exporter["dependencies"]] == []
