"""The mirror rule: `tests/a/test_b.py` has the tests of `driftgauge/a/b.py`; the exceptions are in the table below."""

import ast
from pathlib import Path
from typing import Final, NamedTuple

import driftgauge

PACKAGE: Final = Path(driftgauge.__file__).parent
TESTS: Final = Path(__file__).parent
# A package file says what the package is for, and a `__main__` runs what another module defines.
_NO_TESTS_OF_THEIR_OWN: Final = ("__init__.py", "__main__.py")


class Elsewhere(NamedTuple):
    """Where a module, or each module of a package, is tested instead, below `tests`, and why."""

    tests: tuple[str, ...]
    reason: str


EXCEPTIONS: Final = {
    "aggregates/protocol.py": Elsewhere(("aggregates/test_laws.py",), "a Protocol; the laws run over all that have it"),
    "batch/blocks.py": Elsewhere(("batch/test_decoding.py",), "blocks are seen in the chunks of a file"),
    "batch/commas.py": Elsewhere(("batch/test_delimited.py",), "decimal commas are a property of a whole CSV file"),
    "batch/datekeys.py": Elsewhere(("batch/test_times.py",), "one notation of times among others"),
    "batch/doubts.py": Elsewhere(("batch/test_outcomes.py", "pipeline/test_reading.py"), "messages about a whole file"),
    "batch/failures.py": Elsewhere(("batch/test_decoding.py",), "errors are seen in the rows of a file"),
    "batch/frames.py": Elsewhere(("batch/test_documents.py",), "layouts of documents, from their bytes to their rows"),
    "batch/remainders.py": Elsewhere(
        ("batch/test_rejections.py", "batch/test_features.py"), "what is left of a file is seen in its columns"
    ),
    "batch/remarks.py": Elsewhere(("batch/test_features.py", "batch/test_decoding.py"), "messages about a whole file"),
    "batch/shape.py": Elsewhere(("batch/test_decoding.py",), "a whole file is refused or read"),
    "batch/zones.py": Elsewhere(("batch/test_times.py",), "zones are seen in the instants of a column"),
    "client/lanes.py": Elsewhere(("client/test_spool.py",), "a lane is only ever used through its spool"),
    "client/tracking.py": Elsewhere(("client/test_delivery.py",), "requests and failures need a server and a proxy"),
    "client/writing.py": Elsewhere(
        ("client/test_logger.py",), "what the thread writes is seen in the files of a logger"
    ),
    "collector": Elsewhere(("test_collector.py",), "the parts make one page, compared with prometheus_client's"),
    "config": Elsewhere(("test_config.py",), "one table of files, each with its exact messages, covers all parts"),
    "demo/hooking.py": Elsewhere(("demo/test_command.py",), "the story starts it, and it starts the retraining"),
    "demo/names.py": Elsewhere(("demo/test_guide.py",), "names only; the configuration must fit them"),
    "families": Elsewhere(("test_families.py",), "one contract for the table of all"),
    "feed.py": Elsewhere(("feeds",), "a Protocol; the tests run over every feed"),
    "files.py": Elsewhere(("feeds/test_files.py",), "a feed, tested next to the others"),
    **{
        f"report/{name}.py": Elsewhere(
            ("report/test_document.py",), "a part of the document, which is tested as a whole"
        )
        for name in (
            *("columns", "findings", "history", "links", "performance", "quality", "rows", "subject", "times"),
            *("versions", "words"),
        )
    },
    "report/reading.py": Elsewhere(
        ("report/test_html.py", "report/test_markdown.py"), "how figures read shows in what is rendered"
    ),
    "snapshot/window_panes.py": Elsewhere(
        ("snapshot/test_unusual.py", "report/test_document.py"), "what reports show of it"
    ),
    "service/facts.py": Elsewhere(("service/test_judging.py",), "what the page's figures are made of"),
    "writeback/standing.py": Elsewhere(("writeback/test_writer.py", "service/test_publication.py"), "values"),
    "web/answer.py": Elsewhere(("web/test_app.py",), "a value; what it becomes is seen over HTTP"),
    "generator/alerts.py": Elsewhere(("generator/test_thresholds.py",), "classes of the thresholds file"),
    "generator/annotations.py": Elsewhere(("generator/test_promtool.py",), "promtool expands the templates"),
    "generator/dashboards": Elsewhere(
        ("generator/test_dashboards.py", "generator/test_dashboards_queries.py", "generator/test_dashboards_rules.py"),
        "rules about every panel, whichever module makes it",
    ),
    "generator/definitions": Elsewhere(("generator/test_promtool.py",), "promtool evaluates each alert's story"),
    "generator/outputs.py": Elsewhere(("generator/test_generate.py",), "the table is what the command writes"),
    "generator/prose.py": Elsewhere(
        ("generator/test_runbooks.py", "generator/test_playbook.py"), "seen in the pages that are rendered"
    ),
    "generator/recording.py": Elsewhere(
        ("generator/test_promtool.py",), "promtool evaluates recordings with the alerts"
    ),
    "generator/rule.py": Elsewhere(("generator/test_rules.py",), "a value without behaviour"),
    "generator/table.py": Elsewhere(("generator/test_generate.py",), "one page of those the command writes"),
    "arguments.py": Elsewhere(("test_cli.py",), "what commands share shows when they run"),
    "hook/intake.py": Elsewhere(("hook/test_commands.py",), "what connects routes and journal is seen in the process"),
    "hook/plans.py": Elsewhere(("hook/test_planning.py",), "a value; what makes it is tested with it"),
    "inspection/commands.py": Elsewhere(("test_cli.py",), "commands as their users run them"),
    "inspection/facts.py": Elsewhere(("inspection/test_looking.py",), "values that files fill"),
    "inspection/findings.py": Elsewhere(("inspection/test_starting.py",), "values without behaviour"),
    "inspection/inspecting.py": Elsewhere(("inspection/test_starting.py",), "a model is looked at as a whole"),
    "inspection/reporting.py": Elsewhere(("inspection/test_starting.py",), "findings of whole inspections"),
    "pipeline/attempt.py": Elsewhere(("pipeline/test_refresh.py",), "how models fail shows in a refresh"),
    "pipeline/baseline.py": Elsewhere(("pipeline/test_refresh.py",), "a reference is read and stored by a refresh"),
    "pipeline/feeds.py": Elsewhere(
        ("feeds", "pipeline/test_refresh.py"), "which feed has which files shows in a refresh"
    ),
    "pipeline/model.py": Elsewhere(
        ("pipeline/test_refresh.py", "pipeline/test_reading.py"), "how one model is refreshed shows in a refresh of all"
    ),
    "pipeline/pace.py": Elsewhere(
        ("pipeline/test_fetching.py", "pipeline/test_commit.py"), "numbers that bound what they test"
    ),
    "pipeline/panes.py": Elsewhere(
        ("pipeline/test_delta.py", "pipeline/test_limits.py"), "rows are folded into a delta"
    ),
    "pipeline/recount.py": Elsewhere(("pipeline/test_delta.py", "pipeline/test_exactly_once.py"), "needs stored rows"),
    "pipeline/renewal.py": Elsewhere(("pipeline/test_refresh.py",), "a changed reference is noticed by a refresh"),
    "pipeline/saying.py": Elsewhere(("pipeline/test_journal.py",), "what is said shows in a refresh"),
    "pipeline/shares.py": Elsewhere(("pipeline/test_again.py",), "what has counted matters when it is read again"),
    "pipeline/standards.py": Elsewhere(
        ("pipeline/test_versions.py", "pipeline/test_segments.py"),
        "seen in what windows are compared with",
    ),
    "pipeline/step.py": Elsewhere(
        ("pipeline/test_duplicates.py", "pipeline/test_exactly_once.py"), "the files that a refresh commits together"
    ),
    "pipeline/worker.py": Elsewhere(("pipeline/test_processes.py",), "a process of the pool, seen through it"),
    "pipeline/work.py": Elsewhere(("pipeline/test_refresh.py", "pipeline/test_limits.py"), "the files of a refresh"),
    "pipeline/restoring.py": Elsewhere(
        ("pipeline/test_exactly_once.py", "pipeline/test_again.py"), "what a restart brings back"
    ),
    "pipeline/rows.py": Elsewhere(
        ("pipeline/test_delta.py", "pipeline/test_fast_path.py"), "rows are folded into a delta"
    ),
    "pipeline/unjoined.py": Elsewhere(("pipeline/test_labels.py",), "what is said of labels shows in a refresh"),
    "store/expiry.py": Elsewhere(("store/test_join.py",), "forgets what the join has stored"),
    "store/opening.py": Elsewhere(("store/test_database.py",), "what is refused shows when the store is opened"),
    "store/matching.py": Elsewhere(("store/test_join.py",), "the rule by which rows are joined"),
    "staging.py": Elsewhere(("store/test_join.py",), "rows on their way to the join"),
    "store/readings.py": Elsewhere(("pipeline/test_again.py",), "readings take each other's place in a refresh"),
    "samples.py": Elsewhere(("test_snapshot.py", "test_collector.py"), "values without behaviour"),
    "service": Elsewhere(
        ("test_service.py", "test_service_trouble.py", "service/test_kills.py"), "front and refresher as they run"
    ),
    "signals/signal.py": Elsewhere(("signals/test_table.py",), "a Protocol; the tests run over all rows of the table"),
    "snapshot": Elsewhere(("test_snapshot.py",), "the parts make one snapshot, compared with oracles"),
    "verdict/known.py": Elsewhere(("verdict/test_findings.py",), "what rules see shows in what they find"),
    "verdict/rules.py": Elsewhere(("verdict/test_findings.py",), "the rules that ship, next to Prometheus"),
    "verdict/vectors.py": Elsewhere(("verdict/test_promql.py",), "what queries do with series"),
    "statistics.py": Elsewhere(("test_drift.py",), "each statistic is compared with its oracle through the comparison"),
    "source/values.py": Elsewhere(("source/test_mlflow_source.py",), "values without behaviour"),
}


