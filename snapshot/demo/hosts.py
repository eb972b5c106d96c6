"""The demo's sites and hosts, what they carry and for whom: reads and checks hosts.toml."""

import tomllib
from functools import cache
from importlib.resources import files

from msgspec import Struct, convert


class DemoHost(Struct, frozen=True, forbid_unknown_fields=True):
    """One host: what it carries and where, whom it serves, and what is out of order.

    `carries` is a name in `DemoHosts.carried`. `lacks` and `stale` are paths below the topdir of
    any category: the host has no copy of the former and an outdated one of the latter; "" is
    everything. Bandwidth is in Mbit/s; None is not known.
    """

    country: str
    bandwidth: int | None = None
    carries: str = "main"
    protocols: tuple[str, ...] = ("https", "http", "rsync")
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


class OddSite(Struct, frozen=True, forbid_unknown_fields=True):
    """What MirrorManager knows of a site beside its hosts; most sites are public and active."""

    private: bool = False
    admin_active: bool = True
    user_active: bool = True


class DemoHosts(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: names lead to categories, sites to their hosts by name, in order of ids."""

    carried: dict[str, tuple[str, ...]]
    sites: dict[str, dict[str, DemoHost]]
    odd_sites: dict[str, OddSite]
    orphans: dict[str, DemoHost]
    asn_of_prefixes: dict[str, int]
    country_of_netblocks: dict[str, str]
    continent_of_countries: dict[str, str]


@cache
def demo_hosts() -> DemoHosts:
    """Return what hosts.toml says."""
    text = (files("snapshot.demo") / "hosts.toml").read_text(encoding="utf-8")
    return convert(tomllib.loads(text), DemoHosts)


def demo_asn_lines() -> list[str]:
    """Return the lines `prefix ASN` for the demo's ASN file, without line ends."""
    return [f"{prefix} {asn}" for prefix, asn in demo_hosts().asn_of_prefixes.items()]
