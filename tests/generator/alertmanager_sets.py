"""Sets for Alertmanager that several tests read: rendered into a folder, and what amtool says of them."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from driftgauge.generator.alertmanager import alertmanager
from driftgauge.generator.thresholds import Thresholds

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
    """Run amtool without a configuration of its own."""
    return subprocess.run(["amtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def filled_in(config: Path, text: str, data: dict[str, Any], *, kind: str = "text") -> str:
    """Return a template text as Alertmanager fills it in for a group of alerts."""
    file = config.parent / "group.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    glob = config.parent / "templates" / "*.tmpl"
    done = amtool(
        *("template", "render", f"--template.glob={glob}", f"--template.text={text}"),
        *(f"--template.type={kind}", f"--template.data={file}"),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
