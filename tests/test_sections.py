"""Each section's layout: what goes in comes out, and views that contradict themselves say so."""

import struct
from contextlib import nullcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snapshot.file import sections
from snapshot.file.model import Directory, FileDetail, History, Ranges
from snapshot.file.nametable import (
    MAX_NAME_BYTES,
    NAMES_PER_BLOCK,
    Names,
    _shared_prefix,
    pack_names,
)
from tests.examples import examples

# What a view may raise; the reader turns these into MalformedSnapshot.
MALFORMED = (ValueError, TypeError, IndexError, struct.error)
quick = examples(100)

U32, I64 = (1 << 32) - 1, (1 << 63) - 1
names = st.lists(
    st.text("ab/é", max_size=40).map(str.encode) | st.binary(max_size=5), unique=True, max_size=70
).map(sorted)


def _names(found: list[bytes]) -> Names:
    return Names(memoryview(pack_names(found)))


def _assert_same(view: Names, expected: list[bytes]) -> None:
    assert view.count == len(expected)
    assert view.all() == expected
    assert [view[index] for index in range(len(expected))] == expected
    assert [view.find(name) for name in expected] == list(range(len(expected)))


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 31, 32, 33, 48])
def test_numbers_of_names(count: int) -> None:
    """Names come back at every fill of the last block, by number and by name."""
    expected = [b"pub/%03d" % number for number in range(count)]
    _assert_same(_names(expected), expected)
    absent = [b"", b"pub/", b"pub/000.5", b"pub/016.5", b"pub/032.5", b"pub/999", b"\xff" * 9]
    assert [_names(expected).find(name) for name in absent] == [None] * len(absent)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 2047])
def test_lengths_of_names(length: int) -> None:
    """Names come back at every length of their lengths, shared and not shared."""
    expected = [b"x" * length, b"x" * length + b"y" * length + b"z"]
    _assert_same(_names(expected), expected)


def test_limit_of_names() -> None:
    """A name of the limit is read, one of a byte more is not."""
    for more, is_read in ((0, True), (1, False)):
        view = _names([b"a", b"a" * (MAX_NAME_BYTES + more)])
        with nullcontext() if is_read else pytest.raises(ValueError, match="out of bounds"):
            assert len(view[1]) == MAX_NAME_BYTES


@quick
@given(names)
def test_names_round_trip(found: list[bytes]) -> None:
    """Any sorted names come back, by number and by name."""
    _assert_same(_names(found), found)


@quick
@given(names, st.binary(max_size=6))
@example([b"ab/x", b"ac/x", b"ac/y"], b"ab/y")
def test_finding_names(found: list[bytes], name: bytes) -> None:
    """A name is found where it stands, and only if it stands there."""
    view = _names(found)
    assert view.find(name) == (found.index(name) if name in found else None)
    for near in found:
        for other in (near + b"\0", near[:-1]):
            assert view.find(other) == (found.index(other) if other in found else None)


@quick
@given(names, st.data())
def test_finding_names_that_share_less(found: list[bytes], data: st.DataObject) -> None:
    """A name is found too where a writer has shared fewer bytes with the name before than it could.

    The format allows that: "shared" is how many bytes are taken over, not how many could be.
    """
    blocks, before = bytearray(), b""
    found = found[:NAMES_PER_BLOCK]
    for name in found:
        most = _shared_prefix(before, name)
        shared = data.draw(st.integers(0, most))
        blocks += bytes((shared, len(name) - shared)) + name[shared:]
        before = name
    head = struct.pack("<II", len(found), NAMES_PER_BLOCK) + bytes(4 if found else 0)
    _assert_same(Names(memoryview(head + bytes(blocks))), found)


@pytest.mark.parametrize("index", [-1, 2, 1 << 40])
def test_names_out_of_bounds(index: int) -> None:
    """There is no name before the first or after the last."""
    with pytest.raises(IndexError):
        _names([b"a", b"b"])[index]


