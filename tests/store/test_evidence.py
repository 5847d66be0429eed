"""Evidence in the state file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from driftgauge.estimate.evidence import Evidence
from driftgauge.store import Store, Transaction, reset_evidence
from driftgauge.store.evidence import delete_evidence, read_evidence, write_evidence
from driftgauge.store.panes import delete_versions


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty state with evidence of two versions of one model."""
    store = Store.open(str(tmp_path))
    with writing(store) as tx:
        write_evidence(
            tx, {"1": {"accuracy": evidence(1.0), "inputs": evidence(2.0)}, "2": {"accuracy": evidence(3.0)}}
        )
    yield store
    store.close()


@contextmanager
def writing(store: Store, *, again: bool = False) -> Iterator[Transaction]:
    """Lend a transaction on the model."""
    with store.transaction("m", "binary", again=again) as tx:
        yield tx


def evidence(wealth: float) -> Evidence:
    """Return evidence of one bet."""
    return Evidence("mark", 7, np.array([wealth]))


def known(store: Store, *, again: bool = False) -> dict[str, dict[str, float]]:
    """Return the wealth that is stored."""
    with writing(store, again=again) as tx:
        return {
            version: {signal: float(each.wealth[0]) for signal, each in found.items()}
            for version, found in read_evidence(tx).items()
        }


def test_round_trip(store: Store) -> None:
    """What is written is read; other versions stay."""
    with writing(store) as tx:
        write_evidence(tx, {"2": {"f1": evidence(4.0)}})
        write_evidence(tx, {})
    assert known(store) == {"1": {"accuracy": 1, "inputs": 2}, "2": {"f1": 4}}
    with writing(store) as tx:
        (found,) = read_evidence(tx)["2"].values()
    assert (found.mark, found.hour) == ("mark", 7)


def test_versions_that_go(store: Store) -> None:
    """With a version's panes goes its evidence."""
    with writing(store) as tx:
        delete_versions(tx, ["1"])
        delete_evidence(tx, [])
    assert known(store) == {"2": {"accuracy": 3}}


@pytest.mark.parametrize(
    ("options", "gone", "left"),
    [
        ({}, {"1": ["accuracy", "inputs"], "2": ["accuracy"]}, {"1": {}, "2": {}}),
        ({"version": "1"}, {"1": ["accuracy", "inputs"]}, {"1": {}, "2": {"accuracy": 3}}),
        ({"signal": "accuracy"}, {"1": ["accuracy"], "2": ["accuracy"]}, {"1": {"inputs": 2}, "2": {}}),
        ({"version": "2", "signal": "inputs"}, {}, {"1": {"accuracy": 1, "inputs": 2}, "2": {"accuracy": 3}}),
        ({"version": "9"}, {}, {"1": {"accuracy": 1, "inputs": 2}, "2": {"accuracy": 3}}),
    ],
)
def test_reset(
    store: Store, options: dict[str, str], gone: dict[str, list[str]], left: dict[str, dict[str, float]]
) -> None:
    """All of a model, of a version, or of a signal begins anew, also in a reading that is being built."""
    with writing(store, again=True) as tx:
        write_evidence(tx, {"1": {"accuracy": evidence(5.0)}})
    assert reset_evidence(store, "m", **options) == gone
    assert known(store) == left
    assert ("accuracy" in known(store, again=True)["1"]) == ("accuracy" in left["1"])


def test_reset_of_an_unknown_model(store: Store) -> None:
    """There is nothing to reset."""
    assert reset_evidence(store, "another") == {}
