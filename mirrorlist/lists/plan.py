"""A query on one catalog: all of its answers that neither the client nor chance decides.

Made once for each query string that clients send, and kept: a repository's clients all send the
same one.
"""

from random import Random
from urllib.parse import quote

from msgspec import Struct, structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import URL_SAFE, writable
from mirrorlist.errors import NoDetails, QueryError, UnknownRepository
from mirrorlist.lists import metalink
from mirrorlist.lists import text as plain
from mirrorlist.lists.choice import Choice, Order, before
from mirrorlist.lists.empty import why_nothing
from mirrorlist.lists.listing import ListKind, filling, first_lines
from mirrorlist.lists.orders import KeptChoice, Orders, drawn, of_hosts
from mirrorlist.lists.place import NOWHERE, Place
from mirrorlist.lists.selection import (
    Offer,
    Situation,
    draw,
    geo_offer,
    near_offer,
    offer,
    stored_offer,
)
from mirrorlist.lists.target import find_details, find_target
from mirrorlist.request.client import NO_CLIENT, Client
from mirrorlist.request.query import Query

# A text list whose path is longer than this, as directories and files never are, ends after so many
# bytes of paths: the nearest hosts.
LONG_PATH, MOST_LONG_BYTES = 512, 128 << 10
# Roughly what one takes, without its path and what stands before its hosts.
_PLAN_BYTES = 2500


class Refusal(Struct, frozen=True, weakref=True):
    """What the answer to a query is instead of a list, for every client.

    `is_resolved` says that the repository was found all the same, so that the request log counts
    it; `is_unknown` that the catalog does not have the repository and arch.
    """

    query: Query
    status: int
    text: str
    is_unknown: bool
    is_resolved: bool

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return _PLAN_BYTES + len(self.text)


