"""The table of signals."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from driftgauge.aggregates.protocol import Aggregate
from driftgauge.signals import (
    anomalies,
    causes,
    classes,
    confidence,
    distribution,
    evidence,
    labels,
    latency,
    moments,
    multivariate,
    outcomes,
    reconstruction,
    slices,
    strata,
)
from driftgauge.signals.signal import Signal

_ROWS: Final = (
    latency.SIGNAL,
    moments.SIGNAL,
    distribution.SIGNAL,
    outcomes.SIGNAL,
    classes.SIGNAL,
    labels.SIGNAL,
    reconstruction.SIGNAL,
    multivariate.SIGNAL,
    anomalies.SIGNAL,
    causes.SIGNAL,
    slices.SIGNAL,
    confidence.ESTIMATE,
    confidence.CONCEPT,
    strata.SIGNAL,
    strata.OUTCOMES,
    evidence.SIGNAL,
)
SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType({signal.name: signal for signal in _ROWS})
# The class of each signal's aggregate, for reading panes back.
AGGREGATES: Final[Mapping[str, type[Aggregate]]] = MappingProxyType(
    {name: signal.aggregate for name, signal in SIGNALS.items()}
)
