"""Sampling is a property of the request id."""

from driftgauge.client.sampling import is_chosen, threshold


def chosen(rate: float, requests: int = 20_000) -> set[int]:
    """Return which of the requests 0 … are chosen."""
    below = threshold(rate)
    assert below is not None
    return {number for number in range(requests) if is_chosen(f"request-{number}", below)}


def test_the_share_is_the_rate() -> None:
    """Of 20,000 ids, as many are chosen as the rate says, within four standard deviations."""
    assert abs(len(chosen(0.1)) - 2_000) < 4 * (20_000 * 0.1 * 0.9) ** 0.5


def test_a_lower_rate_chooses_among_the_same() -> None:
    """What 1% keeps, 10% keeps as well: rates can differ in time without losing labels of the lower one."""
    assert chosen(0.01) < chosen(0.1)


def test_the_rule_is_the_documented_one() -> None:
    """Other programs can apply it: the first 64 bits of BLAKE2b, big-endian, as a share of 2**64."""
    # printf %s request-1 | b2sum -l 64
    digest = 0xFA817C4D2A037864
    assert is_chosen("request-1", digest + 1)
    assert not is_chosen("request-1", digest)


def test_an_id_that_is_no_unicode_is_sampled_too() -> None:
    """Ids come from outside and may hold anything."""
    assert is_chosen("\ud800", 2**64)


def test_every_request_is_logged_by_default() -> None:
    """At a rate of 1 no id is looked at."""
    assert threshold(1.0) is None
