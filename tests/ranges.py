"""What a snapshot says of an address: the value of its range, and the netblocks around it."""

from bisect import bisect_right
from ipaddress import ip_address

from snapshot.file.model import Ranges
from snapshot.file.reader import Snapshot
from tests.factories import Row

Edit = tuple[str, int | None, Row]


def value_at(ranges: Ranges, text: str) -> int:
    """Return the value of ranges at an address."""
    address = ip_address(text)
    starts, values = (
        (ranges.starts4, ranges.values4)
        if address.version == 4
        else (ranges.starts6, ranges.values6)
    )
    place = bisect_right(starts, int(address))
    return values[place - 1] if place else 0


def chain(snapshot: Snapshot, address: str) -> list[tuple[int, set[int]]]:
    """Return the netblocks around an address: prefix length and ids of the hosts."""
    value = value_at(snapshot.netblock_ranges, address)
    netblocks = snapshot.netblock_chains[value - 1] if value else ()
    return [
        (one.prefix_length, {snapshot.hosts[host].id for host in one.hosts}) for one in netblocks
    ]


def netblocks(*pairs: tuple[int | None, str | None]) -> list[Edit]:
    """Return new rows of netblocks, from id 50 on."""
    return [
        ("host_netblock", None, {"id": 50 + place, "host_id": host, "netblock": text})
        for place, (host, text) in enumerate(pairs)
    ]
