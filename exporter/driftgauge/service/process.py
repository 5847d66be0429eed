"""The refresher as a child process: a fresh interpreter, in a session and process group of its own.

The group is what its workers belong to as well, so that they can be ended together; and Ctrl-C in a terminal reaches
the front only. Its end of the channel is all it gets: the configuration comes through that, so no secret is in its
arguments.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from driftgauge.service.channel import Channel

# Without the current folder on the path of modules, where `python -m` puts it.
COMMAND: Final = (sys.executable, "-P", "-m", "driftgauge.service")

# Signals that are the front's business alone.
FRONTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# How long a worker that was killed may take to end, before nobody asks about it any more (s).
_REAP_SECONDS: Final = 5


class Process:
    """A refresher in a process of its own. command: gets the descriptor of the channel as its last argument."""

    def __init__(self, channel: Channel, *, command: Sequence[str] = COMMAND) -> None:
        number = channel.fileno()
        # A child begins with the mask of this thread: what is sent to every process of the service cannot end it before
        # it has said that it ignores that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FRONTS)
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, str(number)], stdin=subprocess.DEVNULL, pass_fds=[number], start_new_session=True
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def pid(self) -> int:
        """The process id, which is that of the group as well."""
        return self._popen.pid

    def wait(self, timeout: float) -> int | None:
        """Return the exit status, minus the signal that killed it, or None when it runs for `timeout` s more."""
        with suppress(subprocess.TimeoutExpired):
            return self._popen.wait(timeout)
        return None

    def kill(self) -> None:
        """End it and its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        _reap(self.pid)


def _reap(group: int) -> None:
    """Take the exit status of workers that became children of this process, which as the first of a container it is.

    They were killed a moment ago, and some take a few more to end.
    """
    deadline = time.monotonic() + _REAP_SECONDS
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-group, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
