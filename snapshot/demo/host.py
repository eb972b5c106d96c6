"""What the demo says of a host and of a site; the tables of them lie beside this module.

All hosts are fictional, with names under `.example` (RFC 2606), addresses from the documentation
ranges (RFC 5737, RFC 3849) and ASNs from the documentation numbers (RFC 5398), so nothing here
belongs to anybody, however familiar a name may sound. Each oddity that a real database has is on
at least one host.
"""

from dataclasses import dataclass

from snapshot.demo.tree import ARCHIVE, EPEL, FEDORA, IOT, OTHER, SECONDARY

MAIN = (FEDORA, EPEL)
WIDE = (FEDORA, SECONDARY, EPEL)
FULL = (FEDORA, SECONDARY, EPEL, ARCHIVE, OTHER)
ALL = (FEDORA, SECONDARY, EPEL, ARCHIVE, OTHER, IOT)
WEB = "https http"


@dataclass(frozen=True, slots=True)
class DemoHost:
    """One host: what it carries and where, whom it serves, and what is out of order.

    `lacks` and `stale` are paths below the topdir of any category: the host has no copy of the
    former and an outdated one of the latter; "" is everything. Bandwidth is in Mbit/s.
    """

    name: str
    country: str
    bandwidth: int | None
    carries: tuple[str, ...] = MAIN
    protocols: str = "https http rsync"
    base: str = ""
    lacks: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    always_up2date: bool = False
    private: bool = False
    netblocks: tuple[str, ...] = ()
    asn: int | None = None
    asn_clients: bool = True
    peer_asns: tuple[int, ...] = ()
    countries_allowed: tuple[str, ...] = ()
    admin_active: bool = True
    user_active: bool = True
    disable_reason: str | None = None
    private_urls: tuple[str, ...] = ()
    odd_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoSite:
    """An organisation and its hosts."""

    name: str
    hosts: tuple[DemoHost, ...]
    private: bool = False
    admin_active: bool = True
    user_active: bool = True
