"""Sets for Alertmanager that several tests read: rendered into a folder, and what amtool says of them."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from driftgauge.generator.alertmanager import alertmanager
from driftgauge.generator.thresholds import Thresholds
from installed import found

# Two teams with models of their own, one of them with a name that means something to regular expressions and to YAML.
TWO_TEAMS: Final = """
models:
  churn-predictor: {team: growth}
  'a.b+ "c"\\d | x': {team: growth}
  fraud: {team: risk}
  eta: {}
notifications:
  teams:
    growth:
      slack_channel: "#growth"
      email: [growth@example.com, boss@example.com]
      webhook: {url: "https://example.com/growth"}
    risk:
      slack_channel: "#risk"
      email: [risk@example.com]
      webhook: {url: "https://example.com/risk", bearer_token: false}
  severities:
    medium: {channels: [slack, webhook]}
"""


def written(thresholds: Thresholds, folder: Path) -> Path:
    """Write the set for Alertmanager into the folder; return the path of its configuration."""
    for path, text in alertmanager(thresholds).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder / "alerting-rules" / "alertmanager.yml"


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run every amtool there is, without a configuration of its own; return what the newest did, if all did well."""
    runs = [
        subprocess.run([place, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
        for place in found("amtool").values()
    ]
    return next((run for run in runs if run.returncode), runs[-1])


def filled_in(config: Path, text: str, data: dict[str, Any], *, kind: str = "text") -> str:
    """Return a template text as Alertmanager fills it in for a group of alerts, every version alike."""
    file = config.parent / "group.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    glob = config.parent / "templates" / "*.tmpl"
    arguments = ["template", "render", f"--template.glob={glob}", f"--template.text={text}"]
    arguments += [f"--template.type={kind}", f"--template.data={file}"]
    texts = set()
    for place in found("amtool").values():
        done = subprocess.run([place, *arguments], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        texts.add(done.stdout)
    assert len(texts) == 1, texts
    return texts.pop()
