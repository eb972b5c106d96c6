"""A case of the contract: one request, and everything that its answer must be.

`check` also holds what is true of every answer, whatever the case says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tests.contract_world import NOBODY
from tests.metalink_document import Document, assert_preferences_fall, read_metalink

TEXT = "text/plain"
METALINK, META4 = "application/metalink+xml", "application/metalink4+xml"
META4_NAMESPACE = "{urn:ietf:params:xml:ns:metalink}"
LOOPBACK = "127.0.0.1"
LIST_PATHS = ("/metalink", "/mirrorlist")

_COUNTRY = re.compile(r"country = \S+ ")

Tiers = tuple[set[int], ...]


@dataclass(frozen=True, repr=False)
class Case:
    """One request and its answer; a field that is None or empty is not asserted.

    `target` is the request line's, byte for byte. `forwarded` are X-Forwarded-For lines. `tiers`
    are host ids in sets that follow each other. `urls` is exact: a tuple in order, a set in any.
    `error` is the bare text, or on /metalink the comment. `log` is the request log's line without
    its date, empty for no line. `live` is False for what a loopback connection cannot express.
    """

    name: str
    target: str | bytes
    peer: str | None = NOBODY
    forwarded: tuple[str, ...] = ()
    method: str = "GET"
    status: int = 200
    content_type: str = ""
    heading: str | None = None
    creation_time: bool = False
    tiers: Tiers | None = None
    urls: tuple[str, ...] | set[str] | None = None
    error: str | None = None
    body: bytes | None = None
    starts: str = ""
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    location: str | None = None
    digest: str | None = None
    allow: str | None = None
    file: str | None = None
    timestamps: tuple[str | None, ...] | None = None
    sizes: tuple[str | None, ...] | None = None
    hashes: tuple[str, ...] | None = None
    private: set[int] | None = None
    locations: dict[int, str] = field(default_factory=dict)
    log: str | None = None
    live: bool = True

    def __repr__(self) -> str:
        return f"{self.name}: {self.method} {self.raw_target!r}"

    @property
    def raw_target(self) -> bytes:
        """The target as bytes."""
        return self.target if isinstance(self.target, bytes) else self.target.encode()

    @property
    def path(self) -> str:
        """The path of the target."""
        return self.raw_target.partition(b"?")[0].decode()

    @property
    def query(self) -> bytes:
        """The raw query string of the target."""
        return self.raw_target.partition(b"?")[2]

    @property
    def is_list(self) -> bool:
        """Whether a list is asked for, with a method that may ask."""
        return self.path.endswith(LIST_PATHS) and self.method in ("GET", "HEAD")

    @property
    def is_metalink(self) -> bool:
        """Whether the path asks for a metalink."""
        return self.path.endswith("/metalink")


@dataclass(frozen=True)
class Got:
    """An answer as a surface gave it; header names are lower case; no headers: not HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes
    log: str

    @property
    def content_type(self) -> str:
        """The media type."""
        return self.headers["content-type"]


def check(case: Case, got: Got, read: int) -> None:
    """Assert that an answer is what a case says; `read` is the time of the database read."""
    assert got.status == case.status, got.body
    if case.is_list:
        _check_list_headers(case, got)
    if case.allow is not None:
        assert got.headers.get("allow") == case.allow
    if case.body is not None:
        assert got.body == case.body
    text = got.body.decode()
    assert text.startswith(case.starts)
    for part in case.contains:
        assert part in text
    for part in case.lacks:
        assert part not in text
    if case.log is not None:
        assert re.sub(r"DATE: \d{4}-\d\d-\d\d; ", "", got.log) == (case.log and case.log + "\n")
    if case.is_list and case.method == "GET":
        if case.content_type == META4:
            _check_meta4(case, got.body)
        elif case.is_metalink:
            _check_metalink(case, read_metalink(got.body))
        else:
            _check_mirrorlist(case, text, read)


