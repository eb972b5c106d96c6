"""The primary's repomd.xml becomes the details of its file, and nothing false ever does."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from snapshot.file.errors import DataFileError
from snapshot.sites.fetch import FetchError, Web
from snapshot.sites.inside import Inside, inside_of
from snapshot.sites.load import load
from snapshot.sites.probe import Probed, probe
from snapshot.sites.repomd import read_repomd
from tests.small_sites import HEAD, REPOMD, applied, mirror, publish_tree, site_text, write

OLD, NEW = 1_790_000_000, 1_790_000_100
NOW, HOUR = 1_800_000_000, 3600
X86 = "9/BaseOS/x86_64/os/repodata"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A file that was applied, with a primary beside it."""
    file = write(tmp_path, site_text(mirror("a")))
    applied(_url(tmp_path), file)
    publish_tree(tmp_path / "pub")
    return file


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'm.db'}"


def _probe(file: Path, now: int = NOW) -> dict[str, Probed]:
    config = load(file).config
    about = (_url(file.parent), config, file.parent, "test", lambda *done: None, now)
    found = probe(*about, mirrors=False)
    return {one.repository: one for one in found.repositories}


def _details(folder: Path) -> list[str]:
    """The SHA-256 of the current repomd.xml, and those of its alternates, as an export has them."""
    sql = """SELECT sha256 FROM file_detail, directory
        WHERE directory_id = directory.id AND name = ?
        ORDER BY timestamp DESC, file_detail.id DESC"""
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        return [sha256 for (sha256,) in connection.execute(sql, [f"pub/{X86}"])]


def _sum(folder: Path) -> str:
    return hashlib.sha256((folder / "pub" / X86 / "repomd.xml").read_bytes()).hexdigest()


def test_new_and_unchanged(site: Path) -> None:
    """The first time all are new with their newest timestamp, and the second time unchanged."""
    first = _probe(site)
    assert {one.state for one in first.values()} == {"new"}
    assert first["baseos-9 x86_64"].timestamp == OLD
    assert {one.state for one in _probe(site).values()} == {"unchanged"}
    assert _details(site.parent) == [_sum(site.parent)]


def test_alternates(site: Path) -> None:
    """What was replaced stays valid for as long as a mirror may lag, counted from the probe."""
    sums: list[str] = []
    # 72 hours is the default; the trees were made long before they were published.
    for hour, kept in ((0, 1), (1, 2), (70, 3), (72, 4), (74, 4)):
        publish_tree(site.parent / "pub", OLD + hour)
        _probe(site, NOW + hour * HOUR)
        sums.insert(0, _sum(site.parent))
        assert _details(site.parent) == sums[:kept]
    _probe(site, NOW + 74 * HOUR + 72 * HOUR)
    assert _details(site.parent) == sums[:2]
    _probe(site, NOW + 74 * HOUR + 72 * HOUR + 1)
    assert _details(site.parent) == sums[:1]


def test_a_primary_that_goes_back(site: Path) -> None:
    """An older state becomes the current one again, and the newer one is not offered."""
    _probe(site)
    before = _sum(site.parent)
    publish_tree(site.parent / "pub", NEW)
    _probe(site)
    assert len(_details(site.parent)) == 2
    publish_tree(site.parent / "pub", OLD)
    assert _probe(site)["baseos-9 x86_64"].state == "new"
    assert _details(site.parent) == [before]


def test_half_published(site: Path) -> None:
    """A repomd.xml that names a file which is not there changes nothing, until it is there."""
    _probe(site)
    before = _details(site.parent)
    publish_tree(site.parent / "pub", NEW, whole=False)
    found = _probe(site)["baseos-9 x86_64"]
    assert found.reason == f"half published: repodata/primary-{NEW}.xml.gz is not there yet"
    assert _details(site.parent) == before
    publish_tree(site.parent / "pub", NEW)
    assert _probe(site)["baseos-9 x86_64"].state == "new"
    assert len(_details(site.parent)) == 2


def test_a_silent_primary(site: Path) -> None:
    """One repository that cannot be read changes nothing for itself, and others are written."""
    _probe(site)
    before = _details(site.parent)
    publish_tree(site.parent / "pub", NEW)
    (site.parent / "pub" / X86 / "repomd.xml").unlink()
    found = _probe(site)
    assert found["baseos-9 x86_64"].state == "failed"
    assert "No such file" in (found["baseos-9 x86_64"].reason or "")
    assert found["baseos-9 aarch64"].state == "new"
    assert _details(site.parent) == before


def test_what_comes_first(tmp_path: Path) -> None:
    """A probe needs a primary, and a database to which the file was applied."""
    file = write(tmp_path, site_text(mirror("a")))
    applied(_url(tmp_path), file)
    write(tmp_path, site_text(mirror("a")).replace('["9", "10"]', '["9", "10", "11"]'))
    with pytest.raises(DataFileError, match="run `mirrorlist sites apply` first"):
        _probe(file)
    write(tmp_path, site_text(mirror("a")).replace('[primary]\npath = "pub"\n', ""))
    with pytest.raises(DataFileError, match="no \\[primary\\]"):
        _probe(file)


