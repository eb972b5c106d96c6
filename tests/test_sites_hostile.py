"""Mirrors and primaries that try to break a probe, or what runs beside it."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.sites.database import writing
from snapshot.sites.fetch import FetchError, Got, Web
from snapshot.sites.getting import Limits, Reply
from snapshot.sites.inside import Inside
from snapshot.sites.judging import Verdict
from snapshot.sites.load import load
from snapshot.sites.mirror_probe import Judged, read_urls
from snapshot.sites.names import is_global
from snapshot.sites.primary import Found, read_all
from snapshot.sites.probe import probe
from snapshot.sites.probed_rows import MirrorUrl
from snapshot.sites.state import declared
from snapshot.sites.verdict_rows import ProbedUrl, write_verdicts
from tests.mirror_farm import Farm, run_farm
from tests.small_sites import HEAD, applied, mirror, publish_tree, write

OLD, NOW = 1_790_000_000, 1_800_000_000
SHORT = Limits(silent=1, seconds=2, pause=0, tries=1)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub", OLD)
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def _site(folder: Path, farm: Farm, *names: str) -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n'
        for name in names
    ]
    file = write(folder, HEAD + "".join(mirrors))
    applied(f"sqlite:///{folder / 'm.db'}", file)
    return file


def _probe(file: Path, now: int = NOW, limits: Limits = SHORT) -> dict[str, ProbedUrl]:
    url = f"sqlite:///{file.parent / 'm.db'}"
    about = (url, load(file).config, file.parent, "test", lambda *done: None, now)
    return {one.mirror: one for one in probe(*about, limits=limits).mirrors}


def _raw(*head: bytes, timestamp: bytes = b"17", encoding: bytes = b"UTF-8") -> bytes:
    body = b'<?xml version="1.0" encoding="%b"?><repomd><data><timestamp>%b</timestamp>' % (
        encoding,
        timestamp,
    )
    body += b"</data></repomd>"
    lines = [head[0], *head[1:], b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


_OK = b"HTTP/1.1 200 OK"
_HOSTILE = {
    "an unknown encoding": (_raw(_OK, encoding=b"rot13"), "wrong", None),
    "a time beyond all numbers": (_raw(_OK, timestamp=b"1e30"), "wrong", None),
    "an ETag of other bytes": (_raw(_OK, b'ETag: "\xff\x1b[31m"'), "behind", None),
    "a very long ETag": (_raw(_OK, b'ETag: "%b"' % (b"a" * 8000)), "behind", None),
    "a coding of other bytes": (
        _raw(_OK, b"Content-Encoding: \xff\x1b"),
        "unreachable",
        "the coding ??,",
    ),
    "a redirect of other bytes": (
        _raw(b"HTTP/1.1 302 Found", b"Location: http://10.0.0.1/\xff\x1b[31m"),
        "unreachable",
        "http://10.0.0.1/??[31m",
    ),
    "a redirect to no URL": (
        _raw(b"HTTP/1.1 302 Found", b"Location: http://["),
        "unreachable",
        "Invalid IPv6 URL",
    ),
    "unchanged, and nothing was asked": (
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "unreachable",
        "status 304, which says nothing",
    ),
    "no HTTP": (b"\0\x1b\xff" * 99, "unreachable", "Bad status line"),
}


def test_hostile_answers(tmp_path: Path, farm: Farm) -> None:
    """An answer that is made to break something is judged, and costs no other mirror its state."""
    names = {f"m{at}": what for at, what in enumerate(_HOSTILE)}
    farm.raw = {name: _HOSTILE[what][0] for name, what in names.items()}
    file = _site(tmp_path, farm, "good", *names)
    found = _probe(file)
    assert found.pop("good").verdicts == {"current": 4}
    judged = {names[name]: (one.verdicts, one.error) for name, one in found.items()}
    assert {what: verdicts for what, (verdicts, _) in judged.items()} == {
        what: {verdict: 4} for what, (_, verdict, _) in _HOSTILE.items()
    }
    for what, (_, verdict, error) in _HOSTILE.items():
        said = judged[what][1] or ""
        assert (error or verdict) in said, what
        assert said.isprintable(), what
        assert len(said) <= 200, what
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        etags = connection.execute("SELECT DISTINCT etag FROM mirrorlist_answer").fetchall()
    assert all(etag.isprintable() and len(etag) < 100 for (etag,) in etags)
    assert _probe(file)["good"].verdicts == {"current": 4}


def test_a_clock_that_jumped(tmp_path: Path, farm: Farm) -> None:
    """What a probe noted with a time in the future stays an alternate for no longer than usual."""
    file = _site(tmp_path, farm, "a")
    hour = 3600
    _probe(file, NOW)
    publish_tree(tmp_path / "pub", OLD + 1)
    _probe(file, NOW + 9000 * hour)
    for later, many in ((1, 2), (100, 1)):
        _probe(file, NOW + later * hour)
        with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
            rows = connection.execute("SELECT count(*) FROM file_detail").fetchone()
        assert rows == (4 * many,), later


@contextmanager
def _endless(start: bytes, more: bytes) -> Iterator[str]:
    """Answer with a start, and then with more for ever; without more, wait for the client's end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(1 << 16)
            connection.sendall(start)
            # To send nothing fails on no connection: the loop would outlive the test.
            while more or connection.recv(1 << 16):
                connection.sendall(more)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


