"""A path that a client made long: it is not repeated for hundreds of hosts."""

import pytest

from mirrorlist.lists.listing import first_lines
from mirrorlist.lists.subject import MOST_LONG_BYTES
from mirrorlist.request.client import Trust
from mirrorlist.service import Service
from tests.in_process import NOW, LoadedStore, TableGeo
from tests.small_worlds import DIRECTORY, Mirror, small_catalog


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (2, 2), (3, 3), (4, 3), (9, 3)])
def test_first_lines(most: int, kept: int) -> None:
    """A text list that is cut keeps its first lines whole."""
    lines = [b"https://a/\0", b"https://b/\0", b"https://c/\0"]
    whole = b"\n" + b"".join(line + b"\n" for line in lines)
    assert first_lines(whole, most) == b"\n" + b"".join(line + b"\n" for line in lines[:kept])


def test_a_long_path_is_not_repeated_without_end() -> None:
    """A path that a client made long is behind the nearest hosts alone; others are as they were."""
    catalog = small_catalog(*[Mirror() for _ in range(300)])
    service = Service(LoadedStore(catalog.snapshot), TableGeo({}), Trust(), lambda: NOW)
    for name, lines in (("x" * 255, 300), ("%D0%B6" * 120, MOST_LONG_BYTES // 725)):
        body = service.respond(False, f"path={DIRECTORY}/{name}".encode(), "192.0.2.1", []).body
        assert len(body.splitlines()) == 1 + lines
        assert body.endswith(name.encode() + b"\n")


def test_an_explanation_of_a_long_path_shows_first_urls() -> None:
    """Behind a long path each host is explained with its first URL alone."""
    catalog = small_catalog(Mirror(protocols=("https", "http")))
    service = Service(LoadedStore(catalog.snapshot), TableGeo({}), Trust(), lambda: NOW)
    for name, urls in (("x", 2), ("%D0%B6" * 120, 1)):
        query = f"path={DIRECTORY}/{name}&protocol=https,http".encode()
        (host,) = service.explain(query, "192.0.2.1", [], False).hosts
        assert len(host.urls) == urls
