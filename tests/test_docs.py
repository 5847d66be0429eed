"""The pages of metrics and records are what the tables of families and spellings say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from driftgauge.families import FAMILIES
from driftgauge.schema import SPELLINGS

DOCS = Path(__file__).parent.parent / "exporter" / "docs"


def generate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator that lies in `directory`."""
    script = str(directory / "generate.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a directory with the generator and its committed output."""
    for name in ("generate.py", "metrics.md"):
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
