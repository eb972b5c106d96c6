"""Metalinks and redirects of single files, such as packages, whose sums stay in the snapshot."""

from base64 import b64encode
from pathlib import Path

import pytest

from mirrorlist.lists.answer import Answer
from mirrorlist.service import Service
from snapshot.file.filesums import pack_file_sums
from snapshot.file.model import FileSum
from snapshot.file.reader import Snapshot
from tests.factories import export_tables, host, site, world
from tests.in_process import make_service
from tests.metalink_document import read_metalink
from tests.snapshots import sections_of, with_sections

PLACE, NAME = "pub/linux/40/x86_64/os", "tea-1.rpm"
# In a directory that the database does not have, as in a site's database.
BELOW = f"{PLACE}/Packages/t/tea-2.rpm"
SUM = FileSum(1234, bytes(range(32)))
FILES = {
    f"{PLACE}/{NAME}": SUM,
    f"{PLACE}/é & <tea>.rpm": SUM,
    f"{PLACE}/{NAME}.meta4": FileSum(9, bytes(32)),
    f"{PLACE}/cup-1.rpm": FileSum(0, bytes(32)),
    BELOW: SUM,
    "pub/elsewhere/Packages/tea-1.rpm": SUM,
    "pub/private/Packages/tea-1.rpm": SUM,
    "unknown/Packages/tea-1.rpm": SUM,
    f"{PLACE}/Packages/../../tea-1.rpm": SUM,
    "pub/epel/9/x86_64/tea-1.rpm": SUM,
    "pub/elsewhere/tea-1.rpm": SUM,
    "pub/private/tea-1.rpm": SUM,
    # As if a repository had these; no request may reach them.
    f"{PLACE}/../tea-1.rpm": SUM,
    f"{PLACE}/{'x' * 300}.rpm": SUM,
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A snapshot's bytes: a small world, a category that only a private host has, and sums."""
    tables = world()
    tables["directory"].append({"id": 20, "name": "pub/private"})
    tables["category"].append({"id": 20, "name": "Private", "topdir_id": 20})
    tables["category_directory"].append({"category_id": 20, "directory_id": 20})
    tables["site"].append(site(20))
    tables["host"].append(host(20, private=True))
    carried = {"id": 20, "host_id": 20, "category_id": 20, "always_up2date": True}
    tables["host_category"].append({**carried, "id": 2000})
    url = {"id": 2000, "host_category_id": 2000, "url": "http://h20.example/private"}
    tables["host_category_url"].append(url)
    snapshot = export_tables(tmp_path_factory.mktemp("single"), tables)[0]
    sums = pack_file_sums(bytes(16), lambda: FILES.items()).sections
    plain = Path(snapshot.path).read_bytes()
    return with_sections(plain, {"file_index": sums.places, "file_sums": sums.sums})


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    """The snapshot's file."""
    file = tmp_path / "mm.snap"
    file.write_bytes(content)
    return file


@pytest.fixture
def service(path: Path) -> Service:
    """A service of the snapshot."""
    return make_service(Snapshot(path))


def asked(service: Service, query: str, peer: str = "203.0.113.9") -> Answer:
    """Return a metalink."""
    return service.respond(True, query.encode(), peer, ())


def sums_in(answer: Answer) -> list[tuple[str | None, tuple[tuple[str, str], ...]]]:
    """Return the sizes and hashes of a metalink."""
    return [(one.size, one.hashes) for one in read_metalink(answer.body).versions]


def test_metalink_of_a_package(service: Service) -> None:
    """A package has a metalink with its size, its SHA-256 and the mirrors of its directory."""
    answer = asked(service, f"path=/{PLACE}//{NAME}")
    assert answer.status == 200
    assert sums_in(answer) == [("1234", (("sha256", SUM.sha256.hex()),))]
    document = read_metalink(answer.body)
    assert document.versions[0].piece == ("sha256", SUM.sha256.hex())
    assert document.name == NAME
    assert all(link.url.endswith(f"/40/x86_64/os/{NAME}") for link in document.links)
    assert len(document.links) > 3


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("path=pub/linux/40/x86_64/os/other.rpm", id="not a package"),
        pytest.param("path=pub/linux/40/x86_64/os", id="a directory"),
        pytest.param("path=pub/linux/40/x86_64/os/../tea-1.rpm", id="dots"),
        pytest.param("path=pub/linux/40/x86_64/os/%2e%2e/tea-1.rpm", id="encoded dots"),
        pytest.param("path=pub/linux/40/x86_64/os/..", id="dots at the end"),
        pytest.param("path=pub/linux/40/x86_64/os/tea-1.rpm%00", id="NUL"),
        pytest.param("path=pub/linux/40/x86_64/os/tea-1.rpm%0a", id="line feed"),
        pytest.param("path=pub/linux/40/x86_64/os/tea-1%ff.rpm", id="not UTF-8"),
        pytest.param("path=pub/linux/40/x86_64/os/TEA-1.rpm", id="other case"),
        pytest.param("path=pub/linux/40/x86_64/tea-1.rpm", id="beside its directory"),
        pytest.param(f"path={PLACE}/Packages/t/tea-3.rpm", id="no package, further below"),
        pytest.param(f"path={PLACE}/Packages/t", id="the directory of a package"),
        pytest.param(f"path={PLACE}/Packages/../../tea-1.rpm", id="dots further below"),
        pytest.param("path=pub/elsewhere/Packages/tea-1.rpm", id="below one in no category"),
        pytest.param("path=pub/private/Packages/tea-1.rpm", id="below one of a private host"),
        pytest.param("path=unknown/Packages/tea-1.rpm", id="below no directory"),
        pytest.param("path=pub/linux-old/40/x86_64/os/tea-1.rpm", id="a directory beside"),
        pytest.param("path=pub/epel/40/x86_64/os/tea-1.rpm", id="another topdir"),
        pytest.param("path=pub/elsewhere/tea-1.rpm", id="in no category"),
        pytest.param("path=pub/private/tea-1.rpm", id="only on a private host"),
        pytest.param(f"path={PLACE}/{'x' * 300}.rpm", id="longer than a name can be"),
        pytest.param(f"path={PLACE}/{'x' * 10_000}", id="10 KB"),
        pytest.param(f"path={PLACE}/{'y/' * 900}", id="many slashes"),
        pytest.param(f"path={PLACE}/tea-1.rpm.meta4.meta4.meta4", id="meta4 thrice"),
        pytest.param("path=.meta4", id="meta4 alone"),
        pytest.param("path=/", id="the root"),
    ],
)
def test_no_metalink(service: Service, query: str) -> None:
    """What is not exactly a known file that a stranger may have gets 400 or 404, and no sum."""
    answer = asked(service, query)
    assert answer.status in (400, 404)
    assert SUM.sha256.hex().encode() not in answer.body


