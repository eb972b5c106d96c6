"""`answer_plan()`: a plan and a client in, status and headers and body out; no I/O.

All lists are made here, those after an internal error too. Clock and random source are arguments,
so the same seed gives the same bytes.
"""

from email.utils import formatdate
from functools import lru_cache
from random import Random

from msgspec import Struct

from mirrorlist.errors import QueryError
from mirrorlist.lists import metalink
from mirrorlist.lists import text as text_list
from mirrorlist.lists.orders import Orders
from mirrorlist.lists.place import NOWHERE, Place
from mirrorlist.lists.plan import Found, Plan, Refusal
from mirrorlist.lists.selection import Tier
from mirrorlist.request.client import NO_CLIENT, Client


class Answer(Struct, frozen=True):
    """A whole answer; its body is in pieces, so that HTTP's head is joined to them only once.

    `tier` is that of a list's first host, `lead` is the code of both in a counter's key, `country`
    is the client's; they are for counting, and empty without a list. `digest` is the Repr-Digest of
    a redirect.
    """

    status: int
    content_type: str
    pieces: tuple[bytes, ...]
    location: str | None = None
    tier: Tier | None = None
    country: str = ""
    lead: int = 0
    digest: str | None = None

    @property
    def body(self) -> bytes:
        """The body as a whole."""
        return b"".join(self.pieces)


def answer_plan(
    plan: Plan | Refusal,
    client: Client,
    place: Place,
    orders: Orders | None,
    rng: Random,
    now: float,
) -> Answer:
    """Return a client's answer; `orders` keeps drawn orders, None draws a new one.

    `now` is in seconds since 1970, UTC.
    """
    if isinstance(plan, Refusal):
        return _refused(plan.status, plan.text, plan.query.metalink, now)
    found = plan.found(client, place, orders, rng)
    if not found[0].lead:
        return refuse(plan.nothing(client, place), plan.query.metalink, now)
    return _listed(plan, found, now, place.country)


def answer_stored(plan: Plan | Refusal, now: float) -> Answer:
    """Return the answer after an internal error: the public hosts in stored order.

    Source: docs/protocol.md#internal-errors. Needs neither a client nor chance.
    """
    if isinstance(plan, Refusal):
        return _refused(plan.status, plan.text, plan.query.metalink, now)
    found = plan.stored()
    if not found[0].lead:
        return refuse(plan.nothing(NO_CLIENT, NOWHERE), plan.query.metalink, now)
    return _listed(plan, found, now)


def _listed(plan: Plan, found: Found, now: float, country: str = "") -> Answer:
    """Return a list as an answer: the one way to make one."""
    order, said, body = found
    if plan.query.metalink:
        pieces = plan.metalink(_head(int(now)), body)
        return Answer(200, plan.document_type, pieces, None, order.tier, country, order.lead)
    if plan.query.redirect:
        kind, location, digest = text_list.CONTENT_TYPE, plan.location(order), plan.digest
        return Answer(302, kind, (), location, order.tier, country, order.lead, digest)
    pieces = plan.mirrorlist(said, body)
    return Answer(200, text_list.CONTENT_TYPE, pieces, None, order.tier, country, order.lead)


def refuse(error: QueryError, is_metalink: bool, now: float) -> Answer:
    """Return a client's mistake as an answer of the kind that was asked for."""
    return _refused(error.status, str(error), is_metalink, now)


def _refused(status: int, text: str, is_metalink: bool, now: float) -> Answer:
    if is_metalink:
        body = metalink.render_error(_head(int(now)), text)
        return Answer(status, metalink.CONTENT_TYPE, (body,))
    return Answer(status, text_list.CONTENT_TYPE, (text_list.render_error(text),))


def pubdate(now: float) -> str:
    """Return a time in the form of documents and headers: RFC 9110's IMF-fixdate."""
    return formatdate(now, usegmt=True)


@lru_cache(2)
def _head(second: int) -> bytes:
    # All documents of one second begin with the same bytes.
    return metalink.head(pubdate(second))
