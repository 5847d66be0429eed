"""The `driftgauge` command, also as `python -m driftgauge`."""

import signal
import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["serve"]:
        # A reload asked for while the command line is imported; the file is read after that anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from driftgauge.cli import main as command_line  # noqa: PLC0415 - the signal comes first

    command_line()


if __name__ == "__main__":
    main()
