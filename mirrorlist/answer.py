"""`answer()`: a query and a client in, status and headers and body out; no I/O.

The only place that joins query, target, selection and rendering. Clock and random source are
arguments, so the same seed gives the same bytes.
"""

from collections.abc import Sequence
from email.utils import formatdate
from random import Random
from urllib.parse import quote

from msgspec import Struct

from mirrorlist import metalink, plain
from mirrorlist.address import Address
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.errors import QueryError, Unavailable
from mirrorlist.place import locate
from mirrorlist.query import Query
from mirrorlist.selection import GLOBAL, Chosen, Selection, Situation, Tier, select
from mirrorlist.target import Target, find_details, find_target
from snapshot.model import FileDetail

DEFAULT_MINIMUM = 5
# What RFC 3986 allows in a whole URL; a Location header must be ASCII.
_URL_SAFE = "%/:?#[]@!$&'()*+,;=~"


class LogEntry(Struct, frozen=True):
    """What the request log says of a resolved request for a repository."""

    address: str
    country: str
    repo: str
    arch: str


class Answer(Struct, frozen=True):
    """A whole answer; the log entry is None for what statistics do not count."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None
    log: LogEntry | None = None


def answer(
    query: Query,
    client: Client,
    catalog: Catalog,
    rng: Random,
    now: float,
    minimum: int = DEFAULT_MINIMUM,
) -> Answer:
    """Return the answer to a query; `now` is in seconds since 1970, UTC."""
    log = None
    try:
        target = find_target(query, catalog)
        place = locate(client, catalog)
        if query.has_repository:
            log = LogEntry(str(client.geo), place.country, query.repo or "", query.arch or "")
        # First, as without them no host need be drawn.
        details = find_details(target, catalog) if query.metalink else ()
        situation = Situation(query, client, place, target, catalog, minimum)
        return _render(situation, select(situation, rng), details, now, log)
    except QueryError as error:
        # What was resolved before is logged: a metalink without file details among it.
        return refuse(error, query.metalink, now, log)


def plain_order(query: Query, catalog: Catalog, now: float) -> Answer:
    """Return the public hosts of what a query asks for in the order they are stored.

    For when something is wrong with us: needs no client and no chance, and never raises.
    Source: behaviour.md section 6 item 10.
    """
    try:
        target = find_target(query, catalog)
        nobody = Client(Address(4, 0), Address(4, 0), "none")
        situation = Situation(query, nobody, locate(nobody, catalog), target, catalog, 0)
        hosts = situation.allowed(target.carriers.public)
        listed = [Chosen(host, Tier.GLOBAL, situation.urls(host)) for host in hosts]
        chosen = [one for one in listed if one.urls]
        details = find_details(target, catalog) if query.metalink else ()
        selection = Selection(chosen, False, None, [GLOBAL])
        return _render(situation, selection, details, now, None)
    except QueryError as error:
        return refuse(error, query.metalink, now)
    except Exception:
        return refuse(Unavailable("# no list can be made at the moment"), query.metalink, now)


def refuse(error: QueryError, is_metalink: bool, now: float, log: LogEntry | None = None) -> Answer:
    """Return a client's mistake as an answer of the kind that was asked for."""
    if is_metalink:
        body = metalink.render_error(_pubdate(now), str(error))
        return Answer(error.status, metalink.CONTENT_TYPE, body, log=log)
    return Answer(error.status, plain.CONTENT_TYPE, plain.render_error(str(error)), log=log)


def _render(
    situation: Situation,
    selection: Selection,
    details: Sequence[FileDetail],
    now: float,
    log: LogEntry | None,
) -> Answer:
    query, target, catalog = situation.query, situation.target, situation.catalog
    if query.metalink:
        body = metalink.render_metalink(
            _pubdate(now), target.file or "", details, selection.chosen, target.path, catalog.hosts
        )
        return Answer(200, metalink.CONTENT_TYPE, body, log=log)
    if query.redirect:
        return _redirect(selection.chosen, target, log)
    body = plain.render_mirrorlist(query, target, selection, catalog.read)
    return Answer(200, plain.CONTENT_TYPE, body, log=log)


def _redirect(chosen: Sequence[Chosen], target: Target, log: LogEntry | None) -> Answer:
    if not chosen:
        return Answer(404, plain.CONTENT_TYPE, b"", log=log)
    location = quote(chosen[0].urls[0].base + target.path, safe=_URL_SAFE)
    return Answer(302, plain.CONTENT_TYPE, b"", location=location, log=log)


def _pubdate(now: float) -> str:
    return formatdate(now, usegmt=True)
