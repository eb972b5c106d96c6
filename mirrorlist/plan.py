"""A query on one catalog: all of its answers that neither the client nor chance decides.

Made once for each query string that clients send, and kept: a repository's clients all send the
same one.
"""

from random import Random
from urllib.parse import quote

from mirrorlist import metalink, plain
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.errors import QueryError, UnknownRepository
from mirrorlist.listing import Kind, filling, first_lines
from mirrorlist.nothing import why_nothing
from mirrorlist.orders import Choice, Order, Orders, before, drawn
from mirrorlist.place import Place
from mirrorlist.query import Query
from mirrorlist.selection import Offer, Situation, draw, geo_offer, near_offer, offer
from mirrorlist.target import Target, find_details, find_target
from mirrorlist.urls import writable

# What RFC 3986 allows in a whole URL; a Location header must be ASCII.
_URL_SAFE = "%/:?#[]@!$&'()*+,;=~"
# A text list whose path is longer than this, as directories and files never are, ends after so many
# bytes of paths: the nearest hosts.
LONG_PATH, MOST_LONG_BYTES = 512, 128 << 10
# Roughly what one takes, without its path and what stands before its hosts.
_PLAN_BYTES = 2500


class Plan:
    """What a query asks for, found and rendered as far as it is known.

    `error` is what the answer is instead of a list; `is_resolved` says that the repository was
    found all the same, so that the request log counts it. Only what `is_repeated` is worth that
    its orders are kept. `size`: about how many bytes it takes.
    """

    def __init__(self, query: Query, catalog: Catalog, minimum: int) -> None:
        """Find the target; a client's mistake is kept, not raised."""
        self.query = query
        self.catalog = catalog
        self.error: QueryError | None = None
        self.is_resolved = False
        self.is_repeated = False
        self.size = _PLAN_BYTES
        self._minimum = minimum
        self._kind = _kind(query)
        try:
            self._target = find_target(query, catalog)
            self.is_resolved = query.has_repository
            details = find_details(self._target, catalog) if query.metalink else ()
        except QueryError as error:
            self.error = error
            return
        path = self._target.path
        self._path = filling(path, self._kind)
        # A path that a client made long is not repeated for hundreds of hosts.
        self._most_lines = len(path.encoded) > LONG_PATH and MOST_LONG_BYTES // len(path.encoded)
        if query.metalink:
            self._opening = metalink.opening(self._target.file or "", details)
        else:
            self._opening = self._target.heading.encode()
        self._closing = plain.after_heading(query, catalog.read)
        self._number = catalog.number_of(
            (
                *(
                    self._target.category,
                    self._target.carriers.number,
                    minimum,
                    self._kind,
                    query.near,
                ),
                catalog.named_countries(query.countries),
                *catalog.named(self._target.category, writable(query.protocols, path)),
                # A text list without protocol= gives one URL a host.
                query.protocols is None,
            )
        )
        self.size += len(self._opening) + 3 * len(path.encoded)

    @property
    def is_unknown(self) -> bool:
        """Whether it asks for a repository and an arch that the catalog does not have."""
        return isinstance(self.error, UnknownRepository)

    def order(
        self, client: Client, place: Place, orders: Orders | None, rng: Random
    ) -> tuple[Order, bytes]:
        """Return an order of hosts for a client, and what a heading says was used."""
        if orders is None:
            return self._drawn(client, place, rng, None)
        key = self._key(place)
        choice = orders.find(key)
        if choice is None:
            if not self.is_repeated:
                return self._drawn(client, place, rng, orders)
            choice = self._keep(key, client, place, orders, rng)
        if self.query.near and self._is_near(client, place):
            near = near_offer(self._situation(client, place))
            # One that has no URL for this list is still told of in its heading.
            if near.parts or near.netblock:
                return self._near_first(near, choice, client, place, orders, rng)
        return orders.next(choice, rng), choice.said

    def _key(self, place: Place) -> tuple[int, object]:
        """Return by what the choice for a place is known: countries without hosts share theirs."""
        country = place.country
        if country in self._target.carriers.by_country:
            return self._number, country
        return self._number, self.catalog.surroundings(country)

    def _is_near(self, client: Client, place: Place) -> bool:
        """Return whether the near tiers may have a host: nearly always none, so found out first."""
        if place.asn is not None:
            carriers = self._target.carriers
            if any(host in carriers for host in self.catalog.of_asn(place.asn)):
                return True
        return self.catalog.has_netblock(client.near)

    def _keep(
        self, key: object, client: Client, place: Place, orders: Orders, rng: Random
    ) -> Choice:
        found = geo_offer(self._situation(client, place))
        said = b"" if self.query.metalink else plain.used(found)
        return orders.add(key, found, self.catalog, self._kind, said, rng)

    def _drawn(
        self, client: Client, place: Place, rng: Random, orders: Orders | None
    ) -> tuple[Order, bytes]:
        found = offer(self._situation(client, place))
        order = drawn(found, self.catalog, self._kind, rng, orders)
        return order, plain.used(found)

    def _near_first(
        self, near: Offer, choice: Choice, client: Client, place: Place, orders: Orders, rng: Random
    ) -> tuple[Order, bytes]:
        """Return an order for a client near some hosts: few clients, so none is kept."""
        if choice.is_global and not self._is_too_few(near, choice):
            # With the near hosts there may be enough without that tier.
            return self._drawn(client, place, rng, orders)
        hosts = [host for part in near.parts for host in draw(part, self.catalog.weights, rng)]
        listings = orders.listings(hosts, near, self.catalog)
        order = before(listings, orders.next(choice, rng), self._kind, near.first)
        return order, plain.used(near) + choice.said

    def _is_too_few(self, near: Offer, choice: Choice) -> bool:
        """Return whether there are certainly too few hosts before the global tier.

        A host may be in both, so there may be too few all the same.
        """
        return choice.nearer + near.nearer < max(1, self._minimum)

    def nothing(self, client: Client, place: Place) -> QueryError:
        """Return why a client's order is empty."""
        return why_nothing(self._situation(client, place))

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
        return location_of(order.first, self._target)

    def _situation(self, client: Client, place: Place) -> Situation:
        return Situation(self.query, client, place, self._target, self.catalog, self._minimum)


def location_of(base: str, target: Target) -> str:
    """Return where a redirect to a host's URL leads."""
    return quote(base + target.path.encoded, safe=_URL_SAFE)


def _kind(query: Query) -> Kind:
    if query.metalink:
        return Kind.METALINK
    return Kind.REDIRECT if query.redirect else Kind.TEXT
