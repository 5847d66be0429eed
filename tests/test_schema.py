"""The vocabulary: no spelling means two things."""

from collections import Counter

from driftgauge.schema import FEATURE_PREFIXES, NEGATIVE_WORDS, POSITIVE_WORDS, SPELLINGS


def test_a_spelling_has_one_role() -> None:
    """Otherwise the order of the roles would decide what a column is."""
    counted = Counter(name for names in SPELLINGS.values() for name in names)
    assert [name for name, count in counted.items() if count > 1] == []


def test_no_role_looks_like_a_feature() -> None:
    """A column with a role is never read as a feature too."""
    assert [name for names in SPELLINGS.values() for name in names if name.startswith(FEATURE_PREFIXES)] == []


def test_no_word_is_both_classes() -> None:
    """A binary class is positive or negative, in lower case."""
    assert not POSITIVE_WORDS & NEGATIVE_WORDS
    assert all(word == word.lower() for word in POSITIVE_WORDS | NEGATIVE_WORDS)