def test_names_are_compact() -> None:
    """A name costs what it does not share with the one before, and two bytes."""
    found = [b"pub/fedora/linux/releases/%02d" % number for number in range(16)]
    whole, last = 2 + len(found[0]), 2 + 1
    assert len(pack_names(found)) == 12 + whole + 15 * last + 1


@quick
@given(st.data(), st.integers(0, 70))
def test_host_sets_round_trip(data: st.DataObject, hosts: int) -> None:
    """Host sets come back for any number of hosts, in as few whole bytes as they need."""
    expected = data.draw(st.lists(st.integers(0, (1 << hosts) - 1), max_size=20))
    packed = sections.pack_host_sets(expected, hosts)
    view = sections.HostSets(memoryview(packed))
    assert [view[index] for index in range(view.count)] == expected
    assert len(packed) == 8 + len(expected) * ((hosts + 7) // 8)
    for index in (-1, view.count):
        with pytest.raises(IndexError):
            view[index]


directories = st.lists(
    st.builds(
        Directory,
        name=st.just(""),
        category=st.none() | st.integers(0, sections.NO_CATEGORY - 1),
        host_set=st.none() | st.integers(0, sections.NO_HOST_SET - 1),
        readable=st.booleans(),
        ctime=st.integers(-I64 - 1, I64),
    )
)


@quick
@given(
    st.integers(-I64 - 1, I64),
    st.integers(-I64 - 1, I64),
    st.lists(st.just(0) | st.integers(-2, 2) | st.integers(-I64 - 1, I64), max_size=40),
)
def test_histories_round_trip(since: int, cursor: int, moments: list[int]) -> None:
    """A history comes back, and costs twelve bytes a moment and four a directory with one."""
    packed = sections.pack_history(History(since, cursor, moments))
    found = sections.HistoryTable(memoryview(packed)).history(len(moments))
    assert (found.since, found.cursor, list(found.moments)) == (since, cursor, moments)
    given = [moment for moment in moments if moment]
    assert len(packed) == 24 + 12 * len(set(given)) + 4 * len(given)


@quick
@given(directories)
def test_directories_round_trip(expected: list[Directory]) -> None:
    """The columns of directories come back, at the ends of their types too."""
    view = sections.Directories(memoryview(sections.pack_directories(expected)))
    assert view.count == len(expected)
    assert [view.get(index, "") for index in range(view.count)] == expected


details = st.lists(
    st.builds(
        FileDetail,
        st.integers(0, I64),
        st.integers(0, I64),
        *(st.just(b"") | st.binary(min_size=size, max_size=size) for size in (16, 20, 32, 64)),
    ),
    min_size=1,
    max_size=2,
).map(tuple)
files = st.dictionaries(st.text(max_size=5), details, max_size=2)


@examples(50)
@given(st.dictionaries(st.integers(0, U32), files, max_size=4))
def test_file_details_round_trip(expected: dict[int, dict[str, tuple[FileDetail, ...]]]) -> None:
    """File details come back for each directory that has some; the others have none."""
    view = sections.FileDetailTable(memoryview(sections.pack_file_details(expected)))
    assert list(view.directories()) == sorted(expected)
    assert {index: view.get(index) for index in expected} == expected
    for index in [-1, U32 + 1, *(index + 1 for index in expected)]:
        assert view.get(index) == expected.get(index, {})


def _columns(last: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    pairs = st.tuples(st.integers(0, last), st.integers(0, U32))
    return st.lists(pairs, unique_by=lambda pair: pair[0], max_size=20).map(sorted)


@quick
@given(_columns(U32), _columns((1 << 128) - 1))
def test_ranges_round_trip(ipv4: list[tuple[int, int]], ipv6: list[tuple[int, int]]) -> None:
    """The ranges of both families come back, each family with or without any."""
    expected = Ranges(*([pair[i] for pair in pairs] for pairs in (ipv4, ipv6) for i in (0, 1)))
    packed = sections.pack_ranges(expected)
    found = sections.unpack_ranges(memoryview(packed))
    assert list(found.starts4) == expected.starts4
    assert list(found.values4) == expected.values4
    assert list(found.starts6) == expected.starts6
    assert list(found.values6) == expected.values6
    assert len(packed) == 8 + 8 * len(ipv4) + 20 * len(ipv6)


def _u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\1\0\0\0", id="no width"),
        pytest.param(_u32(2, 1) + b"x", id="a set missing"),
        pytest.param(_u32(1, 1) + b"xy", id="a byte too many"),
        pytest.param(_u32(U32, U32), id="largest numbers"),
    ],
)
def test_malformed_host_sets(data: bytes) -> None:
    """Host sets whose numbers do not fit their bytes are refused at once."""
    with pytest.raises(MALFORMED):
        sections.HostSets(memoryview(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\1", id="no count"),
        pytest.param(struct.pack("<Q", 1) + bytes(14), id="a byte missing"),
        pytest.param(struct.pack("<Q", 1) + bytes(16), id="a byte too many"),
        pytest.param(struct.pack("<Q", (1 << 64) - 1), id="largest number"),
    ],
)
def test_malformed_directories(data: bytes) -> None:
    """Columns whose number does not fit their bytes are refused at once."""
    with pytest.raises(MALFORMED):
        sections.Directories(memoryview(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_u32(1), id="half a head"),
        pytest.param(_u32(1, 0, 0) + b"\0\0", id="blocks of nothing"),
        pytest.param(_u32(17, 16, 0), id="an offset missing"),
        pytest.param(_u32(1, 16, 9) + b"\0\1x", id="offset out of bounds"),
        pytest.param(_u32(1, 16, 0) + b"\0\2x", id="name longer than the bytes"),
        pytest.param(_u32(1, 16, 0) + b"\1\1x", id="shares with nothing"),
        pytest.param(_u32(2, 16, 0) + b"\0\1x\2\1y", id="shares more than there is"),
        pytest.param(_u32(2, 16, 0) + b"\0\1x", id="second name missing"),
        pytest.param(_u32(1, 16, 0) + b"\xff" * 9, id="endless length"),
        pytest.param(_u32(1, 16, 0) + b"\xff", id="length cut short"),
        pytest.param(_u32(U32, U32, 0) + b"\0\1x", id="largest numbers"),
        pytest.param(_u32(U32, 1), id="largest count"),
    ],
)
def test_malformed_names(data: bytes) -> None:
    """Names that reach out of their bytes are refused when they are read."""
    with pytest.raises(MALFORMED):
        Names(memoryview(data)).all()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\1", id="no count"),
        pytest.param(struct.pack("<Q", 1) + _u32(0), id="half an entry"),
        pytest.param(struct.pack("<Q", 1 << 62), id="large count"),
        pytest.param(struct.pack("<Q", 1) + _u32(0, 99) + b"\x80", id="offset out of bounds"),
        pytest.param(struct.pack("<Q", 2) + _u32(0, 1, 1, 0) + b"\x80", id="offsets fall"),
        pytest.param(struct.pack("<Q", 1) + _u32(0, 0) + b"\x80\x80", id="bytes left over"),
        pytest.param(struct.pack("<Q", 1) + _u32(0, 0) + b"\x81\xa1a\x91\x91\1", id="few fields"),
        pytest.param(struct.pack("<Q", 1) + _u32(0, 0) + b"\x81\xa1a\xc0", id="no versions"),
    ],
)
def test_malformed_file_details(data: bytes) -> None:
    """File details whose index or maps do not fit are refused when they are asked for."""
    with pytest.raises(MALFORMED):
        sections.FileDetailTable(memoryview(data)).get(0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_u32(1), id="half a head"),
        pytest.param(_u32(1, 0, 5), id="IPv4 value missing"),
        pytest.param(_u32(0, 1, 5) + bytes(15), id="IPv6 start cut short"),
        pytest.param(_u32(0, 0, 5), id="bytes left over"),
        pytest.param(_u32(U32, U32), id="largest numbers"),
    ],
)
def test_malformed_ranges(data: bytes) -> None:
    """Ranges whose numbers do not fit their bytes are refused at once."""
    with pytest.raises(MALFORMED):
        sections.unpack_ranges(memoryview(data))
