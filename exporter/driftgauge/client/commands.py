"""Commands to the background threads, which may also come from a signal handler: sending one waits for no lock.

`queue.SimpleQueue.put` may be interrupted and called again by the same thread; each command has an Event of its own.
"""

import queue
import threading
import time


class Command:
    """A request to work now; with `stop`, to end after that."""

    def __init__(self, *, stop: bool = False) -> None:
        self.stop = stop
        self._done = False
        self._answered = threading.Event()

    def answer(self, *, done: bool) -> None:
        """Set the result and wake whoever waits for it."""
        self._done = done
        self._answered.set()

    def wait(self, deadline: float) -> bool:
        """Return the result, false when there is none before `deadline` (monotonic s)."""
        return self._answered.wait(max(0.0, deadline - time.monotonic())) and self._done


class CommandQueue:
    """The queue on which a thread waits for commands. `awake`: a wake-up is pending."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self.awake = False

    def wake(self) -> None:
        """Make the thread check for work now, unless a wake-up is pending."""
        if not self.awake:
            self.awake = True
            self._commands.put(None)

    def put(self, command: Command) -> Command:
        """Send a command."""
        self._commands.put(command)
        return command

    def next(self, timeout: float) -> Command | None:
        """Return the next command; None after `timeout` (s) or when woken."""
        try:
            return self._commands.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        finally:
            self.awake = False
