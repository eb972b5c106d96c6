"""docs/snapshot-format.md is enough to read a snapshot, and names all there is in one."""

import inspect
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from snapshot.file import model
from snapshot.file.filesums import pack_file_sums
from snapshot.file.format import FileHeader, FileSection, pack
from snapshot.file.model import FileSum, Ranges
from snapshot.file.reader import Snapshot
from tests import second_reader
from tests.factories import export_tables, file_detail, host, site, world
from tests.second_reader import File, RefusedError, message, open_file
from tests.snapshots import patched, sections_of, small_content, small_data, write

PAGE = (Path(__file__).parent.parent / "docs/snapshot-format.md").read_text(encoding="utf-8")
ASN_FILE = "192.0.2.0/24 64500\n192.0.2.128/25 1\n2001:db8::/32 64501\n255.0.0.0/8 64500\n"
NETBLOCKS = [
    *((6, "192.0.2.0/24"), (1, "192.0.2.64/26"), (2, "192.0.2.64/26"), (3, "0.0.0.0/0")),
    *((4, "2001:db8::/32"), (5, "2001:db8:1::/48"), (6, "ffff::/16"), (6, "junk")),
]


def _rich_tables() -> dict[str, list[dict[str, Any]]]:
    """The small world with more of everything that a snapshot can hold."""
    tables = world()
    tables["site"].append(site(10, private=True, name="Universität Ω"))
    tables["host"] += [
        host(10, country="pl", bandwidth_int=99999, asn=64501),
        host(11, site_id=None),
    ]
    tables["host_category"].append(
        {"id": 900, "host_id": 10, "category_id": 1, "always_up2date": True}
    )
    tables["host_category_url"].append(
        {"id": 9000, "host_category_id": 900, "url": "http://h10.example/"}
    )
    tables["directory"] += [
        {"id": 100 + number, "name": f"pub/linux/{number:02}/é{'x' * number}", "ctime": -number}
        for number in range(40)
    ]
    tables["directory"].append(
        {"id": 200, "name": "pub/secret", "readable": False, "ctime": 1 << 40}
    )
    tables["category_directory"] += [
        {"category_id": 1, "directory_id": 100 + number} for number in range(0, 40, 3)
    ]
    tables["file_detail"] += [
        file_detail(10 + number, 3, timestamp=stamp, size=size, md5=None)
        for number, (stamp, size) in enumerate([(None, None), (5, 70000), (1 << 33, 1 << 40)])
    ]
    tables["file_detail"].append(file_detail(20, 102, filename="ä" * 40))
    tables["host_netblock"] = [
        {"id": number, "host_id": host_id, "netblock": text}
        for number, (host_id, text) in enumerate(NETBLOCKS)
    ]
    tables["netblock_country"] = [
        {"id": 1, "netblock": "192.0.2.0/24", "country": "cz"},
        {"id": 2, "netblock": "2001::/16", "country": "AQ"},
    ]
    tables["host_peer_asn"] = [{"id": 1, "host_id": 10, "asn": 64500}]
    tables["host_country_allowed"] = [{"id": 1, "host_id": 10, "country": "us"}]
    tables["country_continent_redirect"] = [{"id": 1, "country": "TR", "continent": "EU"}]
    return tables


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot with several of each thing, the third of its history."""
    folder = tmp_path_factory.mktemp("rich")
    (folder / "asn").write_text(ASN_FILE)
    tables = _rich_tables()
    for changed in ([], [100, 105], [101, 102, 104]):
        for row in tables["directory"]:
            row["ctime"] += 1000 * (row["id"] in changed)
        found, _ = export_tables(folder, tables, asn=folder / "asn")
    return found


@pytest.fixture(scope="module")
def file(snapshot: Snapshot) -> File:
    """What the second reader makes of it."""
    return open_file(Path(snapshot.path).read_bytes())


def _plain(value: object) -> object:
    """A model value as MessagePack has it: structs and tuples are lists."""
    if isinstance(value, msgspec.Struct):
        return [_plain(getattr(value, field)) for field in value.__struct_fields__]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def test_headers_agree(snapshot: Snapshot, file: File) -> None:
    """Both readers see the same version, times, id and sections."""
    assert (file.minor, file.built, file.read) == (3, snapshot.built, snapshot.read)
    assert file.id == snapshot.id
    sizes = {name: len(data) for name, data in {**file.content, **file.other}.items()}
    assert sizes == dict(snapshot.section_sizes)
    assert list(file.other) == ["report", "history"]


@pytest.mark.parametrize(
    "name",
    [
        *("hosts", "categories", "repositories", "redirects", "continents", "netblock_chains"),
        "report",
    ],
)
def test_messages_agree(snapshot: Snapshot, file: File, name: str) -> None:
    """Both readers see the same in each MessagePack section, and none is empty."""
    found = message({**file.content, **file.other}[name])
    assert found
    assert found == _plain(getattr(snapshot, name))


def _maps(value: object) -> list[list[str]]:
    if isinstance(value, dict):
        return [list(value), *(keys for one in value.values() for keys in _maps(one))]
    return [keys for one in value for keys in _maps(one)] if isinstance(value, list) else []


def test_maps_are_sorted(file: File) -> None:
    """The keys of every map stand in the order of their bytes."""
    values = [message(file.content[name]) for name in ("continents", "redirects")]
    values += [message(file.other["report"])]
    values += second_reader.file_details(file.content["file_details"]).values()
    maps = _maps(values)
    assert len(maps) > 4
    assert all(keys == sorted(keys, key=str.encode) for keys in maps)


def test_directories_agree(snapshot: Snapshot, file: File) -> None:
    """Both readers see the same directories, by number and by name."""
    names = second_reader.directory_names(file.content["directory_names"])
    found = second_reader.directories(file.content["directories"])
    assert len(found) == snapshot.directory_count == 48
    assert names == snapshot.directory_names() == sorted(names, key=str.encode)
    for index, (name, one) in enumerate(zip(names, found, strict=True)):
        assert snapshot.find_directory(name) == index
        assert snapshot.directory(index) == model.Directory(
            name, one.category, one.host_set, one.readable, one.ctime
        )
    assert {one.readable for one in found} == {True, False}
    assert {one.category for one in found} == {None, 0, 1}


def test_host_sets_agree(snapshot: Snapshot, file: File) -> None:
    """Both readers see the same hosts in each host set."""
    found = second_reader.host_sets(file.content["host_sets"])
    assert len(found) == snapshot.host_set_count == len({tuple(one) for one in found}) == 3
    assert [tuple(one) for one in found] == [
        snapshot.host_set(index) for index in range(snapshot.host_set_count)
    ]


def test_file_details_agree(snapshot: Snapshot, file: File) -> None:
    """Both readers see the same versions of each file, in directories with and without any."""
    found = second_reader.file_details(file.content["file_details"])
    assert len(found) == 3
    for index in range(snapshot.directory_count):
        assert found.get(index, {}) == _plain(snapshot.file_details(index))


def test_file_sums_agree(tmp_path: Path) -> None:
    """Both readers find the same sums of single files, by key and in the map."""
    sums = {f"pub/é/{i}": FileSum(i, bytes([i % 256]) * 32) for i in range(999)}
    sums["pub/large"] = FileSum(1 << 33, bytes(32))
    packed = pack_file_sums(bytes(16), lambda: sums.items()).sections
    snapshot = Snapshot(write(tmp_path, small_content(file_sums=packed)))
    content = open_file(Path(snapshot.path).read_bytes()).content
    for path in (*sums, "pub/é", ""):
        found = second_reader.file_sum(content["file_index"], content["file_sums"], path)
        assert found == sums.get(path) == snapshot.file_sum(path)


def test_histories_agree(snapshot: Snapshot, file: File) -> None:
    """Both readers see the same moments: two exports' among directories that have none."""
    found = second_reader.history(file.other["history"])
    assert (found.since, found.cursor) == (snapshot.history.since, snapshot.history.cursor)
    moments = [found.moments.get(index, 0) for index in range(snapshot.directory_count)]
    assert moments == list(snapshot.history.moments)
    assert found.since < min(found.moments.values())
    assert max(found.moments.values()) == found.cursor
    assert sorted(Counter(found.moments.values()).values()) == [2, 3]


