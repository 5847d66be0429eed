"""Features of live rows against those of the reference: names, kinds, categories in common, and units."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

import numpy as np

from driftgauge.columns import FloatArray
from driftgauge.inspection.facts import CATEGORIES, Facts, FeatureFacts
from driftgauge.inspection.findings import ReferenceFinding

# How far the middle and the spread of live values may each be from what a unit would make of the reference's.
_NEAR: Final = 1.25
_FACTORS: Final = (100.0, 1_000.0)
# With fewer values a middle says nothing.
_FEWEST: Final = 10
# A larger share of live rows in categories that the reference has not is worth a word.
_NEW: Final = 0.1


def compare(live: Facts, reference: Facts, uri: str) -> ReferenceFinding:
    """Return how the features fit together."""
    # A column of the reference that plays a role is a feature only where live rows have it as one.
    roles = {path for path, role in reference.columns if not role.startswith("feature ")}
    ours = live.features
    theirs = {name: facts for name, facts in reference.features.items() if name in ours or name not in roles}
    both = [name for name in theirs if name in ours]
    only_live = tuple(name for name in ours if name not in theirs)
    only_reference = tuple(name for name in theirs if name not in ours)
    lines = [*_names(only_live, only_reference)]
    for name in both:
        lines += (f'"{name}" {line}' for line in _feature(ours[name], theirs[name]))
    return ReferenceFinding(uri, reference.rows, len(theirs), len(both), only_live, only_reference, tuple(lines))


def _names(only_live: tuple[str, ...], only_reference: tuple[str, ...]) -> Iterator[str]:
    folded = {_folded(name): name for name in only_live}
    for name in only_reference:
        near = get_close_matches(_folded(name), list(folded), n=1, cutoff=0.8)
        if near:
            yield f'"{name}" of the reference may be "{folded[near[0]]}" of live rows: give them one name'


def _folded(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _feature(live: FeatureFacts, reference: FeatureFacts) -> Iterator[str]:
    if live.shown and reference.shown and not live.shown & reference.shown:
        ours, theirs = ("/".join(sorted(facts.shown)) for facts in (live, reference))
        yield f"is {ours} in live rows and {theirs} in the reference: values that do not fit count as missing or unseen"
    elif reference.categories and live.categories:
        yield from _categories(live, reference)
    elif min(len(live.numbers), len(reference.numbers)) >= _FEWEST:
        yield from _unit(live.numbers, reference.numbers)


def _categories(live: FeatureFacts, reference: FeatureFacts) -> Iterator[str]:
    # Of very many categories not all are known here.
    if max(len(live.categories), len(reference.categories)) >= CATEGORIES:
        return
    rows, known = sum(live.categories.values()), sum(reference.categories.values())
    strange = {name: count for name, count in live.categories.items() if name not in reference.categories}
    # As many values as occur once in the reference are expected to be new (Good, 1953).
    expected = sum(count == 1 for count in reference.categories.values()) / known
    share = 1 - sum(strange.values()) / rows
    if 1 - share > expected + _NEW:
        most = max(strange, key=lambda name: strange[name])
        usual = next(iter(reference.categories))
        yield (
            f"has {share:.0%} of live rows in categories of the reference: "
            f'live rows have "{_cut(most)}", the reference "{_cut(usual)}"'
        )


def _unit(live: FloatArray, reference: FloatArray) -> Iterator[str]:
    (middle, spread), (usual, usual_spread) = _middle_and_spread(live), _middle_and_spread(reference)
    seen = f"median {middle:.4g} in live rows, {usual:.4g} in the reference"
    for factor in _FACTORS:
        for times, word in ((factor, "larger"), (1 / factor, "smaller")):
            if _is_near(middle, usual * times) and _is_near(spread, usual_spread * times):
                yield f"is {factor:,.0f} times {word} in live rows: another unit? ({seen})"
    for direction, fits in (
        (
            "°F and the reference °C",
            _is_near(spread, usual_spread * 1.8) and _is_close(middle, usual * 1.8 + 32, spread),
        ),
        (
            "°C and the reference °F",
            _is_near(spread, usual_spread / 1.8) and _is_close(middle, (usual - 32) / 1.8, spread),
        ),
    ):
        # The distance of the middles must not be one that drift makes.
        if fits and not _is_close(middle, usual, 2 * max(spread, usual_spread)):
            yield f"looks as if live rows were in {direction} ({seen})"


def _middle_and_spread(values: FloatArray) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(middle), float(high - low)


def _is_near(value: float, expected: float) -> bool:
    if value == 0 or expected == 0:
        return value == expected
    ratio = value / expected
    return 1 / _NEAR <= ratio <= _NEAR


def _is_close(value: float, expected: float, scale: float) -> bool:
    return abs(value - expected) <= scale / 2


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
