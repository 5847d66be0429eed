"""Families by name: what a client may ask for, and what it gets over HTTP."""

import pytest
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from driftgauge.web.app import create_app
from driftgauge.web.filtering import MOST_NAMES, wanted
from web.servers import Stub, fetch, running


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", None),
        ("name=up", None),
        ("name[]=up", {"up"}),
        ("name%5B%5D=up&name[]=model_accuracy&name[]=up", {"up", "model_accuracy"}),
        ("name[]=", {""}),
        ("name[]=no%20such%00name", {"no such\0name"}),
    ],
)
def test_names(query: str, names: set[str] | None) -> None:
    """Every `name[]` is one more name; without any, the whole page is meant."""
    assert wanted(QueryParams(query)) == names


def test_more_names_than_families_are_refused() -> None:
    """A thousand names are looked at, however often each comes, and no more."""
    most = "&".join(f"name[]={number % MOST_NAMES}" for number in range(2 * MOST_NAMES))

    assert len(wanted(QueryParams(most)) or ()) == MOST_NAMES
    with pytest.raises(HTTPException, match="1000 names"):
        wanted(QueryParams(f"{most}&name[]=one-more"))


def test_over_http() -> None:
    """The names reach the exporter; too many get 400 and one line."""
    with running(create_app(Stub, version="1")) as url:
        assert fetch(url, "/metrics?name[]=up&name[]=a").body == b"a,up"
        assert fetch(url, "/metrics?name[]=").body == b""
        many = "&".join(f"name[]={number}" for number in range(MOST_NAMES + 1))
        refused = fetch(url, f"/metrics?{many}")

    assert (refused.status, refused.body) == (400, b"More than 1000 names: leave name[] out for the whole page.\n")
