"""What decides whether counts add."""

import numpy as np

from data_builders import a_reference, features, fitted


def test_fingerprints() -> None:
    """Counts add on the same layout with the same limit of categories only; without a reference there are none."""
    reference = a_reference(features(x=np.array([0.0, 1.0, 2.0])))
    again, other = (a_reference(features(x=np.array([0.0, 1.0, last]))) for last in (2.0, 3.0))

    found = [
        fitted(one, category_limit=limit)["distribution"].fingerprint
        for one, limit in ((reference, 9), (again, 9), (reference, 8), (other, 9))
    ]

    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert "distribution" not in fitted()