class Plan:
    """What a query asks for, found and rendered as far as it is known.

    Only what `is_repeated` is worth that its orders are kept; `is_resolved` says that it is a
    repository that was found, so that the request log counts it. `size`: about how many bytes it
    takes.
    """

    def __init__(
        self,
        query: Query,
        catalog: Catalog,
        minimum: int,
        is_repeated: bool = False,
    ) -> None:
        """Find what is asked for; raises QueryError."""
        target = find_target(query, catalog)
        details = find_details(target, catalog) if query.metalink else ()
        path = target.path
        self.query = query
        self.catalog = catalog
        self.target = target
        self.is_repeated = is_repeated
        self.is_resolved = query.has_repository
        self._minimum = minimum
        self._kind = _kind(query)
        self._path = filling(path, self._kind)
        # A path that a client made long is not repeated for hundreds of hosts.
        self._most_lines = len(path.encoded) > LONG_PATH and MOST_LONG_BYTES // len(path.encoded)
        if query.metalink:
            self._opening = metalink.opening(target.file or "", details)
        else:
            self._opening = target.heading.encode()
        self._closing = plain.after_heading(query, catalog.read)
        self._number = catalog.number_of(self._content())
        self.size = _PLAN_BYTES + len(self._opening) + 3 * len(path.encoded)

    def _content(self) -> tuple[object, ...]:
        """Return all that decides about orders, but the client and chance."""
        target, wish = self.target, self.query.wish
        shown = structs.replace(wish, protocols=writable(wish.protocols, target.path))
        return (
            target.category,
            target.carriers.number,
            self._minimum,
            self._kind,
            self.catalog.known(shown, target.category),
            # A text list without protocol= gives one URL a host.
            wish.protocols is None,
        )

    def order(
        self, client: Client, place: Place, orders: Orders | None, rng: Random
    ) -> tuple[Order, bytes]:
        """Return an order of hosts for a client, and what a heading says was used."""
        if orders is None:
            return self._drawn(client, place, rng, None)
        key = self._key(place)
        kept = orders.find(key)
        if kept is None:
            if not self.is_repeated:
                return self._drawn(client, place, rng, orders)
            kept = self._keep(key, client, place, orders, rng)
        if self.query.wish.near and self._is_near(client, place):
            near = near_offer(self.situation(client, place))
            # One that has no URL for this list is still told of in its heading.
            if near.parts or near.netblock:
                return self._near_first(near, kept, client, place, orders, rng)
        return orders.next(kept, rng), kept.said

    def stored_order(self) -> tuple[Order, bytes]:
        """Return the public hosts in the order they are stored, and what a heading says was used.

        For when something is wrong with us: needs no client and no chance.
        """
        found = stored_offer(self.situation(NO_CLIENT, NOWHERE))
        hosts = [host for part in found.parts for host in part.hosts]
        return of_hosts(hosts, found, self.catalog, self._kind, None), plain.used(found)

    def _key(self, place: Place) -> tuple[int, object]:
        """Return by what the choice for a place is known: countries without hosts share theirs."""
        country = place.country
        if country in self.target.carriers.by_country:
            return self._number, country
        return self._number, self.catalog.surroundings(country)

    def _is_near(self, client: Client, place: Place) -> bool:
        """Return whether the near tiers may have a host: nearly always none, so found out first."""
        if place.asn is not None:
            carriers = self.target.carriers
            if any(host in carriers for host in self.catalog.of_asn(place.asn)):
                return True
        return self.catalog.has_netblock(client.near)

    def _keep(
        self, key: object, client: Client, place: Place, orders: Orders, rng: Random
    ) -> KeptChoice:
        found = geo_offer(self.situation(client, place))
        said = b"" if self.query.metalink else plain.used(found)
        return orders.add(key, found, self.catalog, self._kind, said, rng)

    def _drawn(
        self, client: Client, place: Place, rng: Random, orders: Orders | None
    ) -> tuple[Order, bytes]:
        found = offer(self.situation(client, place))
        order = drawn(found, self.catalog, self._kind, rng, orders)
        return order, plain.used(found)

    def _near_first(
        self,
        near: Offer,
        kept: KeptChoice,
        client: Client,
        place: Place,
        orders: Orders,
        rng: Random,
    ) -> tuple[Order, bytes]:
        """Return an order for a client near some hosts: few clients, so none is kept."""
        if kept.choice.is_global and not self._is_too_few(near, kept.choice):
            # With the near hosts there may be enough without that tier.
            return self._drawn(client, place, rng, orders)
        hosts = draw(near, self.catalog.weights, rng)
        listings = orders.listings(hosts, near, self.catalog)
        order = before(listings, orders.next(kept, rng), self._kind, near.first)
        return order, plain.used(near) + kept.said

    def _is_too_few(self, near: Offer, choice: Choice) -> bool:
        """Return whether there are certainly too few hosts before the global tier.

        A host may be in both, so there may be too few all the same.
        """
        return choice.nearer + near.nearer < max(1, self._minimum)

    def nothing(self, client: Client, place: Place) -> QueryError:
        """Return why a client's order is empty."""
        return why_nothing(self.situation(client, place))

    def metalink(self, order: Order) -> tuple[bytes, ...]:
        """Return the document of an order, but for the lines that say when it was made."""
        return self._opening, self._path.of(order.template), metalink.CLOSING

    def mirrorlist(self, order: Order, said: bytes) -> tuple[bytes, ...]:
        """Return the text list of an order; `said` is what a heading says was used."""
        template = order.template
        if self._most_lines:
            template = first_lines(template, self._most_lines)
        return self._opening, said, self._closing, self._path.of(template)

    def location(self, order: Order) -> str:
        """Return where a redirect leads; the order has a host."""
        return quote(order.first + self.target.path.encoded, safe=URL_SAFE)

    def situation(self, client: Client, place: Place) -> Situation:
        """Return all that decides about a client's order, but chance."""
        return Situation(self.query, client, place, self.target, self.catalog, self._minimum)


def make_plan(
    query: Query, catalog: Catalog, minimum: int, is_repeated: bool = False
) -> Plan | Refusal:
    """Return what is known of a query; a client's mistake is a value too."""
    try:
        return Plan(query, catalog, minimum, is_repeated)
    except QueryError as error:
        return Refusal(
            query,
            error.status,
            str(error),
            is_unknown=isinstance(error, UnknownRepository),
            is_resolved=isinstance(error, NoDetails) and query.has_repository,
        )


def _kind(query: Query) -> ListKind:
    if query.metalink:
        return ListKind.METALINK
    return ListKind.REDIRECT if query.redirect else ListKind.TEXT
