"""Every metric family driftgauge exposes, as data: name, type, help, labels.

The collector, the documentation, the dashboards and the rules all read this table, so none of them can name a metric
that does not exist. Help texts are one sentence for a person who is paged at night: what the number is, its
unit or range, and, where it matters, what its absence means. A value that cannot be computed is an absent series,
never NaN or 0.

    family      what a family is
    estimation  families of what is estimated, tested or searched for
    exporter    families about driftgauge itself
    table       all others, and the table of all

The values of families are in `samples`. This package knows no exposition format.
"""

from driftgauge.families.family import Family, FamilyType, Scope
from driftgauge.families.table import (
    BASIC_SIGNALS,
    FAMILIES,
    LABEL_DELAY_BUCKETS,
    LATENCY_BUCKETS,
    OPTIONAL_SIGNALS,
    PERFORMANCE_GAUGES,
    STATISTICS,
)

__all__ = [
    "BASIC_SIGNALS",
    "FAMILIES",
    "LABEL_DELAY_BUCKETS",
    "LATENCY_BUCKETS",
    "OPTIONAL_SIGNALS",
    "PERFORMANCE_GAUGES",
    "STATISTICS",
    "Family",
    "FamilyType",
    "Scope",
]
