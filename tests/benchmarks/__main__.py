"""All measurements, or some: `python -m tests.benchmarks [--only B1 B5 …] [--no-docs]`.

Prints each row as it is found. Results go to `.bench/results.json`, line by line: those measured at another time
stay. From there the tables and plots of exporter/docs/performance.md are written.
"""

import argparse
import time
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
    "growth": "growth",
    "profile": "profile",
}


def main() -> None:
    """Measure the chosen lines and write down what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=LINES, default=[], help="these lines; default all")
    parser.add_argument("--no-docs", action="store_true", help="leave performance.md and its plots as they are")
    options = parser.parse_args()
    for name in options.only or LINES:
        began, notes = time.perf_counter(), Notes()
        say(f"{name}:")
        import_module(f".{LINES[name]}", __package__).run(notes)
        say(f"{name} took {seconds(time.perf_counter() - began)}")
        report.keep(name, notes)
    if not options.no_docs:
        report.write()


if __name__ == "__main__":
    main()
