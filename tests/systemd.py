"""The unit under a systemd of its own: `unshare --mount python -m systemd`, which `make systemd-test` runs as root.

The system that systemd-nspawn starts is this machine's, with a layer in memory over it, so nothing of it stays. There
the unit is installed as its page says, unchanged, and a script does what administrators do: start, reload, kill, break.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from deploy.natively import lay_over

ROOT: Final = Path(__file__).parent.parent
ROWS: Final = 500
PYTHON: Final = "/opt/python"
PROGRAM: Final = f"""\
#!/bin/sh
export PYTHONPATH={":".join(path for path in sys.path if "site-packages" in path)}:{ROOT / "exporter"}
export PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH={PYTHON}/lib
exec {PYTHON}/bin/python3 -m driftgauge "$@"
"""
CONFIGURATION: Final = """\
state_dir: /var/lib/driftgauge
refresh_interval: 2s
models: [{name: churn, predictions: {files: /srv/predictions}}]
"""
SCRIPT: Final = f"""\
exec > /srv/said 2>&1
page() {{ {PYTHON}/bin/python3 -c "
from urllib.request import urlopen
print(urlopen('http://127.0.0.1:10210/metrics').read().decode())"; }}
counted() {{ for i in $(seq 60); do page 2>/dev/null | grep '^model_predictions_total' && break; sleep 1; done; }}
show() {{ systemctl show driftgauge --value --property "$1"; }}
systemctl start driftgauge && echo "started $(show ActiveState)"
counted
user=$(ps -o uid= -p "$(show MainPID)")
[ "$user" -ge 61184 ] && echo "user dynamic, state $(stat --format=%a /var/lib/private/driftgauge)"
systemctl reload driftgauge && echo "reloaded $(show ActiveState)"
kill -9 "$(show MainPID)"
for i in $(seq 60); do [ "$(show NRestarts)" = 1 ] && [ "$(show ActiveState)" = active ] && break; sleep 1; done
echo "killed $(show ActiveState), restarts $(show NRestarts)"
counted
systemctl stop driftgauge && echo "stopped $(show Result)"
echo 'models: [' > /etc/driftgauge/driftgauge.yml
systemctl start driftgauge 2> /dev/null || sleep 8
echo "broken $(show ActiveState), status $(show ExecMainStatus), restarts $(show NRestarts)"
journalctl --unit driftgauge --no-pager > /srv/journal
systemctl poweroff --force
"""
COUNTED: Final = f'model_predictions_total{{model="churn",version="unknown"}} {ROWS}.0'
EXPECTED: Final = [
    "started active",
    COUNTED,
    "user dynamic, state 750",
    "reloaded active",
    "killed active, restarts 1",
    COUNTED,
    "stopped success",
    "broken failed, status 2, restarts 0",
]


def install(root: Path) -> None:
    """Put into the system what the unit's page has people put there, the script, and predictions."""
    unit = (ROOT / "deploy" / "systemd" / "driftgauge.service").read_text(encoding="utf-8")
    row = json.dumps({"features": {"age": 35}, "prediction": 1})
    texts = {
        "etc/systemd/system/driftgauge.service": unit,
        "etc/systemd/system/check.service": "[Service]\nType=oneshot\nExecStart=/bin/bash /srv/check\n",
        "etc/default/driftgauge": (ROOT / "deploy" / "systemd" / "driftgauge.env").read_text(encoding="utf-8"),
        "etc/driftgauge/driftgauge.yml": CONFIGURATION,
        "opt/driftgauge/bin/driftgauge": PROGRAM,
        "srv/check": SCRIPT,
        "srv/predictions/predictions.jsonl": f"{row}\n" * ROWS,
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "opt/driftgauge/bin/driftgauge").chmod(0o755)
    wanted = root / "etc/systemd/system/basic.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "check.service").symlink_to("/etc/systemd/system/check.service")


def main() -> None:
    """Boot, wait until it is off again, and compare."""
    with tempfile.TemporaryDirectory(prefix="driftgauge-systemd-") as name:
        root = lay_over(Path(name))
        for place in ("dev", "proc"):
            subprocess.run(["umount", "--recursive", root / place], check=True)
        install(root)
        options = ["--private-network", "--register=no", "--keep-unit", "--machine=driftgauge-test", "--quiet"]
        options += [
            f"--bind-ro={sys.base_prefix}:{PYTHON}",
            f"--directory={root}",
            "--boot",
            "systemd.unit=basic.target",
        ]
        subprocess.run(["systemd-nspawn", *options], stdout=subprocess.DEVNULL, timeout=300, check=False)
        said = (root / "srv" / "said").read_text(encoding="utf-8").splitlines()
        print("\n".join(said))  # noqa: T201
        if said != EXPECTED:
            shutil.copyfileobj((root / "srv" / "journal").open(), sys.stderr)
            sys.exit(f"systemd: expected {EXPECTED}")
        subprocess.run(["umount", "--lazy", Path(name) / "memory"], check=True)


if __name__ == "__main__":
    main()