BOMB = '<!DOCTYPE repomd [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><repomd>&b;</repomd>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE html><html><body>404</body></html>", "^a web page, not a repomd.xml$"),
        ("<html><body><br></body></html>", "it begins with <html>"),
        (BOMB, "^an XML bomb, not a repomd.xml: it has a document type$"),
        ("<repomd>" + "<a>" * 100_000, "^an XML bomb, not a repomd.xml: more than 50 levels$"),
        (BOMB.encode("utf-16").decode("latin-1"), "XML bomb|not XML"),
        ("", "not XML"),
        ("<repomd/>", "without a timestamp"),
        ("<repomd><data><timestamp>now</timestamp></data></repomd>", "that is no number: now"),
        ("<repomd><data><timestamp>1e999</timestamp></data></repomd>", "that is no number"),
        (REPOMD.format(file="a", timestamp=1)[:-9], "not XML"),
    ],
)
def test_no_metadata(text: str, words: str) -> None:
    """A page, a bomb, half a file: each is refused with a reason."""
    with pytest.raises(ValueError, match=words):
        read_repomd(text.encode("latin-1"))


def test_files_elsewhere(site: Path) -> None:
    """A repomd.xml that names files outside its repository is refused."""
    text = REPOMD.format(file="../../../etc", timestamp=NEW)
    (site.parent / "pub" / X86 / "repomd.xml").write_text(text)
    assert "names a file elsewhere" in (_probe(site)["baseos-9 x86_64"].reason or "")


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def _server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *about: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/pub"
        finally:
            server.shutdown()
            thread.join()


def _send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **more: str) -> None:
    request.send_response(status)
    for name, value in more.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def test_over_http(site: Path) -> None:
    """A URL is read like a folder, with our name and the contact."""
    agents = set()

    def answer(request: BaseHTTPRequestHandler) -> None:
        agents.add(request.headers["User-Agent"])
        file = site.parent / request.path.lstrip("/")
        _send(request, file.read_bytes() if file.is_file() else b"", 200 if file.is_file() else 404)

    with _server(answer) as url:
        write(
            site.parent, site_text(mirror("a"), head=HEAD.replace('path = "pub"', f'url = "{url}"'))
        )
        assert {one.state for one in _probe(site).values()} == {"new"}
        publish_tree(site.parent / "pub", NEW, whole=False)
        found = _probe(site)["baseos-9 x86_64"]
    assert "half published" in (found.reason or "")
    assert agents == {"test"}
    assert "Connection refused" in (_probe(site)["baseos-9 x86_64"].reason or "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda one: _send(one, b"x" * 2000), "/pub/a%20b: more than 1,000 bytes"),
        (lambda one: _send(one, b"", 503), "503 Service Unavailable"),
        (lambda one: _send(one, b"", 302, Location="/pub/a"), "more than 5 redirects"),
        (
            lambda one: _send(one, b"", 302, Location="file:///etc/passwd"),
            "a redirect to file: is not",
        ),
        (lambda one: one.wfile.write(b"nonsense\r\n\r\n"), "Expected HTTP/"),
        (
            lambda one: one.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nx"),
            "cut short",
        ),
    ],
)
def test_a_bad_answer(answer: Answer, words: str) -> None:
    """It is refused with its URL and the reason."""
    with _server(answer) as url, pytest.raises(FetchError, match=words):
        Web(url, "test", Inside(all=True)).get("a b", 1000)


def test_a_redirect_inwards() -> None:
    """A server cannot make us ask another place inside, unless the file says so or names it."""
    with _server(lambda one: _send(one, b"x")) as target:

        def lead(request: BaseHTTPRequestHandler) -> None:
            _send(request, b"", 302, Location=f"{target}/a")

        with _server(lead) as url:
            with pytest.raises(FetchError, match="a redirect into a private network"):
                Web(url, "test").get("a", 1000)
            for inside in (Inside(all=True), Inside(named=frozenset({place_of(target)}))):
                assert Web(url, "test", inside).get("a", 1000).data == b"x"


def place_of(url: str) -> tuple[str, int]:
    """Return the host and the port of a URL."""
    host, _, port = url.split("/")[2].partition(":")
    return host, int(port)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.0.0.1/x", True),
        ("https://10.0.0.1/", True),
        ("http://10.0.0.1:8080/", False),
        ("http://10.0.0.2/", False),
        ("http://10.0.0.3:8080/", True),
        ("http://10.0.0.3/", False),
        ("http://10.0.0.4:99999/", False),
        ("file:///etc/passwd", False),
    ],
)
def test_places_inside(tmp_path: Path, url: str, allowed: bool) -> None:
    """The file's own hosts are named by their ports; http and https are one place."""
    text = HEAD.replace('path = "pub"', 'url = "http://10.0.0.1/"') + mirror("a")
    text = text.replace("https://a.example/", "http://10.0.0.3:8080/")
    config = load(write(tmp_path, text)).config
    assert inside_of(config).allows(url) is allowed
