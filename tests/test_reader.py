"""Reading a snapshot: what was written comes back, and whatever its bytes are, nothing crashes."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from snapshot.file.errors import MalformedSnapshot
from snapshot.file.format import pack
from snapshot.file.model import Category, CategoryHost, NetblockHosts, Ranges, Report, Repository
from snapshot.file.nametable import _varint, pack_names
from snapshot.file.reader import Snapshot
from snapshot.file.sections import NO_CATEGORY, NO_HOST_SET
from tests.examples import some
from tests.snapshots import (
    DETAILS,
    HOSTS,
    READ,
    patched,
    sections_of,
    small_content,
    small_data,
    with_sections,
    write,
)

CONTENT = small_content()
SECTIONS = {section.name: bytes(section.data) for section in sections_of(CONTENT)}
SEED = 20261121
# What stands for "most" when a spoilt section claims billions of something.
FEW = 20


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """The small snapshot, opened."""
    return Snapshot(write(tmp_path, CONTENT))


def _opened(folder: Path, **changes: Any) -> Snapshot:
    """Open the small snapshot with parts of its data changed; whatever they are, they fit."""
    return Snapshot(write(folder, small_content(**changes)))


def _before(folder: Path, content: bytes) -> Snapshot:
    """Open the snapshot that another one comes after."""
    (folder / "before").mkdir()
    return Snapshot(write(folder / "before", content))


def exercise(snapshot: Snapshot) -> None:
    """Ask a snapshot for everything it has."""
    snapshot.counts()
    for name in ("redirects", "continents", "netblock_chains", "report"):
        getattr(snapshot, name)
    for name in ("netblock_ranges", "country_ranges", "asn_ranges"):
        getattr(snapshot, name)
    assert len(snapshot.history.moments) == len(snapshot.directories())
    for index in range(min(FEW, snapshot.host_set_count)):
        snapshot.host_set(index)
    for index in range(min(FEW, snapshot.directory_count)):
        snapshot.find_directory(snapshot.directory(index).name)
        snapshot.file_details(index)
    assert len(snapshot.directory_names()) == snapshot.directory_count


@pytest.mark.parametrize(
    "name", ["hosts", "categories", "repositories", "redirects", "continents", "report"]
)
def test_messages_come_back(snapshot: Snapshot, name: str) -> None:
    """What was written as a message is read as it was."""
    assert getattr(snapshot, name) == getattr(small_data(), name)


def test_directories_come_back(snapshot: Snapshot) -> None:
    """Directories are found by name and read by number; an unknown name is None."""
    expected = small_data().directories
    assert snapshot.directory_count == len(expected)
    assert [snapshot.directory(index) for index in range(3)] == expected
    assert snapshot.directory_names() == [directory.name for directory in expected]
    assert [snapshot.find_directory(one.name) for one in expected] == [0, 1, 2]
    for name in ("", "a", "pub/", "pub/4", "pub/40/repodata/", "zzz", "é", "\ud800"):
        assert snapshot.find_directory(name) is None


def test_host_sets_come_back(snapshot: Snapshot) -> None:
    """A host set is the indexes of its hosts."""
    assert snapshot.host_set_count == 2
    assert (snapshot.host_set(0), snapshot.host_set(1)) == ((0,), ())


@pytest.mark.parametrize("members", [(), (0,), (1,), (0, 1), (7, 8), (0, 31, 32, 63, 64, 99)])
def test_members_of_host_sets(tmp_path: Path, members: tuple[int, ...]) -> None:
    """The members of a host set come back rising, at the edges of bytes and words too."""
    hosts = [msgspec.structs.replace(HOSTS[0], id=number) for number in range(100)]
    found = _opened(tmp_path, hosts=hosts, host_sets=[sum(1 << one for one in members), 0])
    assert found.host_set(0) == members


def test_all_directories_come_back(snapshot: Snapshot) -> None:
    """All at once they are what they are one by one."""
    assert snapshot.directories() == small_data().directories


def test_history_comes_back(snapshot: Snapshot) -> None:
    """Both times and the moment of each directory come back."""
    expected = small_data().history
    assert expected is not None
    found = snapshot.history
    assert (found.since, found.cursor) == (expected.since, expected.cursor)
    assert list(found.moments) == expected.moments


def test_without_history(tmp_path: Path) -> None:
    """A snapshot of format 1.0 is like a first export: it knows nothing before its read."""
    snapshot = _opened(tmp_path, history=None)
    assert "history" not in dict(snapshot.section_sizes)
    assert (snapshot.history.since, snapshot.history.cursor) == (READ, READ)
    assert list(snapshot.history.moments) == [0, 0, 0]


@pytest.mark.parametrize(("ctime", "known"), [(0, False), (1, True), (-1, True)])
def test_change_times(tmp_path: Path, ctime: int, known: bool) -> None:
    """Change times are known if one directory has any."""
    directories = [replace(one, ctime=0) for one in small_data().directories]
    directories[1] = replace(directories[1], ctime=ctime)
    assert _opened(tmp_path, directories=directories).has_change_times is known


def test_file_details_come_back(snapshot: Snapshot) -> None:
    """A directory has the details of its files, newest first; others have none."""
    assert snapshot.file_details(2) == small_data().file_details[2]
    assert snapshot.file_details(0) == snapshot.file_details(99) == {}


def test_ranges_come_back(snapshot: Snapshot) -> None:
    """Ranges of both families are read as they were written."""
    found = snapshot.netblock_ranges
    assert (list(found.starts4), list(found.values4)) == ([0xC0000200, 0xC0000300], [1, 0])
    assert (list(found.starts6), list(found.values6)) == ([1 << 120], [1])
    assert snapshot.netblock_chains == small_data().netblock_chains
    assert list(snapshot.country_ranges.values4) == [0x4445, 0]
    assert list(snapshot.asn_ranges.starts4) == []


def test_counts(snapshot: Snapshot) -> None:
    """The counts are those of the parts; the report is not counted."""
    assert snapshot.counts() == {
        "hosts": 2,
        "directories": 3,
        "repositories": 1,
        "host_sets": 2,
        "urls": 1,
        "file_details": 2,
    }
    assert dict(snapshot.section_sizes) == {name: len(data) for name, data in SECTIONS.items()}


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_sealed(tmp_path: Path, key: bytes | None) -> None:
    """A snapshot says whether it is sealed, with whatever key."""
    content = bytes(pack(sections_of(CONTENT), READ, READ, key))
    assert Snapshot(write(tmp_path, content)).sealed is (key is not None)


def test_nothing_at_all(tmp_path: Path) -> None:
    """A snapshot of an empty database is a snapshot."""
    nothing: dict[str, Any] = {
        **{name: [] for name in ("hosts", "categories", "host_sets", "directories")},
        **{name: [] for name in ("repositories", "netblock_chains")},
        **{name: {} for name in ("redirects", "file_details", "continents")},
        **{name: Ranges([], [], [], []) for name in ("netblock_ranges", "country_ranges")},
        "report": Report({}, ()),
    }
    empty = _opened(tmp_path, **nothing)
    exercise(empty)
    assert set(empty.counts().values()) == {0}
    assert empty.find_directory("pub") is None


def _columns(host_set: int, category: int) -> bytes:
    return struct.pack("<Q3q3I3H3B", 3, 0, 0, 0, 0, 0, host_set, 0, 0, category, 1, 1, 1)


def _category(host: int) -> bytes:
    return msgspec.msgpack.encode([Category(1, "x", "", (CategoryHost(host, True, ()),))])


def _repository(directory: int) -> bytes:
    return msgspec.msgpack.encode([Repository("a", "b", directory, False)])


def _chains(host: int) -> bytes:
    return msgspec.msgpack.encode([(NetblockHosts(24, (host,)),)])


def _bandwidth(value: int) -> bytes:
    return msgspec.msgpack.encode([HOSTS[0], msgspec.structs.replace(HOSTS[1], bandwidth=value)])


def _host(**changes: Any) -> bytes:
    return msgspec.msgpack.encode([replace(HOSTS[0], **changes), HOSTS[1]])


def _named_category(name: str, topdir: str, *urls: str) -> bytes:
    return msgspec.msgpack.encode([Category(1, name, topdir, (CategoryHost(0, True, urls),))])


def _named_repository(prefix: str, arch: str) -> bytes:
    return msgspec.msgpack.encode([Repository(prefix, arch, 0, False)])


def _range(value: int) -> bytes:
    return struct.pack("<IIII", 1, 0, 0, value)


def _range6(value: int) -> bytes:
    return struct.pack("<III", 0, 1, value) + bytes(16)


FALLING = struct.pack("<II4I", 2, 0, 9, 3, 0, 0)
FALLING6 = struct.pack("<II2I", 0, 2, 0, 0) + (9).to_bytes(16, "big") + (3).to_bytes(16, "big")


def _history(moment: tuple[int, int], directories: tuple[int, ...]) -> bytes:
    columns = struct.pack(f"<qI{len(directories)}I", *moment, *directories)
    return struct.pack("<qqII", 1, 1, 1, len(directories)) + columns


NAMES = (b"a", b"b", b"c")


def _names(*names: bytes) -> bytes:
    return pack_names(names)


def _detail(name: str = "a", **changes: Any) -> bytes:
    return msgspec.msgpack.encode({name: (replace(DETAILS[0], **changes),)})


DETAIL = _detail()


def _details(*maps: tuple[int, bytes]) -> bytes:
    index, data = b"", b""
    for directory, one in maps:
        index += struct.pack("<II", directory, len(data))
        data += one
    return struct.pack("<Q", len(maps)) + index + data


# Only a wrong writer makes these: the checksum fits, but one section contradicts another.
CONTRADICTIONS = [
    pytest.param("directories", _columns(2, 0), id="host set of a directory"),
    pytest.param("directories", _columns(NO_HOST_SET - 1, 0), id="largest host set"),
    pytest.param("directories", _columns(0, 1), id="category of a directory"),
    pytest.param("directories", _columns(0, NO_CATEGORY - 1), id="largest category"),
    pytest.param("directories", struct.pack("<Q", 0), id="fewer directories than names"),
    pytest.param("directory_names", struct.pack("<II", 0, 16), id="fewer names than directories"),
    pytest.param("directory_names", struct.pack("<IIIBB", 3, 16, 0, 0, 9), id="names cut short"),
    pytest.param("categories", _category(2), id="host of a category"),
    pytest.param("categories", _category(-1), id="negative host of a category"),
    pytest.param("repositories", _repository(3), id="directory of a repository"),
    pytest.param("repositories", _repository(-1), id="negative directory of a repository"),
    pytest.param("host_sets", struct.pack("<IIBB", 2, 1, 1, 4), id="host of a host set"),
    pytest.param("netblock_chains", _chains(2), id="host of a chain"),
    pytest.param("netblock_chains", _chains(-1), id="negative host of a chain"),
    pytest.param("netblock_ranges", _range(2), id="chain of a range"),
    pytest.param("country_ranges", _range(0xFFFFFFFF), id="largest country"),
    pytest.param("country_ranges", _range(0x4445 << 8), id="country of three letters"),
    pytest.param("country_ranges", _range(0x440A), id="country with a line feed"),
    pytest.param("hosts", _bandwidth(0), id="no bandwidth"),
    pytest.param("hosts", _bandwidth(-1), id="negative bandwidth"),
    pytest.param("hosts", msgspec.msgpack.encode(HOSTS[:0]), id="no hosts"),
    pytest.param("hosts", msgspec.msgpack.encode([(1, "a")]), id="host with few fields"),
    pytest.param("hosts", b"\x91\xa1\xff", id="text that is not UTF-8"),
    pytest.param("history", _history((1, 1), (3,)), id="directory of a moment"),
    pytest.param("history", _history((1, 1), (0xFFFFFFFF,)), id="largest directory of a moment"),
    pytest.param("history", _history((1, 2), (0,)), id="fewer directories than a moment has"),
    pytest.param("history", _history((1, 1), (0, 1)), id="more directories than a moment has"),
    pytest.param("history", struct.pack("<qqII", 1, 1, 1, 0), id="moments cut short"),
    pytest.param("continents", b"\x81\xa2DE\x01", id="continent that is a number"),
    pytest.param("continents", b"\x81\xa2D\n\xa2EU", id="country with a line feed"),
    pytest.param("directory_names", _names(b"b", b"a", b"c"), id="names out of order"),
    pytest.param("directory_names", _names(b"a", b"a", b"c"), id="a name twice"),
    pytest.param("directory_names", _names(b"a", b"b", b"\xff"), id="name that is not UTF-8"),
    pytest.param("directory_names", _names(b"a", b"a\nb", b"c"), id="name with a line feed"),
    pytest.param("directory_names", _names(b"a", b"b\xc2\x85", b"c"), id="name with a C1 control"),
    pytest.param("directory_names", _names(b"a", b"b", b"c" * 4097), id="name that is too long"),
    pytest.param("directory_names", _names(b"a", b"b", b"c") + b"\0", id="bytes after the names"),
    pytest.param("directory_names", b"\3\0\0\0\xff" + _names(*NAMES)[5:], id="too large a block"),
    pytest.param("file_details", _details((3, DETAIL)), id="directory of file details"),
    pytest.param("file_details", _details((1, DETAIL), (0, DETAIL)), id="details out of order"),
    pytest.param("file_details", _details((0, b"\xc1")), id="file details that are none"),
    pytest.param("file_details", _details((0, DETAIL[:-1])), id="file details cut short"),
    pytest.param("file_details", _details((0, _detail(size=-1))), id="size below 0"),
    pytest.param("file_details", _details((0, _detail(sha256=b"x"))), id="hash of one byte"),
    pytest.param("file_details", _details((0, _detail("a\n"))), id="file with a line feed"),
    pytest.param("file_details", struct.pack("<Q6I", 3, 0, 0, 1, 0, 2, 0) + DETAIL, id="shared"),
    pytest.param("host_sets", struct.pack("<II", 0xFFFFFFFF, 0), id="billions of empty sets"),
    pytest.param("hosts", _bandwidth(1 << 40), id="huge bandwidth"),
    pytest.param("hosts", b"\xdd\0\xff\xff\xff" + bytes(9 << 20), id="more hosts than can be"),
    pytest.param("asn_ranges", struct.pack("<II4I", 2, 0, 9, 3, 1, 1), id="ranges out of order"),
    pytest.param("netblock_ranges", FALLING, id="ranges of netblocks out of order"),
    pytest.param("country_ranges", FALLING, id="ranges of countries out of order"),
    pytest.param("asn_ranges", FALLING6, id="IPv6 ranges out of order"),
    pytest.param("netblock_ranges", _range6(2), id="chain of an IPv6 range"),
    pytest.param("country_ranges", _range6(0x440A), id="country of an IPv6 range"),
    pytest.param("country_ranges", _range(0x14445), id="country of more than two bytes"),
    pytest.param("hosts", _bandwidth((1 << 31) + 1), id="bandwidth one too large"),
    pytest.param("hosts", _host(name="a\n"), id="host with a line feed"),
    pytest.param("hosts", _host(site="a\n"), id="site with a line feed"),
    pytest.param("hosts", _host(country="D\n"), id="country of a host with a line feed"),
    pytest.param("hosts", _host(countries_allowed=("D\n",)), id="country allowed with a line feed"),
    pytest.param("categories", _named_category("a\n", "a"), id="category with a line feed"),
    pytest.param("categories", _named_category("a", "a\n"), id="topdir with a line feed"),
    pytest.param("categories", _named_category("a", "a", "a\n"), id="URL with a line feed"),
    pytest.param("repositories", _named_repository("a\n", "b"), id="prefix with a line feed"),
    pytest.param("repositories", _named_repository("a", "b\n"), id="arch with a line feed"),
    pytest.param("redirects", msgspec.msgpack.encode({"a\n": "b"}), id="redirect with a line feed"),
    pytest.param("redirects", msgspec.msgpack.encode({"a": "b\n"}), id="target with a line feed"),
    pytest.param("continents", msgspec.msgpack.encode({"DE": "E\n"}), id="continent, line feed"),
]


@pytest.mark.parametrize(("name", "data"), CONTRADICTIONS)
def test_contradictions(tmp_path: Path, name: str, data: bytes) -> None:
    """A section that points at what does not exist is refused, in one line that names one."""
    path = write(tmp_path, with_sections(CONTENT, {name: data}))
    with pytest.raises(MalformedSnapshot) as caught:
        Snapshot(path)
    assert str(caught.value).startswith(f"{path}: malformed: section '")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("directories", struct.pack("<Q2q2I2H2B", 2, *[0] * 8), id="directories"),
        pytest.param("directory_names", _names(b"elsewhere", b"pub"), id="names"),
    ],
)
def test_one_fewer(tmp_path: Path, name: str, data: bytes) -> None:
    """As many directories as names: one fewer is refused, even if nothing points at the last."""
    content = small_content(file_details={}, history=None)
    path = write(tmp_path, with_sections(content, {name: data}))
    with pytest.raises(MalformedSnapshot, match="another number of names"):
        Snapshot(path)


def test_a_message_that_is_too_long(tmp_path: Path) -> None:
    """A message over its limit is refused before it is decoded."""
    path = write(tmp_path, with_sections(CONTENT, {"redirects": bytes((8 << 20) + 1)}))
    with pytest.raises(MalformedSnapshot, match="more than the limit of 8,388,608"):
        Snapshot(path)


def test_a_field_that_is_nested_too_deep(tmp_path: Path) -> None:
    """A field that this version does not know is skipped, but not at any depth."""
    known = msgspec.msgpack.encode(HOSTS[0])
    assert known[0] == 0x99
    for depth, is_read in ((5, True), (50_000, False)):
        nested = b"\x9a" + known[1:] + b"\x91" * depth + b"\xc0"
        hosts = b"\x92" + nested + msgspec.msgpack.encode(HOSTS[1])
        path = write(tmp_path, with_sections(CONTENT, {"hosts": hosts}))
        if is_read:
            assert Snapshot(path).hosts == HOSTS
        else:
            with pytest.raises(MalformedSnapshot, match="section 'hosts'"):
                Snapshot(path)


def test_few_bytes_that_stand_for_many(tmp_path: Path) -> None:
    """A block of 20,000 names of 100 KB each, in 492 KB, is refused and not unfolded."""
    count, name = 20_000, b"a" * 100_000
    names = struct.pack("<III", count, count, 0) + b"\0" + _varint(len(name)) + name
    for number in range(1, count):
        names += _varint(len(name) - 8) + b"\x08" + b"%08d" % number
    directories = struct.pack("<Q", count) + bytes(15 * count)
    content = with_sections(CONTENT, {"directory_names": names, "directories": directories})
    with pytest.raises(MalformedSnapshot, match="a block of too many names"):
        Snapshot(write(tmp_path, content))


def test_billions_of_empty_sets(tmp_path: Path) -> None:
    """Without hosts a host set has no bytes; their number is bounded all the same."""
    sections = {"hosts": b"\x90", "categories": b"\x90", "netblock_chains": b"\x90"}
    sections |= {"directories": _columns(NO_HOST_SET, NO_CATEGORY), "netblock_ranges": bytes(8)}
    sections |= {"host_sets": struct.pack("<II", 0xFFFFFFFF, 0)}
    with pytest.raises(MalformedSnapshot, match="another number of hosts or directories"):
        Snapshot(write(tmp_path, with_sections(CONTENT, sections)))


def test_a_time_that_never_is(tmp_path: Path) -> None:
    """A header whose times no date can be made of is refused."""
    last = 253_402_300_799
    for offset in (24, 32):
        for time in (1 << 40, last + 1, -1):
            path = write(tmp_path, patched(CONTENT, offset, "<q", time))
            with pytest.raises(MalformedSnapshot, match="a time that never is"):
                Snapshot(path)
        for time in (0, last):
            Snapshot(write(tmp_path, patched(CONTENT, offset, "<q", time)))


@pytest.mark.parametrize("bandwidth", [1, 1 << 31])
def test_bandwidths(tmp_path: Path, bandwidth: int) -> None:
    """The least and the largest bandwidth are read."""
    content = with_sections(CONTENT, {"hosts": _bandwidth(bandwidth)})
    assert Snapshot(write(tmp_path, content)).hosts[1].bandwidth == bandwidth


@pytest.mark.parametrize("name", ["repositories", "newest"])
def test_numbers_of_directories_that_are_gone(tmp_path: Path, name: str) -> None:
    """Sections that did not change are verified again if there are fewer directories now."""
    content = small_content(newest={2: "a"}, repositories=[Repository("r", "x", 2, False)])
    before = _before(tmp_path, content)
    fewer = _opened(
        tmp_path,
        history=None,
        directories=small_data().directories[:2],
        file_details={},
        repositories=[],
        newest={},
    )
    (kept,) = [bytes(one.data) for one in sections_of(content) if one.name == name]
    path = write(tmp_path, with_sections(Path(fewer.path).read_bytes(), {name: kept}))
    with pytest.raises(MalformedSnapshot, match=f"{name}.*a directory that does not exist"):
        Snapshot(path, None, before)


def test_file_details_beyond_new_directories(tmp_path: Path) -> None:
    """Details that did not change are verified again if there are fewer directories now."""
    before = Snapshot(write(tmp_path, CONTENT))
    fewer = _opened(
        tmp_path, history=None, directories=small_data().directories[:2], file_details={}
    )
    kept = {"file_details": SECTIONS["file_details"]}
    path = write(tmp_path, with_sections(Path(fewer.path).read_bytes(), kept))
    with pytest.raises(MalformedSnapshot, match="a directory that does not exist"):
        Snapshot(path, None, before)


# Each takes away what another section still refers to: the section that changes, what it comes
# from, and what the whole snapshot was before.
SECOND = [Category(3, "Linux", "pub", (CategoryHost(1, True, ()),))]
FEWER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("hosts", {"hosts": HOSTS[:1]}, {"host_sets": [0b11, 0b00]}),
    ("hosts", {"hosts": HOSTS[:1]}, {"netblock_chains": [(NetblockHosts(24, (1,)),)]}),
    ("hosts", {"hosts": HOSTS[:1]}, {"categories": SECOND}),
    ("categories", {"categories": []}, {}),
    ("host_sets", {"host_sets": []}, {}),
    ("netblock_chains", {"netblock_chains": []}, {}),
]


@pytest.mark.parametrize(("name", "fewer", "whole"), FEWER)
def test_unchanged_sections_that_refer_to_changed_ones(
    tmp_path: Path, name: str, fewer: dict[str, Any], whole: dict[str, Any]
) -> None:
    """What did not change is verified again if the section that it refers to did."""
    content = small_content(**whole)
    before = _before(tmp_path, content)
    exercise(before)
    (new,) = [one.data for one in sections_of(small_content(**fewer)) if one.name == name]
    path = write(tmp_path, with_sections(content, {name: bytes(new)}))
    with pytest.raises(MalformedSnapshot, match="does not exist") as alone:
        Snapshot(path)
    with pytest.raises(MalformedSnapshot) as after:
        Snapshot(path, None, before)
    assert str(after.value) == str(alone.value)


def test_what_was_decoded_is_taken_over(tmp_path: Path) -> None:
    """Of an unchanged section nothing is decoded again; of a changed one everything is."""
    before = _before(tmp_path, CONTENT)
    exercise(before)
    new = Snapshot(write(tmp_path, small_content(redirects={})), None, before)
    for name in SECTIONS.keys() & before.__dict__.keys() - {"redirects", "report", "history"}:
        assert getattr(new, name) is getattr(before, name), name
    assert new.redirects == {}
    assert new.find_directory("pub") == 1


def _spoilt(data: bytes) -> Iterator[bytes]:
    """Cut at every length, each byte changed in one of three ways, bytes added, plain garbage."""
    dice = random.Random(SEED)
    for place in range(len(data)):
        yield data[:place]
        byte = dice.choice((0x00, 0xFF, data[place] ^ 1))
        yield data[:place] + bytes([byte]) + data[place + 1 :]
    for _ in range(50):
        yield data + dice.randbytes(dice.randint(1, 9))
        yield dice.randbytes(dice.randint(0, 99))
    yield from SECTIONS.values()


@pytest.mark.parametrize("name", SECTIONS)
def test_whatever_a_section_holds(tmp_path: Path, name: str) -> None:
    """A spoilt section under a right checksum gives an answer or a SnapshotError, nothing else."""
    outcomes = set()
    before = _before(tmp_path, CONTENT)
    exercise(before)
    for number, data in enumerate(some(_spoilt(SECTIONS[name]), SEED)):
        path = write(tmp_path, with_sections(CONTENT, {name: data}))
        found = _outcome(path)
        # Behind a sound snapshot fewer things are verified, and the same ones are found.
        assert number % 4 or _outcome(path, before) == found
        outcomes.add(found)
    assert outcomes - {None}


def _outcome(path: Path, before: Snapshot | None = None) -> str | None:
    try:
        exercise(Snapshot(path, None, before))
    except MalformedSnapshot as error:
        return str(error)
    return None
