"""The process that decodes fuzzed inputs. It may die at any of them; what it was at stands in a shared file.

With atheris (`pip install atheris`) libFuzzer chooses inputs that reach new lines of `driftgauge.batch`; without it
they are mutations of valid files alone, from a seed and therefore the same every time.
"""

import argparse
import mmap
import resource
import signal
import struct
import time
from pathlib import Path
from random import Random
from typing import Final

# Executions so far, and the length of the input that follows.
STATE: Final = struct.Struct("<QQ")
STATE_BYTES: Final = 2**20
HANG_SECONDS: Final = 20
_MEMORY: Final = 3 * 2**29


def main() -> None:
    """Decode inputs for a time or a number of them; end with an exception or a signal at the first finding."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--executions", type=int, default=2**63)
    parser.add_argument("--guided", action="store_true")
    chosen = parser.parse_args()
    with chosen.state.open("r+b") as file, mmap.mmap(file.fileno(), STATE_BYTES) as state:
        if chosen.guided:
            _guided(state, chosen.seed, chosen.seconds)
        else:
            _unguided(state, chosen.seed, chosen.seconds, chosen.executions)


def _unguided(state: mmap.mmap, seed: int, seconds: float, executions: int) -> None:
    from .mutations import mutated, seeds  # noqa: PLC0415 - atheris must be able to instrument these imports
    from .target import check  # noqa: PLC0415

    random, corpus, end = Random(seed), seeds(), time.monotonic() + seconds  # noqa: S311 - nothing secret
    _limit_memory()
    for _ in range(executions):
        if time.monotonic() >= end:
            break
        data = mutated(random.choice(corpus), random.choice(corpus), random)
        _note(state, data)
        signal.alarm(HANG_SECONDS)  # not caught: native code that hangs is ended by it as well
        check(data)
        signal.alarm(0)


def _guided(state: mmap.mmap, seed: int, seconds: float) -> None:
    import atheris  # noqa: PLC0415 - optional

    with atheris.instrument_imports(include=["driftgauge.batch"]):
        from .mutations import mutated, seeds  # noqa: PLC0415
        from .target import check  # noqa: PLC0415

    corpus = seeds()

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        random = Random(number)  # noqa: S311 - nothing secret
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        # Starting again from time to time keeps valid files among the ancestors.
        start = random.choice(corpus) if random.random() < 0.3 else data
        return mutated(start, random.choice(corpus), random)[:max_size]

    def one(data: bytes) -> None:
        _note(state, data)
        check(data)

    options = [
        *(f"-seed={seed % 2**31}", f"-max_total_time={round(seconds)}", f"-timeout={HANG_SECONDS}"),
        *("-max_len=65536", "-len_control=0", "-rss_limit_mb=1536", "-artifact_prefix=/dev/null", "-verbosity=0"),
    ]
    atheris.Setup(["fuzz_batch", *options], one, custom_mutator=mutate)
    _limit_memory()
    atheris.Fuzz()


def _note(state: mmap.mmap, data: bytes) -> None:
    executions, _ = STATE.unpack_from(state)
    STATE.pack_into(state, 0, executions + 1, len(data))
    state[STATE.size : STATE.size + len(data)] = data


def _limit_memory() -> None:
    """Allow `_MEMORY` of address space beyond what importing everything took."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
