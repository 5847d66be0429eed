"""`driftgauge hook` next to the demo's servers: what its file says, and how it is started.

It listens from the beginning; Alertmanager tells it of alerts only once the story turns retraining on.
"""

import json
import sys
from pathlib import Path
from string import Template
from typing import Final

from driftgauge.demo.names import MODEL, RETRAINING, quoted, tracking_uri
from driftgauge.demo.programs import LocalServer

HOOK_PATH: Final = "/alerts"
HOOK_FILE: Final = "hook.yml"
_PORT: Final = 10211
_ACTIONS: Final = Template("""\
# Written by `driftgauge demo`, in whose directory it lies.
state_dir: hook-state
# Each start is a run there, to which the version that was not good enough leads.
mlflow: {tracking_uri: $tracking_uri, experiment: $experiment}
actions:
  - name: retrain
    matchers: ['model="$model"']
    # Other alerts about the model wait so long, and start nothing if they are over by then.
    cool_down: 1d
    command: [$python, -m, driftgauge.demo.retrain, ..]
""")


def hook_server(folder: Path) -> LocalServer:
    """Write the hook's file into `folder`, a folder of the demo's directory, and return how it is started."""
    text = _ACTIONS.substitute(
        tracking_uri=quoted(tracking_uri(folder.parent)),
        experiment=RETRAINING,
        model=MODEL,
        python=json.dumps(sys.executable),
    )
    (folder / HOOK_FILE).write_text(text, encoding="utf-8")

    def command(address: str) -> list[str]:
        hook = [sys.executable, "-m", "driftgauge", "hook", f"--hook.file={HOOK_FILE}"]
        return [*hook, f"--web.listen-address={address}"]

    return LocalServer("hook", command, _PORT, folder)
