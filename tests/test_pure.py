"""`make check`: the pure tests are found without MLflow, so that the loop of daily work does not break unseen."""

import subprocess
import sys
from pathlib import Path


def test_pure_tests_need_no_mlflow() -> None:
    """Every file that is not left out can be imported where MLflow cannot."""
    command = [sys.executable, "-m", "pytest", "--pure", "--collect-only", "--quiet", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]
