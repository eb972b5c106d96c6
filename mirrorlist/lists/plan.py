"""A query on one catalog: everything in its answers that depends neither on the client nor chance.

A plan is made once for a query string and kept, because all clients of a repository send the same
one.
"""

from random import Random
from urllib.parse import quote

from msgspec import Struct, structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.roster import GLOBAL
from mirrorlist.catalog.urls import URL_SAFE, writable
from mirrorlist.errors import NoDetails, QueryError, UnknownRepository
from mirrorlist.lists import metalink, metalink4
from mirrorlist.lists import text as text_list
from mirrorlist.lists.bodies import KeptChoice
from mirrorlist.lists.choice import Choice, Order, before
from mirrorlist.lists.empty import why_nothing
from mirrorlist.lists.label import NO_LABEL, Label
from mirrorlist.lists.listing import ListKind, first_lines, make_template
from mirrorlist.lists.orders import Orders, drawn, of_hosts
from mirrorlist.lists.place import NOWHERE, Place
from mirrorlist.lists.selection import Offer, draw, geo_offer, near_offer, offer, stored_offer
from mirrorlist.lists.situation import Situation
from mirrorlist.lists.subject import Subject, Subjects, find_subject
from mirrorlist.request.client import NO_CLIENT, Client
from mirrorlist.request.query import Query

# Roughly the bytes of a plan, without its path and the text before its hosts.
_PLAN_BYTES = 2500
# Python 3.11 takes 0.2 us to find a member of an Enum by its name.
_TEXT, _REDIRECT = ListKind.TEXT, ListKind.REDIRECT


class Refusal(Struct, frozen=True, weakref=True):
    """The answer to a query instead of a list, for every client.

    `label` is what the statistics say of it.
    `is_resolved` says that the repository was found, so the request log counts the request;
    `is_unknown` says that the catalog does not have the repository and arch.
    """

    query: Query
    status: int
    text: str
    is_unknown: bool
    is_resolved: bool
    label: Label = NO_LABEL

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return _PLAN_BYTES + len(self.text)

    def asking(self, query: Query, is_repeated: bool) -> "Refusal":
        """Return the answer to a query that differs in its wish alone: the same."""
        return structs.replace(self, query=query)


Found = tuple[Order, bytes, bytes]
"""A list: the order of its hosts, what its heading says was used, its lines that name the hosts."""


