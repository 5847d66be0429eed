"""Shards: which one a model falls to, now and for ever, and which one a process is."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.errors import ConfigError
from driftgauge.sharding import MOST, Shard, jump, shard_of

# Written down once: a release in which one of these moves reads models again everywhere.
PLACES = {
    "churn": (0, 0, 0, 0, 0, 0, 0, 0),
    "fraud": (0, 1, 1, 1, 1, 1, 1, 1),
    "eta": (0, 1, 2, 2, 2, 2, 2, 2),
    "churn-predictor": (0, 1, 1, 3, 3, 3, 3, 7),
    "models/größe": (0, 1, 1, 3, 3, 3, 6, 6),
    "a" * 200: (0, 1, 1, 1, 1, 5, 5, 5),
    "🙂": (0, 1, 2, 2, 2, 2, 2, 2),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_name_never_falls_to_another_shard(name: str) -> None:
    """The table of names by number of shards, 1 to 8, stays as it is."""
    assert tuple(shard_of(name, total) for total in range(1, 9)) == PLACES[name]


@pytest.mark.parametrize(
    ("key", "total", "bucket"),
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)],
)
def test_the_hash_is_that_of_others(key: int, total: int, bucket: int) -> None:
    """The examples that implementations in other languages are tested with."""
    assert jump(key, total) == bucket


@given(st.text(), st.integers(1, MOST))
def test_each_model_is_on_one_shard(name: str, total: int) -> None:
    """Of all shards one takes a model, and it stays there or moves to the new one when there is one more."""
    place = shard_of(name, total)

    assert Shard(place, total).takes(name)
    assert 0 <= place < total
    assert shard_of(name, total + 1) in {place, total}


@pytest.mark.parametrize("total", [2, 3, 7, 50])
def test_models_are_spread(total: int) -> None:
    """Each shard gets its share of many models, and one more shard takes its share from all others."""
    names = [f"team-{number % 7}/model-{number}" for number in range(20_000)]
    counts = Counter(shard_of(name, total) for name in names)
    share = len(names) / total
    moved = sum(shard_of(name, total) != shard_of(name, total + 1) for name in names)

    # Five standard deviations.
    assert max(abs(counts[ordinal] - share) for ordinal in range(total)) < 5 * math.sqrt(share)
    assert abs(moved - len(names) / (total + 1)) < 5 * math.sqrt(len(names) / (total + 1))


CHOSEN = [
    ("nothing", "", {}, "host", Shard(0, 1)),
    ("the first of three", "0/3", {}, "host", Shard(0, 3)),
    ("the last of three", "2/3", {}, "host", Shard(2, 3)),
    ("the only one", "0/1", {}, "host", Shard(0, 1)),
    ("a pod", "auto", {"DRIFTGAUGE_TOTAL_SHARDS": "4"}, "driftgauge-3", Shard(3, 4)),
    ("a pod of a long name", "auto", {"DRIFTGAUGE_TOTAL_SHARDS": "20"}, "my-release-2-driftgauge-11", Shard(11, 20)),
    ("a host with its domain", "auto", {"DRIFTGAUGE_TOTAL_SHARDS": "2"}, "driftgauge-1.svc.local", Shard(1, 2)),
    (
        "a pod on its host's network",
        "auto",
        {"DRIFTGAUGE_TOTAL_SHARDS": "2", "POD_NAME": "driftgauge-1"},
        "node-7",
        Shard(1, 2),
    ),
]


@pytest.mark.parametrize(
    ("text", "environ", "hostname", "shard"), [row[1:] for row in CHOSEN], ids=[row[0] for row in CHOSEN]
)
def test_which_shard(text: str, environ: dict[str, str], hostname: str, shard: Shard) -> None:
    """A flag names the shard, or the name of the pod and the number of all."""
    assert Shard.chosen(text, environ=environ, hostname=hostname) == shard


REFUSED = [
    ("beyond the last", "3/3", {}, "host", "--shard=3/3: shards are counted from 0, so the last of 3 is 2/3"),
    ("none", "0/0", {}, "host", "--shard=0/0: there can be 1 to 1000 shards, not 0"),
    ("too many", "0/1001", {}, "host", "--shard=0/1001: there can be 1 to 1000 shards, not 1001"),
    ("a word", "first", {}, "host", "--shard: 'first' is neither auto nor a shard such as 0/3, the first of three"),
    ("no total", "1", {}, "host", "--shard: '1' is neither auto nor a shard such as 0/3, the first of three"),
    ("negative", "-1/3", {}, "host", "--shard: '-1/3' is neither auto nor a shard such as 0/3, the first of three"),
    (
        "a zero in front",
        "01/3",
        {},
        "host",
        "--shard: '01/3' is neither auto nor a shard such as 0/3, the first of three",
    ),
    (
        "a pod without the number of all",
        "auto",
        {},
        "driftgauge-0",
        "--shard=auto: DRIFTGAUGE_TOTAL_SHARDS has to be the number of shards, not ''",
    ),
    (
        "no number of all",
        "auto",
        {"DRIFTGAUGE_TOTAL_SHARDS": "three"},
        "driftgauge-0",
        "--shard=auto: DRIFTGAUGE_TOTAL_SHARDS has to be the number of shards, not 'three'",
    ),
    (
        "a pod of a Deployment",
        "auto",
        {"DRIFTGAUGE_TOTAL_SHARDS": "3"},
        "driftgauge-7d9f8-x2x4z",
        (
            "--shard=auto: 'driftgauge-7d9f8-x2x4z' does not end with a number as the pods of a StatefulSet do: "
            "set POD_NAME, or give the shard as in --shard=0/3"
        ),
    ),
    (
        "a pod too many",
        "auto",
        {"DRIFTGAUGE_TOTAL_SHARDS": "3"},
        "driftgauge-3",
        "--shard=auto in driftgauge-3: shards are counted from 0, so the last of 3 is 2/3",
    ),
]


@pytest.mark.parametrize(
    ("text", "environ", "hostname", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_no_such_shard(text: str, environ: dict[str, str], hostname: str, message: str) -> None:
    """What is no shard is refused in one line that says what would be one."""
    with pytest.raises(ConfigError) as caught:
        Shard.chosen(text, environ=environ, hostname=hostname)

    assert str(caught.value) == message
