"""Windows of a classifier through the exporter's own code: files are decoded, references compiled, rows folded.

What several tests of estimates share: frames in, samples of one window out.
"""

from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from data_builders import MICROS, a_model
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.batch import decode
from driftgauge.batch.shape import Role
from driftgauge.columns import Columns
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.pipeline import baseline
from driftgauge.reference import Compiled
from driftgauge.samples import Sample
from driftgauge.signals import Basis, Fitted, Rows, fit_all, fold_one
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.windows import PaneKey

NOW = 1_767_609_000
KEY = PaneKey("1", NOW // 120 * 120, 120)
# By family, the labels after model, version and window, and the value.
Said = dict[str, dict[tuple[str, ...], float]]


class Monitored(NamedTuple):
    """A model and its compiled reference."""

    config: ModelConfig
    compiled: Compiled

    @property
    def fitted(self) -> dict[str, Fitted]:
        """Its signals."""
        return fit_all(Basis(self.config, Limits(), self.compiled.reference))

    @property
    def learned(self) -> Mapping[str, Any]:
        """What was learned for estimates."""
        return self.compiled.reference.learned["estimate"]

    def pane(self, rows: Columns, of: Rows = "predictions") -> Pane:
        """Fold rows."""
        return fold_one(rows, self.fitted, of)

    def said(self, predictions: Pane | None = None, outcomes: Pane | None = None) -> Said:
        """Return what a snapshot says of one window."""
        reference = self.compiled.reference
        state = ModelState(
            self.config,
            reference=reference,
            baseline=baseline.effective(self.compiled.metrics, self.config),
            totals=Totals(versions={"1": VersionTotals(last_prediction=NOW * MICROS)}),
            predictions={KEY: predictions} if predictions else {},
            outcomes={KEY: outcomes} if outcomes else {},
        )
        samples = model_samples(state, windows=[Window("1h", 3600)], limits=Limits(), now=NOW * MICROS)
        return {
            name: {sample.labels[3:]: sample.value for sample in found if isinstance(sample, Sample)}
            for name, found in samples.items()
        }

    def window(self, frame: pd.DataFrame) -> Said:
        """Return what is said of the predictions in a frame and, where these have labels, of what came."""
        rows = decoded(frame, self.config)
        labelled = "label" in frame.columns
        return self.said(self.pane(rows), self.pane(rows, "labelled") if labelled else None)


def monitored(reference: pd.DataFrame, **settings: Any) -> Monitored:
    """Return a model with a reference of these rows."""
    config = a_model(**settings)
    chunks = [decoded(reference, config, role="reference")]
    job = baseline._Job((), config, Limits())
    return Monitored(config, baseline._compiled(chunks, job, ()))


def decoded(frame: pd.DataFrame, config: ModelConfig, *, role: Role = "predictions") -> Columns:
    """Write a frame to a file and read it as the exporter does."""
    file = BytesIO()
    frame.to_parquet(file, index=False)
    read = partial(decode, default_time=NOW * MICROS, default_version="1", kinds=None, max_bytes=2**30)
    return Columns.concat(list(read(file, name="rows.parquet", role=role, model=config)))


def scored_frame(
    score: Any, label: Any = None, *, predicted: Any = None, threshold: float = 0.5, **features: Any
) -> pd.DataFrame:
    """Return rows of a binary model with their score, the class that follows from it, and their label if given."""
    score = np.asarray(score, np.float64)
    found = {"score": score, "prediction": (score >= threshold).astype(int) if predicted is None else predicted}
    return pd.DataFrame(found | ({} if label is None else {"label": np.asarray(label).astype(int)}) | features)
