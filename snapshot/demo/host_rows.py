"""Turns the demo's sites and hosts into rows of MirrorManager's tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from snapshot.demo.expand import DAY, HOUR, DemoDirectory, directories, is_below_any, vary
from snapshot.demo.hosts import DemoHost, OddSite, demo_hosts
from snapshot.demo.tree import NOW, DemoCategory, demo_tree
from snapshot.demo.tree_rows import Row, Tables, category_ids, directory_ids


@dataclass(frozen=True, slots=True)
class _DemoHost:
    """A host with its ids; one without a site has no site_id."""

    id: int
    site_id: int | None
    name: str
    says: DemoHost


@dataclass(frozen=True, slots=True)
class _Carried:
    """A host category: a host with one of the categories that it carries."""

    id: int
    host: _DemoHost
    category: DemoCategory


def host_rows() -> Tables:
    """Return the rows of all tables about sites and hosts, by table name."""
    hosts, carried = _hosts(), _carried()
    return {
        "site": [_site_row(*item) for item in enumerate(demo_hosts().sites, 1)],
        "host": [_host_row(host) for host in hosts],
        "host_netblock": [
            {"host_id": host.id, "netblock": netblock, "name": host.name}
            for host in hosts
            for netblock in host.says.netblocks
        ],
        "host_peer_asn": [
            {"host_id": host.id, "asn": asn, "name": host.name}
            for host in hosts
            for asn in host.says.peer_asns
        ],
        "host_country_allowed": [
            {"host_id": host.id, "country": country}
            for host in hosts
            for country in host.says.countries_allowed
        ],
        "host_category": [_host_category_row(item) for item in carried],
        "host_category_url": [row for item in carried for row in _url_rows(item)],
        "host_category_dir": [row for item in carried for row in _directory_rows(item)],
        "netblock_country": [
            {"netblock": netblock, "country": country}
            for netblock, country in demo_hosts().country_of_netblocks.items()
        ],
        "country_continent_redirect": [
            {"country": country, "continent": continent}
            for country, continent in demo_hosts().continent_of_countries.items()
        ],
    }


def _hosts() -> list[_DemoHost]:
    """Each host with its own id and its site's."""
    groups = [*enumerate(demo_hosts().sites.values(), 1), (None, demo_hosts().orphans)]
    hosts = ((site_id, *item) for site_id, group in groups for item in group.items())
    return [_DemoHost(id, *host) for id, host in enumerate(hosts, 1)]


def _carried() -> list[_Carried]:
    pairs = (
        (host, category)
        for host in _hosts()
        for category in demo_tree().categories
        if category.name in demo_hosts().carried[host.says.carries]
    )
    return [_Carried(id, *pair) for id, pair in enumerate(pairs, 1)]


def _time(ago: int) -> datetime:
    """The time some seconds before the demo's present; MirrorManager stores UTC without a zone."""
    return datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None) - timedelta(seconds=ago)


def _site_row(id: int, name: str) -> Row:
    site = demo_hosts().odd_sites.get(name, OddSite())
    domain = next(iter(demo_hosts().sites[name])).partition(".")[2]
    return {
        "id": id,
        "name": name,
        "org_url": f"https://www.{domain}/",
        "private": site.private,
        "admin_active": site.admin_active,
        "user_active": site.user_active,
        "created_at": _time(DAY + vary(name, 4000 * DAY)),
        "created_by": f"admin@{domain}",
    }


def _host_row(listed: _DemoHost) -> Row:
    name, host = listed.name, listed.says
    return {
        "id": listed.id,
        "name": name,
        "site_id": listed.site_id,
        "admin_active": host.admin_active,
        "user_active": host.user_active,
        "country": host.country,
        "bandwidth_int": host.bandwidth,
        # "A private host reports its directories itself (`report_mirror`), because the crawler does
        # not reach it." (docs/mirrormanager.md#what-the-check-in-writes)
        "last_checked_in": _time(vary(name, DAY)) if host.private else None,
        "last_crawled": None if host.private else _time(vary(name, 12 * HOUR)),
        "last_crawl_duration": 0 if host.private else vary(name, 2 * HOUR),
        "private": host.private,
        "asn": host.asn,
        "asn_clients": host.asn_clients,
        "disable_reason": host.disable_reason,
    }


def _host_category_row(carried: _Carried) -> Row:
    return {
        "id": carried.id,
        "host_id": carried.host.id,
        "category_id": category_ids()[carried.category.name],
        "always_up2date": carried.host.says.always_up2date,
    }


def _url_rows(carried: _Carried) -> Iterator[Row]:
    name, host, path = carried.host.name, carried.host.says, carried.category.usual_path
    for protocol in host.protocols:
        # An rsync URL begins with a module's name, not with a directory of the web server.
        base = "" if protocol == "rsync" else host.base
        yield _url_row(carried, f"{protocol}://{name}{base}/{path}")
    if carried.category.name == demo_hosts().carried[host.carries][0]:
        yield from (_url_row(carried, url) for url in host.odd_urls)
        yield from (_url_row(carried, url, private=True) for url in host.private_urls)


def _url_row(carried: _Carried, url: str, *, private: bool = False) -> Row:
    return {"host_category_id": carried.id, "url": url, "private": private}


def _directory_rows(carried: _Carried) -> Iterator[Row]:
    """What the crawler found, for hosts that are not `always_up2date`.

    "The crawler does not look at it." (docs/mirrormanager.md#always-up-to-date)
    """
    host, topdir = carried.host.says, carried.category.topdir
    for directory in () if host.always_up2date else _readable(carried.category.name):
        path = directory.name.removeprefix(topdir)
        below = path.removeprefix("/")
        if not is_below_any(below, host.lacks):
            yield {
                "host_category_id": carried.id,
                "path": path,
                "up2date": not is_below_any(below, host.stale),
                "directory_id": directory_ids()[directory.name],
            }


@cache
def _readable(category: str) -> tuple[DemoDirectory, ...]:
    return tuple(
        directory
        for directory in directories()
        if directory.readable and category in directory.categories
    )
