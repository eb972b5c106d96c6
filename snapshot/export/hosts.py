"""Hosts and categories: which are active, private, how fast, and under which URLs.

The rules are those of docs/mirrormanager.md#hosts and docs/mirrormanager.md#what-hosts-carry.
"""

from collections import defaultdict
from typing import NamedTuple

from snapshot.export.countries import Countries
from snapshot.export.hosturl import host_url
from snapshot.export.leftout import LeftOutRows
from snapshot.export.rows import HostRow, Rows, SiteRow
from snapshot.file.model import Category, CategoryHost, Host, Inactive
from snapshot.file.text import printable, stripped, trimmed

MIN_BANDWIDTH, MAX_BANDWIDTH = 1, 10000
# "a host without bandwidth has 100 Mbit/s" (docs/mirrormanager.md#null-where-it-is-not-allowed)
DEFAULT_BANDWIDTH = 100
MAX_ASN = (1 << 32) - 1
# RFC 6793 calls it AS_TRANS: old routers see it in place of any ASN above 65535.
_AS_TRANS = 23456
# The only allowed country of a host whose rows of allowed countries name no existing country.
_NOWHERE = "--"


class HostTable(NamedTuple):
    """The hosts of a snapshot, the categories that they carry, and where each row went.

    `host_index` maps host ids to indexes in `hosts`. `offerable` has a dict for each category: from
    the host_category id of each host that may be offered to the host's bit.
    `always_up2date` has for each category the bits of the hosts with that flag.
    """

    hosts: list[Host]
    host_index: dict[int, int]
    categories: list[Category]
    offerable: list[dict[int, int]]
    always_up2date: list[int]


def make_host_table(
    rows: Rows, topdirs: dict[int, str], left_out: LeftOutRows, countries: Countries
) -> HostTable:
    """Apply the rules for hosts, categories and URLs; `topdirs` are names by directory id."""
    hosts = _hosts(rows, left_out, countries)
    host_index = {host.id: index for index, host in enumerate(hosts)}
    urls = _urls(rows, left_out)
    _note_shared(rows, urls, hosts, host_index, left_out)
    carriers = _carriers(rows, host_index, left_out)
    categories, offerable, always_up2date = [], [], []
    for row in sorted(rows.categories):
        topdir = None if row.topdir_id is None else topdirs.get(row.topdir_id)
        if topdir is None:
            left_out.add("category", row.id, "no usable topdir")
            continue
        members = carriers[row.id]
        category_hosts = [
            CategoryHost(host, always, tuple(urls[host_category]))
            for host, host_category, always in members
        ]
        categories.append(
            Category(row.id, trimmed(printable(row.name)), topdir, tuple(category_hosts))
        )
        bits = {
            host_category: 1 << host
            for host, host_category, _ in members
            if not hosts[host].inactive and urls[host_category]
        }
        offerable.append(bits)
        always_up2date.append(sum(bits.get(member[1], 0) for member in members if member[2]))
    return HostTable(hosts, host_index, categories, offerable, always_up2date)


def _hosts(rows: Rows, left_out: LeftOutRows, countries: Countries) -> list[Host]:
    sites = {site.id: site for site in rows.sites}
    known = {row.id for row in rows.hosts}
    asns = _peer_asns(rows, known, left_out)
    allowed = _allowed(rows, known, left_out, countries)
    hosts = []
    for row in sorted(rows.hosts, key=lambda row: row.id):
        site = None if row.site_id is None else sites.get(row.site_id)
        if site is None:
            left_out.add("host", row.id, "no site")
            continue
        with left_out.row("host", row.id):
            country = _country(row, left_out, countries)
            hosts.append(_host(row, site, country, asns[row.id], allowed.get(row.id, ()), left_out))
    return hosts


def _allowed(
    rows: Rows, known: set[int], left_out: LeftOutRows, countries: Countries
) -> dict[int | None, tuple[str, ...]]:
    """The allowed countries by host id; a country that does not exist is reported.

    "If none of a host's allowed countries exists, no client gets the host": it was meant for few
    clients, and must not be offered to all of them (docs/mirrormanager.md#allowed-countries).
    """
    allowed: dict[int | None, set[str]] = defaultdict(set)
    for row in sorted(rows.countries_allowed, key=lambda row: row.id):
        if row.host_id in known:
            allowed[row.host_id].update(())
        with left_out.row("host_country_allowed", row.id):
            country = countries.parse(row.country)
            if not country or row.host_id not in known:
                raise ValueError("no usable host" if country else "no country")
            allowed[row.host_id].add(country)
    nowhere = sorted(str(host) for host, found in allowed.items() if not found)
    if nowhere:
        left_out.note(
            f"{len(nowhere)} hosts allow only countries that do not exist, so no client gets them:"
            f" host {', '.join(nowhere[:5])}{' ...' if nowhere[5:] else ''}"
        )
    return {host: tuple(sorted(found)) or (_NOWHERE,) for host, found in allowed.items()}


def _country(row: HostRow, left_out: LeftOutRows, countries: Countries) -> str:
    country = stripped("" if row.country is None else row.country, "country").upper()
    if country and country not in countries:
        left_out.add("host", row.id, f"{countries.why_not(country)}: host kept without it")
        return ""
    return country