class Plan:
    """A query's target, found, and the parts of its answers that all clients share, rendered.

    Orders are kept only for plans with `is_repeated`. `label` is what the statistics say of it.
    `document_type` is the content type of a metalink.
    """

    def __init__(
        self,
        query: Query,
        catalog: Catalog,
        minimum: int,
        is_repeated: bool = False,
        subjects: Subjects | None = None,
        label: Label = NO_LABEL,
    ) -> None:
        """Find what is asked for, among `subjects` if they are given; raises QueryError."""
        subject = subjects.find(query, catalog) if subjects else find_subject(query, catalog)
        self._take(query, catalog, minimum, is_repeated, subject, label)

    # What depends on the repository alone is in the subject: a plan that is used once sets little.
    def _take(
        self,
        query: Query,
        catalog: Catalog,
        minimum: int,
        is_repeated: bool,
        subject: Subject,
        label: Label,
    ) -> None:
        self.query = query
        self.catalog = catalog
        self.target = subject.target
        self.is_repeated = is_repeated
        self.label = label
        self._subject = subject
        self.document_type = subject.document_type
        self._minimum = minimum
        self._kind = kind = _kind(query)
        # Only a text list has a heading.
        self._closing = b"" if kind is not _TEXT else text_list.after_heading(query, catalog.read)
        self._number = 0

    def asking(self, query: Query, is_repeated: bool) -> "Plan":
        """Return the plan of a query that differs from this plan's in its wish alone."""
        plan = Plan.__new__(Plan)
        plan._take(query, self.catalog, self._minimum, is_repeated, self._subject, self.label)
        return plan

    @property
    def is_resolved(self) -> bool:
        """Whether the query names a repository, so that the request log counts it."""
        return self.query.has_repository

    @property
    def digest(self) -> str | None:
        """The Repr-Digest of a redirect."""
        return self._subject.digest

    @property
    def size(self) -> int:
        """About how many bytes the plan takes."""
        return _PLAN_BYTES + self._subject.size

    def moved(self, catalog: Catalog) -> "Plan | None":
        """Return this plan on a catalog of the same naming; None if it must be made again."""
        target, query = self.target, self.query
        category, host_set = catalog.snapshot.place_of(target.directory)
        # A list of any arch has hosts of several host sets.
        is_of_one = query.arch not in catalog.open_arches
        if category != target.category or host_set is None or not is_of_one:
            return None
        carriers = catalog.carriers(host_set)
        if not carriers:
            return None
        target = structs.replace(target, host_set=host_set, carriers=carriers)
        subject = structs.replace(self._subject, target=target)
        moved = Plan.__new__(Plan)
        moved._take(query, catalog, self._minimum, self.is_repeated, subject, self.label)
        moved._number = self._number
        return moved

    def _content(self) -> tuple[object, ...]:
        """Return all that decides about orders, except hosts, client and chance."""
        # `known()` leaves out names that clients invent. `writable()` comes first: if rsync URLs
        # cannot have the path, several protocols= lead to equal lists.
        target, wish = self.target, self.query.wish
        shown = wish
        protocols = writable(wish.protocols, target.path)
        if protocols != wish.protocols:
            shown = structs.replace(wish, protocols=protocols)
        return (
            target.category,
            self._minimum,
            self._kind,
            self.catalog.known(shown, target.category),
            # A text list without protocol= gives one URL a host.
            wish.protocols is None,
        )

    def found(self, client: Client, place: Place, orders: Orders | None, rng: Random) -> Found:
        """Return the list of a client: nearly always a kept order of the client's country."""
        if orders is None:
            return self._drawn(client, place, rng, None)
        # A query string that comes once would only drive out others. It may be another way to write
        # what is kept, but hardly if it names countries: there are too many sets of them.
        if not self.is_repeated and self.query.wish.countries:
            return self._drawn(client, place, rng, orders)
        nearby, everywhere = self._nearby(place), self.target.carriers.number
        key = self._key(place, nearby)
        kept = orders.find(key)
        if kept is None and nearby != everywhere:
            kept = orders.find((key[0], everywhere, key[2]))
        if kept is None:
            if not self.is_repeated:
                return self._drawn(client, place, rng, orders)
            kept = self._keep(nearby, client, place, orders, rng)
        if place.is_near and self.query.wish.near and self._is_near(client, place):
            near = near_offer(self.situation(client, place))
            # A near host without a URL for this list is still mentioned in the heading.
            if near.parts or near.netblock:
                return self._near_first(near, kept, client, place, orders, rng)
        order = orders.next(kept, rng)
        subject = self._subject
        if subject.most_lines is not None or self._kind is _REDIRECT:
            return order, kept.said, self._rendered(order)
        return order, kept.said, orders.bodies.of(kept, order, subject.filling, self._rendered)

    def stored(self) -> Found:
        """Return the list of the public hosts in the order they are stored.

        For internal errors (docs/protocol.md#internal-errors): needs neither a client nor chance.
        """
        offered = stored_offer(self.situation(NO_CLIENT, NOWHERE))
        hosts = [host for part in offered.parts for host in part.hosts]
        order = of_hosts(hosts, offered, self.catalog)
        return order, text_list.used(offered), self._rendered(order)

    def _nearby(self, place: Place) -> int:
        """Return the number of the hosts that a choice for a client's place is known by at first.

        Most choices have hosts of the client's continent alone. Such a choice is known by these, so
        it stays when a host elsewhere loses or gains the directory.
        """
        carriers = self.target.carriers
        if self.query.wish.countries:
            return carriers.number
        return carriers.nearby.get(place.continent or "", carriers.number)

    def _key(self, place: Place, hosts: int) -> tuple[int, int, object]:
        """Return the cache key of the choice for a client's place; a number stands for the hosts.

        Countries without hosts of their own share one choice with all that have the same continent.
        """
        # Found when it is first needed: a plan that is asked once may need none.
        self._number = self._number or self.catalog.number_of(self._content())
        country = place.country
        if self.target.carriers.public & self.catalog.ranks.of_country.get(country, 0):
            return self._number, hosts, country
        return self._number, hosts, self.catalog.surroundings(country)

    def _is_near(self, client: Client, place: Place) -> bool:
        """Return whether the near tiers may have a host; for nearly all clients they have none."""
        if place.asn is not None:
            carriers = self.target.carriers
            if any(host in carriers for host in self.catalog.of_asn(place.asn)):
                return True
        return self.catalog.has_netblock(client.near)

    def _keep(
        self, nearby: int, client: Client, place: Place, orders: Orders, rng: Random
    ) -> KeptChoice:
        found = geo_offer(self.situation(client, place))
        # If the global tier was consulted, hosts everywhere count.
        is_global = GLOBAL in found.countries
        key = self._key(place, self.target.carriers.number if is_global else nearby)
        return orders.add(key, found, self.catalog, self._kind, self._said(found), rng)

    def _drawn(self, client: Client, place: Place, rng: Random, orders: Orders | None) -> Found:
        # For nearly all clients the near tiers are empty, and it costs little to know this. "A
        # client that names a country asks for the hosts there, not for those nearby."
        walk = offer if place.is_near and not self.query.wish.countries else geo_offer
        offered = walk(self.situation(client, place))
        order = drawn(offered, self.catalog, rng, orders)
        return order, self._said(offered), self._rendered(order)

    def _said(self, found: Offer) -> bytes:
        """Return what a heading says was used; only text lists have one."""
        return text_list.used(found) if self._kind is _TEXT else b""

    def _near_first(
        self,
        near: Offer,
        kept: KeptChoice,
        client: Client,
        place: Place,
        orders: Orders,
        rng: Random,
    ) -> Found:
        """Return a list for a client near some hosts; it is not kept, because these are few."""
        if kept.choice.is_global and not self._is_too_few(near, kept.choice):
            # With the near hosts there may be enough hosts without the global tier, which the kept
            # choice has: walk all tiers.
            return self._drawn(client, place, rng, orders)
        hosts = draw(near, self.catalog.weights, rng)
        listings = orders.listings(hosts, near, self.catalog)
        order = before(listings, orders.next(kept, rng), near.first)
        return order, self._said(near) + kept.said, self._rendered(order)

    def _rendered(self, order: Order) -> bytes:
        """Return the part of a list that names the hosts; a redirect has none."""
        kind, subject = self._kind, self._subject
        if kind is _REDIRECT:
            return b""
        template = make_template(order.known, order.indexes, kind, order.ahead)
        if subject.most_lines is not None:
            template = first_lines(template, subject.most_lines)
        return subject.filling.of(template)

    def _is_too_few(self, near: Offer, choice: Choice) -> bool:
        """Return whether the tiers before the global one certainly have too few hosts.

        A host may be in both and is counted twice here, so False does not mean enough.
        """
        return choice.nearer + near.nearer < max(1, self._minimum)

    def nothing(self, client: Client, place: Place) -> QueryError:
        """Return why a client's order is empty."""
        return why_nothing(self.situation(client, place))

    def metalink(self, head: bytes, body: bytes) -> tuple[bytes, ...]:
        """Return the document of a list; `head` are the first lines, which have the time."""
        if self.target.is_meta4:
            return self._subject.opening, metalink4.urls(body), metalink4.CLOSING
        return head, self._subject.opening, body, metalink.CLOSING

    def mirrorlist(self, said: bytes, body: bytes) -> tuple[bytes, ...]:
        """Return the text of a list; `said` is the part of the heading that says what was used."""
        return self._subject.opening, said, self._closing, body

    def location(self, order: Order) -> str:
        """Return the URL that a redirect leads to; the order must have a host."""
        return quote(order.first + self.target.path.encoded, safe=URL_SAFE)

    def situation(self, client: Client, place: Place) -> Situation:
        """Return everything that decides about a client's order, except chance."""
        return Situation(self.query, client, place, self.target, self.catalog, self._minimum)


def make_plan(
    query: Query,
    catalog: Catalog,
    minimum: int,
    is_repeated: bool = False,
    subjects: Subjects | None = None,
    label: Label = NO_LABEL,
) -> Plan | Refusal:
    """Return the plan of a query, or the refusal of a client's mistake: a value, not an error."""
    try:
        return Plan(query, catalog, minimum, is_repeated, subjects, label)
    except QueryError as error:
        return Refusal(
            query,
            error.status,
            str(error),
            is_unknown=isinstance(error, UnknownRepository),
            is_resolved=isinstance(error, NoDetails) and query.has_repository,
            label=label,
        )


def _kind(query: Query) -> ListKind:
    if query.metalink:
        return ListKind.METALINK
    return ListKind.REDIRECT if query.redirect else ListKind.TEXT
