"""What a pane keeps of its signals."""

from dataclasses import dataclass

import numpy as np
import pytest

from driftgauge.aggregates.latency import Latency
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.pane import Pane

ENDS = np.array([2])
LATENCY = Latency.fold(np.array([0.1, 0.3]), np.array([False, True]), ENDS)[0]
MOMENTS = Moments.fold({"x": np.array([1.0, 3.0])}, {}, ENDS)[0]
PANE = Pane(2, {"latency": LATENCY, "moments": MOMENTS}, {"latency": "1", "moments": "a"})
CLASSES = {"latency": Latency, "moments": Moments}


def test_signals_are_combined_one_by_one() -> None:
    """Rows add up; a signal that only some panes have is that of these."""
    both = Pane.combine([PANE, Pane(3, {"latency": LATENCY}, {"latency": "1"}), Pane()])

    latency, moments = both.find("latency", Latency), both.find("moments", Moments)
    assert latency is not None
    assert moments is not None
    assert (both.rows, latency.failed, moments.columns["x"].count) == (5, 2, 2)
    assert both.fingerprints == {"latency": "1", "moments": "a"}


def test_other_fingerprints_do_not_combine() -> None:
    """The message names the signal and both fingerprints."""
    other = Pane(2, {"moments": MOMENTS}, {"moments": "b"})

    with pytest.raises(ValueError, match=r"moments.*'a', 'b'"):
        Pane.combine([PANE, other])


def test_a_signal_that_was_fitted_again_starts_again() -> None:
    """What was folded by another fit is dropped, the rows and the other signals stay."""
    kept = PANE.only({"latency": "1", "moments": "b"})

    assert (kept.rows, kept.find("latency", Latency), kept.find("moments", Moments)) == (2, LATENCY, None)
    assert PANE.only({"latency": "1", "moments": "a", "new": "c"}) is PANE


def test_a_signal_that_is_gone_is_not_read_back() -> None:
    """Of a stored pane, signals that the table does not have any more are left out."""
    found = Pane.from_state(PANE.to_state(), {"latency": Latency})

    assert (found.rows, list(found.aggregates), found.fingerprints) == (2, ["latency"], {"latency": "1"})


def test_an_aggregate_of_another_kind_is_not_found() -> None:
    """Asked for as something else, a signal has nothing."""
    assert PANE.find("latency", Moments) is None
    assert PANE.find("unknown", Moments) is None


@dataclass(frozen=True)
class Large(Latency):
    """An aggregate that says it is large."""

    @property
    def size(self) -> int:
        """Return a size of account."""
        return 7


def test_the_largest_aggregate_is_stored_last() -> None:
    """Bytes that hardly compress come at the end, where they are left as they are; sizes add up."""
    large = Large(LATENCY.rows, LATENCY.failed, LATENCY.buckets, LATENCY.sketch)
    pane = Pane(2, {"large": large, "moments": MOMENTS}, {"large": "1", "moments": "a"})

    assert list(pane.to_state()["signals"]) == ["moments", "large"]
    assert pane.size == 7
