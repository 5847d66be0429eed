"""Counters of rows and files: exact from many threads."""

from threading import Thread

from driftgauge.client.counters import REASONS, Counters


def test_no_increment_is_lost() -> None:
    """Threads that count at the same time add up."""
    counters = Counters()

    def count() -> None:
        for _ in range(1_000):
            counters.add("logged")
            counters.drop("buffer_full", 2)

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counters.count("logged") == 4_000
    assert counters.dropped() == {**dict.fromkeys(REASONS, 0), "buffer_full": 8_000}


def test_everything_starts_at_zero() -> None:
    """Every reason is there from the start, so that a rate over it never misses the first row."""
    counters = Counters()
    assert (counters.count("uploaded"), counters.last_upload) == (0, None)
    assert counters.dropped() == dict.fromkeys(REASONS, 0)
