"""Calls that do not come back in time."""

import time
from collections.abc import Iterator
from itertools import islice
from threading import Event, Thread, current_thread

import pytest

from driftgauge.source.deadline import BoundedClient, Deadline, excuse


@pytest.fixture
def over() -> Iterator[Event]:
    """Return an event that ends every call that waits for it, at the latest with the test."""
    event = Event()
    yield event
    event.set()


def test_results_and_failures_come_through() -> None:
    """A call that is back in time returns and raises what it does without a deadline."""
    bounded = Deadline(5)
    assert bounded.within(lambda: 7) == 7
    with pytest.raises(KeyError, match="x"):
        bounded.within(lambda: {}["x"])


def test_answers_are_told(over: Event) -> None:
    """Whoever wants to know learns of each call that came back in time, however it ended, and of no other."""
    told: list[str] = []
    bounded = Deadline(0.1, on_answer=lambda: told.append("answer"))
    assert bounded.within(told.copy) == []
    with pytest.raises(KeyError):
        bounded.within(lambda: {}["x"])
    assert len(told) == 2
    with pytest.raises(TimeoutError):
        bounded.within(over.wait)
    assert len(told) == 2


@pytest.mark.parametrize(("times", "expected"), [(1, 0.1), (4, 0.4)])
def test_out_of_time(over: Event, times: int, expected: float) -> None:
    """Whoever waits is free again when the time is over, and not before."""
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=f"timed out after {expected:g} s"):
        Deadline(0.1).within(over.wait, times=times)
    assert expected <= time.monotonic() - started < expected + 2


def test_each_chunk_has_its_time(over: Event) -> None:
    """Chunks that come in time may take longer together; the first that does not come ends them."""

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(0.15)
            yield b"x"
        over.wait()
        yield b"never"

    bounded = Deadline(0.5).each(chunks())
    assert list(islice(bounded, 4)) == [b"x"] * 4
    with pytest.raises(TimeoutError):
        next(bounded)


def test_hanging_calls_are_bounded(over: Event) -> None:
    """With too many calls hanging no further one is begun, until they have ended."""
    bounded = Deadline(0.05, max_hanging=2)
    for _ in range(2):
        with pytest.raises(TimeoutError, match="after"):
            bounded.within(over.wait)
    begun: list[int] = []
    with pytest.raises(TimeoutError, match="2 earlier calls still hang"):
        bounded.within(lambda: begun.append(1))
    over.set()
    patience = time.monotonic() + 10
    while not begun and time.monotonic() < patience:
        time.sleep(0.01)
        try:
            bounded.within(lambda: begun.append(1))
        except TimeoutError:
            continue
    assert begun == [1]


def test_threads_are_used_again_and_end() -> None:
    """One call after the other is made by the same thread, whether it raised or not; unused it ends after a while."""
    bounded = Deadline(5, idle_seconds=0.3)
    thread = bounded.within(current_thread)
    with pytest.raises(KeyError):
        bounded.within(lambda: {}["x"])
    assert bounded.within(current_thread) is thread
    thread.join(30)
    assert not thread.is_alive()
    assert bounded.within(current_thread) is not thread


def test_a_thread_that_hangs_is_left_alone(over: Event) -> None:
    """Others ask in its place, and it ends with the call that it was at."""
    bounded = Deadline(0.1)
    hanging: list[Thread] = []
    with pytest.raises(TimeoutError):
        bounded.within(lambda: (hanging.append(current_thread()), over.wait()))
    assert bounded.within(current_thread) is not hanging[0]
    over.set()
    hanging[0].join(30)
    assert not hanging[0].is_alive()


def test_client(over: Event) -> None:
    """Every method of a client is bounded, its arguments and result are untouched."""
    bounded = Deadline(0.1)
    assert BoundedClient("a-b", bounded).replace("-", "+") == "a+b"
    with pytest.raises(TimeoutError):
        BoundedClient(over, bounded).wait()


def test_waiting_for_a_turn_does_not_count(over: Event) -> None:
    """A call that waits before it is sent has its whole time after that, and the next call no more than that."""
    bounded = Deadline(0.2)

    def waits() -> str:
        excuse(0.5)
        over.wait(0.5)
        return "sent"

    assert bounded.within(waits) == "sent"
    with pytest.raises(TimeoutError):
        bounded.within(over.wait)
    # Nobody waits for it.
    excuse(5)
