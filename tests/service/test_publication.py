"""Publications: a page read back is the page that was rendered, with the lines of the scrape at its end."""

import gzip

import pytest

from driftgauge.collector import render
from driftgauge.samples import Sample
from driftgauge.service.channel import ChannelError, Document
from driftgauge.service.health import RefreshHealth
from driftgauge.service.publication import Publication
from driftgauge.writeback.standing import Standing, Waiting

SAMPLES = {
    "model_labels_total": [Sample(("churn", "3"), 7)],
    "model_accuracy": [Sample(("churn", str(number), "24h"), 1 / (1 + number)) for number in range(2000)],
    "model_info": [Sample(("churn", "3", "run", "1", "models:/churn/3"), 1)],
}
PAGE = render(SAMPLES)
HEALTH = RefreshHealth(
    mlflow_up=True,
    last_refresh=1.5,
    failures={"state": 2},
    messages={"churn": "no such file"},
    dropped=7,
    writeback=Standing({"missing": 3}, {"churn": Waiting("missing", 1.5, "deleted; restore it")}, {"fraud": 2.5}),
)
FIGURES = {"churn": {"predictions": 5, "performance": ["accuracy", 0.5], "last_label": None}}


@pytest.fixture
def published() -> Publication:
    """Return a publication as it comes out of the channel."""
    return Publication.read(Publication.of(PAGE, HEALTH, figures=FIGURES, ready=True).document)


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_the_page_comes_back(published: Publication, *, openmetrics: bool, packed: bool) -> None:
    """Both formats, plain and compressed, are the rendered page and the tail, of the length that is said."""
    length, pieces = published.page(b"up 1\n", openmetrics=openmetrics, gzip=packed)
    page = b"".join(pieces)

    assert length == len(page)
    expected = (PAGE.openmetrics if openmetrics else PAGE.text).plain + b"up 1\n"
    assert (gzip.decompress(page) if packed else page) == expected


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "names", [{"model_labels_total"}, {"model_accuracy", "no_such"}, {"no_such"}, {"", "model_labels"}, set(SAMPLES)]
)
def test_families_by_name(published: Publication, names: set[str], *, openmetrics: bool, packed: bool) -> None:
    """Only families that are asked for are on the page, in both formats, plain and compressed."""
    length, pieces = published.page(b"# EOF\n", openmetrics=openmetrics, gzip=packed, names=names)
    page = b"".join(pieces)
    expected = render({name: samples for name, samples in SAMPLES.items() if name in names})

    assert length == len(page)
    assert (gzip.decompress(page) if packed else page) == (
        (expected.openmetrics if openmetrics else expected.text).plain + b"# EOF\n"
    )


def test_all_else_comes_back(published: Publication) -> None:
    """Health and the landing page's figures are what was published."""
    assert (published.health, published.figures, published.ready) == (HEALTH, FIGURES, True)


def test_another_health(published: Publication) -> None:
    """A failed refresh leaves the page as it is, with what went wrong."""
    failed = published.with_health(Document.of({"health": RefreshHealth(succeeded=False).to_json()}))

    assert failed.health == RefreshHealth(succeeded=False)
    assert (failed.figures, failed.ready) == (FIGURES, True)
    _, pieces = failed.page(b"", openmetrics=False, gzip=False)
    assert b"".join(pieces) == PAGE.text.plain


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ({}, [b""] * 4),
        ({"health": {}, "ready": True, "figures": {}, "index": [[0, []], [0, []]]}, [b""] * 3),
        ({"health": {"fever": 1}, "ready": True, "figures": {}, "index": [[0, []], [0, []]]}, [b""] * 4),
        ({"health": {}, "ready": True, "figures": {}, "index": [[0, []]]}, [b""] * 4),
    ],
    ids=["nothing", "a part is missing", "unknown health", "a format is missing"],
)
def test_what_is_no_publication_is_refused(header: dict[str, object], parts: list[bytes]) -> None:
    """Half a publication is never served."""
    with pytest.raises(ChannelError, match="publication"):
        Publication.read(Document.of(header, parts))
