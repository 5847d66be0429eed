"""Results of models into MLflow: what refreshes give to the writer, and how that stands in the exporter's health."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from driftgauge.config import Config, Window
from driftgauge.hiding import hidden_known, hidden_values
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.samples import Samples
from driftgauge.service.figures import figures
from driftgauge.service.health import RefreshHealth
from driftgauge.service.refreshing import IN_PART
from driftgauge.service.reporting import Captured, captured, report_of, subject_of, written
from driftgauge.source import Result, Results
from driftgauge.verdict import Finding
from driftgauge.writeback.content import Known, results
from driftgauge.writeback.standing import Standing
from driftgauge.writeback.writer import Writeback

# The kinds of alerts of which windows are taken.
_KINDS: Final = ("performance", "drift", "quality", "service")


class WritingBack:
    """Writes results of the models of a configuration that say `writeback`; without any it does nothing.

    health: whose counts and times go on.
    """

    def __init__(self, config: Config, health: RefreshHealth) -> None:
        self._config = config
        written = {model.name for model in config.models if model.writeback}
        self._is_on = bool(written)
        before = health.writeback
        standing = Standing(
            before.failures,
            waiting={name: each for name, each in before.waiting.items() if name in written},
            written={name: at for name, at in before.written.items() if name in written},
        )
        self._writer = Writeback(results_for(config), partial(composed, config), standing=standing)

    def start(self) -> None:
        """Write in the background from now on."""
        if self._is_on:
            self._writer.start()

    def close(self) -> None:
        """Begin no more."""
        self._writer.close()

    def offer(self, memory: Memory, samples: Samples, failure: Failure | None, now: int) -> None:
        """Take what a refresh as of `now` (µs) has found of a model, unless it could not be refreshed."""
        model = memory.state.config
        if model.writeback and (failure is None or failure[0] in IN_PART):
            self._writer.offer(model, captured(memory, samples, now), now)

    def finish(self) -> dict[str, str]:
        """Write what was offered, in this thread; return why that failed, by model."""
        while self._writer.step() == 0:
            pass
        return {name: each.text for name, each in self._writer.standing.waiting.items()}

    def retry(self) -> None:
        """Write at once what waits for MLflow, which answers again."""
        self._writer.retry()

    def told(self, health: RefreshHealth) -> RefreshHealth:
        """Return a health with how writing stands."""
        return replace(health, writeback=self._writer.standing)


def results_for(config: Config) -> Results:
    """Return what writes to the tracking server of a configuration; nothing is asked or imported yet."""
    return Results(
        config.mlflow.tracking_uri or "",
        folder=Path(config.state_dir) / "writeback",
        read=frozenset(place for model in config.models for place in model.experiments),
        artifact_hosts=config.mlflow.artifact_hosts,
    )


def composed(config: Config, known: Captured) -> Iterator[Result]:
    """Yield what is written of the versions of a model, without secrets: it says what its reports say."""
    subject, model = subject_of(known, config), known.state.config
    shown = figures(model, config, known.samples, known.journal, now=known.now)
    windows = subject.rules.thresholds.for_model(model.name).windows

    def report(version: str) -> bytes:
        return written(report_of(known, config, version=version), "html").encode()

    found = Known(
        model=model,
        samples=known.samples,
        now=known.now,
        windows={kind: nearest(config, getattr(windows, kind)) for kind in _KINDS},
        findings=[_finding(each) for each in subject.findings],
        judged=bool(subject.findings) or shown["state"] == "healthy",
        report=report,
    )
    for result in results(found):
        yield replace(
            result,
            name=hidden_known(result.name),
            tags=hidden_values(dict(result.tags)),
            files=partial(_without_secrets, result.files),
        )


def nearest(config: Config, wanted: Window) -> str:
    """Return the name of the window that is nearest to one."""
    return min(config.windows, key=lambda each: (abs(each.seconds - wanted.seconds), each.name != wanted.name)).name


def _finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    return {
        "alert": finding.alert,
        "severity": finding.severity,
        "version": finding.version,
        "window": finding.window,
        "labels": dict(finding.labels),
        "value": finding.value,
        "limit": finding.limit,
        "summary": finding.summary,
        "sentence": finding.sentence,
        "look": finding.look,
        "links": dict(finding.links),
        "unsure": finding.unsure,
    }


def _without_secrets(files: Callable[[], Mapping[str, bytes]]) -> dict[str, bytes]:
    return {name: hidden_known(content.decode()).encode() for name, content in files().items()}
