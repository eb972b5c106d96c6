"""What a worker does for a list request, apart from HTTP: believe, locate, answer, log.

The ASGI app calls it, and so will any faster door: the answers are the same.
"""

import hashlib
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from mirrorlist.accesslog import AccessLog
from mirrorlist.answer import DEFAULT_MINIMUM, Answer, answer, refuse
from mirrorlist.client import Client, Trust
from mirrorlist.errors import QueryError
from mirrorlist.geo import Geo
from mirrorlist.query import Query, parse_query
from mirrorlist.store import Store


class Service:
    """Answers list requests from the catalog in use."""

    def __init__(
        self,
        store: Store,
        geo: Geo,
        trust: Trust,
        clock: Callable[[], float],
        minimum: int = DEFAULT_MINIMUM,
        seed: int | None = None,
        log: AccessLog | None = None,
    ) -> None:
        """Take its parts; with a seed, equal requests give equal bytes but the pubdate."""
        self.store = store
        self.geo = geo
        self.clock = clock
        self._trust = trust
        self._minimum = minimum
        self._seed = seed
        self._log = log
        self._rng = Random()

    def reseed(self) -> None:
        """Draw from a new random sequence; each worker must, or all would draw alike."""
        self._rng.seed()

    def respond(
        self, is_metalink: bool, raw_query: bytes, peer: str | None, forwarded: Sequence[bytes]
    ) -> Answer:
        """Return the answer to a request; `forwarded` are the X-Forwarded-For lines in order."""
        now = self.clock()
        try:
            query = parse_query(raw_query, is_metalink)
            client = self.identify(peer, forwarded, query.ip)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        rng = self._rng if self._seed is None else seeded(self._seed, query, client)
        found = answer(query, client, self.store.catalog, rng, now, self._minimum)
        if self._log and found.log:
            self._log.write(found.log, now)
        return found

    def identify(self, peer: str | None, forwarded: Sequence[bytes], wish: str) -> Client:
        """Return the believed client with its GeoIP country; raises BadQuery."""
        return located(self._trust.believe(peer, forwarded, wish), self.geo)


def located(client: Client, geo: Geo) -> Client:
    """Return a client with the country that GeoIP gives its address."""
    return msgspec.structs.replace(client, country=geo.country(client.geo), country_source=geo.name)


def seeded(seed: int, query: Query, client: Client) -> Random:
    """Return a random source that only the seed, the query and the client decide."""
    # The countries come with the addresses, so they need not count.
    asked = msgspec.to_builtins(query, order="deterministic")
    key = msgspec.json.encode((seed, asked, str(client.near), str(client.geo)))
    return Random(hashlib.blake2b(key, digest_size=16).digest())
