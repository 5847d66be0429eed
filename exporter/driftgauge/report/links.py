"""Where a reader goes from a report: the same places that the alerts link to."""

from typing import Final
from urllib.parse import quote, urlencode

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards.links import uid
from driftgauge.report.subject import Subject

_REGISTERED: Final = "models:/"
_BOARDS: Final[tuple[Board, ...]] = ("model", "why", "features", "quality")


def links_of(subject: Subject, version: str) -> dict[str, str]:
    """Return addresses by what is there: dashboards of the version, and its run and registered version in MLflow."""
    links, model = subject.thresholds.links, subject.state.config.name
    found: dict[str, str] = {board: dashboard(subject, board, model, version) for board in _BOARDS}
    identity = subject.state.identities.get(version)
    if identity is None:
        return found
    if identity.experiment_id and identity.run_id:
        place = f"experiments/{quote(identity.experiment_id, safe='')}/runs/{quote(identity.run_id, safe='')}"
        found["mlflow_run"] = f"{links.mlflow}/#/{place}"
    name, _, number = identity.model_uri.removeprefix(_REGISTERED).rpartition("/")
    if identity.model_uri.startswith(_REGISTERED) and name and number.isdigit():
        found["mlflow_version"] = f"{links.mlflow}/#/models/{quote(name, safe='')}/versions/{number}"
    return found


def dashboard(subject: Subject, board: Board, model: str, version: str) -> str:
    """Return the address of a dashboard with model and version chosen."""
    chosen = {"var-model": model, **({"var-version": version} if version else {})}
    return f"{subject.thresholds.links.grafana}/d/{uid(board)}?{urlencode(chosen, quote_via=quote)}"
