"""mirrorlist-server's cache file as a snapshot: the same answers, and clear refusals."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.cache.fields import MAX_FIELD_BYTES, MAX_FILE_BYTES, fields
from snapshot.cache.importer import import_cache
from snapshot.cache.rows import _Lists
from snapshot.export.job import Job
from snapshot.file.errors import CacheError, OutputError, RefusedSnapshot
from snapshot.file.model import FileDetail, LeftOut
from snapshot.file.reader import Snapshot
from tests import cache_file as cache
from tests.cache_file import details, directory, entry, files, write_cache
from tests.command import assert_refused, run
from tests.comparison import golden
from tests.in_process import respond

RECORDED = golden.CACHE.read_bytes()
HOST1, HOST2, HOST3 = (f"https://host{number}.example/linux" for number in (1, 2, 3))
REPOSITORY = "/mirrorlist?repo=linux-40&arch=x86_64"

Field = tuple[int, cache.Value]


def imported(folder: Path, *more: Field, without: tuple[int, ...] = ()) -> Snapshot:
    """Return the snapshot of the small cache with some fields more or less."""
    import_cache(write_cache(folder / "cache", *more, without=without), Job(folder / "mm.snap"))
    return Snapshot(folder / "mm.snap")


def left_out(folder: Path, *more: Field) -> tuple[LeftOut, ...]:
    """Return what is reported of the small cache with some fields more."""
    return import_cache(write_cache(folder / "cache", *more), Job(folder / "mm.snap")).left_out


def urls(snapshot: Snapshot, target: str, address: str = "127.0.0.1") -> set[str]:
    """Return the URLs of a text list."""
    body = respond(snapshot, target, forwarded=[address.encode()]).body.decode()
    return {line for line in body.splitlines() if not line.startswith("#")}


def test_the_world(tmp_path: Path) -> None:
    """Everything that the cache says is in the snapshot, and where it comes from."""
    snapshot = imported(tmp_path)
    hosts = [(host.id, host.country, host.bandwidth, host.private) for host in snapshot.hosts]
    assert hosts == [(1, "DE", 100, False), (2, "FR", 200, False), (3, "DE", 300, True)]
    assert snapshot.directory_names() == ["pub/linux", "pub/linux/40", "pub/linux/40/repodata"]
    assert snapshot.read == cache.READ
    assert snapshot.report.origin == "cache"
    assert snapshot.report.left_out == ()
    detail = FileDetail(5, 9, b"", b"", b"\x2c" * 32, b"")
    assert snapshot.file_details(2) == {"repomd.xml": (detail,)}


@pytest.mark.parametrize("size", [1, 2, 7, 100, len(RECORDED)])
def test_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """In blocks of any size, the same fields are read."""
    expected = list(fields(golden.CACHE))
    monkeypatch.setattr("snapshot.cache.fields._BLOCK_BYTES", size)
    assert list(fields(golden.CACHE)) == expected


def test_answers(tmp_path: Path) -> None:
    """A list has the public hosts that have the directory, under their first URL."""
    snapshot = imported(tmp_path)
    assert urls(snapshot, REPOSITORY) == {f"{HOST1}/40/", f"{HOST2}/40/"}
    metalink = respond(snapshot, "/metalink?repo=linux-40&arch=x86_64").body.decode()
    assert f"{HOST1}/40/repodata/repomd.xml" in metalink
    assert "rsync://host1.example/linux/40/repodata/repomd.xml" in metalink
    assert "host2.example" not in metalink


def test_netblocks_and_asns(tmp_path: Path) -> None:
    """A private host is offered to its netblocks and to its ASN, also one of several."""
    (tmp_path / "asns").write_text("192.0.2.0/24 64500\n203.0.113.0/24 64501\n")
    path = write_cache(
        tmp_path / "cache",
        (cache.NETBLOCKS, entry("198.51.100.7/24", 3)),
        *((cache.ASNS, entry(asn, 3)) for asn in (64500, 64501)),
    )
    import_cache(path, Job(tmp_path / "mm.snap", asn=tmp_path / "asns"))
    snapshot = Snapshot(tmp_path / "mm.snap")
    for address in ("198.51.100.1", "192.0.2.1", "203.0.113.1"):
        assert f"{HOST3}/40/" in urls(snapshot, REPOSITORY, address), address
    assert f"{HOST3}/40/" not in urls(snapshot, REPOSITORY, "8.8.8.8")


@pytest.mark.parametrize(
    ("field", "target", "expected"),
    [
        pytest.param(
            (cache.REDIRECTS, entry("linux-current", "linux-40")),
            "/mirrorlist?repo=linux-current&arch=x86_64",
            {f"{HOST1}/40/", f"{HOST2}/40/"},
            id="redirect",
        ),
        pytest.param(
            (cache.DISABLED, entry("linux-40", 1)), REPOSITORY, {"repo disabled"}, id="disabled"
        ),
        pytest.param(
            (cache.DISABLED, entry("linux-40", 0)),
            REPOSITORY,
            {f"{HOST1}/40/", f"{HOST2}/40/"},
            id="not disabled",
        ),
        pytest.param(
            (cache.REPOSITORIES, entry("c++-1+noarch", "pub/linux")),
            "/mirrorlist?repo=c++-1&arch=noarch",
            {f"{HOST1}/", f"{HOST2}/"},
            id="plus signs",
        ),
        pytest.param(
            (cache.ALLOWED, entry(1, "us", "CA")), REPOSITORY, {f"{HOST2}/40/"}, id="allowed"
        ),
        pytest.param(
            (cache.DIRECTORIES, directory("iso", "iso", {1: (10,)})),
            "/mirrorlist?path=iso",
            {f"{HOST1}/iso/"},
            id="topdir without a name",
        ),
    ],
)
def test_each_map(tmp_path: Path, field: Field, target: str, expected: set[str]) -> None:
    """What each map says is in the answer."""
    assert urls(imported(tmp_path, field), target) == expected


def test_countries(tmp_path: Path) -> None:
    """Countries of netblocks and continents of countries are taken."""
    fields: list[Field] = [
        (cache.COUNTRIES_OF_NETBLOCKS, entry("192.0.2.0/24", "jp")),
        (cache.CONTINENTS, entry("JP", "EU")),
    ]
    snapshot = imported(tmp_path, *fields)
    body = respond(snapshot, REPOSITORY, forwarded=[b"192.0.2.1"]).body.decode()
    assert "country = DE country = FR " in body or "country = FR country = DE " in body


def test_two_categories_with_one_topdir(tmp_path: Path) -> None:
    """A host may have other URLs in another category with the same topdir."""
    fields: list[Field] = [
        (cache.URLS, entry(12, "https://host1.example/other")),
        (cache.DIRECTORIES, directory("pub/linux/a", "a", {1: (12,)})),
        (cache.DIRECTORIES, directory("pub/linux/b", "b", {2: (20,)})),
    ]
    snapshot = imported(tmp_path, *fields)
    assert [category.topdir for category in snapshot.categories] == ["pub/linux"] * 2
    assert urls(snapshot, "/mirrorlist?path=pub/linux/a") == {"https://host1.example/other/a/"}
    assert urls(snapshot, "/mirrorlist?path=pub/linux/b") == {f"{HOST2}/b/"}
    assert urls(snapshot, REPOSITORY) == {f"{HOST1}/40/", f"{HOST2}/40/"}


def test_versions_of_a_file(tmp_path: Path) -> None:
    """The versions stay in the cache's order, in which one without a time is the newest."""
    versions = [details(0, 1), details(9, 2), details(7, 3), details(7, 4)]
    field = cache.FILES, files("pub/linux", f_iso=versions)
    found = imported(tmp_path, field).file_details(0)["f.iso"]
    assert [(one.timestamp, one.size) for one in found] == [(0, 1), (9, 2), (7, 3), (7, 4)]