def _pairs(ranges: Ranges) -> second_reader.Ranges:
    return second_reader.Ranges(
        list(zip(ranges.starts4, ranges.values4, strict=True)),
        list(zip(ranges.starts6, ranges.values6, strict=True)),
    )


@pytest.mark.parametrize("name", ["netblock_ranges", "country_ranges", "asn_ranges"])
def test_ranges_agree(snapshot: Snapshot, file: File, name: str) -> None:
    """Both readers see the same ranges of both families, rising, no neighbours equal."""
    found = second_reader.ranges(file.content[name])
    assert found == _pairs(getattr(snapshot, name))
    for family in found:
        assert family
        assert [start for start, _ in family] == sorted({start for start, _ in family})
        values = [0, *(value for _, value in family)]
        assert all(one != other for one, other in pairwise(values))


def test_second_reader_refuses_damage(snapshot: Snapshot) -> None:
    """The page's checks of magic, version, size, checksum and id refuse what they should."""
    content = Path(snapshot.path).read_bytes()
    for spoilt in (
        content[:-8],
        b"X" + content[1:],
        content[:300] + bytes([content[300] ^ 1]) + content[301:],
        patched(content, 8, "<H", 2),
        patched(content, 40, "<Q", 0),
    ):
        with pytest.raises(RefusedError):
            open_file(spoilt)


