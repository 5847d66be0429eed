"""The file of `--hook.file`: which alerts start what, how often, and where that is put on record."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from driftgauge.config.document import read
from driftgauge.config.fields import Name, Text, TrackingUri, Whole, at_least_one, seconds_between
from driftgauge.config.reading import checked
from driftgauge.config.section import Section
from driftgauge.config.units import DAY, HOUR, MINUTE, SECOND
from driftgauge.config.wording import RuleError
from driftgauge.hook.incoming import Alert
from driftgauge.hook.matchers import Matcher
from driftgauge.hook.templates import TemplateFailed, filled, filled_url

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KINDS: Final = ("http", "command", "job")

Count = Annotated[Whole, Field(ge=1, le=10_000)]


def _matcher(value: Any) -> Matcher:
    return value if isinstance(value, Matcher) else Matcher.parse(value if isinstance(value, str) else "")


MatcherField = Annotated[
    Matcher, BeforeValidator(_matcher), PlainSerializer(lambda found: f'{found.name}{found.how}"{found.value}"')
]


class Secret(Section):
    """A text that is read from a file when it is needed, with `prefix` before it."""

    file: Path
    prefix: str = ""


class Http(Section):
    """An HTTP call. The body is JSON; texts in it and the URL may have placeholders.

    repeat_unanswered: also when no answer came, so that it is not known whether it was heard.
    """

    url: Text
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[Text, str | Secret] = Field(default_factory=dict)
    body: Any = None
    repeat_unanswered: bool = False

    @model_validator(mode="after")
    def _is_http(self) -> "Http":
        if not self.url.startswith(("http://", "https://")):
            raise RuleError("must begin with http:// or https://", at=("url",))
        return self


class Job(Section):
    """A Kubernetes Job: what `kubectl create -f` would be given, without a name."""

    namespace: Text
    manifest: dict[str, Any]
    api_server: Text = "https://kubernetes.default.svc"
    token_file: Path = _SERVICE_ACCOUNT / "token"
    ca_file: Path = _SERVICE_ACCOUNT / "ca.crt"

    @model_validator(mode="after")
    def _has_metadata(self) -> "Job":
        if not isinstance(self.manifest.get("metadata", {}), dict):
            raise RuleError("must be a mapping", at=("manifest", "metadata"))
        return self


class Action(Section):
    """What alerts that meet all `matchers` start: one of http, command and job. Times in seconds.

    cool_down: until the next start for the same model. per_day: starts within 24 hours. attempts: of one that is known
    to have had no effect; `backoff` is doubled each time.
    """

    name: Annotated[Name, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    matchers: Annotated[tuple[MatcherField, ...], at_least_one]
    cool_down: Annotated[float, seconds_between(0, 30 * DAY)] = DAY
    per_day: Count = 5
    attempts: Count = 5
    backoff: Annotated[float, seconds_between(SECOND / 10, HOUR)] = 30.0
    timeout: Annotated[float, seconds_between(SECOND, 7 * DAY)] = 10.0 * MINUTE
    http: Http | None = None
    command: tuple[str, ...] | None = None
    job: Job | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Action":
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise RuleError(f"must have one of {', '.join(_KINDS)}, but has {' and '.join(kinds) or 'none'}")
        if self.command is not None and not (self.command and self.command[0]):
            raise RuleError("must name a program, then its arguments", at=("command",))
        try:
            self._tried()
        except TemplateFailed as error:
            raise RuleError(f"has a placeholder that cannot be filled in: {error}", at=(kinds[0],)) from None
        return self

    def _tried(self) -> None:
        """Fill in all placeholders from an alert without annotations, so that mistakes show at the start."""
        context = context_of(Alert("0", "2026-01-01T00:00:00Z", firing=True, labels={}, annotations={}), "0")
        if self.http:
            filled_url(self.http.url, context)
            filled([self.http.body, [text for text in self.http.headers.values() if isinstance(text, str)]], context)
        filled(list(self.command or ()), context)
        if self.job:
            filled([self.job.namespace, self.job.manifest], context)


class Mlflow(Section):
    """Where each trigger is recorded as a run."""

    tracking_uri: TrackingUri
    experiment: Text = "/monitoring/retraining"


class Settings(Section):
    """The whole file. concurrency: actions at a time; per_day: starts of all within 24 hours."""

    state_dir: Path = Path("driftgauge-hook")
    mlflow: Mlflow | None = None
    bearer_token_file: Path | None = None
    dry_run: bool = False
    concurrency: Count = 2
    per_day: Count = 20
    actions: Annotated[tuple[Action, ...], at_least_one]

    @model_validator(mode="after")
    def _names_differ(self) -> "Settings":
        names = [action.name for action in self.actions]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise RuleError(f"is the name of an action before it: {name}", at=("actions", at, "name"))
        return self

    def action(self, name: str) -> Action | None:
        """Return the action of a name, None for one that is not there any more."""
        return next((action for action in self.actions if action.name == name), None)

    def action_for(self, alert: Alert) -> Action | None:
        """Return the first action whose matchers an alert meets."""
        return next((a for a in self.actions if all(m.matches(alert.labels) for m in a.matchers)), None)


def context_of(alert: Alert, trigger: str) -> dict[str, Any]:
    """Return what placeholders stand for: labels and annotations, empty where missing, and some by their names."""
    named = {name: alert.labels.get(name, "") for name in ("model", "version", "alertname", "severity", "metric")}
    return {
        **named,
        "labels": defaultdict(str, alert.labels),
        "annotations": defaultdict(str, alert.annotations),
        "fingerprint": alert.fingerprint,
        "starts_at": alert.starts_at,
        "trigger": trigger,
    }


def parse_settings(text: str, *, filename: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings that YAML text describes, `${VAR}` read from `environ`.

    Paths are relative to the file. Raises ConfigError with one line per mistake.
    """
    document = read(text, filename=filename, environ=environ)
    found = checked(Settings, document.values, document=document, filename=filename, mistakes=list(document.mistakes))
    base = Path(filename).parent
    return found.model_copy(
        update={
            "state_dir": base / found.state_dir,
            "bearer_token_file": found.bearer_token_file and base / found.bearer_token_file,
            "actions": tuple(_from(base, action) for action in found.actions),
        }
    )


def _from(base: Path, action: Action) -> Action:
    """Return an action whose secrets are found from the folder of its file."""
    if action.job:
        files = {name: base / getattr(action.job, name) for name in ("token_file", "ca_file")}
        return action.model_copy(update={"job": action.job.model_copy(update=files)})
    if action.http is None:
        return action
    headers = {
        name: value if isinstance(value, str) else value.model_copy(update={"file": base / value.file})
        for name, value in action.http.headers.items()
    }
    return action.model_copy(update={"http": action.http.model_copy(update={"headers": headers})})