def _check_list_headers(case: Case, got: Got) -> None:
    default = METALINK if case.is_metalink else TEXT
    assert got.content_type == (case.content_type or default)
    assert got.headers.get("location") == case.location
    assert got.headers.get("repr-digest") == case.digest
    if "content-length" in got.headers:  # the service alone has no headers of HTTP
        assert got.headers["cache-control"] == "private"
        assert "content-encoding" not in got.headers


def _check_mirrorlist(case: Case, text: str, read: int) -> None:
    if case.error is not None:
        assert text == case.error
    if not text.startswith(("# repo = ", "# path = ")) or case.status != 200:
        assert case.tiers is None
        assert case.urls is None
        return
    assert text.endswith("\n")
    assert "\r" not in text
    first, *lines = text.split("\n")[:-1]
    assert "://" not in first
    if case.heading is not None:
        assert _countries_sorted(first) == _countries_sorted(case.heading)
    if case.creation_time:
        assert lines.pop(0) == f"# database creation time: {read}"
    for line in lines:
        # Names behind rsync are raw, and may have blanks, but not at their end.
        assert re.fullmatch(r"[a-z]+://\S+|rsync://\S.*\S", line), "one URL a line, nothing else"
    _check_hosts(case, lines)


def _countries_sorted(heading: str) -> tuple[str, list[str]]:
    # The order of countries is free.
    return _COUNTRY.sub("", heading), sorted(_COUNTRY.findall(heading))


def _check_metalink(case: Case, document: Document) -> None:
    if case.error is not None:
        assert document.comment == case.error
        assert document.name is None
    if case.status == 200 and case.error is None and not case.starts:
        assert document.comment is None
    urls = [link.url for link in document.links]
    hosts = [host_of(url) for url in urls]
    _check_hosts(case, urls)
    assert_preferences_fall([*hosts], document.links)
    if case.file is not None:
        assert document.name == case.file
    versions = document.versions
    for expected, found in (
        (case.timestamps, tuple(version.timestamp for version in versions)),
        (case.sizes, tuple(version.size for version in versions)),
        (case.hashes, tuple(kind for kind, _ in versions[0].hashes) if versions else ()),
    ):
        assert expected is None or found == expected
    if case.private is not None:
        marked = {host for host, link in zip(hosts, document.links, strict=True) if link.private}
        assert marked == case.private
    for host, link in zip(hosts, document.links, strict=True):
        assert link.location == case.locations.get(host, link.location)


def _check_meta4(case: Case, body: bytes) -> None:
    """Check a document of RFC 5854: its elements, and priorities that rise from 1."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{META4_NAMESPACE}metalink"
    (file,) = root.findall(f"{META4_NAMESPACE}file")
    assert file.get("name") == case.file
    urls = file.findall(f"{META4_NAMESPACE}url")
    assert [url.get("priority") for url in urls] == [str(at) for at in range(1, len(urls) + 1)]
    _check_hosts(case, [url.text or "" for url in urls])
    hashes = tuple(one.get("type") for one in file.findall(f"{META4_NAMESPACE}hash"))
    assert case.hashes is None or hashes == case.hashes


def _check_hosts(case: Case, urls: Sequence[str]) -> None:
    if isinstance(case.urls, tuple):
        assert tuple(urls) == case.urls
    elif case.urls is not None:
        assert len(urls) == len(case.urls)
        assert set(urls) == case.urls
    if case.tiers is not None:
        hosts = list(dict.fromkeys(map(host_of, urls)))
        assert split(hosts, case.tiers) == list(case.tiers)


def host_of(url: str) -> int:
    """Return the id of the host of a URL."""
    name = urlsplit(url).netloc
    assert re.fullmatch(r"host\d+\.example", name), url
    return int(name.removeprefix("host").removesuffix(".example"))


def countries(*codes: str) -> str:
    """Return how a heading names countries."""
    return "".join(f"country = {code} " for code in codes)


def split(hosts: Sequence[int], tiers: Tiers) -> list[set[int]]:
    """Cut hosts in order into sets of the tiers' sizes; what is over is one more set."""
    rest, found = list(hosts), []
    for tier in tiers:
        found.append(set(rest[: len(tier)]))
        rest = rest[len(tier) :]
    return [*found, set(rest)] if rest else found
