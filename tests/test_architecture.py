"""Rules about the code that import-linter cannot say; the others are its contracts (`make contracts`)."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import driftgauge

PACKAGE: Final = Path(driftgauge.__file__).parent
MODULES: Final = sorted(path for path in PACKAGE.rglob("*.py"))
HEAVY: Final = ("mlflow", "pandas", "duckdb", "sklearn", "scipy", "pyarrow", "numpy", "uvicorn")
# What the front and the refresher import, MLflow aside: that comes with the first `Source`.
SERVING: Final = ("driftgauge.cli", "driftgauge.service.front", "driftgauge.service.refresher", "driftgauge.web.server")
FRONT: Final = ("driftgauge.cli", "driftgauge.service.front", "driftgauge.service.process", "driftgauge.web.app")
# Before `/-/healthy` is answered.
STARTING: Final = ("driftgauge.cli", "driftgauge.service.starting", "driftgauge.web.app", "driftgauge.web.server")
MOST_LINES: Final = 350
MOST_FUNCTION_LINES: Final = 45


def after_importing(names: Sequence[str], expression: str) -> str:
    """Import modules in a fresh interpreter and return what the expression then is."""
    script = f"import os, sys, threading, {', '.join(names)}\nprint({expression})"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return shown.stdout.strip()


@pytest.mark.parametrize(
    "name", ["driftgauge", "driftgauge.schema", "driftgauge.families", "driftgauge.cli", "driftgauge.source"]
)
def test_importing_brings_nothing_heavy(name: str) -> None:
    """The package, its vocabulary and the command line are imported at once: what computes is imported when used."""
    assert after_importing([name], f"sorted(set({HEAVY!r}) & set(sys.modules))") == "[]"


def test_the_front_computes_nothing() -> None:
    """The process that answers scrapes imports none of the libraries that compute."""
    assert after_importing(FRONT, f"sorted((set({HEAVY!r}) - {{'uvicorn'}}) & set(sys.modules))") == "[]"


def test_the_server_answers_before_anything_else_is_imported() -> None:
    """Configuration, templates and log lines are imported once `/-/healthy` is answered."""
    late = {"pydantic", "yaml", "jinja2", "prometheus_client", "structlog", *HEAVY} - {"uvicorn"}

    assert after_importing(STARTING, f"sorted({late!r} & set(sys.modules))") == "[]"


def test_importing_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing all that serves starts no thread, brings no MLflow, sets no environment variable and writes no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")

    found = after_importing(
        SERVING,
        "[thread.name for thread in threading.enumerate()], 'mlflow' in sys.modules, "
        "'MLFLOW_DISABLE_TELEMETRY' in os.environ",
    )
    assert found == "['MainThread'] False False"
    assert list(tmp_path.iterdir()) == []


def test_modules_are_short() -> None:
    """No module is longer than a reader can hold, and no function longer than a screen."""
    long = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        long += [
            f"{path.name}: {function.name}"
            for function in functions
            if (function.end_lineno or 0) - function.lineno >= MOST_FUNCTION_LINES
        ]
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES:
            long.append(path.name)

    assert long == []


def test_every_module_says_what_it_owns() -> None:
    """Each module and package opens with a docstring."""
    assert [p.name for p in MODULES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))] == []
