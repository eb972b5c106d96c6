"""What is known about an address: a bisection over ranges, against a walk over them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorlist.catalog.ranges import Edges, RangeTable
from mirrorlist.request.address import Address, parse_address
from snapshot.export.netblock import flatten, make_ranges, parse_netblock
from snapshot.file.model import Ranges

LAST4, LAST6 = (1 << 32) - 1, (1 << 128) - 1


def _table(*netblocks: tuple[str, int]) -> RangeTable:
    """Return the table of netblocks, the innermost one deciding."""
    parsed = [(parse_netblock(text), value) for text, value in netblocks]
    ranges = [
        flatten([pair for pair in parsed if pair[0].version == version], 0, lambda value, _: value)
        for version in (4, 6)
    ]
    return RangeTable(make_ranges(ranges[0], ranges[1]))


TABLE = _table(
    ("10.0.0.0/8", 1),
    ("10.2.0.0/16", 2),
    ("10.2.3.0/24", 3),
    ("10.2.4.0/24", 4),
    ("0.0.0.0/32", 5),
    ("255.255.255.255/32", 6),
    ("2001:db8::/32", 7),
    ("2001:db8:1::/48", 8),
    ("::/128", 9),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 10),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(text, value, id=text)
        for text, value in (
            ("9.255.255.255", 0),
            ("10.0.0.0", 1),
            ("10.1.255.255", 1),
            ("10.2.0.0", 2),
            ("10.2.2.255", 2),
            ("10.2.3.0", 3),
            ("10.2.3.255", 3),
            ("10.2.4.0", 4),
            ("10.2.5.0", 2),
            ("10.3.0.0", 1),
            ("10.255.255.255", 1),
            ("11.0.0.0", 0),
            ("0.0.0.0", 5),
            ("0.0.0.1", 0),
            ("255.255.255.254", 0),
            ("255.255.255.255", 6),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 0),
            ("2001:db8::", 7),
            ("2001:db8:1::", 8),
            ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", 8),
            ("2001:db8:2::", 7),
            ("2001:db9::", 0),
            ("::", 9),
            ("::1", 0),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10),
        )
    ],
)
def test_nested_netblocks(text: str, value: int) -> None:
    """The innermost netblock decides, to its first and last address, in both families."""
    address = parse_address(text)
    assert address is not None
    assert TABLE.find(address) == value


def test_families_are_apart() -> None:
    """The same number is not the same address in the other family."""
    table = _table(("0.0.0.0/0", 1))
    assert table.find(Address(4, 5)) == 1
    assert table.find(Address(6, 5)) == 0


def test_no_ranges() -> None:
    """Without ranges nothing is known."""
    table = RangeTable(make_ranges([], []))
    assert [table.find(Address(4, LAST4)), table.find(Address(6, LAST6))] == [0, 0]


@given(
    st.dictionaries(st.integers(0, LAST6), st.integers(0, 9), max_size=12),
    st.one_of(st.integers(0, LAST6), st.integers(0, 9)),
)
def test_like_a_walk(ranges: dict[int, int], value: int) -> None:
    """A value is that of the last range that starts at or before the address."""
    starts = sorted(ranges)
    table = RangeTable(Ranges([], [], starts, [ranges[start] for start in starts]))
    probes = {value, *starts, *(max(0, start - 1) for start in starts)}
    for probe in probes:
        before = [start for start in starts if start <= probe]
        assert table.find(Address(6, probe)) == (ranges[before[-1]] if before else 0)


def _random_ranges(pairs: list[tuple[int, int]]) -> Ranges:
    """Return ranges of both families that start at some addresses of IPv4's size."""
    starts = dict(sorted(pairs))
    return Ranges([*starts], [*starts.values()], [*starts], [*starts.values()])


# Around the ends of blocks that a look-up may skip, and at both ends of IPv4.
STARTS = [*range(4), *range((1 << 16) - 3, (1 << 16) + 3), (3 << 16) - 1, *range(LAST4 - 3, LAST4)]
PAIRS = st.lists(st.tuples(st.sampled_from(STARTS), st.integers(0, 2)), max_size=12)


@example([[(1 << 16, 1), ((1 << 16) + 1, 0)]])
@example([[((1 << 16) - 1, 1), ((1 << 16) + 1, 0)]])
@example([[((1 << 16) - 1, 1), (1 << 16, 0)]])
@given(st.lists(PAIRS, min_size=1, max_size=3))
def test_edges(tables: list[list[tuple[int, int]]]) -> None:
    """An address is within the edges of some tables if one of the tables knows something of it."""
    ranges = [_random_ranges(pairs) for pairs in tables]
    edges, each = Edges(*ranges), [RangeTable(one) for one in ranges]
    for version, last in ((4, LAST4), (6, LAST6)):
        for value in (*STARTS, 2 << 16, 3 << 16, LAST4, last):
            address = Address(version, value)
            assert (address in edges) is any(table.find(address) for table in each)


# The end of a block of IPv4 becomes the end of one of IPv6.
WIDER = 80


@example([[(1 << 16, 1), ((1 << 16) + 1, 0)]])
@example([[((1 << 16) - 1, 1), (1 << 16, 0)]])
@example([[(3, 1), ((3 << 16) - 1, 0)]])
@given(st.lists(PAIRS, min_size=1, max_size=3))
def test_blocks(tables: list[list[tuple[int, int]]]) -> None:
    """A block is known if one of the tables knows something at any address of it."""
    ranges = []
    for pairs in tables:
        starts = dict(sorted(pairs))
        wide = [start << WIDER for start in starts]
        ranges.append(Ranges([*starts], [*starts.values()], wide, [*starts.values()]))
    edges, each = Edges(*ranges), [RangeTable(one) for one in ranges]
    for block in range(4):
        # What a table knows changes at these addresses alone.
        probes = [block << 16, *[start for start in STARTS if start >> 16 == block]]
        for version, wider in ((4, 0), (6, WIDER)):
            addresses = [Address(version, probe << wider) for probe in probes]
            known = any(table.find(address) for table in each for address in addresses)
            last = Address(version, ((block + 1) << 16 << wider) - 1)
            for address in (*addresses, last):
                assert edges.has_block(address) is known
