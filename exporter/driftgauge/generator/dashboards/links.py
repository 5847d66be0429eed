"""Where a click leads: other dashboards with the same choices, and the MLflow run behind a model version."""

from dataclasses import dataclass
from typing import Final

from driftgauge.generator.annotations import Board

TITLES: Final[dict[Board, str]] = {
    "fleet": "Fleet",
    "model": "Model",
    "why": "Why",
    "features": "Features",
    "quality": "Data quality",
    "exporter": "Exporter",
}
_TARGET: Final = ("datasource", "job", "instance")


@dataclass(frozen=True, slots=True)
class Link:
    """A title and a URL in which Grafana replaces variables and, in links of data, fields and labels."""

    title: str
    url: str


def uid(board: Board) -> str:
    """Return the fixed identifier of a dashboard, which alerts and runbooks link to as well."""
    return f"driftgauge-{board}"


def to_board(board: Board) -> Link:
    """Return a link of a panel: to another dashboard, with time range and all variables kept."""
    return Link(TITLES[board], f"/d/{uid(board)}?${{__url_time_range}}&${{__all_variables}}")


def with_value(board: Board, *keep: str, **values: str) -> Link:
    """Return a link of data: to another dashboard, with `values` chosen and the variables `keep` as they are."""
    kept = "&".join(f"${{{name}:queryparam}}" for name in (*_TARGET, *keep))
    chosen = "&".join(f"var-{name}={value}" for name, value in values.items())
    title = f"{TITLES[board]}: {', '.join(values.values())}"
    return Link(title, f"/d/{uid(board)}?${{__url_time_range}}&{kept}&{chosen}")


def of_label(name: str) -> str:
    """Return the value of a label of the series that is clicked."""
    return f"${{__field.labels.{name}}}"


def of_field(name: str) -> str:
    """Return the value in another column of the row that is clicked."""
    return f"${{__data.fields.{name}}}"


def to_run(mlflow_url: str) -> Link:
    """Return a link of a table whose rows have the columns `experiment_id` and `run_id`."""
    place = f"experiments/{of_field('experiment_id')}/runs/{of_field('run_id')}"
    return Link("MLflow run", f"{mlflow_url.rstrip('/')}/#/{place}")
