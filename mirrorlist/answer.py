"""`answer()`: a query and a client in, status and headers and body out; no I/O.

The only place that joins query, target, selection and rendering. Clock and random source are
arguments, so the same seed gives the same bytes.
"""

from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from random import Random

from msgspec import Struct

from mirrorlist import metalink, plain
from mirrorlist.address import Address
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.errors import QueryError, Unavailable
from mirrorlist.nothing import why_nothing
from mirrorlist.orders import Orders
from mirrorlist.place import locate
from mirrorlist.plan import Plan, location_of
from mirrorlist.query import Query
from mirrorlist.roster import GLOBAL
from mirrorlist.selection import Chosen, Selection, Situation, Tier
from mirrorlist.target import find_details, find_target
from snapshot.file.model import FileDetail

DEFAULT_MINIMUM = 5


class LogEntry(Struct, frozen=True):
    """What the request log says of a resolved request for a repository."""

    address: Address
    country: str
    repo: str
    arch: str


class Answer(Struct, frozen=True):
    """A whole answer; its body in pieces, as whoever sends it puts a head before them.

    The log entry is None for what statistics do not count. `tier` is the one of a list's first
    host, `country` the client's; both are for counting, and empty where there is no list.
    """

    status: int
    content_type: str
    pieces: tuple[bytes, ...]
    location: str | None = None
    log: LogEntry | None = None
    tier: Tier | None = None
    country: str = ""

    @property
    def body(self) -> bytes:
        """The body as a whole."""
        return b"".join(self.pieces)


def answer(
    query: Query,
    client: Client,
    catalog: Catalog,
    rng: Random,
    now: float,
    minimum: int = DEFAULT_MINIMUM,
) -> Answer:
    """Return the answer to a query, drawn anew; `now` is in seconds since 1970, UTC."""
    return answer_plan(Plan(query, catalog, minimum), client, None, rng, now)


def answer_plan(
    plan: Plan, client: Client, orders: Orders | None, rng: Random, now: float
) -> Answer:
    """Return the answer to a query that was looked into; with `orders` some are used again."""
    query, log = plan.query, None
    place = locate(client, plan.catalog)
    if plan.is_resolved:
        log = LogEntry(client.geo, place.country, query.repo or "", query.arch or "")
    if plan.error is not None:
        return refuse(plan.error, query.metalink, now, log)
    order, said = plan.order(client, place, orders, rng)
    if not order.hosts:
        return refuse(plan.nothing(client, place), query.metalink, now, log)
    if query.metalink:
        pieces = (_head(int(now)), *plan.metalink(order))
        return Answer(200, metalink.CONTENT_TYPE, pieces, None, log, order.tier, place.country)
    status, pieces, location = 200, (), None
    if query.redirect:
        status, location = 302, plan.location(order)
    else:
        pieces = plan.mirrorlist(order, said)
    return Answer(status, plain.CONTENT_TYPE, pieces, location, log, order.tier, place.country)


def plain_order(query: Query, catalog: Catalog, now: float) -> Answer:
    """Return the public hosts of what a query asks for in the order they are stored.

    For when something is wrong with us: needs no client and no chance, and never raises.
    Source: docs/protocol.md#internal-errors.
    """
    try:
        target = find_target(query, catalog)
        nobody = Client(Address(4, 0), Address(4, 0), "none")
        situation = Situation(query, nobody, locate(nobody, catalog), target, catalog, 0)
        hosts = situation.allowed(target.carriers.public)
        urls = situation.urls
        chosen = [Chosen(host, Tier.GLOBAL, urls[host]) for host in hosts if host in urls]
        details = find_details(target, catalog) if query.metalink else ()
        if not chosen:
            return refuse(why_nothing(situation), query.metalink, now)
        selection = Selection(chosen, False, None, [GLOBAL])
        return _render(situation, selection, details, now)
    except QueryError as error:
        return refuse(error, query.metalink, now)
    except Exception:
        return refuse(Unavailable("# no list can be made at the moment"), query.metalink, now)


def refuse(error: QueryError, is_metalink: bool, now: float, log: LogEntry | None = None) -> Answer:
    """Return a client's mistake as an answer of the kind that was asked for."""
    if is_metalink:
        body = metalink.render_error(pubdate(now), str(error))
        return Answer(error.status, metalink.CONTENT_TYPE, (body,), log=log)
    return Answer(error.status, plain.CONTENT_TYPE, (plain.render_error(str(error)),), log=log)


def pubdate(now: float) -> str:
    """Return a time as documents and headers say it."""
    return formatdate(now, usegmt=True)


@lru_cache(2)
def _head(second: int) -> bytes:
    # All documents of one second begin alike.
    return metalink.head(pubdate(second))


def _render(
    situation: Situation, selection: Selection, details: Sequence[FileDetail], now: float
) -> Answer:
    query, target, catalog = situation.query, situation.target, situation.catalog
    tier = selection.chosen[0].tier
    if query.metalink:
        body = metalink.render_metalink(
            pubdate(now), target.file or "", details, selection.chosen, target.path, catalog.hosts
        )
        return Answer(200, metalink.CONTENT_TYPE, (body,), tier=tier)
    if query.redirect:
        location = location_of(selection.chosen[0].urls[0].base, target)
        return Answer(302, plain.CONTENT_TYPE, (), location, tier=tier)
    body = plain.render_mirrorlist(query, target, selection, catalog.read, catalog.hosts)
    return Answer(200, plain.CONTENT_TYPE, (body,), tier=tier)
