"""What shapes the reading of a model: when this text is another one, its files mean something else."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.segments import Segments, asked_of_reference

# Bumped when the same files and settings would be read as something else.
_READER: Final = "1"
# What the rows do not depend on. All other settings of a model count, those that will come included. Of a reference and
# of signals the panes themselves know by what they were folded.
_PRESENTATION: Final = frozenset(
    {
        "name",
        "reference",
        "monitoring",
        "writeback",
        "baseline",
        "average",
        "drift",
        "alarms",
        "segments",
        "signals",
        "keep_request_ids",
        "publish_bins",
    }
)


def settings_of(model: ModelConfig, windows: Sequence[Window], limits: Limits) -> str:
    """Return a hex digest of the settings; one that is written out and one left at its default are the same."""
    shaping = {
        "reader": _READER,
        "model": model.model_dump(mode="python", exclude=set(_PRESENTATION), exclude_defaults=True),
        # Labels with nothing but defaults are not the same as none.
        "labels": model.labels is not None,
        "task": model.task,
        "segments": sorted(segment.identity for segment in Segments.of(model, limits).kept),
        "windows": sorted(window.seconds for window in windows),
    }
    # Which values these stand for is a matter of the reference.
    if asked := asked_of_reference(model):
        shaping["segments of the reference"] = [asked, repr(model.segments), limits.max_segments]
    return blake2b(json.dumps(shaping, sort_keys=True, default=repr).encode(), digest_size=16).hexdigest()
