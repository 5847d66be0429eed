"""The pages of metrics and records are what the tables of families and spellings say."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from driftgauge import cli
from driftgauge.batch import ROW_REASONS
from driftgauge.config import Config
from driftgauge.config.section import Section
from driftgauge.families import FAMILIES
from driftgauge.generator.alerts import ALERTS
from driftgauge.generator.recording import RECORDINGS
from driftgauge.generator.runbooks import settings
from driftgauge.generator.thresholds import Thresholds, shipped
from driftgauge.patterns import DATA_SUFFIXES
from driftgauge.schema import LATENCY_UNITS, POSITIVE_WORDS, SPELLINGS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "exporter" / "docs"
RUNBOOKS = ROOT / "alerting-rules" / "runbooks"
PACKAGE = Path(cli.__file__).parent
PAGES = sorted([*DOCS.glob("*.md"), *RUNBOOKS.glob("*.md"), *ROOT.glob("*/README.md"), ROOT / "README.md"])
CODE = re.compile(r"`([^`\n]+)`")
# Names of files that begin like a section.
FILE = re.compile(r"\.(parquet|csv|jsonl?|ya?ml|md|tmpl)$")
# Of rows of the exporter's own that are no metric: columns, labels, files.
OTHER_NAMES = {
    "mlflow.log_table",
    "model_config",
    "model_version",
    "model_uri",
    "model_name",
    "driftgauge_demo",
    *SPELLINGS,
}


def generate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator that lies in `directory`."""
    script = str(directory / "generate.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a directory with the generator and its committed output."""
    for name in ("generate.py", "records_table.py", "metrics.md", "records.md"):
        shutil.copy(DOCS / name, tmp_path)
    return tmp_path


def test_the_reference_is_up_to_date() -> None:
    """The committed page is what `make docs` would write."""
    check = generate(DOCS, "--check")

    assert (check.returncode, check.stderr) == (0, "")


def test_the_reference_names_every_metric() -> None:
    """Each family is there with its name, type and help."""
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")

    missing = [f.name for f in FAMILIES.values() if f"| `{f.name}` | {f.type} |" not in page or f.help not in page]
    assert missing == []


def test_the_page_of_records_names_every_spelling() -> None:
    """Each role stands there with all of its spellings, in the order in which they are tried."""
    page = (DOCS / "records.md").read_text(encoding="utf-8")
    rows = [f"| `{role}` | {', '.join(f'`{name}`' for name in names)}" for role, names in SPELLINGS.items()]
    assert [row for row in rows if row not in page] == []


def test_the_table_of_records_names_units_platforms_and_files() -> None:
    """What values and files are called stands in the same table, and what a platform's record is read as."""
    page = (DOCS / "records.md").read_text(encoding="utf-8")
    table = page.partition("<!-- table:")[2].partition("<!-- end of table -->")[0]

    missing = [word for word in (*LATENCY_UNITS, *POSITIVE_WORDS, *DATA_SUFFIXES) if f"`{word}`" not in table]
    assert missing == []
    assert "| MLflow evaluation |" in table
    assert "inputs.age: feature age, outputs: prediction, targets: label |" in table


@pytest.mark.parametrize("name", ["metrics.md", "records.md"])
def test_each_page_is_checked(copy: Path, name: str) -> None:
    """A word that is changed by hand in a table fails the check, which names the page."""
    page = copy / name
    page.write_text(page.read_text(encoding="utf-8").replace("| `", "| `x", 1), encoding="utf-8")

    refused = generate(copy, "--check")
    assert (refused.returncode, name in refused.stderr) == (1, True)


@pytest.mark.parametrize("content", ["# Metrics\n", None], ids=["changed by hand", "gone"])
def test_check_fails_and_writing_repairs(copy: Path, content: str | None) -> None:
    """A page that differs fails the check with the remedy; writing it makes the check pass."""
    target = copy / "metrics.md"
    committed = target.read_text(encoding="utf-8")
    target.unlink()
    if content is not None:
        target.write_text(content, encoding="utf-8")

    refused = generate(copy, "--check")
    assert refused.returncode == 1
    assert "run `make docs`" in refused.stderr

    assert generate(copy).returncode == 0
    assert generate(copy, "--check").returncode == 0
    assert target.read_text(encoding="utf-8") == committed


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)


