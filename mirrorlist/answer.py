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
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.errors import QueryError
from mirrorlist.place import locate
from mirrorlist.query import Query
from mirrorlist.selection import Chosen, Situation, select
from mirrorlist.target import Target, find_details, find_target

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
    """Return the answer to a query; `now` is in seconds since 1970, UTC. Never raises."""
    log = None
    try:
        target = find_target(query, catalog)
        place = locate(client, catalog)
        if query.has_repository:
            log = LogEntry(str(client.geo), place.country, query.repo or "", query.arch or "")
        situation = Situation(query, client, place, target, catalog, minimum)
        return _list(situation, rng, now, log)
    except QueryError as error:
        # What was resolved before is logged: a metalink without file details among it.
        return refuse(error, query.metalink, now, log)


def refuse(error: QueryError, is_metalink: bool, now: float, log: LogEntry | None = None) -> Answer:
    """Return a client's mistake as an answer of the kind that was asked for."""
    if is_metalink:
        body = metalink.render_error(_pubdate(now), str(error))
        return Answer(error.status, metalink.CONTENT_TYPE, body, log=log)
    return Answer(error.status, plain.CONTENT_TYPE, plain.render_error(str(error)), log=log)


def _list(situation: Situation, rng: Random, now: float, log: LogEntry | None) -> Answer:
    query, target, catalog = situation.query, situation.target, situation.catalog
    if query.metalink:
        details = find_details(target, catalog)
        chosen = select(situation, rng).chosen
        body = metalink.render_metalink(
            _pubdate(now), target.file or "", details, chosen, target.path, catalog.hosts
        )
        return Answer(200, metalink.CONTENT_TYPE, body, log=log)
    selection = select(situation, rng)
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
