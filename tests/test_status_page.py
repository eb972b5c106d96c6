"""Status pages: what they show, that nothing in them is taken for HTML, and how they look."""

import base64
import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.status.last_hours import LastHours
from mirrorlist.status.pages import (
    chain_page,
    collect_page,
    scan_page,
    server_page,
    site_page,
    watch_page,
)
from mirrorlist.web.listener import listen
from snapshot.sites.keeper_state import KeeperState
from tests.chromium import CONTRAST, DESKTOP, PHONE, Browser, browser
from tests.status_world import (
    EMPTY_COLLECT,
    EMPTY_SCAN,
    EMPTY_WATCH,
    FULL_CHAIN,
    FULL_COLLECT,
    FULL_SCAN,
    FULL_SITE,
    FULL_WATCH,
    HOSTILE,
    LONG,
    MIRRORS,
    NOW,
    empty_status,
    fresh_status,
    full_hours,
    full_status,
)

PAGES: dict[str, Callable[[], Reply]] = {
    "/nothing": lambda: server_page(empty_status(), LastHours()),
    "/begun": lambda: server_page(fresh_status(), LastHours()),
    "/full": lambda: server_page(full_status(), full_hours(full_status())),
    "/watch": lambda: watch_page(FULL_WATCH, full_hours(full_status()), NOW),
    "/scan": lambda: scan_page(FULL_SCAN, NOW),
    "/scan-begun": lambda: scan_page(EMPTY_SCAN, NOW),
    "/site": lambda: site_page(FULL_SITE, MIRRORS, None, NOW),
    "/site-begun": lambda: site_page(KeeperState(), [], "the database: locked", NOW),
    "/chain": lambda: chain_page(FULL_CHAIN),
    "/collect": lambda: collect_page(FULL_COLLECT, NOW),
    "/collect-begun": lambda: collect_page(EMPTY_COLLECT, NOW),
    "/watch-begun": lambda: watch_page(EMPTY_WATCH, LastHours(), NOW),
}
# On this page, of this address, and of the processes that --chain names.
LINK = r"/[a-z./]+|#[a-z]+|http://db01\.example:300\d/(status|site)"


class _Text(HTMLParser):
    """Collects the tags of a page, and its text without the style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: Reply) -> _Text:
    """Return what a page shows."""
    return _Text(page.body.decode())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_from_elsewhere(name: str) -> None:
    """No page has a script, an image or a link to elsewhere, and its policy knows its style."""
    page = PAGES[name]()
    shown = read(page)
    assert {"script", "img", "link", "iframe", "form"}.isdisjoint(shown.tags)
    assert all(re.fullmatch(LINK, link) for link in shown.links)
    assert page.content_type == "text/html; charset=utf-8"
    policy = dict(page.headers)["content-security-policy"]
    style = page.body.partition(b"<style>")[2].partition(b"</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def test_what_comes_from_outside_is_text() -> None:
    """Reasons, names of files and errors are shown as they are, and are never HTML."""
    text = read(PAGES["/full"]()).text
    assert text.count(HOSTILE) == 4
    assert LONG in text
    assert read(PAGES["/watch"]()).text.count(HOSTILE) == 1
    assert read(PAGES["/scan"]()).text.count(HOSTILE) == 1
    assert read(PAGES["/site"]()).text.count(HOSTILE) == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(
            "/nothing",
            ["not ready", "not fresh", "No worker serves", "None.", "begins after a minute"],
            id="nothing",
        ),
        pytest.param(
            "/begun",
            ["ready", "fresh", "161,664", "GeoIP: none", "No mirrorlist watch answers"],
            id="begun",
        ),
        pytest.param(
            "/full",
            [
                "not fresh",
                "the oldest of several",
                "1,234,567",
                "1204711",
                "waiting 75 s",
                "another was taken since",
                "6 h ago",
                "404: 1",
            ],
            id="full",
        ),
        pytest.param(
            "/watch", ["stale", "1,201", "waiting 75 s", "Last error", "19,304,221"], id="watch"
        ),
        pytest.param(
            "/site",
            ["Site", "file: trouble", "good.example", "1 of 2", "behind: 1 of 2", "90 s ago"],
            id="site",
        ),
        pytest.param(
            "/site-begun", ["database: locked", "since the start", "None."], id="site begun"
        ),
        pytest.param("/watch-begun", ["no database", "Nothing yet.", "unknown"], id="watch begun"),
    ],
)
def test_what_is_shown(name: str, shown: list[str]) -> None:
    """Each page says how things are in words."""
    text = " ".join(read(PAGES[name]()).text.split())
    assert [words for words in shown if words not in text] == []


def test_refused_files_of_all_workers() -> None:
    """A file that several workers refused is shown once, and stands if it does for one of them."""
    refused = full_status().refused
    assert [(one.workers, one.refusal.stands) for one in refused] == [(1, True), (2, False)]
    assert full_status().mixed
    assert not fresh_status().mixed


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser."""
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the pages are."""
    admin = Admin(listen("127.0.0.1", 0), {("GET", path): page for path, page in PAGES.items()})
    admin.start(Threads(print))
    yield f"http://{admin.address}"
    admin.stop()


@pytest.mark.system
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP, (320, 640)], ids=lambda size: str(size[0]))
@pytest.mark.parametrize("path", PAGES)
def test_in_a_browser(
    chromium: Browser, address: str, tmp_path: Path, path: str, size: tuple[int, int], scheme: str
) -> None:
    """A page fits the width of a phone, can be read in light and dark, and is wholly accepted."""
    chromium.complaints.clear()
    chromium.open(address + path, size, scheme)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0]
    wide = "[...document.querySelectorAll('main *')].filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).map(one => one.outerHTML.slice(0, 80))"  # noqa: E501
    assert chromium.evaluate(wide) == []
    assert chromium.evaluate("document.title").startswith("mirrorlist")
    assert chromium.evaluate(CONTRAST) == []
    background = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(244, 245, 247)", "dark": "rgb(15, 18, 22)"}[scheme]
    picture = chromium.picture()
    assert struct.unpack(">II", picture[16:24])[1] >= 300
    assert chromium.complaints == []
