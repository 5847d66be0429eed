"""Panels about one thing that is compared with the reference, by version: the model's output, or the labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import About, PanelScale, lines
from driftgauge.generator.dashboards.queries import Query, highest, lowest

_DISTANCES: Final = {
    "psi": "PSI",
    "ks_statistic": "KS",
    "js_distance": "JS",
    "wasserstein_distance": "Wasserstein",
    "total_variation_distance": "TVD",
}


@dataclass(frozen=True, slots=True)
class Moved:
    """What is compared: how its panels begin, and its families; absent: why its figures are, where that is usual."""

    title: str
    families: str
    absent: str

    def about(self, title: str, text: str, absent: str = "", *, board: Board = "features") -> About:
        """Return what a panel says of itself."""
        return About(f"{self.title}: {title}", text, absent or self.absent, to_board(board))

    def by_version(self, suffix: str) -> str:
        """Return the query of one of its families."""
        return highest(SCOPE.of(f"{self.families}_{suffix}"), "version")

    def figure(self, about: About, suffix: str) -> Panel:
        """Return one figure by version."""
        return lines(about, Query(self.by_version(suffix), "{{version}}"), scale=scales.NUMBER)

    def distances(self, text: str, scale: PanelScale) -> Panel:
        """Return every distance from the reference."""
        queries = [Query(self.by_version(suffix), f"{{{{version}}}} {name}") for suffix, name in _DISTANCES.items()]
        return lines(self.about("distance from the reference", text), *queries, scale=scale)

    def significance(self) -> Panel:
        """Return the p-values."""
        about = self.about(
            "p-value",
            "How likely a shift as large is by chance (Kolmogorov-Smirnov or chi-square); small means it is real.",
        )
        queries = [
            Query(lowest(SCOPE.of(f"{self.families}_{test}_pvalue"), "version"), f"{{{{version}}}} {name}")
            for test, name in (("ks", "KS"), ("chi2", "chi-square"))
        ]
        return lines(about, *queries, scale=PanelScale(unit="sci", least=0, most=1))

    def shares(self, about: About, names: Mapping[str, str]) -> Panel:
        """Return shares of rows that have something, by what; names: of the lines, by families' suffix."""
        queries = [Query(highest(SCOPE.of(f"{self.families}_{share}_ratio")), name) for share, name in names.items()]
        return lines(about, *queries, scale=scales.SHARE)