def _host(
    row: HostRow,
    site: SiteRow,
    country: str,
    peers: set[int],
    countries: tuple[str, ...],
    left_out: LeftOutRows,
) -> Host:
    asns = set(peers) if row.asn_clients else set()
    if row.asn_clients and row.asn is not None:
        try:
            asns.add(_asn(row.asn))
        except ValueError as error:
            left_out.add("host", row.id, f"{error}: host kept without it")
    return Host(
        id=row.id,
        name=trimmed(printable(row.name)),
        site=trimmed(printable(site.name)),
        country=country,
        bandwidth=_bandwidth(row, left_out),
        # "a host or a site whose `private` is NULL is private"
        # (docs/mirrormanager.md#null-where-it-is-not-allowed)
        private=row.private is not False or site.private is not False,
        inactive=_inactive(row, site),
        asns=tuple(sorted(asns)),
        countries_allowed=countries,
    )


def _asn(value: object) -> int:
    # RFC 7607 reserves ASN 0 for networks that are not routed: it must not match a client without
    # an ASN.
    if not isinstance(value, int) or not 0 < value <= MAX_ASN:
        raise ValueError(f"ASN {value!r:.40} is out of range")
    if value == _AS_TRANS:
        raise ValueError(f"ASN {value} is a placeholder for many networks (AS_TRANS)")
    return value


def _bandwidth(row: HostRow, left_out: LeftOutRows) -> int:
    value: object = row.bandwidth_int
    if value is None:
        return DEFAULT_BANDWIDTH
    if not isinstance(value, int | float) or value != value:
        why = f"bandwidth {value!r:.40} is not a number: host kept with {DEFAULT_BANDWIDTH}"
        left_out.add("host", row.id, why)
        return DEFAULT_BANDWIDTH
    return int(max(MIN_BANDWIDTH, min(MAX_BANDWIDTH, value)))


def _inactive(row: HostRow, site: SiteRow) -> int:
    flags = [
        (row.admin_active, Inactive.HOST_ADMIN),
        (row.user_active, Inactive.HOST_USER),
        (site.admin_active, Inactive.SITE_ADMIN),
        (site.user_active, Inactive.SITE_USER),
    ]
    return sum(int(flag) for active, flag in flags if not active)


def _peer_asns(rows: Rows, known: set[int], left_out: LeftOutRows) -> dict[int | None, set[int]]:
    asns: dict[int | None, set[int]] = defaultdict(set)
    for row in rows.peer_asns:
        with left_out.row("host_peer_asn", row.id):
            if row.host_id not in known:
                raise ValueError("no usable host")
            asns[row.host_id].add(_asn(row.asn))
    return asns


def _urls(rows: Rows, left_out: LeftOutRows) -> dict[int, list[str]]:
    urls: dict[int, list[str]] = defaultdict(list)
    host_categories = {row.id for row in rows.host_categories}
    for row in sorted(rows.urls, key=lambda row: row.id):
        if row.private:
            continue
        with left_out.row("host_category_url", row.id):
            if row.private is None:
                raise ValueError("does not say whether it is private")
            if row.host_category_id not in host_categories:
                raise ValueError("no host category")
            url = host_url(row.url)
            if url in urls[row.host_category_id]:
                raise ValueError("the same URL as an earlier one once cleaned")
            urls[row.host_category_id].append(url)
    return urls


def _note_shared(
    rows: Rows,
    urls: dict[int, list[str]],
    hosts: list[Host],
    host_index: dict[int, int],
    left_out: LeftOutRows,
) -> None:
    """Note the URLs that several active hosts have: a list repeats such a URL for each host."""
    owners: dict[str, set[int]] = defaultdict(set)
    for row in rows.host_categories:
        index = None if row.host_id is None else host_index.get(row.host_id)
        if index is not None and not hosts[index].inactive:
            for url in urls.get(row.id, ()):
                owners[url].add(hosts[index].id)
    shared = sorted((url, sorted(ids)) for url, ids in owners.items() if len(ids) > 1)
    if shared:
        shown = "; ".join(f"{url} at hosts {', '.join(map(str, ids))}" for url, ids in shared[:3])
        more = f" and {len(shared) - 3} more" if shared[3:] else ""
        count = "1 URL stands" if len(shared) == 1 else f"{len(shared)} URLs stand"
        left_out.note(f"{count} at more than one host: {shown}{more}")


def _carriers(
    rows: Rows, host_index: dict[int, int], left_out: LeftOutRows
) -> dict[int | None, list[tuple[int, int, bool]]]:
    """For each category id: (host index, host_category id, always up to date), by host index."""
    carriers: dict[int | None, list[tuple[int, int, bool]]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    categories = {row.id for row in rows.categories}
    for row in sorted(rows.host_categories, key=lambda row: row.id):
        index = None if row.host_id is None else host_index.get(row.host_id)
        if index is None or row.category_id not in categories:
            missing = "category" if index is not None else "usable host"
            left_out.add("host_category", row.id, f"no {missing}")
        elif (index, row.category_id) in seen:
            left_out.add("host_category", row.id, "the host has this category already")
        else:
            seen.add((index, row.category_id))
            carriers[row.category_id].append((index, row.id, bool(row.always_up2date)))
    for members in carriers.values():
        members.sort()
    return carriers
