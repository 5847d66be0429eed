"""How figures and names of a report read, in HTML and Markdown alike."""

from collections.abc import Mapping
from typing import Any, Final

ABSENT: Final = "–"  # noqa: RUF001 - as on the landing page
# Characters of a name that are shown; JSON has all of them.
MOST_NAME: Final = 120
WORDS: Final[dict[str, Any]] = {
    "status": {"healthy": "Healthy", "action_required": "Action required", "unknown": "Not judged"},
    "links": {
        "model": "Dashboard of the model",
        "why": "Dashboard of what explains it",
        "features": "Dashboard of its features",
        "quality": "Dashboard of data quality",
        "mlflow_run": "Run in MLflow",
        "mlflow_version": "Model version in MLflow",
    },
    "statistics": {
        "psi": "PSI",
        "ks_statistic": "KS",
        "ks_pvalue": "p (KS)",
        "chi2_statistic": "χ²",
        "chi2_pvalue": "p (χ²)",
        "js_distance": "JS",
        "wasserstein_distance": "Wasserstein",
        "total_variation_distance": "TVD",
        "mean_shift": "Mean shift",
    },
}


def figure(value: float | None) -> str:
    """Return a number with four significant digits and no exponent where people expect none."""
    if value is None:
        return ABSENT
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def share(value: float | None) -> str:
    """Return a ratio in percent."""
    return ABSENT if value is None else f"{value * 100:.3g} %"


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    return ABSENT if value is None else f"{value:+.3g}"


def between(lower: float | None, upper: float | None) -> str:
    """Return an interval."""
    return "" if lower is None or upper is None else f"{figure(lower)} to {figure(upper)}"


def pvalue(value: float | None) -> str:
    """Return a p-value; what is too small to be written is small."""
    if value is None:
        return ABSENT
    return "< 1e-12" if value < 1e-12 else f"{value:.2g}"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that people would use."""
    if value is None:
        return ABSENT
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def short(text: str) -> str:
    """Return a name as far as there is room for it, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_NAME else f"{line[: MOST_NAME - 1]}…"


def when(moment: str | None) -> str:
    """Return a time of the document as people read it."""
    return ABSENT if moment is None else moment.replace("T", " ").replace("Z", " UTC")


def judged(drifted: bool | None) -> str:  # noqa: FBT001 - what is shown
    """Return a flag of drift as a word."""
    return "not judged" if drifted is None else "drifted" if drifted else "no"


def statistics(found: Mapping[str, float]) -> str:
    """Return statistics with their values."""
    said = (
        f"{WORDS['statistics'][name]} {(pvalue if 'pvalue' in name else figure)(value)}"
        for name, value in found.items()
    )
    return ", ".join(said) or ABSENT


def link(address: str) -> str:
    """Return an address that may be linked to, "" of any other."""
    return address if address.startswith(("http://", "https://")) else ""


def changes(labels: list[str], reference: list[float] | None, window: list[float] | None) -> str:
    """Return of bars the shares that changed most, as text."""
    if reference is None or window is None:
        return ""
    pairs = sorted(zip(labels, reference, window, strict=True), key=lambda each: -abs(each[2] - each[1]))[:3]
    return "; ".join(f"{short(name)} {share(before)} → {share(now)}" for name, before, now in pairs)