def _modules() -> list[str]:
    paths = (path for path in PACKAGE.rglob("*.py") if path.name not in _NO_TESTS_OF_THEIR_OWN)
    return sorted(path.relative_to(PACKAGE).as_posix() for path in paths)


def _mirror(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}")


def _exception(module: str) -> str | None:
    """Return the key of the exception that covers a module: its own, or that of a package around it."""
    names = (module, *(parent.as_posix() for parent in Path(module).parents))
    return next((name for name in names if name in EXCEPTIONS), None)


def test_every_module_has_its_tests() -> None:
    """Each has a test file of its name, or an exception with a reason, and never both."""
    without = [module for module in _modules() if not _mirror(module).exists() and _exception(module) is None]
    both = [module for module in EXCEPTIONS if _mirror(module).exists()]

    assert (without, both) == ([], [])


def test_exceptions_are_true() -> None:
    """Each is about something that exists, and names tests that exist."""
    gone = [name for name in EXCEPTIONS if not (PACKAGE / name).exists()]
    missing = [path for exception in EXCEPTIONS.values() for path in exception.tests if not (TESTS / path).exists()]

    assert (gone, missing) == ([], [])


def test_every_test_file_has_tests() -> None:
    """None is a shell that satisfies the rule only by its name."""
    empty = [
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("test_*.py")
        if not any(
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert empty == []
