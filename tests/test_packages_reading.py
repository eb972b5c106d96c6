"""What an import reads: repomd.xml and primary.xml, packed in any way, within limits."""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from snapshot.file.errors import PackagesError, UnusableRepository
from snapshot.packages import pieces as pieces_module
from snapshot.packages import primary as primary_module
from snapshot.packages import unpacking
from snapshot.packages.primary import Content, new_packages
from snapshot.packages.repomd import MOST_OPENED, RepomdRecord, read_all, read_repomd
from snapshot.packages.unpacking import unpacked
from tests.packaged import HEAD, PACKERS, X86, Rpm, Site, names, primary, write

SUM = "ab" * 32
REPOMD = (
    '<repomd><revision> 7 </revision><data type="filelists"><location href="no"/></data>'
    f'<data type="primary"><checksum type="sha256">{SUM}</checksum>'
    '<location href="repodata/p.xml"/><size>9</size><open-size>10</open-size></data></repomd>'
)
TEA = Rpm("tea")
TEXTS = ("version", "epoch", "release", "arch", "path")


def with_text(field: str, text: str) -> Rpm:
    """Return a package with a text."""
    return msgspec.structs.replace(Rpm("a", path="a.rpm"), **{field: text})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one repository."""
    return Site(tmp_path, X86)


def read(data: bytes, step: int = 1000) -> tuple[list[str], Content]:
    """Return the names of the packages of a primary.xml, which comes in blocks of some bytes."""
    content = Content()
    blocks = (data[at : at + step] for at in range(0, len(data), step))
    return [one.name for one in new_packages(blocks, set(), content)], content


@pytest.mark.parametrize("ending", PACKERS)
def test_packed(site: Site, ending: str) -> None:
    """A primary.xml may be packed by gzip, xz, bzip2 or zstd, or not at all."""
    site.write(X86, TEA, ending=ending)
    assert site.run().packages == 1
    assert names(site) == ["tea-1"]


@pytest.mark.parametrize("packer", [one for one in PACKERS.values() if one is not bytes])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_unpacked(packer: Callable[[bytes], bytes], step: int) -> None:
    """The bytes are the same in blocks of any size, and of a file in two members."""
    data = bytes(range(256)) * 40
    packed = packer(data) + packer(b"end")
    blocks = (packed[at : at + step] for at in range(0, len(packed), step))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "_BLOCK", 1000)
        found = list(unpacked(blocks, 1 << 20))
    assert b"".join(found) == data + b"end"
    assert max(map(len, found)) <= 1000
    with pytest.raises(UnusableRepository, match=r"cut short|cannot be unpacked"):
        list(unpacked(iter([packer(data)[:-5]]), 1 << 20))
    with pytest.raises(UnusableRepository, match="cannot be unpacked"):
        list(unpacked(iter([packer(data), b"not packed at all"]), 1 << 20))


@pytest.mark.parametrize("packer", [one for one in PACKERS.values() if one is not bytes])
def test_many_members(packer: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many small members, blocks are as large as else; of still more it is refused."""
    packed = packer(b"x") * 600
    monkeypatch.setattr(unpacking, "_BLOCK", 256)
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 600)
    assert [*map(len, unpacked(iter([packed]), 1000))] == [256, 256, 88]
    with pytest.raises(UnusableRepository, match=r"primary\.xml has more than 600 parts"):
        list(unpacked(iter([packed, packer(b"")]), 1000))


@pytest.mark.parametrize("packer", PACKERS.values())
def test_a_bomb(packer: Callable[[bytes], bytes]) -> None:
    """A file that unpacks to more than its limit is refused, and unpacked no further."""
    blocks = unpacked(iter([packer(bytes(5 << 20))]), 1_000_000)
    taken: list[int] = []
    with pytest.raises(UnusableRepository, match="unpacks to more than 1,000,000 bytes"):
        taken.extend(map(len, blocks))
    assert sum(taken) <= 1_000_000


def test_a_bomb_in_a_repository(site: Site) -> None:
    """What repomd.xml says of its size is the limit; then the database has nothing of it."""
    write(site.source / X86, primary(*[TEA] * 50), ".xz", **{"open-size": "5000"})
    with pytest.raises(PackagesError, match=f"{X86}: primary.xml unpacks to more than 5,000"):
        site.run()


