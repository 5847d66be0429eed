"""The kinds of value a configuration holds: text, globs, numbers, durations, sizes, windows, and their rules.

A rule raises `ValueError("must be …")`, to which the caller adds the value, or `RuleError` with a complete sentence.
This module does not know where in the file a value is. Units: seconds and bytes.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo
from pydantic_core import PydanticKnownError

from driftgauge.config.units import DAY, MINUTE, format_duration, parse_duration, parse_size
from driftgauge.config.wording import RuleError, quoted, shown, suggestion
from driftgauge.families import BASIC_SIGNALS, OPTIONAL_SIGNALS
from driftgauge.schema import DATE_UNITS, SPELLINGS, DateUnit, Task

# Line and paragraph separators break a log line as well.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# What comes before the first colon of a URL.
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")
_SCHEMES: Final = frozenset({"file:", "s3:"})
# Where the tracking URI is in the file.
TRACKING_URI: Final = ("mlflow", "tracking_uri")
# Of a tracking URI: what MLflow knows without a scheme, how a folder begins, and whose schemes need a host.
_PLATFORMS: Final = frozenset({"databricks", "databricks-uc", "uc"})
_FOLDERS: Final = ("/", "./", "../")
_WITH_HOST: Final = frozenset({"http", "https"})
_HOST_AND_PATH: Final = re.compile(r"[A-Za-z0-9._:/\[\]-]{1,100}")
# A name, an address, or an address of IPv6 in brackets.
_HOST_PORT: Final = re.compile(r"(?:[^\s/\\@:?#\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
_SCHEME_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True, slots=True)
class Range:
    """The values a metric can take, both ends included, and the words for it in a message."""

    lowest: float
    highest: float
    words: str


ALL_SIGNALS: Final = (*BASIC_SIGNALS, *OPTIONAL_SIGNALS)
_SCORE: Final = Range(0, 1, "between 0 and 1")
_LOSS: Final = Range(0, math.inf, "at least 0")
_CLASSIFICATION: Final[tuple[Task, ...]] = ("binary", "multiclass")
# The metrics a baseline may name, the tasks that have them, and their range.
METRICS: Final[dict[str, tuple[tuple[Task, ...], Range]]] = {
    "accuracy": (_CLASSIFICATION, _SCORE),
    "precision": (_CLASSIFICATION, _SCORE),
    "recall": (_CLASSIFICATION, _SCORE),
    "f1": (_CLASSIFICATION, _SCORE),
    "roc_auc": (_CLASSIFICATION, _SCORE),
    "log_loss": (_CLASSIFICATION, _LOSS),
    "brier_score": (("binary",), _SCORE),
    "mse": (("regression",), _LOSS),
    "rmse": (("regression",), _LOSS),
    "mae": (("regression",), _LOSS),
    "r2": (("regression",), Range(-math.inf, 1, "at most 1")),
}


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("must not contain line breaks or control characters")
    return text


def _glob(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError('must be a pattern inside the run\'s artifacts, like "predictions*", without leading / or ..')
    return text


def _location(text: str) -> str:
    scheme = _SCHEME.match(text)
    if scheme and scheme.group().lower() not in _SCHEMES:
        raise ValueError("must be a folder, or a URL that begins with file: or s3:")
    if ".." in text.split("/"):
        raise ValueError("must be a folder without ..")
    return text


def _tracking_uri(text: str, info: ValidationInfo) -> str:
    """Refuse what MLflow would take for a folder, or for no address at all, though a server is meant."""
    if text in _PLATFORMS or (text.startswith(_FOLDERS) and not text.startswith("//")):
        return text
    scheme, colon, rest = text.partition(":")
    known = scheme.lower()
    if colon and (known == "file" or (rest.startswith("//") and _SCHEME_NAME.fullmatch(scheme))):
        if known in _WITH_HOST and not rest.strip("/"):
            raise RuleError(f"names no host; write it, like {known}://mlflow:5000")
        return text
    bare = (rest if known in _WITH_HOST else text).lstrip("/")
    # A text with user and password, or from a secret variable, is not repeated.
    plain = _HOST_AND_PATH.fullmatch(bare) and TRACKING_URI not in (info.context or {})
    address, folder = (bare, f"./{bare}") if plain else ("mlflow:5000", "./mlruns")
    raise RuleError(f"has no scheme; write http://{address} for a server, {folder} for a folder")


def _host_and_port(text: str) -> str:
    found = _HOST_PORT.fullmatch(text)
    if found is None or (found["port"] and not 0 < int(found["port"]) < 1 << 16):
        raise ValueError("must be a host, or a host and a port, like artifacts.example.com:8443")
    return text


def _one_of(kind: str, names: tuple[str, ...]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in names:
            raise RuleError(f"unknown {kind} {quoted(name)}; {suggestion(name, names, f'{kind}s')}")
        return name

    return check


def _class_name(value: object) -> object:
    """Let a class be written as data has it: 1, true and churn alike."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else value


