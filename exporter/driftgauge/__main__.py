"""`python -m driftgauge` is the `driftgauge` command."""

from driftgauge.cli import main

main()