def test_further_below(service: Service) -> None:
    """A package in a directory that the database does not have gets the mirrors of the nearest."""
    metalink = asked(service, f"path={BELOW}")
    document = read_metalink(metalink.body)
    assert sums_in(metalink) == [("1234", (("sha256", SUM.sha256.hex()),))]
    assert document.name == "tea-2.rpm"
    above = read_metalink(asked(service, f"path={PLACE}/{NAME}").body)
    known = {link.url.removesuffix(f"/{NAME}") for link in above.links}
    assert {link.url.removesuffix("/Packages/t/tea-2.rpm") for link in document.links} == known
    other = asked(service, f"path={BELOW}.meta4").body
    assert b'<file name="tea-2.rpm">' in other
    assert SUM.sha256.hex().encode() in other
    redirect = service.respond(False, f"path={BELOW}&redirect=1".encode(), "203.0.113.9", ())
    assert redirect.digest == f"sha-256=:{b64encode(SUM.sha256).decode()}:"
    listed = service.respond(False, f"path={BELOW}".encode(), "203.0.113.9", ())
    assert listed.body.startswith(f"# path = {BELOW} ".encode())
    # There `.meta4` is part of a name that has no sum.
    assert service.respond(False, f"path={BELOW}.meta4".encode(), "::1", ()).status == 404


