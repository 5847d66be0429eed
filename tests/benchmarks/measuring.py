"""How a figure is measured and judged: two clocks, alternating rounds, separate processes, targets.

A ratio is the median of the ratios of single rounds, in which product and reference follow each other, so that a busy
machine slows both. This module does not know what is measured.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from driftgauge.__main__ import ONE_THREAD

ROOT: Final = Path(__file__).parents[2]
BENCH: Final = ROOT / ".bench"
# What one measurement found by name; "seconds" on the wall and "cpu" seconds are in nearly all.
Figures = dict[str, float]
TIMES: Final = "\N{MULTIPLICATION SIGN}"
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that is measured `rounds` times, alternating with the others."""

    name: str
    run: Callable[[], Figures]
    rounds: int


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a ratio or figure: at least `least`, at most `most`, whichever is given."""

    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        """Whether the value is within the bound."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def words(self, unit: str) -> str:
        """Return the bound as text."""
        return f"≤ {self.most:g} {unit}" if self.most is not None else f"≥ {self.least:g} {unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: `ours`, the reference's figure, and the target of the ratio or of `ours`.

    ratio: of ours to the reference, or of the reference to ours where the target says how much faster. spread: its
    lowest and highest by round. cpu_ratio: the same of CPU time. holds: None where there is no target.
    """

    line: str
    work: str
    ours: str
    reference: str = ""
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    cpu_ratio: float | None = None
    target: str = ""
    holds: bool | None = None

    def printed(self) -> str:
        """Return the row as one printed line."""
        verdict = {True: "holds", False: "MISSED", None: ""}[self.holds]
        parts = [f"{self.line} {self.work}: {self.ours}"]
        if self.reference:
            parts.append(f"against {self.reference}")
        if self.ratio is not None:
            parts.append(f"ratio {ratio_words(self)}")
        return "; ".join([*parts, *([f"target {self.target}: {verdict}"] if self.target else [])])


@dataclass(slots=True)
class Notes:
    """What the lines found: rows of the table, versions of what was used, and figures by name for text and plots."""

    rows: list[Row] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Add a row and print it."""
        self.rows.append(row)
        say(row.printed())


def ratio_words(row: Row) -> str:
    """Return a row's ratio with its spread and the ratio of CPU time, where it has them."""
    if row.ratio is None:
        return ""
    spread = (
        f"{number(row.spread[0])} to {number(row.spread[1])}" if row.spread and row.spread[0] != row.spread[1] else ""
    )
    cpu = f"CPU {number(row.cpu_ratio)}" if row.cpu_ratio is not None else ""
    details = ", ".join(text for text in (spread, cpu) if text)
    return f"{number(row.ratio)} {TIMES}" + (f" ({details})" if details else "")


def interleaved(contestants: Sequence[Contestant]) -> dict[str, list[Figures]]:
    """Measure all alternately, each as often as it has rounds; return the figures of each by round."""
    found: dict[str, list[Figures]] = {contestant.name: [] for contestant in contestants}
    for turn in range(max(contestant.rounds for contestant in contestants)):
        for contestant in contestants:
            if turn < contestant.rounds:
                found[contestant.name].append(contestant.run())
                say(f"  {contestant.name}, round {turn + 1}: {duration(found[contestant.name][-1:])}")
    return found


def compared(
    line: str, work: str, *, ours: Sequence[Figures], reference: Sequence[Figures], name: str, target: Target | None
) -> Row:
    """Return the row of a comparison by time. With `target.least`, the ratio says how much faster ours is."""
    faster = target is not None and target.least is not None
    ratios = {clock: _ratios(ours, reference, clock, inverse=faster) for clock in ("seconds", "cpu")}
    ratio = statistics.median(ratios["seconds"])
    return Row(
        line=line,
        work=work,
        ours=duration(ours),
        reference=f"{name} {duration(reference)}",
        ratio=ratio,
        spread=(min(ratios["seconds"]), max(ratios["seconds"])),
        cpu_ratio=statistics.median(ratios["cpu"]) if ratios["cpu"] else None,
        target=target.words(TIMES + (" faster" if faster else "")) if target else "",
        holds=target.holds(ratio) if target else None,
    )


def _ratios(ours: Sequence[Figures], reference: Sequence[Figures], clock: str, *, inverse: bool) -> list[float]:
    """Return the ratios by round; a contestant with fewer rounds counts with its last one in the others."""
    rounds = max(len(ours), len(reference))
    pairs = [(ours[min(n, len(ours) - 1)], reference[min(n, len(reference) - 1)]) for n in range(rounds)]
    kept = [(own[clock], other[clock]) for own, other in pairs if own.get(clock) and other.get(clock)]
    return [other / own if inverse else own / other for own, other in kept]


def median(found: Sequence[Figures], name: str) -> float:
    """Return the median of one figure over the rounds."""
    return statistics.median(figures[name] for figures in found)


def duration(found: Sequence[Figures]) -> str:
    """Return the median time on the wall, and of CPU where that was measured."""
    cpu = f" ({seconds(median(found, 'cpu'))} CPU)" if "cpu" in found[0] else ""
    return seconds(median(found, "seconds")) + cpu


def seconds(value: float) -> str:
    """Return a time with three significant digits at most."""
    return f"{number(value * 1000)} ms" if value < 1 else f"{number(value)} s"


def number(value: float) -> str:
    """Return a number with three significant digits, and all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def clocks() -> tuple[float, float]:
    """Return the time on the wall, and the CPU time of this process and all below it."""
    return time.perf_counter(), tree_cpu()


def since(began: tuple[float, float]) -> Figures:
    """Return what has passed on both clocks."""
    wall, cpu = clocks()
    return {"seconds": wall - began[0], "cpu": cpu - began[1]}


def timed(work: Callable[[], object]) -> Figures:
    """Return how long the work takes."""
    began = clocks()
    work()
    return since(began)


def tree_cpu() -> float:
    """Return the CPU seconds of this process, its ended children, and the running ones, workers for instance."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(process_cpu, descendants(os.getpid())))


def descendants(pid: int) -> list[int]:
    """Return the running processes below one, itself not included."""
    below: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in listing.read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            below += [child, *descendants(child)]
    return below


def process_cpu(pid: int) -> float:
    """Return the CPU seconds of a running process and of its children that have ended; 0 when it has ended itself.

    Workers are children of the server that they are forked from.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def peak() -> float:
    """Return the most memory this process ever had resident (10^6 bytes)."""
    # Not getrusage, whose maximum is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def child(module: str, step: str, *arguments: object) -> Figures:
    """Run a step of a module of this package in a process of its own, as the command would, and return its figures."""
    command = [sys.executable, "-m", "tests.benchmarks", "--step", module, step, *map(str, arguments)]
    figures: Figures = answered(command, env=ONE_THREAD)
    return figures


def answered(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Any:
    """Run a command and return the JSON of the last line it prints; exit when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, env=None if env is None else os.environ | env
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def expect(found: object, wanted: object, what: str) -> None:
    """End the measurement when its result is wrong."""
    if found != wanted:
        raise SystemExit(f"{what}: {found} instead of {wanted}")


def say(line: str) -> None:
    """Print at once, since a line takes minutes."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
