"""Other libraries, each in its own virtual environment under `.bench`; they are not dependencies of driftgauge."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .measuring import BENCH, ROOT, Figures, Notes, answered, say

_SCRIPTS: Final = ROOT / "tests" / "benchmarks" / "peer_scripts"
# Peers must not send telemetry, which would be counted in their time.
_NO_TELEMETRY: Final = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A script of `peer_scripts` and what it needs; without requirements it runs in our own environment."""

    name: str
    script: str
    requirements: tuple[str, ...] = ()

    def run(self, notes: Notes, *arguments: object) -> Figures:
        """Run the script and return its figures; the versions it used go to the notes."""
        found: dict[str, Any] = answered(
            [str(self._python()), str(_SCRIPTS / self.script), *map(str, arguments)], env=_NO_TELEMETRY
        )
        notes.versions |= found.pop("versions")
        return found

    def _python(self) -> Path:
        """Return the interpreter of the peer's environment, which is created if needed."""
        if not self.requirements:
            return Path(sys.executable)
        home = BENCH / self.name.lower()
        stamp = home / "requirements.txt"
        wanted = "\n".join(self.requirements) + "\n"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            say(f"installing {', '.join(self.requirements)} into {home}")
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *self.requirements], check=True)
            stamp.write_text(wanted, encoding="utf-8")
        return home / "bin" / "python"


EVIDENTLY: Final = Peer("Evidently", "evidently_drift.py", ("evidently==0.7.23", "pandas<3", "pyarrow"))
POLARS: Final = Peer("polars", "polars_parse.py", ("polars==1.42.1",))
PYARROW: Final = Peer("pyarrow", "pyarrow_parse.py")
MLFLOW: Final = Peer("MLflow", "mlflow_loop.py")
NANNYML: Final = Peer("NannyML", "nannyml_estimates.py", ("nannyml==0.13.1", "statsmodels", "pandas<3", "pyarrow"))
