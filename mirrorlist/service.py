"""What a worker does for a list request, apart from HTTP: believe, locate, answer, log.

The ASGI app calls it, and so will any faster door: the answers are the same.
"""

import hashlib
import traceback
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from mirrorlist.accesslog import AccessLog
from mirrorlist.answer import DEFAULT_MINIMUM, Answer, answer, plain_order, refuse
from mirrorlist.client import Client, Trust
from mirrorlist.errors import QueryError
from mirrorlist.explain import explain, explain_any
from mirrorlist.explanation import Explanation
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
        found = self._answer(query, client, now)
        if self._log and found.log:
            self._log.write(found.log, now)
        return found

    def _answer(self, query: Query, client: Client, now: float) -> Answer:
        catalog = self.store.catalog
        try:
            return answer(query, client, catalog, self._draw(query, client), now, self._minimum)
        except Exception:
            # An error of ours: a client that gets a 5xx asks twelve times more, so it gets a list.
            traceback.print_exc()
            return plain_order(query, catalog, now)

    def explain(
        self,
        raw_query: bytes,
        peer: str | None,
        forwarded: Sequence[bytes],
        is_metalink: bool | None = None,
    ) -> Explanation:
        """Return why a request is answered as it is; raises QueryError where it is an error.

        Without a kind it is the metalink, or the mirrorlist if there are no checksums for one.
        """
        query = parse_query(raw_query, is_metalink is not False)
        client = self.identify(peer, forwarded, query.ip)
        explainer = explain_any if is_metalink is None else explain
        return explainer(
            query, client, self.store.catalog, self._draw(query, client), self.clock(),
            self._minimum,
        )  # fmt: skip

    def _draw(self, query: Query, client: Client) -> Random:
        return self._rng if self._seed is None else seeded(self._seed, query, client)

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
