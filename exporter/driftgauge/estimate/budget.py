"""A yearly budget of false alarms, spread over the looks at a window.

However the looks depend on each other, they give as many false alarms in all as the sum of their p-values' levels
(linearity of expectation). So each of N looks a year is judged at `per_year` / N.
"""

from typing import Final

# Seconds, 365 days.
YEAR: Final = 365 * 86_400


def significance(per_year: float, pane: int) -> float:
    """Return the level of one look at a window that is judged whenever one of its panes, `pane` seconds long, closes.

    per_year: false alarms in a year. Several tests of one look share the level (Benjamini and Hochberg, or divided).
    """
    return min(1.0, per_year * pane / YEAR)
