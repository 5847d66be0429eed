"""One pass over rows: what a signal says does not depend on which others are folded with it."""

import numpy as np
import pytest

from data_builders import a_reference, features, fitted
from driftgauge.estimate.rows import RowMatrix
from driftgauge.signals.anomalies import Anomalies
from driftgauge.signals.joint import JointFitted, fold_jointly
from driftgauge.signals.multivariate import Frequencies
from driftgauge.signals.reconstruction import Residuals


def signals(seed: int) -> dict[str, JointFitted]:
    """Return the signals that look at features together."""
    rng = np.random.default_rng(seed)
    reference = a_reference(features(x=rng.normal(size=500), y=rng.normal(size=500), plan=["a", "a", "b", "c"] * 125))
    return {name: signal for name, signal in fitted(reference).items() if isinstance(signal, JointFitted)}


def test_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is made once for signals of one reference, and for each of several references."""
    rows, ends = features(x=np.arange(10.0), y=np.ones(10), plan=["a"] * 10), np.array([4, 10])
    one, other = signals(1), signals(2)
    passes: list[int] = []
    blocks = RowMatrix.blocks
    monkeypatch.setattr(RowMatrix, "blocks", lambda *args: passes.append(1) or blocks(*args))

    together = fold_jointly(one, rows, ends)
    fold_jointly(one | {"another": other["multivariate"]}, rows, ends)

    assert set(one) == {"reconstruction", "multivariate", "anomalies"}
    assert len(passes) == 3
    for name, signal in one.items():
        alone = signal.fold(rows, ends)
        for part, expected in zip(alone, together[name], strict=True):
            assert repr(part.to_state()) == repr(expected.to_state())
    assert fold_jointly({}, rows, ends) == {}


def test_no_rows() -> None:
    """Without rows each group has the identity."""
    found = fold_jointly(signals(1), features(x=np.zeros(0), y=np.zeros(0), plan=[]), np.array([0]))

    kinds = {name: type(parts[0]) for name, parts in found.items()}
    assert kinds == {"reconstruction": Residuals, "multivariate": Frequencies, "anomalies": Anomalies}
    assert all(part.rows == 0 for parts in found.values() for part in parts if hasattr(part, "rows"))
