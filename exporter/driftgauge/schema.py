"""The vocabulary of prediction records: roles, the spellings recognised for each, and tasks.

The client writes these names and `batch` reads them. The module imports only `typing`, because the client loads it into
other people's serving processes.
"""

from typing import Final, Literal

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical"]
Average = Literal["weighted", "macro", "micro", "binary"]

# Recognised in this order: the first spelling present in a record wins.
SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "request_id": ("request_id", "prediction_id", "client_request_id", "id"),
    "timestamp": ("timestamp", "ts", "time", "event_time"),
    "version": ("model_version", "version"),
    "prediction": ("prediction", "predicted", "y_pred", "outputs.prediction", "outputs"),
    "score": ("probability", "score", "y_score", "y_pred_proba", "proba"),
    "label": ("label", "y_true", "target", "targets", "ground_truth", "actual", "actual_outcome"),
    "latency": ("latency_ms", "latency_s", "latency_seconds"),
    "error": ("error",),
}
FEATURE_OBJECTS: Final = ("features", "inputs")
FEATURE_PREFIXES: Final = ("feature_", "features.", "inputs.")
OUTPUT_OBJECT: Final = "outputs"
CLASS_SCORE_PREFIXES: Final = ("proba_", "probability_")
# Units by spelling; a column mapped under `columns: {latency: …}` follows its own suffix, seconds without one.
MILLISECOND_SUFFIX: Final = "_ms"

UNKNOWN_VERSION: Final = "unknown"
# What a binary label or class may be called, folded to lower case.
POSITIVE_WORDS: Final = frozenset({"1", "true", "yes", "y", "t", "positive"})
NEGATIVE_WORDS: Final = frozenset({"0", "false", "no", "n", "f", "negative"})
