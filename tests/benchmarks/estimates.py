"""B11: performance before the labels, and all features together, of a classifier and a regression in files.

Against NannyML's CBPE, PCA and DLE on the same rows, ten times those of its data sets, in chunks of 5,000. Of both,
reading the files, learning from the reference and estimating are timed, imports are not; but for what workers import to
learn. The product does a first refresh, with state on disk and three windows: with the signals for these figures only,
and with all of the default set.
"""

import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from driftgauge.config import parse
from driftgauge.service.refreshing import refresh_once
from nannyml_data import data_set

from . import peers
from .datasets import DATA, DAY, NOW
from .measuring import Contestant, Figures, Notes, Target, child, compared, expect, interleaved, timed

# Name -> task, and the columns of the prediction and of the score.
_MODELS: Final = {"car_loan": ("binary", "y_pred", "y_pred_proba"), "regression": ("regression", "y_pred", "")}
# How often the rows to be estimated are taken: of 50,000 rows most of the time goes into learning from the reference,
# which is done once.
_TIMES: Final = 10
# Which signals the product computes.
_SIGNALS: Final[Mapping[str, Any]] = {"these": ["estimate", "reconstruction", "strata"], "default": "default"}
_PUBLISHED: Final = (
    'model_estimated_performance{metric="roc_auc",model="car_loan"',
    'model_reconstruction_error{model="car_loan"',
    'model_estimated_performance{metric="mae",model="regression"',
)


def run(notes: Notes) -> None:
    """Measure and note the line."""
    files = _files()
    rows = _TIMES * sum(len(data_set(name).analysis) for name in _MODELS)
    found = interleaved(
        [
            *(Contestant(name, partial(child, "estimates", "refresh", files, name), 3) for name in _SIGNALS),
            Contestant("NannyML", partial(peers.NANNYML.run, notes, files), 3),
        ]
    )
    targets = {"these": Target(least=5), "default": None}
    for name, words in (("these", "these signals only"), ("default", "all signals of the default set")):
        work = f"estimates and reconstruction of two models, {rows:,} rows, from files; {words}"
        notes.add(
            compared("B11", work, ours=found[name], reference=found["NannyML"], name="NannyML", target=targets[name])
        )


def refresh(files: str, signals: str) -> Figures:
    """Read the files into an empty state, and compute everything once."""
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        _import_everything(Path(folder))
        models = [_model(name, Path(files), Path(folder)) | {"signals": _SIGNALS[signals]} for name in _MODELS]
        document = {"state_dir": f"{folder}/state", "models": models}
        config = parse(str(document), filename="driftgauge.yml", environ={})
        pages: list[str] = []

        def once() -> None:
            page, failures = refresh_once(config, now=NOW)
            expect(failures, {}, "failures")
            pages.append(page)

        figures = timed(once)
    for series in _PUBLISHED:
        expect(series in pages[0], wanted=True, what=series)
    return figures


STEPS: Final = {"refresh": refresh}


def _import_everything(folder: Path) -> None:
    """Refresh a model of one row: the server that workers are forked from imports what they need, and stays."""
    (folder / "small").mkdir()
    (folder / "small" / "one.jsonl").write_text('{"prediction": 1}\n', encoding="utf-8")
    model = {"name": "small", "predictions": {"files": f"{folder}/small"}}
    document = {"state_dir": f"{folder}/first", "models": [model]}
    refresh_once(parse(str(document), filename="driftgauge.yml", environ={}), now=NOW)


def _model(name: str, files: Path, folder: Path) -> dict[str, Any]:
    task, predicted, score = _MODELS[name]
    predictions = folder / name
    predictions.mkdir()
    shutil.copyfile(files / f"{name}.analysis.parquet", predictions / "predictions.parquet")
    columns = {"prediction": predicted, "label": data_set(name).label, **({"score": score} if score else {})}
    known = set(data_set(name).analysis) - {"id", "timestamp", predicted, score}
    return {
        "name": name,
        "task": task,
        "columns": columns,
        "features": {"include": sorted(known)},
        "predictions": {"files": str(predictions)},
        "reference": {"uri": str(files / f"{name}.reference.parquet")},
    }


def _files() -> Path:
    """Write the data sets as both read them, with times over the last six days before `NOW`."""
    folder = DATA / "nannyml"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _MODELS:
        found = data_set(name)
        analysis = pd.concat([found.analysis] * _TIMES, ignore_index=True)
        analysis["id"] = np.arange(len(analysis))
        for side, frame in (("reference", found.reference), ("analysis", analysis)):
            seconds = NOW - 6 * DAY + np.arange(len(frame)) / len(frame) * 6 * DAY
            timed_frame = frame.assign(timestamp=pd.to_datetime(seconds, unit="s", utc=True))
            timed_frame.to_parquet(folder / f"{name}.{side}.parquet", index=False)
    return folder
