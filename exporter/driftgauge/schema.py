"""The vocabulary of prediction records: roles, the spellings recognised for each, and tasks.

The client writes these names and `batch` reads them. The module imports only `typing`, because the client loads it into
other people's serving processes.
"""

from typing import Final, Literal

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical"]
# How the values of a feature are read. A flag is a number that is 0 or 1, for which words may stand; a boolean is a
# category, "true" or "false", whatever it is written as; what is left out is no feature that could be compared.
ReadAs = Literal["numeric", "flag", "categorical", "boolean", "left_out"]
ScoreScale = Literal["probability", "percent", "margin"]
LatencyUnit = Literal["s", "ms", "us", "ns"]
# What can be derived from dates.
DateUnit = Literal["age_days", "hour", "weekday"]
DATE_UNITS: Final[tuple[DateUnit, ...]] = ("age_days", "hour", "weekday")
Average = Literal["weighted", "macro", "micro", "binary"]

# Recognised in this order: the first spelling present in a record wins.
SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "request_id": (
        "request_id",
        "prediction_id",
        "databricks_request_id",
        "client_request_id",
        "inference_id",
        "inferenceId",
        "correlationid",
        "id",
    ),
    "timestamp": (
        "timestamp",
        "ts",
        "time",
        "event_time",
        "timestamp_ms",
        "timestamp_us",
        "timestamp_ns",
        "event_timestamp",
        "request_timestamp",
        "prediction_timestamp",
        "label_timestamp",
        "created_at",
        "logged_at",
        "datetime",
        "@timestamp",
    ),
    "version": ("model_version", "version", "request_metadata.model_version"),
    "prediction": ("prediction", "predicted", "y_pred", "outputs.prediction", "outputs"),
    "score": ("probability", "score", "y_score", "y_pred_proba", "proba"),
    "label": ("label", "y_true", "target", "targets", "ground_truth", "actual", "actual_outcome"),
    "latency": (
        "latency_ms",
        "latency_s",
        "latency_seconds",
        "latency_us",
        "latency_ns",
        "latency_millis",
        "latencyMs",
        "duration_ms",
        "execution_time_ms",
        "execution_duration_ms",
        "response_time_ms",
    ),
    "error": ("error",),
}
# Columns that number the rows of a file, or those of one request.
ROW_NUMBERS: Final = ("row", "row_number", "row_id", "row_index", "index")
FEATURE_OBJECTS: Final = ("features", "inputs")
FEATURE_PREFIXES: Final = ("feature_", "features.", "inputs.")
OUTPUT_OBJECT: Final = "outputs"
CLASS_SCORE_PREFIXES: Final = ("proba_", "probability_")
# Seconds in what the last word of a latency's name says; without such a word a latency is in seconds.
LATENCY_UNITS: Final[dict[str, float]] = {
    **dict.fromkeys(("ns", "nanos", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}

# What a registered version may say of how it is monitored; where rows come from and results go to is not its business.
MONITORING_KEYS: Final = (
    *("task", "threshold", "positive_class", "score", "baseline", "average", "columns", "timezone", "latency_unit"),
    *("features", "segments", "drift", "alarms", "signals", "thresholds"),
)
MONITORING_FILE: Final = "driftgauge.yml"

UNKNOWN_VERSION: Final = "unknown"
# What data frames write for a value that is not there, where a number or time is expected.
MISSING_WORDS: Final = (
    *("", "NA", "N/A", "<NA>", "NaN", "nan", "NAN", "NULL", "Null", "null", "None", "none", "NaT", "nat", "\\N"),
)
# Of a label or class they mean that it is not known yet; but a class may well be called "none".
NO_CLASS_WORDS: Final = tuple(word for word in MISSING_WORDS if word not in {"none", "nat"})
# Of a key or version they mean that there is none; but a part of a key may well be Namibia.
NO_KEY_WORDS: Final = tuple(word for word in MISSING_WORDS if word not in {"none", "nat", "NA", "N/A"})
# What a binary label or class may be called, folded to lower case.
POSITIVE_WORDS: Final = frozenset({"1", "true", "yes", "y", "t", "positive"})
NEGATIVE_WORDS: Final = frozenset({"0", "false", "no", "n", "f", "negative"})
# How booleans are written, true before false, folded to lower case. A column uses one of these pairs, beside 1 and 0.
BOOLEAN_WORDS: Final = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("on", "off"))
