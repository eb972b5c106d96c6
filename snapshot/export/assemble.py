"""Applies every rule to the rows that were read, and returns the model of a snapshot."""

from collections.abc import Mapping

from msgspec import Struct

from snapshot.export.addresses import country_ranges, host_netblocks
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.content import (
    Content,
    make_content,
    make_directories,
    usable_directories,
)
from snapshot.export.countries import Countries, is_own_code
from snapshot.export.hosts import HostTable, make_host_table
from snapshot.export.leftout import LeftOutRows
from snapshot.export.newest_section import numbered
from snapshot.export.rows import ContinentRow, DirectoryRow, Rows
from snapshot.file.model import Host, KnownName, Ranges, Report, SnapshotData
from snapshot.file.text import stripped, trimmed


class Inputs(Struct, frozen=True):
    """All inputs: the rows, the time of their read (seconds since 1970, UTC), data files, names.

    Without `asn`, no network has an ASN. `known` are earlier DNS answers; if it is None, no name is
    looked up.
    """

    rows: Rows
    read: int
    continents: dict[str, str]
    asn: AsnNetblocks | None = None
    known: Mapping[str, KnownName] | None = None
    origin: str = "database"


class Prepared(Struct, frozen=True):
    """All that is known before the largest table is read.

    `redirected` are the continents that the database gives to countries; `continents` has them too.
    """

    inputs: Inputs
    usable: list[DirectoryRow]
    host_table: HostTable
    content: Content
    continents: dict[str, str]
    redirected: dict[str, str]
    country_ranges: Ranges
    asn_ranges: Ranges


def prepare(inputs: Inputs, left_out: LeftOutRows, *, allow_wide: bool = False) -> Prepared:
    """Apply every rule that needs neither the largest table nor a DNS name."""
    rows = inputs.rows
    countries, continents = _countries(rows, inputs.continents, left_out)
    usable = usable_directories(rows, left_out)
    redirected = _redirects(rows, countries, left_out)
    host_table = make_host_table(rows, {row.id: row.name for row in usable}, left_out, countries)
    return Prepared(
        inputs=inputs,
        usable=usable,
        host_table=host_table,
        content=make_content(rows, usable, host_table, left_out),
        continents=continents | redirected,
        redirected=redirected,
        country_ranges=country_ranges(rows, left_out, countries, allow_wide),
        asn_ranges=_asn_ranges(host_table.hosts, inputs.asn, left_out),
    )


def finish(prepared: Prepared, left_out: LeftOutRows, *, allow_wide: bool = False) -> SnapshotData:
    """Apply the other rules, and report the rows that cannot be used."""
    inputs, content, host_table = prepared.inputs, prepared.content, prepared.host_table
    host_sets, directories = make_directories(
        inputs.rows.up2date(), prepared.usable, content.categories, host_table, left_out
    )
    netblocks = host_netblocks(
        inputs.rows,
        host_table,
        left_out,
        read=inputs.read,
        known=inputs.known,
        allow_wide=allow_wide,
    )
    counts, newest = inputs.rows.counts(), inputs.rows.newest
    return SnapshotData(
        read=inputs.read,
        hosts=host_table.hosts,
        categories=host_table.categories,
        host_sets=host_sets,
        directories=directories,
        repositories=content.repositories,
        redirects=content.redirects,
        file_details=content.file_details,
        continents=prepared.continents,
        netblock_chains=netblocks.chains,
        netblock_ranges=netblocks.ranges,
        country_ranges=prepared.country_ranges,
        asn_ranges=prepared.asn_ranges,
        request_shapes=inputs.rows.request_shapes,
        file_sums=inputs.rows.file_sums,
        newest=None if newest is None else numbered(newest, directories),
        report=Report(
            counts,
            left_out.sorted(),
            inputs.origin,
            left_out.notes,
            netblocks.names,
            inputs.rows.reduced,
        ),
    )


def _redirects(rows: Rows, countries: Countries, left_out: LeftOutRows) -> dict[str, str]:
    """Return the continents that the database gives to countries; a later row wins."""
    found: dict[str, str] = {}
    for row in sorted(rows.continents, key=lambda row: row.id):
        with left_out.row("country_continent_redirect", row.id):
            found |= _redirect(row, countries)
    return found


def _countries(
    rows: Rows, continents: dict[str, str], left_out: LeftOutRows
) -> tuple[Countries, dict[str, str]]:
    """Return the countries that exist, and the table of continents for these countries only."""
    redirected = (trimmed(row.country).upper() for row in rows.continents if _is_text(row.country))
    countries = Countries(filter(is_own_code, (*continents, *redirected)))
    for country in sorted(continents):
        if country not in countries:
            left_out.add("continents file", None, countries.why_not(country))
    return countries, {
        country: continent for country, continent in continents.items() if country in countries
    }


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _asn_ranges(hosts: list[Host], asn: AsnNetblocks | None, left_out: LeftOutRows) -> Ranges:
    """Return the networks of active hosts' ASNs; adds a note if there is no such network."""
    having = [host for host in hosts if host.asns and not host.inactive]
    ranges = (asn or AsnNetblocks()).ranges({number for host in having for number in host.asns})
    if having and not (ranges.starts4 or ranges.starts6):
        count = "1 host has" if len(having) == 1 else f"{len(having)} hosts have"
        its = "its" if len(having) == 1 else "their"
        left_out.note(
            f"{count} an ASN; without --asn {its} tier is empty"
            if asn is None
            else f"{count} an ASN, and the ASN file has no network of {its} own: the tier is empty"
        )
    return ranges


def _redirect(row: ContinentRow, countries: Countries) -> dict[str, str]:
    country = stripped(row.country, "country").upper()
    continent = stripped(row.continent, "continent").upper()
    if len(country) != 2 or len(continent) != 2:
        raise ValueError("not a country and a continent of two letters each")
    countries.parse(country)
    if not (continent.isascii() and continent.isalpha()):
        raise ValueError(f"there is no continent {continent}")
    return {country: continent}