def test_escaped_slash(service: Service) -> None:
    """A slash may be written as %2f, as in any value."""
    assert asked(service, f"path={PLACE.replace('/', '%2F')}%2f{NAME}").status == 200


def test_names_are_escaped(service: Service) -> None:
    """A package's name that XML or a URL cannot hold as it is stands there escaped."""
    query = f"path={PLACE}/%C3%A9%20%26%20%3Ctea%3E.rpm"
    document = read_metalink(asked(service, query).body)
    assert document.name == "é & <tea>.rpm"
    assert document.links[0].url.endswith("/%C3%A9%20&%20%3Ctea%3E.rpm")
    other = asked(service, f"{query}.meta4")
    assert b'<file name="\xc3\xa9 &amp; &lt;tea&gt;.rpm">' in other.body


def test_empty_file(service: Service) -> None:
    """An empty file has a sum, and no size, which 0 would mean to be unknown."""
    ((size, hashes),) = sums_in(asked(service, f"path={PLACE}/cup-1.rpm"))
    assert size is None
    assert hashes == (("sha256", bytes(32).hex()),)


def test_a_file_that_is_called_meta4(service: Service) -> None:
    """A `.meta4` that is itself a known file is answered like any file."""
    answer = asked(service, f"path={PLACE}/{NAME}.meta4")
    assert sums_in(answer) == [("9", (("sha256", bytes(32).hex()),))]


def test_disabled_and_redirected(service: Service) -> None:
    """A package in the directory of a disabled repository is answered by its path."""
    assert b"repo disabled" in asked(service, "repo=old-39&arch=x86_64").body
    answer = asked(service, "path=pub/epel/9/x86_64/tea-1.rpm")
    assert sums_in(answer) == [("1234", (("sha256", SUM.sha256.hex()),))]


def test_redirect(service: Service) -> None:
    """A redirect to a package has its digest; one to another file, or a directory, has none."""
    digests = {}
    for file in (NAME, "other.rpm", ""):
        query = f"path={PLACE}/{file}&redirect=1"
        answer = service.respond(False, query.encode(), "203.0.113.9", ())
        assert answer.status == 302
        digests[file] = answer.digest
    expected = f"sha-256=:{b64encode(SUM.sha256).decode()}:"
    assert digests == {NAME: expected, "other.rpm": None, "": None}


def test_text_list(service: Service, tmp_path: Path, content: bytes) -> None:
    """A text list of a package is the same with and without sums."""
    plain = with_sections(content, {"file_index": None, "file_sums": None})
    (tmp_path / "plain.snap").write_bytes(plain)
    other = make_service(Snapshot(tmp_path / "plain.snap"))
    query = f"path={PLACE}/{NAME}".encode()
    one = service.respond(False, query, "203.0.113.9", ())
    assert one.body == other.respond(False, query, "203.0.113.9", ()).body


def test_damaged_in_use(service: Service, path: Path, content: bytes) -> None:
    """If the file is overwritten while it is in use, a package has no metalink, and it is told."""
    sums = next(one.data for one in sections_of(content) if one.name == "file_sums")
    with path.open("r+b") as file:
        file.seek(content.index(bytes(sums)))
        file.write(b"x" * len(sums))
    answer = asked(service, f"path={PLACE}/{NAME}")
    assert answer.status == 404
    redirect = service.respond(False, f"path={PLACE}/{NAME}&redirect=1".encode(), "::1", ())
    assert (redirect.status, redirect.digest) == (302, None)
    # A file whose details are in memory is answered as before.
    assert asked(service, "repo=linux-40&arch=x86_64").status == 200
    assert service.count_damage() == 2
    assert service.count_damage() == 0
