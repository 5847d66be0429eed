"""The configuration file: from YAML text to frozen values, and back to YAML without secrets.

`parse` and `redacted` are the entry points; the rest of driftgauge reads the classes. Pure: the text, its file name
and the environment are arguments, so nothing here opens a file or reads `os.environ`.
User documentation of every key: exporter/docs/configuration.md.

    syntax, document      text → values with their lines, ${VAR} replaced
    units, fields         durations, sizes and the other kinds of value, with their rules
    section, places, sections   what is valid, as pydantic classes
    wording, mistakes     what is wrong, as sentences
    reading, redaction    `parse` and `redacted`
    versioned             what a registered version says of a model
"""

from driftgauge.config.conditions import Condition, Scalar
from driftgauge.config.fields import ON_CHANGE, Derived, Window
from driftgauge.config.places import Labels, Predictions, ReferenceSource, Writeback
from driftgauge.config.reading import load_mapping, named_thresholds, parse
from driftgauge.config.redaction import redacted, secrets
from driftgauge.config.sections import (
    Config,
    Drift,
    Features,
    Limits,
    Mlflow,
    ModelConfig,
)
from driftgauge.config.units import format_duration, format_size, parse_duration, parse_size
from driftgauge.config.versioned import Versioned, versioned

__all__ = [
    "ON_CHANGE",
    "Condition",
    "Config",
    "Derived",
    "Drift",
    "Features",
    "Labels",
    "Limits",
    "Mlflow",
    "ModelConfig",
    "Predictions",
    "ReferenceSource",
    "Scalar",
    "Versioned",
    "Window",
    "Writeback",
    "format_duration",
    "format_size",
    "load_mapping",
    "named_thresholds",
    "parse",
    "parse_duration",
    "parse_size",
    "redacted",
    "secrets",
    "versioned",
]
