"""Prometheus, Alertmanager and their tools as tests find them: Debian's, and those that `make servers-new` built."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final, Literal

Program = Literal["prometheus", "promtool", "alertmanager", "amtool"]

_BUILT: Final = Path(__file__).parents[1] / ".servers" / "bin"
_DEBIANS: Final = {"alertmanager": "prometheus-alertmanager"}


@cache
def found(program: Program) -> dict[str, Path]:
    """Return where each version of a program is, Debian's first. Where there is none, the name is the version."""
    places = (shutil.which(_DEBIANS.get(program, program)), shutil.which(program, path=_BUILT))
    return {version(Path(place)): Path(place) for place in places if place} or {program: Path(program)}


def newest(program: Program) -> Path:
    """Return where the newest version is."""
    return [*found(program).values()][-1]


def version(place: Path) -> str:
    """Return what a program says is its version."""
    said = subprocess.run([place, "--version"], capture_output=True, text=True, check=True)
    numbers = re.search(r"version v?(\d+(?:\.\d+)+)", said.stdout + said.stderr)
    assert numbers, said.stdout + said.stderr
    return numbers[1]
