"""The families about this process, as prometheus_client's ProcessCollector has them, in a handful of system calls.

Python gives the interpreter away at each system call, and during a refresh other threads keep it for a while. That
collector makes about a hundred of them, some for each open file: most of what a scrape took during a refresh.

Linux only; elsewhere there are none of these families.
"""

import os
import resource
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_STAT: Final = "/proc/self/stat"
_OPEN_FILES: Final = Path("/proc/self/fd")
# More than all its fields take.
_STAT_BYTES: Final = 4096
# Fields of the file after the name in brackets, counted from 0. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_USER, _SYSTEM, _START, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


class ProcessFamilies(Collector):
    """CPU, memory, open files and start of the process that made it, read anew for each scrape."""

    def __init__(self) -> None:
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._page = resource.getpagesize()
        self._stat: int | None = None
        self._booted = 0.0
        with suppress(OSError):
            lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
            self._booted = next(float(line.split()[1]) for line in lines if line.startswith("btime "))
            # Kept open, as to open it is four calls more.
            self._stat = os.open(_STAT, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._stat)

    def collect(self) -> Iterable[Metric]:
        """Return the families as they stand now."""
        if self._stat is None:
            return
        fields = os.pread(self._stat, _STAT_BYTES, 0).rpartition(b")")[2].split()
        ticks = float(fields[_USER]) + float(fields[_SYSTEM])
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield GaugeMetricFamily(
            "process_virtual_memory_bytes", "Virtual memory size in bytes.", value=float(fields[_VIRTUAL])
        )
        yield GaugeMetricFamily(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            value=float(fields[_RESIDENT]) * self._page,
        )
        yield GaugeMetricFamily(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            value=self._booted + float(fields[_START]) * self._tick,
        )
        yield CounterMetricFamily(
            "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", value=ticks * self._tick
        )
        yield GaugeMetricFamily(
            "process_open_fds", "Number of open file descriptors.", value=float(_count_open_files())
        )
        yield GaugeMetricFamily("process_max_fds", "Maximum number of open file descriptors.", value=float(most))


def _count_open_files() -> int:
    # Before Linux 6.2 the folder does not say; listed, it has one more entry, by which it is read.
    return _OPEN_FILES.stat().st_size or len(list(_OPEN_FILES.iterdir())) - 1
