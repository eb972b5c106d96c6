"""Netblocks that are too wide to be one host's, and the host whose netblocks cover the most."""

from pathlib import Path

import pytest

from snapshot.file.model import LeftOut
from tests.factories import Row, edited, export_tables
from tests.ranges import chain

Edit = tuple[str, int | None, Row]

WIDE = "wider than the widest IPv"


def _netblocks(*pairs: tuple[int, str]) -> list[Edit]:
    return [
        ("host_netblock", None, {"id": 50 + place, "host_id": host, "netblock": text})
        for place, (host, text) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("text", "length", "slip"),
    [
        pytest.param("10.1.2.3/0", 0, True, id="host bits and no prefix"),
        pytest.param("0.0.0.0/0", 0, False, id="everything"),
        pytest.param("192.0.2.0/0.0.0.0", 0, True, id="an empty mask"),
        pytest.param("62.40.0.0/2", 2, True, id="a digit lost"),
        pytest.param("0.0.0.0/1", 1, False, id="the lower half"),
        pytest.param("128.0.0.0/128.0.0.0", 1, False, id="the upper half by mask"),
        pytest.param("192.0.2.0/0.0.0.255", 24, None, id="a wildcard mask is a mask too"),
        pytest.param("10.0.0.0/8", 8, False, id="a /8"),
        pytest.param("10.2.0.0/15", 15, False, id="one bit too wide"),
        pytest.param("::ffff:0:0/96", 0, False, id="all IPv4-mapped"),
        pytest.param("::ffff:10.0.0.0/104", 8, False, id="an IPv4-mapped /8"),
        pytest.param("::/0", 0, False, id="all IPv6"),
        pytest.param("::ffff:0:0/95", 95, None, id="not only IPv4-mapped"),
        pytest.param("2000::/3", 3, False, id="all that is routed"),
        pytest.param("2002::/16", 16, False, id="6to4"),
        pytest.param("2001:db8::/31", 31, False, id="one bit too wide, IPv6"),
        pytest.param("2001:db8::1/16", 16, True, id="host bits, IPv6"),
        pytest.param("10.1.0.0/16", 16, None, id="the widest"),
        pytest.param("2001:db8::/32", 32, None, id="the widest, IPv6"),
    ],
)
def test_too_wide(tmp_path: Path, text: str, length: int, slip: bool | None) -> None:
    """A netblock wider than /16 or /32 is left out and named, however it is written; or taken."""
    edits = edited(*_netblocks((6, text), (1, "192.0.2.0/25")))
    snapshot, result = export_tables(tmp_path, edits)
    reasons = [one.reason for one in result.left_out if one.id == 50]
    assert chain(snapshot, "192.0.2.1")[0] == (25, {1})
    if slip is None:
        assert reasons == []
        return
    (reason,) = reasons
    assert f"a /{length} is {WIDE}" in reason
    assert ("a typing error?" in reason) == slip
    assert "--allow-wide-netblocks" in reason
    allowed, result = export_tables(tmp_path, edits, allow_wide=True)
    assert result.left_out == ()
    assert length in {one.prefix_length for block in allowed.netblock_chains for one in block}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        *(("10.0.0.0/8", True), ("0.0.0.0/0", False), ("10.0.0.0/7", False)),
        *(("2600::/12", True), ("2000::/3", False), ("fc00::/7", True), ("f800::/5", False)),
    ],
)
def test_countries_of_wide_netblocks(tmp_path: Path, text: str, taken: bool) -> None:
    """A country may have what registries give out at once, and a site's own addresses."""
    row = {"id": 1, "netblock": text, "country": "DE"}
    edits = edited(("netblock_country", None, row))
    snapshot, result = export_tables(tmp_path, edits)
    ranges = snapshot.country_ranges
    assert bool(ranges.starts4 or ranges.starts6) == taken
    assert [WIDE in one.reason for one in result.left_out] == ([] if taken else [True])
    assert export_tables(tmp_path, edits, allow_wide=True)[1].left_out == ()


def test_the_host_that_covers_the_most(tmp_path: Path) -> None:
    """Many netblocks that are narrow enough add up, and their host is named with the share."""
    many = [(5, f"{first}.{second}.0.0/16") for first in (20, 21) for second in range(256)]
    overlap = [(5, "20.1.2.0/24"), (4, "30.0.0.0/16"), (4, "2a00:1::/32")]
    _, result = export_tables(tmp_path, edited(*_netblocks(*many, *overlap)))
    assert [note for note in result.notes if "netblocks" in note] == [
        "the netblocks of one host that cover the most: 0.781 % of IPv4 by host 5 (host5.example)"
    ]
    halves = _netblocks(
        (6, "0.0.0.0/1"), (6, "128.0.0.0/1"), (5, "10.0.0.0/8"), (3, "2000::/3"), (3, "::/0")
    )
    _, result = export_tables(tmp_path, edited(*halves), allow_wide=True)
    assert (
        "the netblocks of one host that cover the most: 100 % of IPv4 by host 6 (host6.example),"
        " 100 % of IPv6 by host 3 (host3.example)"
    ) in result.notes


@pytest.mark.parametrize(("count", "said"), [(15, False), (16, True)])
def test_ordinary_netblocks_are_not_named(tmp_path: Path, count: int, said: bool) -> None:
    """Up to fifteen of the widest netblocks nothing is said of a host."""
    blocks = [(1, f"20.{number}.0.0/16") for number in range(count)]
    _, result = export_tables(tmp_path, edited(*_netblocks(*blocks)))
    assert any("cover the most" in note for note in result.notes) == said
    assert result.left_out == ()


def test_wide_ones_of_hosts_that_do_not_count(tmp_path: Path) -> None:
    """An inactive host's netblocks are passed over, whatever their width."""
    _, result = export_tables(tmp_path, edited(*_netblocks((7, "0.0.0.0/0"), (99, "0.0.0.0/0"))))
    assert result.left_out == (LeftOut("host_netblock", 51, "no usable host"),)
