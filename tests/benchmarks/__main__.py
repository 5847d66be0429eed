"""All measurements, or some: `python -m tests.benchmarks [--only B1 B5 …] [--no-docs]`.

One step of a line, in a process of its own: `python -m tests.benchmarks --step MODULE STEP ARGUMENT …`. Lines are not
scripts: workers that the product starts would import such a script again, but they skip a `__main__` module.

Prints each row when it is measured. Results go to `.bench/results.json`, line by line; those of lines that do not run
stay. The tables and plots of exporter/docs/performance.md are written from that file.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from . import report
from .measuring import Notes, say, seconds

LINES: Final = {
    "B1": "folding",
    "B2": "window",
    "B3": "decoding",
    "B4": "pulling",
    "B5": "scraping",
    "B6": "memory",
    "B7": "late_labels",
    "B8": "starting",
    "B9": "fleet",
    "B10": "client",
    "B11": "estimates",
    "B12": "signal_costs",
    "growth": "growth",
    "profile": "profile",
}


def main() -> None:
    """Measure the chosen lines and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=LINES, default=[], help="these lines; default all")
    parser.add_argument("--no-docs", action="store_true", help="leave performance.md and its plots as they are")
    parser.add_argument("--step", nargs="+", metavar="WORD", help="one step, as a line asks for it")
    options = parser.parse_args()
    if options.step:
        module, name, *arguments = options.step
        step = import_module(f".{module}", __package__).STEPS[name]
        sys.stdout.write(json.dumps(step(*arguments)) + "\n")
    else:
        measure(options.only or list(LINES), docs=not options.no_docs)


def measure(names: Sequence[str], *, docs: bool) -> None:
    """Run lines one after another; save the results of each before the next begins."""
    for name in names:
        began, notes = time.perf_counter(), Notes()
        say(f"{name}:")
        import_module(f".{LINES[name]}", __package__).run(notes)
        say(f"{name} took {seconds(time.perf_counter() - began)}; {report.versions(notes.versions)}")
        report.keep(name, notes)
    if docs:
        report.write()


if __name__ == "__main__":
    main()
