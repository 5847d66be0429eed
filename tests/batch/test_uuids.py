"""UUIDs in one way of writing."""

import uuid

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.batch.uuids import uuid_text, uuids_by_value


@given(st.lists(st.one_of(st.none(), st.uuids()), min_size=1))
def test_bytes_and_text(ids: list[uuid.UUID | None]) -> None:
    """Bytes become the text that Python writes, and so does each form of text."""
    expected = [one and str(one) for one in ids]
    assert uuid_text(pa.array([one and one.bytes for one in ids], pa.binary(16))).to_pylist() == expected
    for form in ("{0}", "{0.hex}", "{{{0}}}", "{0.urn}"):
        for change in (str.lower, str.upper):
            written = pa.array([None if one is None else change(form.format(one)) for one in ids], pa.string())
            if form == "{0.urn}" and change is str.upper:
                continue
            lengths = np.array([len(text or "") for text in written.to_pylist()])
            assert uuids_by_value(written, lengths).to_pylist() == expected