def _keys(section: type[Section], at: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        path = f"{at}{field.alias or name}"
        yield path
        for below in _sections(field.annotation):
            yield from _keys(below, f"{path}.")


@cache
def known_keys() -> frozenset[str]:
    """Return every key of both files as pages write them: without models[], and with MODEL for a name."""
    ours = {key.removeprefix("models.") for key in _keys(Config)}
    ours |= {f"columns.{role}" for role in SPELLINGS}
    theirs = set(_keys(Thresholds))
    return frozenset(ours | theirs | {key.replace("models.", "models.MODEL.", 1) for key in theirs})


def names_of_metrics(text: str) -> set[str]:
    """Return the words in code that look like metrics of ours."""
    words = {word for code in CODE.findall(text) for word in re.findall(r"\b(?:model|driftgauge)_[a-z0-9_]+", code)}
    blocks = re.findall(r"^```promql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return words | {word for block in blocks for word in re.findall(r"\b(?:model|driftgauge)_[a-z0-9_]+", block)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_pages_name_what_exists(page: Path) -> None:
    """Keys of the two files, metrics and options of the command are spelt as they are."""
    text = page.read_text(encoding="utf-8")
    dotted = {code.rstrip(":") for code in CODE.findall(text) if re.fullmatch(r"[a-z_]+(\.[A-Za-z_]+)+:?", code)}
    sections = {key.partition(".")[0] for key in known_keys() if "." in key}
    ours = {code for code in dotted if code.partition(".")[0] in sections and not FILE.search(code)}
    assert sorted(ours - known_keys() - OTHER_NAMES) == []
    recorded = {part for name in RECORDINGS for part in name.split(":")}
    parts = {f"{name}_{end}" for name in FAMILIES for end in ("bucket", "count", "sum", "gcount", "gsum")}
    metrics = {name for name in names_of_metrics(text) if not name.endswith("_")}
    client = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "client").glob("*.py"))
    own = {name: name.removeprefix("driftgauge_client_").removesuffix("_total") for name in metrics}
    metrics -= {name for name, short in own.items() if short != name and f'{short}"' in client}
    hook = (PACKAGE / "hook" / "metrics.py").read_text(encoding="utf-8")
    metrics -= {name for name in metrics if f'"{name.removesuffix("_total")}"' in hook}
    beginnings = {name for name in metrics for family in FAMILIES if f"`{name}_*`" in text and family.startswith(name)}
    assert sorted(metrics - FAMILIES.keys() - recorded - parts - OTHER_NAMES - beginnings) == []
    for command, rest in re.findall(r"driftgauge ([a-z][a-z-]+)((?: +\S+)*)", text):
        found = cli.main.commands.get(command)
        options = {option for each in found.params for option in each.opts} if found else set[str]()
        used = {word.partition("=")[0].strip("[]`,.;)") for word in rest.split() if word.startswith("--")}
        assert not found or used <= options | {"--help"}, f"driftgauge {command}{rest}"


@pytest.mark.parametrize("name", ALERTS)
def test_runbooks_name_settings_of_their_alert(name: str) -> None:
    """A bare key is one of the alert's own; others are written with their section."""
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    leaves = {key.rpartition(".")[2] for key in known_keys() if "." in key}
    bare = {code for code in CODE.findall(text) if "_" in code and code in leaves}
    labels = {label for family in FAMILIES.values() for label in family.labels}
    top = {key for key in known_keys() if "." not in key}
    assert sorted(bare - settings(shipped().alert(name)).keys() - labels - top) == []


def test_runbooks_name_every_reason() -> None:
    """Whoever is told a reason finds it in the runbook of the alert, and on the page of faults."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    files = set(re.findall(r'BatchError\(\s*"([a-z_]+)"', source)) | {"missing"}
    rows = {*ROW_REASONS, *re.findall(r'rejected(?:=\{|\[)"([a-z_]+)"', source)}
    assert {"another_shape", "crashed", "replaced"} <= files
    assert {"future_timestamp", "label_after_horizon", "label_without_prediction"} <= rows
    faults = (DOCS / "faults.md").read_text(encoding="utf-8")
    for alert, reasons in (("ModelBatchesRejected", files), ("ModelRowsRejected", rows)):
        text = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")
        assert [reason for reason in sorted(reasons) if f"`{reason}`" not in text] == []
        assert [reason for reason in sorted(reasons) if f"`{reason}`" not in faults] == []


def scrape_examples() -> Iterator[tuple[str, str]]:
    """Yield each scrape job for driftgauge that people may copy or use, with the file that has it."""
    places = [
        ROOT / "README.md",
        *(path for name in ("deploy", "alerting-rules", "exporter") for path in (ROOT / name).rglob("*")),
    ]
    for path in places:
        if path.suffix in {".md", ".yml", ".yaml", ".txt", ".py"} and path.is_file():
            text = path.read_text(encoding="utf-8")
            for found in re.finditer(
                r"^( *)- job_name: (?:driftgauge|\{\{.*\}\}).*\n(?:\1  .*\n)*", text, re.MULTILINE
            ):
                yield str(path.relative_to(ROOT)), found[0]


def test_every_scrape_example_honors_our_labels() -> None:
    """Without that, a target label called `version` or `model` renames ours, and every rule judges the wrong one."""
    examples = list(scrape_examples())

    assert {path for path, _ in examples} >= {"README.md", "alerting-rules/README.md"}
    assert [path for path, job in examples if "honor_labels: true" not in job] == []
