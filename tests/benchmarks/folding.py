"""B1: a million decoded rows x 20 float columns into aggregates, and all statistics of their window.

Against sorting the same columns, a loop of scipy's KS test over them, and Evidently on the same files. Our reference is
compiled before; Evidently has no such step.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from driftgauge.columns import Columns
from driftgauge.config import Window

from . import datasets, peers, product
from .measuring import Contestant, Notes, Row, Target, compared, expect, interleaved, median, seconds, timed

HOUR: Final = 3600
DAY: Final = product.WINDOWS[1:2]
WORK: Final = "fold 1M rows x 20 floats, all statistics"


def run(notes: Notes) -> None:
    """Measure and note the line."""
    files = datasets.reference(), datasets.current()
    known, new = map(datasets.read, files)
    reference = product.compiled(product.columns(known))
    pieces = product.chunks(product.columns(new))
    pieces_of_hour = product.chunks(product.columns(new, seconds=HOUR))

    def ours(windows: Sequence[Window], rows: Sequence[Columns] = pieces) -> None:
        by = product.terms(reference, windows)
        samples = product.statistics(product.folded(rows, by), reference, by)
        expect(len(samples["model_feature_ks_statistic"]), len(new) * len(windows), "KS statistics")

    def sort() -> None:
        for values in new.values():
            np.sort(values)

    def scipy_loop() -> None:
        for name, values in new.items():
            stats.ks_2samp(known[name], values)

    ours(DAY)
    found = interleaved(
        [
            Contestant("ours", lambda: timed(lambda: ours(DAY)), 5),
            Contestant("of one hour", lambda: timed(lambda: ours(DAY, pieces_of_hour)), 5),
            Contestant("three windows", lambda: timed(lambda: ours(product.WINDOWS)), 3),
            Contestant("numpy.sort", lambda: timed(sort), 5),
            Contestant("scipy loop", lambda: timed(scipy_loop), 3),
            Contestant("Evidently", lambda: peers.EVIDENTLY.run(notes, *files), 1),
        ]
    )
    targets = {
        "numpy.sort": Target(most=4 if _sorts_with_avx512() else 1),
        "scipy loop": Target(least=10),
        "Evidently": Target(least=100),
    }
    for contestant, work in (("ours", WORK), ("of one hour", f"{WORK}, the rows of one hour")):
        for name, target in targets.items():
            row = compared("B1", work, ours=found[contestant], reference=found[name], name=name, target=target)
            notes.add(row)
    three = median(found["three windows"], "seconds")
    notes.add(Row("B1", "the same rows into three windows (the default)", seconds(three)))


def _sorts_with_avx512() -> bool:
    """Return whether numpy sorts with AVX-512 here, which makes its sort several times as fast."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return not {"AVX512_SKX", "X86_V4"}.isdisjoint(found)
