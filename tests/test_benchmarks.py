"""Benchmarks that call internals of the package, on few rows: nobody runs the large ones daily."""

from pathlib import Path

import pytest

from benchmarks import late_labels

ROWS = 10_000


@pytest.mark.parametrize("step", ["burst", "bare_join", "small_step", "expiry"])
def test_steps_of_late_labels(tmp_path: Path, step: str) -> None:
    """Each step itself compares how many rows it joined or kept with how many it must."""
    late_labels.build(tmp_path, "uuid hex", ROWS)
    assert late_labels.STEPS[step](str(tmp_path), "uuid hex", str(ROWS))["seconds"] > 0
