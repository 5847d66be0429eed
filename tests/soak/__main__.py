"""The long run: `python -m tests.soak --kills 100 [--seed N]`, with the fixtures and checks of the short one."""

import argparse
import os
import sys
from pathlib import Path

import pytest


def main() -> int:
    """Run the crash test with that many kills and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"SOAK_KILLS": str(options.kills), "SOAK_SEED": str(options.seed)}
    return pytest.main(["-s", str(Path(__file__).parent / "test_crashes.py")])


if __name__ == "__main__":
    sys.exit(main())