def test_a_repository_in_no_category(tmp_path: Path) -> None:
    """A repository whose directory the cache has no hosts for is a 404, as from a database."""
    snapshot = imported(tmp_path, (cache.REPOSITORIES, entry("x+noarch", "pub/x")))
    answer = respond(snapshot, "/mirrorlist?repo=x&arch=noarch")
    assert answer.status == 404
    assert b"is in no category" in answer.body


def test_unknown_fields(tmp_path: Path) -> None:
    """Fields that a later mirrorlist-server may write, and those nobody reads, are passed over."""
    plain = imported(tmp_path).id
    assert imported(tmp_path, (3, b"x"), (11, entry(1, 5)), (17, b"new"), (18, 7)).id == plain


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param(
            (cache.NETBLOCKS, entry("junk", 1)),
            LeftOut("host_netblock", 1, "not a netblock, an address or a DNS name"),
            id="netblock",
        ),
        pytest.param(
            (cache.NETBLOCKS, entry("mirror.example", 1)),
            LeftOut("host_netblock", 1, "the name is not looked up (--no-dns)"),
            id="name",
        ),
        pytest.param(
            (cache.REPOSITORIES, entry("linux", "pub/linux")),
            LeftOut("repository", 2, "no plus sign between prefix and arch"),
            id="repository",
        ),
        pytest.param(
            (cache.DIRECTORIES, directory("pub/linux/x", "x", {1: (99,)})),
            LeftOut("host_category_url", 99, "a directory names this URL, and it is missing"),
            id="URL",
        ),
        pytest.param(
            (cache.REDIRECTS, entry(b"\xff", "linux-40")),
            LeftOut("repository_redirect", 1, "from_repo is not valid UTF-8"),
            id="not UTF-8",
        ),
        pytest.param(
            (cache.FILES, files("pub/linux", f_iso=[details(1, sha256="xy")])),
            LeftOut("file_detail", -2, "sha256 is not hexadecimal"),
            id="hash",
        ),
    ],
)
def test_what_is_left_out(tmp_path: Path, field: Field, expected: LeftOut) -> None:
    """An entry that cannot be used is left out and reported, and nothing else."""
    assert left_out(tmp_path, field) == (expected,)


