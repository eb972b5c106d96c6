"""Turns the load test's hosts into rows of MirrorManager's tables."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network

from loadtest.dataset.chance import vary
from loadtest.dataset.coverage import HostCategory
from loadtest.dataset.details import DAY, HOUR, NOW
from loadtest.dataset.host import Host, Site
from loadtest.dataset.network import Block, Internet
from loadtest.dataset.tree_rows import Row, Tables, category_ids

# Some GeoIP data has AP and EU for addresses whose country is unknown.
_CONTINENTS = (("TR", "EU"), ("AP", "AS"), ("EU", "EU"))


def host_rows(
    seed: int, hosts: Sequence[Host], carried: Sequence[HostCategory], internet: Internet
) -> Tables:
    """Return the rows of all tables about hosts, but host_category_dir, by table name."""
    sites = {host.site.id: host.site for host in hosts}
    return {
        "site": [_site_row(seed, sites[id]) for id in sorted(sites)],
        "host": [_host_row(seed, host) for host in hosts],
        "host_netblock": _numbered(
            {"host_id": host.id, "netblock": _text(seed, block), "name": host.site.name}
            for host in hosts
            for block in host.netblocks
        ),
        "host_peer_asn": _numbered(
            {"host_id": host.id, "asn": asn, "name": f"AS{asn}"}
            for host in hosts
            for asn in host.peer_asns
        ),
        "host_country_allowed": _numbered(
            {"host_id": host.id, "country": country}
            for host in hosts
            for country in host.countries_allowed
        ),
        "host_category": [_host_category_row(one) for one in carried],
        "host_category_url": _numbered(row for one in carried for row in _url_rows(seed, one)),
        "netblock_country": _numbered(
            {"netblock": str(block), "country": country} for block, country in internet.declared
        ),
        "country_continent_redirect": _numbered(
            {"country": country, "continent": continent} for country, continent in _CONTINENTS
        ),
    }


def _numbered(rows: Iterable[Row]) -> list[Row]:
    return [{"id": id, **row} for id, row in enumerate(rows, 1)]


def _time(ago: int) -> datetime:
    """The time some seconds before the present; MirrorManager stores UTC without a zone."""
    return datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None) - timedelta(seconds=ago)


def _site_row(seed: int, site: Site) -> Row:
    return {
        "id": site.id,
        "name": site.name,
        "org_url": f"https://www.{site.domain}/",
        "private": site.private,
        "admin_active": site.admin_active,
        "user_active": site.user_active,
        "created_at": _time(DAY + vary(seed, site.domain, 4000 * DAY)),
        "created_by": f"admin@{site.domain}",
    }


def _host_row(seed: int, host: Host) -> Row:
    private = host.private
    return {
        "id": host.id,
        "name": host.name,
        "site_id": host.site.id,
        "robot_email": f"mirror@{host.site.domain}",
        "admin_active": host.admin_active,
        "user_active": host.user_active,
        "country": host.country,
        "bandwidth_int": host.bandwidth,
        # Private hosts report themselves, the crawler looks at the others.
        "last_checked_in": _time(vary(seed, host.name, DAY)) if private else None,
        "last_crawled": None if private else _time(vary(seed, host.name, 12 * HOUR)),
        "last_crawl_duration": 0 if private else vary(seed, host.name, 2 * HOUR),
        "private": private,
        "internet2": host.internet2,
        "asn": host.asn,
        "asn_clients": host.asn_clients,
        "crawl_failures": 0 if host.user_active else 4,
        "disable_reason": None if host.user_active else "Host failed 4 crawls in a row.",
    }


def _host_category_row(one: HostCategory) -> Row:
    return {
        "id": one.id,
        "host_id": one.host.id,
        "category_id": category_ids()[one.category.name],
        "always_up2date": one.host.always_up2date,
    }


def _url_rows(seed: int, one: HostCategory) -> Iterator[Row]:
    host, path = one.host, one.category.usual_path
    for protocol in host.protocols:
        # An rsync URL begins with a module's name, not with a directory of the web server.
        base = "" if protocol == "rsync" else host.base
        yield _url_row(one, f"{protocol}://{host.name}{base}/{path}", private=False)
    # A few let other mirrors pull from a place of its own.
    if vary(seed, host.name, 100) < 4:
        yield _url_row(one, f"rsync://{host.name}/push/{path}", private=True)


def _url_row(one: HostCategory, url: str, *, private: bool) -> Row:
    return {"host_category_id": one.id, "url": url, "private": private}


def _text(seed: int, block: Block) -> str:
    """A netblock in one of the forms that people write: an address alone, or with a mask."""
    if block.prefixlen == block.max_prefixlen:
        return str(block.network_address)
    if isinstance(block, IPv4Network) and vary(seed, str(block), 100) < 6:
        return block.with_netmask
    return str(block)
