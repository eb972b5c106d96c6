"""Netblocks of hosts, countries of netblocks, and DNS names that may answer late or never."""

from pathlib import Path

import pytest

from snapshot.file.model import LeftOut
from snapshot.file.reader import Snapshot
from tests.factories import edited, export_tables
from tests.ranges import Edit, chain, netblocks, value_at

JUNK = "not a netblock, an address or a DNS name"


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("10.1.0.0/16", ["10.1.0.0", "10.1.255.255"], ["10.0.255.255", "10.2.0.0"]),
        pytest.param("10.1.9.9/16", ["10.1.0.0", "10.1.255.255"], ["10.0.255.255", "10.2.0.0"]),
        pytest.param("10.1.9.9/255.255.0.0", ["10.1.0.0"], ["10.0.255.255", "10.2.0.0"]),
        pytest.param(" 10.1.2.3\t", ["10.1.2.3"], ["10.1.2.2", "10.1.2.4"]),
        pytest.param("2001:db8::5/32", ["2001:db8::", "2001:db8:ffff::"], ["2001:db9::", "::"]),
        pytest.param("2001:db8::5", ["2001:db8::5"], ["2001:db8::4", "2001:db8::6"]),
        pytest.param("::ffff:10.1.2.3", ["10.1.2.3"], ["10.1.2.4", "::ffff:a01:203"]),
        pytest.param("255.255.255.255", ["255.255.255.255"], ["255.255.255.254", "::"]),
        pytest.param("::/0", ["::", "ffff::"], ["0.0.0.0", "255.255.255.255"]),
    ],
)
def test_a_netblock(tmp_path: Path, text: str, inside: list[str], outside: list[str]) -> None:
    """A netblock is its hosts' in all its addresses, whatever way it is written, and no others."""
    snapshot, result = export_tables(tmp_path, edited(*netblocks((1, text))), allow_wide=True)
    assert [{1} for _ in inside] == [
        {id for _, ids in chain(snapshot, address) for id in ids} for address in inside
    ]
    assert [chain(snapshot, address) for address in outside] == [[] for _ in outside]
    assert result.left_out == ()


def test_nestednetblocks(tmp_path: Path) -> None:
    """An address has all netblocks around it, the longest prefix first, each with its hosts."""
    pairs: list[tuple[int | None, str | None]] = [
        *((1, "10.0.0.0/8"), (2, "10.1.0.0/16"), (3, "10.1.2.0/24"), (4, "10.1.2.255/24")),
        *((1, "10.1.2.3"), (5, "0.0.0.0/0"), (5, "10.1.2.3")),
    ]
    snapshot, _ = export_tables(tmp_path, edited(*netblocks(*pairs)), allow_wide=True)
    ten, sixteen, all_four = (8, {1}), (16, {2}), (0, {5})
    assert chain(snapshot, "10.1.2.3") == [(32, {1, 5}), (24, {3, 4}), sixteen, ten, all_four]
    assert chain(snapshot, "10.1.2.4") == [(24, {3, 4}), sixteen, ten, all_four]
    assert chain(snapshot, "10.1.3.0") == [sixteen, ten, all_four]
    assert chain(snapshot, "10.9.0.0") == [ten, all_four]
    assert chain(snapshot, "255.255.255.255") == [all_four]
    assert chain(snapshot, "192.0.2.7") == [(24, {6}), all_four]


def test_private_and_inactive_hosts(tmp_path: Path) -> None:
    """A private host's netblocks count; an inactive host's do not, which is no report."""
    edits = netblocks((6, "10.0.0.0/8"), (7, "11.0.0.0/8"), (7, "junk"), (8, "12.0.0.0/8"))
    snapshot, result = export_tables(tmp_path, edited(*edits), allow_wide=True)
    assert chain(snapshot, "10.0.0.1") == [(8, {6})]
    assert chain(snapshot, "11.0.0.1") == []
    assert chain(snapshot, "12.0.0.1") == [(8, {8})]
    assert result.left_out == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "10.0.0.0/33", "10.0.0.0/255.0.0.x", "10.0.0/8", "any", "localhost"),
        *("http://mirror.example", "mirror.example/24", "mirror..example", "-x.example"),
        *("x" * 64 + ".example", "a b.example", "mirror.example\nother.example", "fe80::1%eth0"),
    ],
)
def test_junk(tmp_path: Path, text: str) -> None:
    """A text that is not a netblock is reported with its row; the netblocks after it count."""
    edits = netblocks((1, text), (2, "10.0.0.0/8"))
    snapshot, result = export_tables(tmp_path, edited(*edits), allow_wide=True)
    assert result.left_out == (LeftOut("host_netblock", 50, JUNK),)
    assert chain(snapshot, "10.0.0.1") == [(8, {2})]


def _countries(*pairs: tuple[str, str]) -> list[Edit]:
    return [
        ("netblock_country", None, {"id": place, "netblock": text, "country": country})
        for place, (text, country) in enumerate(pairs, 1)
    ]


def country(snapshot: Snapshot, address: str) -> str | None:
    """Return the country that overrides GeoIP at an address."""
    value = value_at(snapshot.country_ranges, address)
    return chr(value >> 8) + chr(value & 0xFF) if value else None


def test_countries_ofnetblocks(tmp_path: Path) -> None:
    """The longest prefix wins, whatever row comes first, for both families."""
    edits = _countries(
        *(("10.1.0.0/16", "at"), ("10.0.0.0/8", "DE "), ("10.1.2.3", "CH")),
        *(("10.2.9.9/255.255.0.0", "FR"), ("2001:db8::/32", "JP"), ("2001:db8:1::/48", "kr")),
    )
    snapshot, result = export_tables(tmp_path, edited(*edits))
    expected = {
        "DE": ["10.0.0.1", "10.3.0.0"],
        "AT": ["10.1.0.1", "10.1.2.4"],
        "CH": ["10.1.2.3"],
        "FR": ["10.2.0.0"],
        "JP": ["2001:db8::1", "2001:db8:2::"],
        "KR": ["2001:db8:1::1"],
        None: ["11.0.0.0", "9.255.255.255", "::"],
    }
    for code, texts in expected.items():
        assert {country(snapshot, text) for text in texts} == {code}
    assert result.left_out == ()


@pytest.mark.parametrize(
    ("netblock", "code", "reason"),
    [
        pytest.param("junk", "DE", JUNK, id="junk"),
        pytest.param("mirror.example", "DE", JUNK, id="DNS name"),
        pytest.param("10.0.0.0/40", "DE", JUNK, id="long prefix"),
        pytest.param("10.0.0.0/8", "", "not a country of two letters", id="no country"),
        pytest.param("10.0.0.0/8", "DEU", "not a country of two letters", id="three letters"),
        pytest.param("10.0.0.0/8", "ÄÖ", "not a country of two letters", id="not ASCII"),
        pytest.param(
            "192.0.2.7/24", "DE", "the same netblock as an earlier one", id="the same again"
        ),
    ],
)
def test_junk_countries(tmp_path: Path, netblock: str, code: str, reason: str) -> None:
    """A junk row is reported, and switches off no row before or after it."""
    edits = _countries(("192.0.2.0/24", "AT"), (netblock, code), ("198.51.100.0/24", "FR"))
    snapshot, result = export_tables(tmp_path, edited(*edits))
    assert result.left_out == (LeftOut("netblock_country", 2, reason),)
    assert country(snapshot, "192.0.2.1") == "AT"
    assert country(snapshot, "198.51.100.1") == "FR"
    assert country(snapshot, "10.0.0.1") is None
