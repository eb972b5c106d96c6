"""`mirrorlist ask`: explains one answer offline, with each host's tier or why it is left out."""

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec
from rich.text import Text

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.cli.console import output, print_json
from mirrorlist.cli.options import options
from mirrorlist.cli.unanswered import Unanswered, unknown_directory, unknown_repository
from mirrorlist.errors import (
    OptionError,
    QueryError,
    UnknownDirectory,
    UnknownRepository,
    Unspecified,
)
from mirrorlist.lists.explain import explain, plan_any
from mirrorlist.lists.explanation import DEFAULT_WIDTH, Explanation, as_text
from mirrorlist.lists.place import locate
from mirrorlist.lists.plan import Plan
from mirrorlist.lists.reworded import query_of
from mirrorlist.request.address import parse_address
from mirrorlist.request.client import Client, Trust
from mirrorlist.request.geo import open_geo
from mirrorlist.request.listkey import key_of
from mirrorlist.request.query import Query
from mirrorlist.service import seeded
from mirrorlist.store import Store
from snapshot.file.seal import read_key

_KINDS = ("metalink", "mirrorlist")


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values of those options of `ask` that have a row in `mirrorlist.settings`."""

    snapshot: Path
    snapshot_key: Path | None
    geoip: Path | None
    minimum: int
    seed: int | None


@click.command(short_help="Why these mirrors? One answer, each host with its reason.")
@click.argument("query", metavar="QUERY")
@click.option("--ip", metavar="ADDRESS", help="The client's address; the default is this machine.")
@options("ask")
def ask(query: str, ip: str | None, json: bool, **given: Any) -> None:
    """Explain one answer: each host with its tier, each host left out with the reason.

    QUERY is the query of a repository file: repo=..&arch=.., alone (then the metalink is
    explained, or the mirrorlist if there are no checksums), with /metalink? or /mirrorlist?
    before it, or in a whole URL, such as an /explain URL. What the snapshot's site lets clients
    ask in other words ([[shapes]] of mirrors.toml) can be asked here too.

    \b
    mirrorlist ask --snapshot mm.snap 'repo=rawhide&arch=x86_64' --ip 192.0.2.1
    mirrorlist ask --snapshot mm.snap '/mirrorlist?path=pub/epel/10&country=de' \\
        --json
    """
    found = _explained(_without_explain(query), ip, _Settings(**given))
    if json:
        print_json(found)
    else:
        console = output()
        width = console.width if console.is_terminal else DEFAULT_WIDTH
        console.print(Text(as_text(found, width)), soft_wrap=True)


def _explained(query: str, ip: str | None, settings: _Settings) -> Explanation:
    key = read_key(settings.snapshot_key) if settings.snapshot_key else None
    store, geo = Store(settings.snapshot, key), open_geo(settings.geoip)
    parsed = _parse(query, store.catalog)
    client, planned = _client(ip, parsed), plan_any if _is_bare(query) else Plan
    try:
        plan = planned(parsed, store.catalog, settings.minimum)
    except (UnknownDirectory, UnknownRepository, Unspecified) as error:
        raise _for_people(error, parsed, store.catalog) from error
    seed = settings.seed
    rng = Random() if seed is None else seeded(seed, plan.query, client)
    return explain(plan, client, locate(client, store.catalog, geo), rng, time.time())


def _for_people(error: QueryError, query: Query, catalog: Catalog) -> Unanswered:
    if isinstance(error, UnknownRepository):
        return unknown_repository(str(query.repo), str(query.arch), catalog)
    if isinstance(error, UnknownDirectory):
        return unknown_directory(str(query.path), catalog.snapshot)
    return Unanswered(
        "QUERY says neither path= nor repo= and arch=; its form is 'repo=NAME&arch=ARCH' or"
        " 'path=DIRECTORY', in quotes: & is special in shells"
    )


def _without_explain(text: str) -> str:
    """Return the query that a URL of /explain asks about."""
    before, _, after = text.partition("?")
    path, mark, rest = before.rstrip("/").rpartition("explain")
    if not mark or rest:
        return text
    kind = path.rstrip("/")
    return f"{kind}?{after}" if kind.endswith(_KINDS) else after


def _is_bare(text: str) -> bool:
    """Return whether a text is a query alone, which does not say what kind of list it is for."""
    return "?" not in text and not any(f"{kind}/" in text for kind in _KINDS)


def _parse(text: str, catalog: Catalog) -> Query:
    before, _, after = text.partition("?")
    if _is_bare(text):
        before, after = "", text
    path = before.rstrip("/")
    query = os.fsencode(after)
    asked = key_of(os.fsencode(f"/{path}".replace("//", "/")), query, catalog.request_paths)
    if before and asked is None:
        raise OptionError(f"QUERY: {before}? is neither /metalink? nor /mirrorlist?")
    is_metalink, query = asked or (True, query)
    return query_of(query, is_metalink, catalog)


def _client(ip: str | None, query: Query) -> Client:
    if ip is not None and parse_address(ip) is None:
        raise OptionError(f"--ip {ip}: not an address")
    client = Trust().believe(ip, [], query.ip)
    # A reader of the snapshot file can see all that is in it, so private hosts are explained too.
    client = msgspec.structs.replace(client, is_ours=True)
    if ip is None or client.source != "peer":
        return client
    return msgspec.structs.replace(client, source="--ip")
