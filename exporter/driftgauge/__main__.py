"""The `driftgauge` command, also as `python -m driftgauge`."""

import signal
import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line."""
    if find_spec("driftgauge.errors") is None:
        sys.exit("driftgauge: its other half was removed: pip install driftgauge-client")
    if sys.argv[1:2] == ["serve"]:
        # A reload asked for while the command line is imported; the file is read after that anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from driftgauge.cli import main as command_line  # noqa: PLC0415 - the signal comes first

    command_line()


if __name__ == "__main__":
    main()
