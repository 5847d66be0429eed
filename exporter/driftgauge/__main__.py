"""The `driftgauge` command, also as `python -m driftgauge`.

Signals are taken care of before anything is imported that takes time: a service manager may send one at any moment, and
the first process of a container gets none that it has not asked for. So this module has only what Python has anyway:
`_signal` is what `signal` makes enumerations of, which takes as long as all that is before it.
"""

import _signal as signal  # type: ignore[import-not-found]
import _thread
import os
import sys
import time

# What a shell says of a process that a signal ended: 128 and its number.
_ENDED = 128
# What the distribution driftgauge-client brings.
_OF_THE_CLIENT = ("driftgauge.errors", "driftgauge.redaction", "driftgauge.schema")
# For a command to close and remove what it has; then it is ended as it is.
_LEAVING_SECONDS = 5.0
# What numpy's and scikit-learn's libraries read when they are loaded, which is later.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Run the command line."""
    use_one_thread()
    if sys.argv[1:2] == ["serve"]:
        # A reload that is asked for now: the file is read after that anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Nothing is there yet that would have to be closed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
    else:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Whoever started it may want it to live on without a terminal.
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _unwind)
    try:
        from driftgauge.cli import main as command_line  # noqa: PLC0415 - the signals come first
        from driftgauge.hiding import guard_output  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name not in _OF_THE_CLIENT:
            raise
        sys.exit("driftgauge: its other half was removed: pip install driftgauge-client")
    guard_output()
    command_line()


def use_one_thread() -> None:
    """Have linear algebra done by the thread that asks for it, unless the environment says otherwise.

    Models are refreshed next to each other, and files are decoded in processes. Threads of these libraries on top, as
    many as the machine has processors whatever a container may use, wait for each other most of the time: with two, a
    refresh took half as long again.
    """
    for name, number in ONE_THREAD.items():
        os.environ.setdefault(name, number)


def _leave(_number: int, _frame: object) -> None:
    os._exit(0)


def _unwind(number: int, _frame: object) -> None:
    """End a command in order, so that neither folders nor processes are left of it; at once when that takes long."""
    signal.signal(number, signal.SIG_IGN)
    _thread.start_new_thread(_end, (number,))
    raise SystemExit(_ENDED + number)


def _end(number: int) -> None:
    time.sleep(_LEAVING_SECONDS)
    if "multiprocessing" in sys.modules:
        import multiprocessing  # noqa: PLC0415 - as it says

        for child in multiprocessing.active_children():
            child.kill()
    os._exit(_ENDED + number)


if __name__ == "__main__":
    main()
