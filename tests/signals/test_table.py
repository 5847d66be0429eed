"""The table of signals against what else names them."""

from driftgauge.families import BASIC_SIGNALS, OPTIONAL_SIGNALS
from driftgauge.signals import AGGREGATES, SIGNALS


def test_the_configuration_knows_every_signal() -> None:
    """The names that a configuration may list are those of the table."""
    assert tuple(SIGNALS) == (*BASIC_SIGNALS, *OPTIONAL_SIGNALS)
    assert all(signal.name == name for name, signal in SIGNALS.items())


def test_panes_of_every_signal_can_be_read_back() -> None:
    """Each signal's aggregate is known by name."""
    assert {name: signal.aggregate for name, signal in SIGNALS.items()} == AGGREGATES
