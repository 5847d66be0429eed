"""The refresher's process: `python -m driftgauge.service N`, started by the front; N is its end of the channel.

Configuration and requests come through the channel. When the front is gone it kills itself at once, with its workers,
which are in its process group.
"""

import os
import signal
import sys
from functools import partial

from driftgauge.hiding import guard_output
from driftgauge.service.channel import Channel
from driftgauge.service.logs import Logs, configure_logging
from driftgauge.service.process import FRONTS


def main() -> int:
    """Refresh until the front says stop; return the exit status: 1 when the state cannot be used."""
    # When to reload and when to end is the front's decision, also where a signal is sent to every process.
    for number in FRONTS:
        signal.signal(number, signal.SIG_IGN)
    # One that came before has waited until now, see `Process`.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FRONTS)
    guard_output()
    # What is in the state is nobody else's business.
    os.umask(0o077)
    channel = Channel.inherited(int(sys.argv[1]))
    message = channel.receive()
    if message is None or message.document is None:
        return 1
    order = message.document.header
    configure_logging(Logs(**order["logs"]))
    from driftgauge.service.refresher import run  # noqa: PLC0415 - takes seconds, and the lines above come first

    return run(order, channel, front_gone=partial(os.killpg, 0, signal.SIGKILL))


if __name__ == "__main__":
    status = main()
    # All is closed; taking the interpreter and MLflow's libraries apart would only add seconds to the stop.
    sys.stdout.flush()
    os._exit(status)