# Each section whose structs may grow in a later minor version, with elements added to all.
LATER = {
    "hosts": [[*one, "new"] for one in message(msgspec.msgpack.encode(small_data().hosts))],
    "repositories": [["linux-40", "x86_64", 1, False, {"new": 1}, None]],
    "netblock_chains": [[[24, [0], 5]]],
    "report": [
        {"host": 2},
        [["host", 8, "no site", "new"], ["site", None, "x"]],
        *("database", ["a note"], {"a.example": [5, ["192.0.2.1"], "new"]}, None, "new"),
    ],
    "categories": [[3, "Linux", "pub", [[0, True, ["https://a.example/linux"], 1]], [1]]],
}


@pytest.mark.parametrize("name", LATER)
def test_later_elements_are_passed_over(tmp_path: Path, name: str) -> None:
    """A struct with more elements than this version knows means what it meant without them."""
    kept = [
        section._replace(data=msgspec.msgpack.encode(LATER[name]))
        if section.name == name
        else section
        for section in sections_of(small_content())
    ]
    snapshot = Snapshot(write(tmp_path, bytes(pack(kept, 1, 2))))
    assert _plain(getattr(snapshot, name)) == _plain(getattr(small_data(), name))


def _structs() -> list[type[msgspec.Struct]]:
    found = inspect.getmembers(model, inspect.isclass)
    return [
        one for _, one in found if issubclass(one, msgspec.Struct) and one is not msgspec.Struct
    ]


@pytest.mark.parametrize("struct", _structs(), ids=lambda struct: struct.__name__)
def test_the_page_names_each_field(struct: type[msgspec.Struct]) -> None:
    """Each field of the model stands in the page; of an array's fields also the place."""
    for place, field in enumerate(struct.__struct_fields__):
        row = f"| {place} | `{field}` |" if struct.__struct_config__.array_like else f"`{field}`"
        assert row in PAGE


def test_the_page_names_each_section() -> None:
    """The page's table has the sections of a file; only report and history are no content."""
    table = PAGE.partition("## Sections")[2].partition("###")[0]
    listed = re.findall(r"^\| `(\w+)` \| [MB] \|", table, re.MULTILINE)
    found = sections_of(small_content())
    # Of a site with shapes alone (tests/test_request_shapes.py), of `export --files`, and of
    # `export --newest`.
    some = ["file_index", "file_sums", "newest", "request_shapes"]
    assert sorted(listed) == sorted([*some, *(section.name for section in found)])
    assert [section.name for section in found if not section.content] == ["report", "history"]
    for name in listed:
        assert re.search(rf"^### .*`{name}`", PAGE, re.MULTILINE)


def test_the_page_names_each_part_of_the_header() -> None:
    """Each field of the header stands in the page's table."""
    table = PAGE.partition("## Header")[2].partition("## ")[0]
    assert all(f"| `{field}` |" in table for field in FileHeader._fields)


def test_the_example_is_a_file() -> None:
    """The page's hexadecimal example is, byte by byte, what the writer makes of its content."""
    lines = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} ?){16})$", PAGE, re.MULTILINE)
    assert [int(offset, 16) for offset, _ in lines] == list(range(0, 16 * len(lines), 16))
    example = b"".join(bytes.fromhex(line) for _, line in lines)
    redirects = FileSection("redirects", msgspec.msgpack.encode({"b": "a"}), True)
    assert example == pack([redirects], 1767225605, 1767225600)
    assert message(open_file(example).content["redirects"]) == {"b": "a"}
