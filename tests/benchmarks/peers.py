"""Other people's libraries, each in a virtual environment of its own under `.bench`; never our dependencies."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .measuring import BENCH, ROOT, Figures, Notes, answered, say

_SCRIPTS: Final = ROOT / "tests" / "benchmarks" / "peer_scripts"
# None of the peers may report home, or count the time of trying to.
_QUIET: Final = {"DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True", "NML_DISABLE_USAGE_LOGGING": "1"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A script of `peer_scripts` and what it needs; without requirements it runs in our own environment."""

    name: str
    script: str
    requirements: tuple[str, ...] = ()

    def run(self, notes: Notes, *arguments: object) -> Figures:
        """Run the script, on files for instance, and return its figures; its versions go to the notes."""
        found: dict[str, Any] = answered(
            [str(self._python()), str(_SCRIPTS / self.script), *map(str, arguments)], env=_QUIET
        )
        notes.versions |= found.pop("versions")
        return found

    def _python(self) -> Path:
        """Return the interpreter of the peer's environment, made first if it is not there."""
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
WHYLOGS: Final = Peer("whylogs", "whylogs_drift.py", ("whylogs[viz]==1.6.4", "pandas<3", "pyarrow"))
# NannyML imports statsmodels without requiring it.
NANNYML: Final = Peer("NannyML", "nannyml_drift.py", ("nannyml==0.13.1", "pandas<3", "statsmodels"))
POLARS: Final = Peer("polars", "polars_parse.py", ("polars==1.42.1",))
PYARROW: Final = Peer("pyarrow", "pyarrow_parse.py")
MLFLOW: Final = Peer("MLflow", "mlflow_loop.py")
