"""What Go's templates and Prometheus' functions make of values: numbers, quotes, durations, as notifications show them.

Sources: Go's `fmt` and `strconv`, and `template/template.go` of Prometheus 2.42. Only what our annotations use.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote_plus

from driftgauge.verdict.vectors import Series, Vector

_VERB: Final = re.compile(r"%(?:%|q|s|(?:\.\d+)?[efg])")
_ESCAPES: Final = {
    **{sign: f"\\{sign}" for sign in '"\\'},
    **{chr(code): f"\\{sign}" for code, sign in zip(range(7, 14), "abtnvfr", strict=True)},
}
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
# Go writes a float with an exponent from here on, unless a precision is given.
_FIRST_EXPONENT: Final = 6
_LAST_EXPONENT: Final = -4


def shown(value: Any) -> str:
    """Return a value as a template prints it."""
    return _float(value) if isinstance(value, float) else str(value)


def is_true(value: Any) -> bool:
    """Tell whether `if` and `with` take a value for true: what is not 0 or empty."""
    return bool(value)


def _float(value: float) -> str:
    """Return the fewest digits that give the number, with an exponent where Go writes one."""
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1 if any(digits) else 0
    if _LAST_EXPONENT <= power < _FIRST_EXPONENT:
        return f"{Decimal(repr(value)).normalize():f}"
    mantissa = "".join(map(str, digits))
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{fraction}e{power:+03d}"


def quoted(text: str) -> str:
    """Return a text as `%q` writes it, which is a string of PromQL too."""
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    code = ord(sign)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def printf(form: str, *values: Any) -> str:
    """Return a text with values in place of its verbs; raises IndexError when there are too few."""
    rest = list(values)

    def written(verb: re.Match[str]) -> str:
        match verb[0][-1]:
            case "%":
                return "%"
            case "q":
                return quoted(rest.pop(0))
            case "s":
                return str(rest.pop(0))
        return str(verb[0] % rest.pop(0))

    return _VERB.sub(written, form)


def _four_digits(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else _float(value)


def humanize_percentage(value: float) -> str:
    """Return a ratio in percent."""
    return f"{_four_digits(value * 100)}%"


def humanize_duration(value: float) -> str:
    """Return seconds in days, hours, minutes and seconds; below a second in milliseconds and so on."""
    if not math.isfinite(value):
        return _float(value)
    if not value:
        return "0s"
    sign, size = "-" if value < 0 else "", abs(value)
    if size < 1:
        power = next((each for each in range(1, 8) if size * 1000**each >= 1), 8)
        return f"{sign}{size * 1000**power:.4g}{'munpfazy'[power - 1]}s"
    whole = int(size)
    days, hours, minutes = whole // _DAY, whole // _HOUR % 24, whole // _MINUTE % 60
    parts = [f"{days}d", f"{hours}h", f"{minutes}m", f"{whole % 60}s"]
    leading = next((place for place, count in enumerate((days, hours, minutes)) if count), None)
    return sign + (f"{size:.4g}s" if leading is None else " ".join(parts[leading:]))


def _first(vector: Vector) -> Series:
    return vector[0]


def _all(*values: Any) -> Any:
    return next((value for value in values if not is_true(value)), values[-1])


def _is_any(value: Any, *others: Any) -> bool:
    return value in others


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def _replaced(pattern: str, replacement: str, text: str) -> str:
    return re.sub(pattern, lambda _: replacement, text)


def _less(one: float, other: float) -> bool:
    return one < other


def _value(series: Series) -> float:
    return series.value


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "and": _all,
        "eq": _is_any,
        "first": _first,
        "humanizeDuration": humanize_duration,
        "humanizePercentage": humanize_percentage,
        "lt": _less,
        "match": _matches,
        "printf": printf,
        "reReplaceAll": _replaced,
        "urlquery": quote_plus,
        "value": _value,
    }
)


def field(value: Any, path: Sequence[str]) -> Any:
    """Return what lies behind a path of names: fields of a series, and labels, of which a missing one is empty."""
    for name in path:
        match value, name:
            case Series(), "Labels":
                value = value.labels
            case Series(), "Value":
                value = value.value
            case Mapping(), _:
                value = value.get(name, "")
            case _:
                raise ValueError(f"{type(value).__name__} has no field {name}")
    return value
