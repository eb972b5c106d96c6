"""ASN files: lines of text or an mmdb, more specific foreign prefixes as holes, junk reported."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.export.asn import read_asn_netblocks
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.export.netblock import Netblock, flatten_both, make_ranges
from snapshot.file.errors import DataFileError
from snapshot.file.model import LeftOut, Ranges
from tests.mmdb import write_mmdb
from tests.ranges import value_at

NEEDED = {64500, 64501, 4200000000}
NETWORKS = [
    *(("192.0.2.0/24", 64500), ("192.0.2.128/25", 1), ("192.0.2.192/26", 64501)),
    *(("198.51.100.0/24", 64500), ("198.51.101.0/24", 64500), ("203.0.113.0/24", 2)),
    *(("255.255.255.0/24", 64501), ("2001:db8::/32", 64500), ("2001:db8:1::/48", 1)),
    *(("2001:db8:2::/48", 4200000000), ("10.0.0.0/9", 4200000000)),
]
EXPECTED = {
    64500: ["192.0.2.0", "192.0.2.127", "198.51.101.255", "2001:db8::", "2001:db8:3::"],
    64501: ["192.0.2.192", "192.0.2.255", "255.255.255.255"],
    4200000000: ["10.127.255.255", "2001:db8:2::1"],
    0: [
        *("192.0.2.128", "192.0.2.191", "192.0.3.0", "203.0.113.1", "10.128.0.0", "0.0.0.0"),
        *("255.255.254.255", "2001:db8:1::1", "2001:db9::", "::", "ffff::"),
    ],
}


def _read(path: Path, needed: set[int] = NEEDED) -> tuple[Ranges, tuple[LeftOut, ...]]:
    left_out = LeftOutRows()
    return read_asn_netblocks(path, left_out).ranges(needed), left_out.sorted()


def _text(folder: Path, content: str | bytes) -> Path:
    path = folder / "asn"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _columns(ranges: Ranges) -> list[list[int]]:
    return [list(getattr(ranges, name)) for name in Ranges.__struct_fields__]


def _assert_expected(ranges: Ranges) -> None:
    for asn, addresses in EXPECTED.items():
        assert {value_at(ranges, address) for address in addresses} == {asn}


def test_lines(tmp_path: Path) -> None:
    """The longest prefix decides, and an ASN that nobody needs is a hole in one around it."""
    lines = [f"{network} {asn}\n" for network, asn in NETWORKS]
    ranges, left_out = _read(_text(tmp_path, "".join(lines)))
    _assert_expected(ranges)
    assert left_out == ()
    # Two neighbours of one ASN are one range; foreign prefixes in nobody's network are none.
    assert len(ranges.starts4) == 9
    again, _ = _read(_text(tmp_path, "".join(lines[::-1])))
    assert _columns(again) == _columns(ranges)


def test_an_mmdb_says_the_same(tmp_path: Path) -> None:
    """An ASN mmdb gives the same ranges, byte by byte, as the text."""
    records = {
        network: {"autonomous_system_number": asn, "autonomous_system_organization": "x"}
        for network, asn in NETWORKS
    }
    records["100.64.0.0/10"] = {"autonomous_system_organization": "no number"}
    path = write_mmdb(tmp_path / "asn.mmdb", records, kind="GeoLite2-ASN")
    from_mmdb, left_out = _read(path)
    text = "".join(f"{network} {asn}\n" for network, asn in NETWORKS)
    from_text, _ = _read(_text(tmp_path, text))
    _assert_expected(from_mmdb)
    assert _columns(from_mmdb) == _columns(from_text)
    assert left_out == ()


def test_an_mmdb_of_ipv4_only(tmp_path: Path) -> None:
    """An mmdb without IPv6 is read too."""
    records = {"192.0.2.0/24": {"autonomous_system_number": 64500}}
    ranges, _ = _read(write_mmdb(tmp_path / "asn.mmdb", records, kind="ASN", ip=4))
    assert value_at(ranges, "192.0.2.9") == 64500
    assert list(ranges.starts6) == []


def test_nobody_needs_any(tmp_path: Path) -> None:
    """Without ASNs to look for, a good file gives no ranges."""
    ranges, _ = _read(_text(tmp_path, "192.0.2.0/24 64500\n"), needed=set())
    assert _columns(ranges) == [[], [], [], []]


@pytest.mark.parametrize(
    ("line", "asn"),
    [
        pytest.param("192.0.2.0/24 64500", 64500, id="blank"),
        pytest.param("192.0.2.0/24\t64500", 64500, id="tab"),
        pytest.param(" 192.0.2.0/24  \t 64500 \r", 64500, id="blanks and a carriage return"),
        pytest.param("192.0.2.0/24 AS64500", 64500, id="AS"),
        pytest.param("192.0.2.0/24 as64500", 64500, id="as"),
        pytest.param("192.0.2.0/24 64500_64501", 64500, id="several origins"),
        pytest.param("192.0.2.0/24 64501,64500", 64501, id="AS set"),
        pytest.param("192.0.2.0/24 64500 EXAMPLE, DE", 64500, id="more columns"),
        pytest.param("192.0.2.77/24 64500", 64500, id="host bits"),
        pytest.param("192.0.2.1 64500", 64500, id="address"),
        pytest.param("192.0.2.0/24 4200000000", 4200000000, id="32 bits"),
        pytest.param("192.0.2.0/24 0", 0, id="ASN 0"),
        pytest.param("0.0.0.0/1 64500\n192.0.2.0/24 64501", 64501, id="in another"),
        pytest.param("192.0.2.0/24 64500\n192.0.2.0/24 64501", 64501, id="twice: the last"),
        pytest.param("::ffff:192.0.2.0/120 64500", 64500, id="IPv4 in IPv6"),
    ],
)
def test_ways_to_write_a_line(tmp_path: Path, line: str, asn: int) -> None:
    """Blanks, tabs, `AS` and several origins, of which the first counts, are understood."""
    ranges, left_out = _read(_text(tmp_path, f"# prefix ASN\n\n{line}\n"))
    assert value_at(ranges, "192.0.2.1") == asn
    assert left_out == ()


@given(
    lines=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 4), st.booleans(), st.integers(64500, 64503)),
        min_size=1,
        max_size=30,
    ),
    needed=st.sets(st.integers(64500, 64503)),
)
def test_innermost_decides(lines: list[tuple[int, int, bool, int]], needed: set[int]) -> None:
    """An address belongs to the ASN of the longest prefix around it, or to none if not needed."""
    netblocks = AsnNetblocks()
    networks: dict[tuple[bool, int, int], int] = {}
    for bits, length, ipv6, asn in lines:
        width = 128 if ipv6 else 32
        netblocks.add((bits << width - 4).to_bytes(width // 8, "big"), length, asn)
        if length:
            networks[ipv6, bits >> 4 - length, length] = asn
    ranges = netblocks.ranges(needed)
    for bits in range(16):
        for ipv6, address in ((False, f"{bits << 4}.1.2.3"), (True, f"{bits:x}000::1")):
            around = [networks.get((ipv6, bits >> 4 - length, length)) for length in (4, 3, 2, 1)]
            asn = next((asn for asn in around if asn is not None), 0)
            assert value_at(ranges, address) == (asn if asn in needed else 0)


@given(
    lines=st.lists(
        st.tuples(
            st.lists(st.sampled_from((0, 1, 127, 255)), min_size=16, max_size=16),
            st.sampled_from((1, 7, 8, 16, 31, 32, 33, 64, 127, 128)),
            st.integers(64500, 64503),
        ),
        max_size=30,
    ),
    needed=st.sets(st.integers(64500, 64503)),
)
def test_the_same_ranges(lines: list[tuple[list[int], int, int]], needed: set[int]) -> None:
    """The ranges are those of the general way, equal neighbours joined, up to the last address."""
    netblocks = AsnNetblocks()
    named: dict[Netblock, int] = {}
    for octets, length, asn in lines:
        for version, width in ((4, 32), (6, 128)):
            packed, shorter = bytes(octets[: width // 8]), min(length, width)
            netblocks.add(packed, shorter, asn)
            free = width - shorter
            first = int.from_bytes(packed, "big") >> free << free
            named[Netblock(version, first, shorter)] = asn if asn in needed else 0
    expected = make_ranges(*flatten_both(named, 0, lambda value, _: value))
    assert _columns(netblocks.ranges(needed)) == _columns(expected)


@pytest.mark.parametrize(
    "default",
    ["0.0.0.0/0", "::/0", "::ffff:0:0/96"],
    ids=["IPv4 default route", "IPv6 default route", "IPv4 default route in IPv6"],
)
def test_default_routes(tmp_path: Path, default: str) -> None:
    """A default route says nothing about anybody, and is no junk either."""
    ranges, left_out = _read(_text(tmp_path, f"{default} 64500\n192.0.2.0/24 64501\n"))
    assert value_at(ranges, "10.0.0.1") == value_at(ranges, "2001:db8::") == 0
    assert value_at(ranges, "192.0.2.1") == 64501
    assert left_out == ()


JUNK_LINES = [
    *("junk", "192.0.2.0/24", "192.0.2.0/24 x", "192.0.2.0/33 64500", "192.0.2.0/-1 64500"),
    *("192.0.2/24 64500", "64500 192.0.2.0/24", "192.0.2.0/24 -1", "192.0.2.0/24 4294967296"),
    *("192.0.2.0/x 64500", "2001:db8::/129 64500", "g::/16 64500", "192.0.2.0/24 AS", "a b"),
    *("192.0.2.0,192.0.2.255,64500", "\0 \0"),
]


@pytest.mark.parametrize("line", JUNK_LINES)
def test_junk_lines(tmp_path: Path, line: str) -> None:
    """A junk line is reported by its number; the lines around it count."""
    content = f"# comment\n198.51.100.0/24 64500\n{line}\n203.0.113.0/24 64501\n"
    ranges, left_out = _read(_text(tmp_path, content))
    assert left_out == (LeftOut("asn file", 3, "not a line PREFIX ASN"),)
    assert value_at(ranges, "198.51.100.1") == 64500
    assert value_at(ranges, "203.0.113.1") == 64501
    assert value_at(ranges, "192.0.2.1") == 0


def test_columns_of_caida(tmp_path: Path) -> None:
    """CAIDA's files, with the prefix length in a column of its own, are read as they are meant."""
    path = _text(tmp_path, "192.0.2.0\t24\t64500\n2001:db8::\t32\t64501_1\n")
    ranges, left_out = _read(path, needed={24, 32, 64500, 64501})
    assert value_at(ranges, "192.0.2.255") == 64500
    assert value_at(ranges, "2001:db8:ffff::") == 64501
    assert left_out == ()