def refuse(folder: Path, content: bytes, words: str) -> None:
    """Hold that a file is refused with these words, and that nothing is written."""
    (folder / "cache").write_bytes(content)
    with pytest.raises(CacheError, match=words) as caught:
        import_cache(folder / "cache", Job(folder / "mm.snap"))
    assert "\n" not in str(caught.value)
    assert [file.name for file in folder.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "empty: its exporter may still be running", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n" * 9, "not a mirrorlist cache", id="another file"),
        pytest.param(b"<html></html>", "not a mirrorlist cache", id="HTML"),
        pytest.param(b"\x00" * 99, "not a mirrorlist cache", id="zeros"),
        pytest.param(b"\xff" * 99, "not a mirrorlist cache", id="ones"),
        pytest.param(RECORDED[:-1], "cut short", id="cut within a field"),
        pytest.param(
            cache.message((cache.TIME, 5)), "cut short: it has no directories", id="time alone"
        ),
        pytest.param(
            cache.message((cache.DIRECTORIES, directory("a", "", {}))), "has no time", id="no time"
        ),
        pytest.param(
            cache.message((cache.DIRECTORIES, b"\x08")), "its field 16 .* cannot be read", id="junk"
        ),
        pytest.param(
            cache.varint(16 << 3 | 2) + cache.varint(MAX_FIELD_BYTES + 1),
            "a field of 4,194,305 bytes",
            id="a huge field",
        ),
        pytest.param(cache.varint(16 << 3 | 2) + cache.varint(9), "cut short", id="long field"),
        pytest.param(cache.varint(65 << 3) + b"\0", "no field of one begins at byte 0", id="65"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that is not a cache, or not a whole one, is refused in one line."""
    refuse(tmp_path, content, words)


def test_a_huge_file(tmp_path: Path) -> None:
    """A file larger than any cache is refused before it is read."""
    with (tmp_path / "cache").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(CacheError, match="more than 2 GiB"):
        import_cache(tmp_path / "cache", Job(tmp_path / "mm.snap"))


def test_no_such_file(tmp_path: Path) -> None:
    """A missing cache, and a directory, are named."""
    for path, words in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CacheError, match=words):
            import_cache(path, Job(tmp_path / "mm.snap"))


def test_written_meanwhile(tmp_path: Path) -> None:
    """A cache that is written over while it is read is not believed."""
    path = write_cache(tmp_path / "cache")

    def write(phase: str, done: int, total: int) -> None:
        os.utime(path, ns=(1, 1))

    with pytest.raises(CacheError, match="was written while it was read"):
        import_cache(path, Job(tmp_path / "mm.snap"), progress=write)


@given(st.data())
def test_mutations(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is changed in a cache, it is imported or refused, and never anything else."""
    content = bytearray(RECORDED)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["byte", "cut", "twice", "out"])):
            case "byte":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[max(1, place) :]
            case "twice":
                content[place:place] = content[place : place + 99]
            case _:
                del content[place : place + data.draw(st.integers(1, 9))]
        if not content:
            return
    folder = tmp_path_factory.getbasetemp()
    (folder / "mutated").write_bytes(content)
    with suppress(CacheError, RefusedSnapshot):
        import_cache(folder / "mutated", Job(folder / "mutated.snap", max_loss=None))
        Snapshot(folder / "mutated.snap")