def _zone(name: str) -> str:
    try:
        # UTC needs no database.
        _ = name == "UTC" or ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        remedy = f"did you mean {quoted(near[0])}?" if near else "write a name like Europe/Berlin"
        raise RuleError(f"unknown time zone {quoted(name)}; {remedy}") from None
    return name


def _not_true_or_false(value: object) -> object:
    # In Python True is 1; a person who writes `bins: yes` does not mean 1.
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return parse_duration(value if isinstance(value, str) else "")


def _bytes(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else _not_true_or_false(value)


def seconds_between(lowest: float, highest: float) -> BeforeValidator:
    """Return the rule that reads a duration, or plain seconds, and checks that it is within the two bounds."""

    def check(value: object) -> float:
        seconds = _seconds(value)
        if not lowest <= seconds <= highest:
            raise ValueError(f"must be between {format_duration(lowest)} and {format_duration(highest)}")
        return float(seconds)

    return BeforeValidator(check)


def _every(value: object) -> object:
    if value == ON_CHANGE:
        return value
    try:
        seconds = _seconds(value)
    except ValueError:
        seconds = 0.0
    if not MINUTE <= seconds <= DAY:
        raise ValueError(f"must be a duration between 1m and 1d, or {ON_CHANGE}")
    return float(seconds)


def _at_least_one(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    if not entries:
        raise RuleError("must have at least one entry")
    return entries


# When something is done that is not done at fixed intervals.
ON_CHANGE: Final = "on_change"
# Not pydantic's own min_length: that counts only valid entries, and so reports two mistakes where there is one.
at_least_one: Final = AfterValidator(_at_least_one)

Text = Annotated[str, Field(min_length=1), AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Glob = Annotated[Text, AfterValidator(_glob)]
Location = Annotated[Text, AfterValidator(_location)]
HostAndPort = Annotated[Text, AfterValidator(_host_and_port)]
TrackingUri = Annotated[Text, AfterValidator(_tracking_uri)]
Whole = Annotated[int, BeforeValidator(_not_true_or_false)]
Number = Annotated[float, BeforeValidator(_not_true_or_false), Field(allow_inf_nan=False)]
EveryField = Annotated[float | Literal["on_change"], BeforeValidator(_every)]
Effect = Annotated[Number, Field(gt=0, le=1)]  # statistics that lie in [0, 1]
Fraction = Annotated[Number, Field(gt=0, lt=1)]
ClassName = Annotated[Text, BeforeValidator(_class_name)]
Zone = Annotated[Text, AfterValidator(_zone)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=1)]
Role = Annotated[str, AfterValidator(_one_of("role", tuple(SPELLINGS)))]
Metric = Annotated[str, AfterValidator(_one_of("metric", tuple(METRICS)))]
Signal = Annotated[str, AfterValidator(_one_of("signal", ALL_SIGNALS))]


@dataclass(frozen=True, slots=True)
class Derived:
    """A feature that is computed from a column of dates: `unit` is what is derived."""

    column: str
    unit: DateUnit

    @property
    def name(self) -> str:
        """What the feature is called."""
        return f"{self.column}.{self.unit}"

    @property
    def written(self) -> dict[str, str]:
        """The entry as the file has it."""
        return {"column": self.column, "as": self.unit}


_DERIVED: Final = ("column", "as")


def _included(value: object) -> str | Derived:
    if isinstance(value, str | Derived):
        return _printable(value) if isinstance(value, str) else value
    if not isinstance(value, Mapping):
        raise RuleError(f"must be a column or like {{column: signup_date, as: age_days}}, but is {shown(value)}")
    for key in value:
        if key not in _DERIVED:
            raise RuleError(f"unknown key {quoted(key)}; {suggestion(key, _DERIVED, 'keys')}", at=(key,))
    column, unit = value.get("column"), value.get("as")
    if not isinstance(column, str) or not column:
        raise RuleError("must name its column, like {column: signup_date, as: age_days}")
    if unit not in DATE_UNITS:
        raise RuleError(f"must say what to derive, as: {', '.join(DATE_UNITS)}, but is {shown(unit)}")
    return Derived(_printable(column), unit)


def _as_written(value: str | Derived) -> Any:
    return value.written if isinstance(value, Derived) else value


IncludedField = Annotated[str | Derived, BeforeValidator(_included), PlainSerializer(_as_written)]


@dataclass(frozen=True, slots=True)
class Window:
    """A time window: `name` as written, which becomes the `window` label, and its length in seconds."""

    name: str
    seconds: int


def _window(value: object) -> Window:
    if isinstance(value, Window):
        return value
    seconds = _seconds(value)
    if not MINUTE <= seconds <= 90 * DAY or seconds != int(seconds):
        raise ValueError("must be whole seconds between 1m and 90d")
    return Window(name=str(value), seconds=int(seconds))


WindowField = Annotated[Window, BeforeValidator(_window)]
