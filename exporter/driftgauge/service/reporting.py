"""Reports on models, from what the last snapshot knows: for the command, the live page, and whoever else wants one.

`captured` costs nothing and is taken while a model is refreshed; all else may happen later and on another thread, for
what it holds is never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from json import dumps
from typing import Any, Final

from driftgauge import __version__
from driftgauge.config import Config, Window
from driftgauge.hiding import hidden, hidden_values
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.report import Days, Document, NotPublished, Said, Subject, document
from driftgauge.report.html import html
from driftgauge.report.markdown import markdown
from driftgauge.samples import Samples
from driftgauge.service.figures import WHAT
from driftgauge.service.judging import judged, rules_of
from driftgauge.service.refreshing import refreshing, samples_of
from driftgauge.snapshot import ModelState
from driftgauge.windows import MICROSECONDS

# How a report can be written, by the end of a file's name.
FORMS: Final = ("html", "md", "json")


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What a snapshot of a model knows. now: as of when, in µs since 1970. mark: of this very snapshot.

    days: what reports on the model have told of days.
    """

    state: ModelState
    journal: Journal
    windows: tuple[Window, ...]
    samples: Samples
    now: int
    mark: object = field(default_factory=object)
    days: Days = field(default_factory=Days)


def captured(memory: Memory, samples: Samples, now: int, *, before: Captured | None = None) -> Captured:
    """Keep what is known of a model at `now` (µs), when its samples were computed; before: what was kept last."""
    days = before.days if before else Days()
    days.keep(memory.shown)
    return Captured(memory.shown, memory.journal, memory.windows, samples, now, days=days)


def report_of(
    known: Captured,
    config: Config,
    *,
    version: str | None = None,
    window: str | None = None,
    failure: Failure | None = None,
) -> Document:
    """Return the report on a model, without anything secret; by default on its newest version, in the usual window.

    Raises NotPublished when there is no such version or window.
    """
    subject = subject_of(known, config, failure)
    found: Document = hidden_values(document(subject.chosen(version, window), driftgauge=__version__, known=known.days))
    return found


def subject_of(known: Captured, config: Config, failure: Failure | None = None) -> Subject:
    """Return what reports on a model are made of."""
    said = [
        Said(
            what=WHAT[remark.kind],
            reason=remark.reason,
            subject=remark.subject,
            example=remark.example,
            text=remark.text,
            file=remark.file,
            count=remark.count,
            last=min(remark.last, known.now) / MICROSECONDS,
        )
        for remark in reversed(list(known.journal.remarks.values()))
    ]
    rules = rules_of(config, known.state.config)
    return Subject(
        state=known.state,
        samples=known.samples,
        windows=known.windows,
        limits=config.limits,
        now=known.now,
        rules=rules,
        findings=judged(known.state.config.name, known.samples, known.journal, rules, now=known.now),
        said=tuple(said),
        failure=hidden(failure[1]) if failure else None,
    )


def written(found: Document, form: str, *, home: str = "") -> str:
    """Return a report in one of `FORMS`; home: the address of the page of all models, which only a page leads to."""
    match form:
        case "html":
            return html(found, home=home)
        case "md":
            return markdown(found)
        case "json":
            return dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    raise ValueError(f"a report has no form {form!r}; there are {', '.join(FORMS)}")


def report_once(
    config: Config, *, model: str | None, version: str | None, window: str | None, now: float
) -> tuple[Document, Failure | None]:
    """Refresh one model as of `now` (s since 1970); return the report on it, and why it was not refreshed in full.

    Raises NotPublished, and StateError when the state cannot be opened.
    """
    name = chosen_model(config, model)
    if window is not None and window not in {each.name for each in config.windows}:
        raise NotPublished(f'--window: there is no window "{window}"; there are {_names(config.windows)}')

    def then(memory: Memory, at: int, failure: Failure | None) -> tuple[Captured, Failure | None]:
        samples, failure = samples_of(memory, config, None, failure, now=at)
        return captured(memory, samples, at), failure

    with refreshing(config) as pipeline:
        known, failure = pipeline.model(name, pipeline.turn(), int(now * MICROSECONDS), then)
    return report_of(known, config, version=version, window=window, failure=failure), failure


def chosen_model(config: Config, model: str | None) -> str:
    """Return the model that is asked for, or the only one. Raises NotPublished when that is none."""
    names = [each.name for each in config.models]
    if model is None and len(names) == 1:
        return names[0]
    if model is None:
        raise NotPublished(f"--model: a report is on one model; choose one of {', '.join(names)}")
    if model not in names:
        raise NotPublished(f'--model: there is no model "{model}"; there are {", ".join(names)}')
    return model


def _names(each: Sequence[Any]) -> str:
    return ", ".join(one.name for one in each)