def test_most_reports(tmp_path: Path) -> None:
    """Of many junk lines the first twenty are reported, and how many more there are."""
    content = "192.0.2.0/24 64500\n" + "junk\n" * 5000
    _, left_out = _read(_text(tmp_path, content))
    assert [one.id for one in left_out] == [None, *range(2, 22)]
    assert left_out[0].reason == "4980 more such lines"


def test_as_many_reports_as_there_may_be(tmp_path: Path) -> None:
    """Exactly twenty junk lines are reported one by one, without a line that counts the others."""
    _, left_out = _read(_text(tmp_path, "192.0.2.0/24 64500\n" + "junk\n" * 20))
    assert [one.id for one in left_out] == [*range(2, 22)]


class _Growing(LeftOutRows):
    """Makes the file 5 MiB longer while it is read: at its first junk line."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def add(self, table: str, id: int | None, reason: str) -> None:
        """Report one row."""
        super().add(table, id, reason)
        os.truncate(self._path, 5 << 20)


def test_a_file_that_grows(tmp_path: Path) -> None:
    """A file that grows while it is read is refused: it may grow faster than it is read."""
    path = _text(tmp_path, "192.0.2.0/24 64500\njunk\n")
    with pytest.raises(DataFileError, match="it grows while it is read"):
        read_asn_netblocks(path, _Growing(path))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("# comment\n\n", id="comments"),
        pytest.param("\n".join(JUNK_LINES), id="junk"),
        pytest.param("0.0.0.0/0 64500\n", id="default route"),
        pytest.param(bytes(range(256)) * 9, id="bytes"),
        pytest.param("<html>\n<p>Not found\n", id="a web page"),
    ],
)
def test_nothing_usable(tmp_path: Path, content: str | bytes) -> None:
    """A file without one usable line is refused in one line that names it."""
    path = _text(tmp_path, content)
    with pytest.raises(DataFileError, match="no line of the form PREFIX ASN") as caught:
        _read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.exit_code == 2


def test_another_mmdb(tmp_path: Path) -> None:
    """An mmdb of another kind is refused."""
    records = {"192.0.2.0/24": {"country": {"iso_code": "DE"}}, "198.51.100.0/24": {}}
    with pytest.raises(DataFileError, match="PREFIX ASN"):
        _read(write_mmdb(tmp_path / "country.mmdb", records))


def test_a_damaged_mmdb(tmp_path: Path) -> None:
    """An mmdb that was cut at its start, or is all marker, is refused in one line."""
    records = {"192.0.2.0/24": {"autonomous_system_number": 64500}}
    content = write_mmdb(tmp_path / "asn.mmdb", records, kind="GeoLite2-ASN").read_bytes()
    for spoilt in (content[100:], content[-50:], b"\xab\xcd\xefMaxMind.com", content[:-3]):
        with pytest.raises(DataFileError) as caught:
            _read(_text(tmp_path, spoilt))
        assert "\n" not in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    """A missing file and a directory are refused by name."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataFileError, match=f"^{path}: cannot be read: "):
            _read(path)
