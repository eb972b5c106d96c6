"""`mirrorlist ask`: one answer offline, with the tier of each host and why others are not in it."""

import os
import time
from collections import defaultdict
from pathlib import Path
from random import Random

import click
import msgspec
from rich.text import Text

from mirrorlist.address import parse_address
from mirrorlist.cli.console import output, plain_table
from mirrorlist.cli.options import options
from mirrorlist.client import Client, Trust
from mirrorlist.errors import OptionError
from mirrorlist.explain import Excluded, Explanation, explain
from mirrorlist.geo import open_geo
from mirrorlist.query import Query, parse_query
from mirrorlist.service import located, seeded
from mirrorlist.store import Store

_NAMES_SHOWN = 6


@click.command()
@click.argument("query", metavar="QUERY")
@click.option("--ip", metavar="ADDRESS", help="The client's address; without it, this machine.")
@options("ask")
def ask(
    query: str,
    ip: str | None,
    snapshot: Path,
    geoip: Path | None,
    minimum: int,
    seed: int | None,
    json: bool,
) -> None:
    """Explain one answer: each host with its tier, each host left out with the reason.

    QUERY is what stands in a repository file: repo=..&arch=.. (a metalink), or with
    /metalink? or /mirrorlist? before it, or the whole URL.

    \b
    mirrorlist ask --snapshot mm.snap 'repo=rawhide&arch=x86_64' --ip 192.0.2.1
    mirrorlist ask --snapshot mm.snap '/mirrorlist?path=pub/epel/10&country=de' --json
    """
    store, geo = Store(snapshot), open_geo(geoip)
    parsed = _parse(query)
    client = located(_client(ip, parsed), geo)
    rng = Random() if seed is None else seeded(seed, parsed, client)
    found = explain(parsed, client, store.catalog, rng, time.time(), minimum)
    if json:
        click.echo(msgspec.json.encode(found))
    else:
        _print(found)


def _parse(text: str) -> Query:
    before, mark, after = text.partition("?")
    if not mark:
        before, after = "", text
    path = before.rstrip("/")
    if before and not path.endswith(("metalink", "mirrorlist")):
        raise OptionError(f"QUERY: {before}? is neither /metalink? nor /mirrorlist?")
    return parse_query(os.fsencode(after), not path.endswith("mirrorlist"))


def _client(ip: str | None, query: Query) -> Client:
    if ip is not None and parse_address(ip) is None:
        raise OptionError(f"--ip {ip}: not an address")
    client = Trust().believe(ip, [], query.ip)
    if ip is None or client.source != "peer":
        return client
    return msgspec.structs.replace(client, source="--ip")


def _print(found: Explanation) -> None:
    console = output()
    client = found.client
    console.print(Text(f"snapshot   {found.snapshot.id}, {found.snapshot.age} s old"))
    console.print(
        Text(
            f"client     {client.address} ({client.source}): country {client.country}"
            f" ({client.country_source}), continent {client.continent or 'unknown'},"
            f" ASN {client.asn or 'of no host'}"
        )
    )
    console.print(Text(f"directory  {found.directory}"))
    if found.file:
        console.print(Text(f"file       {found.file}"))
    console.print()
    table = plain_table("#", "tier", "host", "first URL")
    for place, host in enumerate(found.hosts, 1):
        table.add_row(str(place), host.tier, Text(host.name), Text(host.urls[0]))
    console.print(table if found.hosts else Text("no host is left"))
    _print_excluded(found.excluded)


def _print_excluded(excluded: list[Excluded]) -> None:
    console = output()
    names: dict[str, list[str]] = defaultdict(list)
    for host in excluded:
        names[host.reason].append(host.name)
    if names:
        console.print(Text(f"\nnot in the list: {len(excluded)} hosts"))
        table = plain_table("hosts", "reason", "which")
        for reason, hosts in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
            more = f" and {len(hosts) - _NAMES_SHOWN} more" if len(hosts) > _NAMES_SHOWN else ""
            which = ", ".join(hosts[:_NAMES_SHOWN]) + more
            table.add_row(str(len(hosts)), Text(reason), Text(which))
        console.print(table)
