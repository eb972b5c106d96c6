"""Everything that decides about one client's list, except chance.

Source: docs/protocol.md#the-urls-of-a-host and docs/protocol.md#which-hosts-in-which-order.
"""

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.roster import Offered
from mirrorlist.catalog.urls import DEFAULT_PROTOCOLS, REDIRECT_PROTOCOLS, writable
from mirrorlist.lists.place import Place
from mirrorlist.lists.target import Target
from mirrorlist.request.client import Client
from mirrorlist.request.query import Query


class Situation(Struct, frozen=True):
    """A query, its client and place, and the catalog in use."""

    query: Query
    client: Client
    place: Place
    target: Target
    catalog: Catalog
    minimum: int

    @property
    def urls_and_usable(self) -> tuple[Offered, Offered]:
        """The URLs under which each host would be listed, and those of the hosts that count."""
        query, target = self.query, self.target
        if query.metalink and query.wish.protocols is None and target.path.raw is not None:
            # Nearly all lists, written out.
            listed, category = self.catalog.listed, target.category
            return listed(category, None, None), listed(category, None, DEFAULT_PROTOCOLS)
        urls = self.urls
        return urls, self.usable_among(urls)

    @property
    def urls(self) -> Offered:
        """The URLs under which each host would be listed; a host without any is not among them.

        docs/protocol.md#the-urls-of-a-host: "mirrorlist without `protocol`: one URL for each host,
        the first that is https, http or ftp", and "metalink without `protocol`: all URLs, rsync
        too".
        """
        query = self.query
        if query.metalink:
            only = None
        elif query.redirect:
            # A client that follows a redirect speaks http and https; it may know nothing else.
            only = REDIRECT_PROTOCOLS
        else:
            only = DEFAULT_PROTOCOLS if query.wish.protocols is None else None
        return self.catalog.listed(self.target.category, self.protocols, only)

    def usable_among(self, urls: Offered) -> Offered:
        """Return which of the hosts with `urls` count as found and as enough.

        These are the hosts with a URL that most clients can use.

        docs/protocol.md#which-hosts-in-which-order: "In a metalink without `protocol=` a host that
        has only rsync is listed but not counted, because dnf and zypper ignore it."
        """
        # Such hosts as the only near ones would give dnf a metalink that it cannot use
        # (docs/clients.md#urls-of-rsync-in-a-metalink).
        if self.query.metalink and self.protocols is None:
            return self.catalog.listed(self.target.category, None, DEFAULT_PROTOCOLS)
        return urls

    @property
    def enough(self) -> int:
        """This many usable hosts make the global tier needless."""
        # "fewer than `--minimum` (5) hosts so far, or no host at all": with --minimum 0 a list
        # without near hosts would be empty.
        return max(1, self.minimum)

    @property
    def protocols(self) -> frozenset[str] | None:
        """The protocols asked for, None for all; without rsync if a list cannot show its path."""
        return writable(self.query.wish.protocols, self.target.path)

    @property
    def offerable(self) -> int:
        """The public carriers that may be offered to clients of this country, as a set."""
        # "offered to all clients in the netblock and ASN tiers, and elsewhere only to clients from
        # these countries" (docs/protocol.md#which-hosts-in-which-order).
        return self.target.carriers.public & self.catalog.surroundings(self.place.country)[1]
