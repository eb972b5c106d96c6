"""Netblocks: every way to write one, and nested ones flattened without a wrong address."""

from bisect import bisect_right
from functools import reduce
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.export.netblock import Netblock, flatten, make_ranges, parse_netblock
from tests.examples import examples

WIDTHS = {4: 32, 6: 128}
Path = tuple[int, ...]


@pytest.mark.parametrize(
    ("text", "network"),
    [
        pytest.param("192.0.2.0/24", "192.0.2.0/24", id="CIDR"),
        pytest.param("10.1.9.9/16", "10.1.0.0/16", id="host bits"),
        pytest.param("192.0.2.1", "192.0.2.1/32", id="address"),
        pytest.param("192.0.2.1/32", "192.0.2.1/32", id="full length"),
        pytest.param("0.0.0.0/0", "0.0.0.0/0", id="everything"),
        pytest.param("255.255.255.255", "255.255.255.255/32", id="last address"),
        pytest.param("192.0.2.64/255.255.255.192", "192.0.2.64/26", id="netmask"),
        pytest.param("192.0.2.99/255.255.255.192", "192.0.2.64/26", id="netmask, host bits"),
        pytest.param("10.0.0.0/0.0.0.0", "0.0.0.0/0", id="empty netmask"),
        pytest.param(" 192.0.2.0/24 \t", "192.0.2.0/24", id="blanks around"),
        pytest.param("2001:db8::/32", "2001:db8::/32", id="IPv6"),
        pytest.param("2001:DB8::1/32", "2001:db8::/32", id="IPv6, host bits, capitals"),
        pytest.param("2001:db8::1", "2001:db8::1/128", id="IPv6 address"),
        pytest.param("::/0", "::/0", id="IPv6 everything"),
        pytest.param("2001:db8::192.0.2.1", "2001:db8::c000:201/128", id="IPv6, dotted end"),
        pytest.param("::ffff:192.0.2.0/120", "192.0.2.0/24", id="mapped"),
        pytest.param("::ffff:192.0.2.77/120", "192.0.2.0/24", id="mapped, host bits"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1/32", id="mapped address"),
        pytest.param("::ffff:0:0/96", "0.0.0.0/0", id="mapped, everything"),
        pytest.param("::fffe:0:0/95", "::fffe:0:0/95", id="around mapped"),
    ],
)
def test_netblocks(text: str, network: str) -> None:
    """CIDR, addresses and netmasks are networks without host bits; mapped ones are IPv4."""
    expected = ip_network(network)
    found = parse_netblock(text)
    first = int(expected.network_address)
    assert found == Netblock(expected.version, first, expected.prefixlen)
    assert found.last == int(expected.broadcast_address)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24/24"),
        *("192.0.2", "192.0.2.0.0", "192.0.2.256", "192.0.02.1", "192.0.2.0/255.0.255.0"),
        *("10.0.0.0/255.0.0.x", "2001:db8::/129", "2001:db8::/ffff::", "1::2::3", "g::"),
        *("fe80::1%eth0", "fe80::/64%1", "localhost", "mirror.example", "*", "any", "٣.0.0.0"),
        *("192.0.2.0 - 192.0.2.9", "192.0.2.1,192.0.2.2", "192.0.2.0 /24", "192.0.2.1\0", "1"),
    ],
)
def test_no_netblocks(text: str) -> None:
    """What names no network is a ValueError."""
    with pytest.raises(ValueError, match="not "):
        parse_netblock(text)


def _path(value: int, around: Path) -> Path:
    """Keeps all that is around an address, so that a wrong nesting shows."""
    return (*around, value)


def _find(ranges: list[tuple[int, Path]], address: int) -> Path:
    place = bisect_right([start for start, _ in ranges], address)
    return ranges[place - 1][1] if place else ()


def _oracle(named: dict[Netblock, int], address: int) -> Path:
    """What holds at an address, found the slow way: all netblocks around it, widest first."""
    around = [one for one in named if one.first <= address <= one.last]
    around.sort(key=lambda one: one.prefix_length)
    return reduce(lambda path, one: _path(named[one], path), around, ())


