"""The pages about installing: what they link to exists, and the figures in them are those of the formula."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.charts import ROOT

PAGES: Final = sorted([*(ROOT / "deploy").rglob("*.md"), ROOT / "README.md"])
_LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
_OURS: Final = re.compile(r"https://github\.com/driftgauge/driftgauge/blob/main/([^)#\s]*)(?:#([^)\s]*))?")

# Features, rows, what a model takes, and what so many models take together.
_ROW: Final = re.compile(
    r"^\| (\d+) \| ([\d,]+) \| (\d+) MB \| ([\d.]+) GB \| ([\d.]+) GB \| (?:([\d.]+) GB|\[in shards\]\(#shards\)) \|",
    re.MULTILINE,
)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    text = page.read_text(encoding="utf-8")
    for path, anchor in _LINK.findall(text):
        yield (page.parent / path if path else page), anchor
    for path, anchor in _OURS.findall(text):
        yield ROOT / path, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings of this repository that a page links to are there."""
    for target, anchor in _links(page):
        assert target.exists(), target
        assert not anchor or anchor in _anchors(target), (target, anchor)


def test_table_of_memory_is_the_formula() -> None:
    """Each row of the table follows from performance.md, rounded."""
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    rows = _ROW.findall(page)
    assert len(rows) == 4
    for features, count, model, *fleets in rows:
        needed = int(features) * (350_000 + 32 * int(count.replace(",", ""))) + 3_000_000
        assert int(model) == pytest.approx(needed / 1e6, rel=0.1)
        for models, gigabytes in zip((1, 20, 100), fleets, strict=True):
            assert not gigabytes or float(gigabytes) == pytest.approx(1.1 + models * needed / 1e9, rel=0.1)


def test_install_section_is_short() -> None:
    """The first page says how to install in at most fifteen lines."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Install\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    assert len(section.strip().splitlines()) <= 15