def test_xz_memory() -> None:
    """A file that needs more memory than `xz -9` does is refused."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    data = bytes.fromhex("fd377a585a000004e6d6b446") + lzma.compress(
        b"x", lzma.FORMAT_RAW, filters=filters
    )
    head = bytes([2, 0, 0x21, 1, 34, 0, 0, 0])
    data = data[:12] + head + zlib.crc32(head).to_bytes(4, "little") + data[12:]
    with pytest.raises(UnusableRepository, match="cannot be unpacked: Memory usage limit"):
        list(unpacked(iter([data]), 1000))


@pytest.mark.parametrize("step", [1, 2, 50, 10_000])
def test_blocks(step: int) -> None:
    """Packages are the same in blocks of any size."""
    assert read(primary(TEA, Rpm("cup"), Rpm("bread")), step)[0] == ["tea", "cup", "bread"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not XML: no element"),
        (b"x", "not XML"),
        (b"<metadata>", "not XML: no element"),
        (b"<repomd></repomd>", "begins with <repomd>"),
        (b"<!DOCTYPE metadata [<!ENTITY a 'aa'>]><metadata>&a;</metadata>", "has a DOCTYPE"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><metadata/>', "is in ISO-8859-1"),
        (HEAD.encode() + b"<package>&lol;</package></metadata>", "undefined entity"),
        (HEAD.encode() + b"<package/><package></package></metadata>", "beside packages"),
        (HEAD.encode() + b"<!-- <package></package> --></metadata>", "beside packages"),
        (HEAD.encode() + b"<package/><x><package></package></x></metadata>", "beside packages"),
        (HEAD.encode() + b"<package>\xff</package></metadata>", "not well-formed"),
        (HEAD.encode() + b"<package></package></metadata>x", "junk after document"),
        (HEAD.encode() + b"<package><name></package></metadata>", "mismatched tag"),
    ],
)
def test_not_a_primary(data: bytes, words: str) -> None:
    """Anything else is refused, a document type in it too."""
    with pytest.raises(UnusableRepository, match=words):
        read(data)


@pytest.mark.parametrize(
    ("rpm", "words"),
    [
        (Rpm(""), "without a name: it has no name"),
        (Rpm("a&#9;b"), "it has no name that can be used"),
        (Rpm("a", size="-1"), "a: it has no size"),
        (Rpm("a", size="1e3"), "a: it has no size"),
        (Rpm("a", sum="ab"), "a: it has no sum"),
        (Rpm("a", sum="g" * 64), "a: it has no sum"),
        (Rpm("a", path="../a.rpm"), "a: its path is not below"),
        (Rpm("a", path="/etc/a.rpm"), "a: its path is not below"),
        (Rpm("a", path="b\\..\\a.rpm"), "a: its path is not below"),
        (Rpm("a", path="repodata/repomd.xml"), "a: its path is one of repodata"),
        (Rpm("a" * 2001), "aaa: it has a text of more than 2,000 bytes"),
        *((with_text(one, "é" * 1001), "a: it has a text of") for one in TEXTS),
        (Rpm("a", requires=(f'name="{"é" * 1001}"',)), "a: it has a text of"),
        (Rpm("a", provides=(f'name="b" flags="EQ" ver="{"1" * 2000}"',)), "a: it has a text of"),
    ],
)
def test_left_out(rpm: Rpm, words: str) -> None:
    """A package that cannot be used is left out, with the reason; the others are taken."""
    found, content = read(primary(rpm, TEA))
    assert found == ["tea"]
    assert content.count == 2
    assert words in content.left_out[0]


def test_the_longest_texts() -> None:
    """Texts of 2,000 bytes are taken."""
    long = "é" * 1000
    capability = f'name="{"b" * 1999}" flags="EQ" ver="1"'
    some = [with_text(one, long) for one in TEXTS]
    data = primary(Rpm(long, path="b.rpm"), Rpm("a", provides=(capability,)), *some)
    assert read(data)[0] == [long, *["a"] * 6]


def test_elsewhere() -> None:
    """A package whose location has another base is left out."""
    data = primary(TEA).replace(b"<location ", b'<location xml:base="https://a.example/" ')
    assert read(data)[1].left_out == ["tea: it is not in the directory of the repository"]


def test_what_may_be_missing() -> None:
    """A file need not name its encoding; a package may have no bytes, and its epoch is 0."""
    data = primary(Rpm("tea", size="0", epoch="")).replace(b' encoding="UTF-8"', b"")
    assert b"encoding" not in data
    (found,) = new_packages(iter([data]), set(), Content())
    assert (found.name, found.size, found.epoch) == ("tea", 0, "0")


def test_comments_and_another_prefix() -> None:
    """Comments are nothing, CDATA is text, and rpm's names may have another prefix."""
    data = primary(Rpm("tea", provides=('name="t" flags="LE" epoch="1" ver="2"',)))
    data = data.replace(b"rpm:", b"r:").replace(b"xmlns:rpm", b"xmlns:r")
    data = data.replace(b' packages="1"', b' xmlns:z="https://z.example/" packages="1"')
    data = data.replace(b"<name>tea", b"<!-- no --><name><![CDATA[tea]]>")
    found = list(new_packages(iter([data]), set(), Content()))
    assert found[0].name == "tea"
    assert found[0].capabilities == [(0, "t", 10, "1:2")]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package and a repository may not be larger than their limits."""
    data = primary(TEA, Rpm("cup"))
    monkeypatch.setattr(primary_module, "MOST_PACKAGES", 2)
    assert read(data)[0] == ["tea", "cup"]
    monkeypatch.setattr(primary_module, "MOST_PACKAGES", 1)
    with pytest.raises(UnusableRepository, match="more than 1 packages"):
        read(data)
    monkeypatch.setattr(pieces_module, "MOST_BYTES", 100)
    with pytest.raises(UnusableRepository, match="a package of more than 100 bytes"):
        read(data, 10)


def test_repomd() -> None:
    """Of a repomd.xml, the revision and the primary are read."""
    found = read_repomd(REPOMD.encode())
    assert found == RepomdRecord("7", "repodata/p.xml", "sha256", SUM, 9, 10)


def test_all_records() -> None:
    """Of other files, what is needed to write their record again is read as well."""
    more = (
        '<data type="group">junk<open-checksum type="SHA">AB</open-checksum>'
        f'<open-checksum type="SHA256">{SUM.upper()}</open-checksum>'
        f'<checksum type="sha256">{SUM}</checksum><location href="g"/><timestamp>8</timestamp>'
        f'<size></size></data><data type="other"><checksum type="sha256">{SUM}</checksum>'
        '<location href="o"/><open-checksum type="sha256">no</open-checksum></data></repomd>'
    )
    location = '<location href="no"/>'
    text = REPOMD.replace(location, f'{location}<checksum type="sha256">{SUM}</checksum>')
    found = read_all(text.replace("</repomd>", more).encode())
    assert [*found] == ["primary", "filelists", "group", "other"]
    sum = f"sha256:{SUM}"
    assert found["group"] == RepomdRecord("7", "g", "sha256", SUM, opened_sum=sum, timestamp="8")
    assert found["other"] == RepomdRecord("7", "o", "sha256", SUM)


@pytest.mark.parametrize(("opened", "most"), [(None, MOST_OPENED), (5, 5), (1 << 60, MOST_OPENED)])
def test_most_opened(opened: int | None, most: int) -> None:
    """A file may unpack to what repomd.xml says, but for a limit."""
    assert RepomdRecord(opened=opened).most_opened == most


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</repomd>", "", "not XML"),
        ("<repomd>", "<!DOCTYPE a><repomd>", "has a DOCTYPE"),
        ('"primary"', '"other"', "names no primary"),
        ("repodata/p.xml", "../p.xml", "not below the repository"),
        ("repodata/p.xml", "file:///etc/p.xml", "not below the repository"),
        ("sha256", "crc32", "no usable sum of the primary"),
        (SUM, SUM[1:], "no usable sum of the primary"),
        (">9<", ">-9<", "a size that is not one"),
        (">9<", f">{'9' * 19}<", "a size that is not one"),
    ],
)
def test_a_wrong_repomd(old: str, new: str, words: str) -> None:
    """A repomd.xml that cannot be used is refused."""
    with pytest.raises(UnusableRepository, match=words):
        read_repomd(REPOMD.replace(old, new).encode())


def test_a_wrong_sum(site: Site) -> None:
    """A primary.xml that does not have the sum of repomd.xml is not imported."""
    site.write(X86, TEA, ending="")
    path = next((site.source / X86 / "repodata").glob("*-primary.xml"))
    path.write_bytes(path.read_bytes().replace(b"thing", b"thong"))
    with pytest.raises(PackagesError, match=r"does not have the sha256 of repomd.xml"):
        site.run()
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(PackagesError, match=r"has more than [\d,]+ bytes"):
        site.run()
    path.unlink()
    with pytest.raises(PackagesError, match=r"primary.xml is missing"):
        site.run()


@pytest.fixture
def web(site: Site) -> Iterator[str]:
    """The source of a site on a web server."""
    handler = partial(_Quiet, directory=str(site.source))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with closing(_Closing(server, thread)):
        yield f"http://127.0.0.1:{server.server_port}"


class _Quiet(SimpleHTTPRequestHandler):
    """A handler without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Closing:
    """Ends a server and its thread."""

    def __init__(self, server: ThreadingHTTPServer, thread: Thread) -> None:
        self._server, self._thread = server, thread

    def close(self) -> None:
        """End both."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_web_server(site: Site, web: str) -> None:
    """A source may be a web server; what it says is not there leaves."""
    site.write(X86, TEA)
    assert site.run(source=web).packages == 1
    assert site.run(source=web + "/").unchanged == [X86]
    (site.source / X86 / "repodata/repomd.xml").unlink()
    assert site.run(source=web).deleted == [X86]
    assert names(site) == []


def test_a_web_server_that_is_down(site: Site) -> None:
    """A server that cannot be reached says nothing of what is there."""
    site.write(X86, TEA)
    site.run()
    with pytest.raises(PackagesError, match="cannot be fetched: Connection refused"):
        site.run(source="http://127.0.0.1:1/")
    assert names(site) == ["tea-1"]


def test_a_file_that_is_no_gzip() -> None:
    """Zeros behind a gzip file are nothing, as for gzip itself."""
    assert b"".join(unpacked(iter([gzip.compress(b"a") + bytes(600)]), 10)) == b"a"
