"""Turns: few work at once, who hangs holds nobody up, and who works on and on makes room."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from driftgauge.pipeline.turns import Turn, Turns


@contextmanager
def taken(turns: Turns) -> Iterator[Turn]:
    """Lend a turn."""
    turn = turns.take()
    try:
        yield turn
    finally:
        turn.end()


def test_few_at_once() -> None:
    """Never more work than may, and all get their turn, in the order in which they came."""
    turns, lock = Turns(2), threading.Lock()
    order: list[int] = []
    most = working = 0

    def work(number: int) -> None:
        nonlocal most, working
        with taken(turns):
            with lock:
                order.append(number)
                working += 1
                most = max(most, working)
            time.sleep(0.01)
            with lock:
                working -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(20)))
    assert most == 2
    assert sorted(order) == list(range(20))


def test_who_hangs_holds_nobody_up() -> None:
    """More that hang than may work at once: the next one begins all the same."""
    turns, over = Turns(2, patience=0.1), threading.Event()

    def hang(_: int) -> None:
        with taken(turns):
            over.wait(60)

    with ThreadPoolExecutor(4) as threads:
        hanging = [threads.submit(hang, number) for number in range(4)]
        began = time.monotonic()
        time.sleep(0.05)
        with taken(turns):
            assert time.monotonic() - began < 5
            assert not any(each.done() for each in hanging)
        over.set()


def test_who_works_on_makes_room() -> None:
    """One that shows signs of life keeps its turn until its share is used up; then those that wait go first."""
    turns, events = Turns(1, patience=30, share=0.2), list[str]()
    begun = threading.Event()

    def work_on() -> None:
        with taken(turns) as turn:
            begun.set()
            while "short" not in events and len(events) < 1000:
                time.sleep(0.01)
                events.append("long")
                turn.goes_on()
                turn.makes_room()
            events.append("goes on")

    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(work_on)
        begun.wait(60)
        with taken(turns):
            events.append("short")
        long.result(60)
    assert 0 < events.index("short") < 200
    assert events[-1] == "goes on"


def test_alone_nobody_waits() -> None:
    """Who works alone keeps its turn however long that takes."""
    turns = Turns(1, share=0.0)
    with taken(turns) as turn:
        began = turn.began
        turn.makes_room()
        assert turn.began == began
