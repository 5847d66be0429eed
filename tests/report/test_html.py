"""The page: well-formed, self-contained, readable without eyes, bounded in size, and safe whatever names it shows."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from driftgauge.report import document
from driftgauge.report.html import html
from report.hostile import HOSTILE, hostile
from report.subjects import a_state, a_subject
from report.test_document import FINDINGS

_VOID: Final = {"meta", "link", "path", "circle", "br"}
MOST_BYTES: Final = 1_500_000


class Page(HTMLParser):
    """What is on a page: elements with their attributes, in order; fails when one is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def found() -> Mapping[str, Any]:
    """Return the document of a model that drifted and got worse."""
    subject = a_subject(a_state(shift=1.0, wrong=0.3), findings=FINDINGS)
    return document(subject.chosen(), driftgauge="1.2.3")


def test_it_is_read_without_eyes(found: Mapping[str, Any]) -> None:
    """Tables have captions and heads with a scope, pictures a role and a title of their own; ids are there once."""
    page = Page(html(found))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert len(page.all("caption")) == len(page.all("table")) > 8
    assert all(cell.get("scope") in {"row", "col"} for cell in page.all("th"))
    assert len(page.all("svg")) == 1 + 4 + 2
    assert all(picture["role"] == "img" and picture["aria-labelledby"] in ids for picture in page.all("svg"))
    assert len(ids) == len(set(ids))
    assert [each["lang"] for each in page.all("html")] == ["en"]
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_it_shows_what_is_known(found: Mapping[str, Any]) -> None:
    """The sentence, the actions, features with their figures, slices, days and versions are on the page."""
    text = " ".join(" ".join(Page(html(found)).text).split())

    for words in (
        found["verdict"]["sentence"],
        "Roll back when the drift began with a release",
        "2 of 4 judged features drifted",
        found["slices"]["items"][0]["slice"],
        "2026-01-03",
        "And 10 more.",
        "Made by driftgauge 1.2.3",
    ):
        assert words in text
    assert "All models" not in text
    assert 'href="/x/"' in html(found, home="/x/")


def test_it_needs_nothing_from_elsewhere(found: Mapping[str, Any]) -> None:
    """No script, no style sheet, no font and no picture is loaded; the page forbids it itself."""
    page = Page(html(found))

    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "use", "image"})
    assert not [name for _, attributes in page.elements for name in attributes if name in {"src", "style", "srcset"}]
    assert "url(" not in html(found)
    assert "@import" not in html(found)
    (policy,) = (each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy is not None
    assert policy.startswith("default-src 'none';")


@pytest.mark.parametrize("name", HOSTILE, ids=["script", "attribute", "markdown", "svg", "long"])
def test_hostile_names(found: Mapping[str, Any], name: str) -> None:
    """The page has the very elements and attributes that it has with harmless names, and stays small."""

    def structure(page: Page) -> list[tuple[str, frozenset[str]]]:
        return [(tag, frozenset(attributes)) for tag, attributes in page.elements if tag != "a"]

    shown = html(hostile(found, name))
    page = Page(shown)

    assert structure(page) == structure(Page(html(hostile(found, "harmless"))))
    assert all(str(each["href"]).startswith("#") for each in page.all("a"))
    assert len(shown) < MOST_BYTES


def test_links_that_are_none(found: Mapping[str, Any]) -> None:
    """Only addresses of the web are linked to."""
    links = {"model": "javascript:alert(1)", "mlflow_run": "https://mlflow/#/x"}
    addresses = [each["href"] for each in Page(html({**found, "links": links})).all("a")]

    assert "https://mlflow/#/x" in addresses
    assert "javascript:alert(1)" not in addresses


@pytest.mark.parametrize(("features", "pictures"), [(50, 50), (500, 50)])
def test_size(found: Mapping[str, Any], features: int, pictures: int) -> None:
    """A report on 50 features is smaller than 1.5 MB, and so is one on 500, of which only the worst have pictures."""
    names = [f"a feature with quite a long name {at}" for at in range(features)]
    shape = next(row["shape"] for row in found["features"]["items"] if "edges" in row["shape"])
    rows = [
        {**found["features"]["items"][0], "feature": name, "shape": shape if at < pictures else None}
        for at, name in enumerate(names)
    ]
    heatmap = {"days": ["2026-01-01"] * 31, "features": names[:50], "left_out": 0, "psi": [[0.123] * 31] * 50}
    many = {
        **found,
        "features": {**found["features"], "items": rows},
        "history": {**found["history"], "heatmap": heatmap},
    }
    shown = html(many)

    assert len(Page(shown).all("svg")) == pictures + 3
    assert ("The first 50 of 500 have pictures." in shown) == (features == 500)
    assert len(shown.encode()) < MOST_BYTES