def test_the_cache_is_not_overwritten(tmp_path: Path) -> None:
    """The output cannot be the cache."""
    path = write_cache(tmp_path / "cache")
    with pytest.raises(OutputError, match="it is also read"):
        import_cache(path, Job(path))


def test_losses_are_refused(tmp_path: Path) -> None:
    """A cache that was cut between two fields lost directories, which is refused."""
    imported(tmp_path)
    content = write_cache(tmp_path / "cache").read_bytes()
    last = cache.field(*cache.WORLD[-1])
    (tmp_path / "cache").write_bytes(content.removesuffix(last))
    with pytest.raises(RefusedSnapshot, match="lost 1 of 3 directories"):
        import_cache(tmp_path / "cache", Job(tmp_path / "mm.snap"))


def test_the_command(tmp_path: Path) -> None:
    """The command says what it wrote, as `export` does, and `inspect` where it comes from."""
    path = write_cache(tmp_path / "cache")
    done = run("import-cache", path, "--output", tmp_path / "mm.snap")
    assert done.returncode == 0, done.stderr
    assert "3 hosts, 3 directories, 1 repositories" in done.stderr
    found = json.loads(run("import-cache", path, "--output", tmp_path / "a", "--json").stdout)
    assert found["counts"]["hosts"] == 3
    shown = run("inspect", tmp_path / "mm.snap").stdout
    assert "origin    a mirrorlist-server cache, which has no peer ASNs" in shown
    assert json.loads(run("inspect", tmp_path / "mm.snap", "--json").stdout)["origin"] == "cache"


def test_the_command_refuses(tmp_path: Path) -> None:
    """A cache that cannot be used is one line and exit code 3."""
    (tmp_path / "cache").write_bytes(b"\xffjunk")
    done = run("import-cache", tmp_path / "cache", "--output", tmp_path / "mm.snap")
    assert_refused(done, 3, "not a mirrorlist cache")


def test_without_protobuf(tmp_path: Path) -> None:
    """Without the optional package, the command says what to install."""
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "__init__.py").touch()
    done = run("import-cache", "x", "--output", "y", PYTHONPATH=str(tmp_path))
    assert_refused(done, 2, "pip install '.[protobuf]'")


Urls = dict[int, tuple[int, ...]]


def _first_fitting(lists: list[Urls], urls: Urls) -> int:
    """The first list in which no host has other URLs, by looking at each."""
    fits = (
        all(known.get(host, own) == own for host, own in urls.items()) for known in [*lists, {}]
    )
    return list(fits).index(True)


@given(
    st.lists(
        st.dictionaries(st.integers(0, 4), st.tuples(st.integers(0, 2)), max_size=5), max_size=40
    )
)
def test_lists_that_contradict_each_other(found: list[Urls]) -> None:
    """A directory is put into the first category of its topdir that it does not contradict."""
    lists, slow = _Lists(), list[Urls]()
    for urls in found:
        place = lists.fitting(urls)
        assert place == _first_fitting(slow, urls)
        if place == len(slow):
            slow.append({})
        lists.add(place, {host: own for host, own in urls.items() if host not in slow[place]})
        slow[place].update(urls)


def test_many_lists_that_contradict_each_other() -> None:
    """The work for each category does not grow with the number of categories before it."""
    lists = _Lists()
    for number in range(20_000):
        urls = {1: (number,), 2: (number // 2, 7)}
        assert lists.fitting(urls) == number
        lists.add(number, urls)


def test_a_large_packed_field(tmp_path: Path) -> None:
    """A field of 16 MB, whose numbers would take 25 times that, is refused before it is read."""
    packed = cache.varint(2 << 3 | 2) + cache.varint(16 << 20) + b"\1" * (16 << 20)
    path = write_cache(tmp_path / "cache", (cache.ASNS, cache.entry(1) + packed))
    with pytest.raises(CacheError, match="not a mirrorlist cache: a field of 16,777,2"):
        import_cache(path, Job(tmp_path / "mm.snap"))