@st.composite
def _windows(draw: st.DrawFn) -> dict[Netblock, int]:
    """Netblocks of a few addresses each, close together, anywhere in the family; wide ones too."""
    version = draw(st.sampled_from([4, 6]))
    width = WIDTHS[version]
    last = (1 << width) - 1
    base = draw(st.sampled_from([0, last - 63, 1 << (width - 1), 12345 << 6]))
    lengths = st.integers(width - 6, width) | st.sampled_from([0, 1, width - 8])
    pairs = draw(st.lists(st.tuples(st.integers(0, 63), lengths), max_size=12))
    named: dict[Netblock, int] = {}
    for offset, length in pairs:
        shift = width - length
        named[Netblock(version, (base + offset) >> shift << shift, length)] = draw(
            st.integers(1, 3)
        )
    return named


@examples(300)
@given(_windows())
def test_flattened_like_brute_force(named: dict[Netblock, int]) -> None:
    """At each edge of each netblock, flattened ranges say what a walk over all of them says."""
    nothing: Path = ()
    ranges = flatten(named.items(), nothing, _path)
    edges = {edge + near for one in named for edge in (one.first, one.last) for near in (-1, 0, 1)}
    top = max((one.last for one in named), default=0) | 0xFFFFFFFF
    for address in edges | {0, top}:
        if 0 <= address <= top:
            assert _find(ranges, address) == _oracle(named, address)


@examples(200)
@given(_windows())
def test_flattened_is_least(named: dict[Netblock, int]) -> None:
    """Ranges rise, and no two neighbours have the same value, nothing included."""
    ranges = flatten(named.items(), 0, lambda value, _: value)
    assert [start for start, _ in ranges] == sorted({start for start, _ in ranges})
    values = [0, *(value for _, value in ranges)]
    assert all(values[place] != values[place + 1] for place in range(len(ranges)))


def _ranges(*pairs: tuple[str, int]) -> list[tuple[int, int]]:
    return flatten(
        ((parse_netblock(text), value) for text, value in pairs), 0, lambda value, _: value
    )


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([("192.0.2.0/24", 1)], [("192.0.2.0", 1), ("192.0.3.0", 0)], id="one"),
        pytest.param(
            [("192.0.2.0/25", 1), ("192.0.2.128/25", 1)],
            [("192.0.2.0", 1), ("192.0.3.0", 0)],
            id="equal neighbours",
        ),
        pytest.param(
            [("192.0.2.0/25", 1), ("192.0.2.128/25", 2)],
            [("192.0.2.0", 1), ("192.0.2.128", 2), ("192.0.3.0", 0)],
            id="neighbours",
        ),
        pytest.param(
            [("192.0.2.0/24", 1), ("192.0.2.0/32", 0)],
            [("192.0.2.1", 1), ("192.0.3.0", 0)],
            id="hole at the start",
        ),
        pytest.param(
            [("192.0.2.0/24", 1), ("192.0.2.255/32", 0)],
            [("192.0.2.0", 1), ("192.0.2.255", 0)],
            id="hole at the end",
        ),
        pytest.param(
            [("10.0.0.0/8", 1), ("10.0.0.0/16", 1)],
            [("10.0.0.0", 1), ("11.0.0.0", 0)],
            id="nested and equal",
        ),
    ],
)
def test_flattened(pairs: list[tuple[str, int]], expected: list[tuple[str, int]]) -> None:
    """Small cases, written out."""
    assert _ranges(*pairs) == [(int(ip_address(text)), value) for text, value in expected]


@pytest.mark.parametrize(
    ("netblock", "starts4", "starts6"),
    [
        pytest.param("255.255.255.255", [0xFFFFFFFF], [], id="last IPv4 address"),
        pytest.param("128.0.0.0/1", [1 << 31], [], id="upper half of IPv4"),
        pytest.param("0.0.0.0/0", [0], [], id="all of IPv4"),
        pytest.param("127.255.255.255", [(1 << 31) - 1, 1 << 31], [], id="half an IPv4 ago"),
        pytest.param("ffff:" * 7 + "ffff", [], [(1 << 128) - 1], id="last IPv6 address"),
        pytest.param("::/0", [], [0], id="all of IPv6"),
    ],
)
def test_the_last_address(netblock: str, starts4: list[int], starts6: list[int]) -> None:
    """A netblock that ends with its family's last address needs no range behind it."""
    found = _ranges((netblock, 7))
    version = parse_netblock(netblock).version
    ranges = make_ranges(found if version == 4 else [], found if version == 6 else [])
    assert (list(ranges.starts4), list(ranges.starts6)) == (starts4, starts6)
    assert list(ranges.values4) == [7, 0][: len(starts4)]
    assert list(ranges.values6) == [7, 0][: len(starts6)]