_FOUND = b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "more", "words"),
    [
        (_FOUND, b"x" * 1000, "more than 5 redirects"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", "Too many headers"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000, "more than"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "no answer in time"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", b"x" * 1000, "404 Not Found"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000, "more than 1,000 bytes"),
    ],
)
def test_an_endless_primary(start: bytes, more: bytes, words: str) -> None:
    """What a primary sends without an end keeps no probe for ever, nor fills the memory."""
    seconds = 0.3 if words == "no answer in time" else 10
    with _endless(start, more) as url, pytest.raises(FetchError, match=words):
        Web(url, "test", Inside(all=True), seconds=seconds).get("a", 1000)


def test_a_name_that_changes_its_address() -> None:
    """The address that was checked is the one that is asked, also of the primary's redirects."""
    asked: list[str] = []

    def look_up(host: str) -> list[tuple[int, str]]:
        asked.append(host)
        return [(socket.AF_INET, "224.0.0.251" if asked.count(host) == 1 else "127.0.0.1")]

    lead = b"HTTP/1.1 302 Found\r\nLocation: http://inside.test:%d/\r\n\r\n"
    with _endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x") as inside:
        port = int(inside.rpartition(":")[2])
        with _endless(lead % port, b"") as url, pytest.raises(FetchError):
            Web(url, "test", ask=look_up, seconds=1).get("a", 1000)
    assert asked == ["inside.test"]


def test_a_primary_that_hangs(tmp_path: Path) -> None:
    """After some files without an answer the rest is not asked for, and all have the reason."""
    versions = ", ".join(f'"{version}"' for version in range(20))
    head = HEAD.replace('"9", "10"', versions)
    file = write(tmp_path, head + mirror("a"))
    files = [*declared(load(file).config).files.values()]
    found = [Found(one, [one.directory], []) for one in files]
    with _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n") as url:
        steps: list[int] = []
        tree = _Counted(url, "test", seconds=0.2)
        read_all(tree, found, lambda phase, done, total: steps.append(done))
    assert len(found) == len(steps) == 40
    assert tree.asked < 10
    assert all("no answer in time" in (one.reason or "") for one in found)


class _Counted(Web):
    """A primary that counts what it is asked for."""

    asked = 0

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        self.asked += 1
        return super().get(path, most, etag)


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("8.8.8.8", True),
        ("169.254.169.254", False),
        ("2a00::1", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("2002:0a00:0001::1", False),
    ],
)
def test_addresses_outside(address: str, outside: bool) -> None:
    """An IPv4 address that is inside stays so within an IPv6 address."""
    assert is_global(address) is outside


@pytest.mark.parametrize("refused", [2, 3])
def test_certificates_that_are_all_refused(tmp_path: Path, refused: int) -> None:
    """If this machine takes none of several, its clock or its authorities are wrong."""
    text = HEAD + "".join(mirror(name) for name in "abc") + mirror("d").replace("https", "http")
    file = write(tmp_path, text)
    database = f"sqlite:///{tmp_path / 'm.db'}"
    applied(database, file)
    site, want = "Example Linux", declared(load(file).config)
    with writing(parse_url(database)) as connection:
        urls = [one for one in read_urls(connection, site, want) if one.url.startswith("http")]
        bad = [one for one in urls if one.url.startswith("https")][:refused]
        judged = [_judged(one, is_bad=one in bad) for one in urls]
        found = write_verdicts(connection, site, judged, NOW, 3)
    hidden = {one.mirror for one in found if not one.offered}
    assert hidden == ({"a", "b"} if refused == 2 else set())


def _judged(url: MirrorUrl, *, is_bad: bool) -> Judged:
    error = "certificate: certificate has expired" if is_bad else None
    reply = Reply(error=error, status=None if is_bad else 200, tries=3)
    verdict = Verdict.UNREACHABLE if is_bad else Verdict.CURRENT
    return Judged(url, {0: [reply]}, {one.directory: verdict for one in url.files}, {})
