"""What a worker does for a list request, apart from HTTP: believe, locate, answer, log.

The ASGI app calls it, and so will any faster door: the answers are the same.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from math import inf
from random import Random

import msgspec

from mirrorlist.accesslog import AccessLog
from mirrorlist.answer import DEFAULT_MINIMUM, Answer, answer_plan, plain_order, refuse
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client, Trust
from mirrorlist.counts import Count, Slot
from mirrorlist.errors import QueryError
from mirrorlist.explain import explain, explain_any
from mirrorlist.explanation import Explanation
from mirrorlist.geo import Geo
from mirrorlist.kept import Kept
from mirrorlist.orders import DEFAULT_REUSE, Orders, room
from mirrorlist.plan import Plan
from mirrorlist.query import Query, parse_query
from mirrorlist.saying import print_trouble
from mirrorlist.store import Store

# Plans that are kept: each repository has one or two.
PLANS_BYTES = 8 << 20
MOST_ASKED = 16_384
_KEPT_QUERY_BYTES = 512
# Of so many lists one is timed, which costs more than counting. Not a divisor or a multiple of how
# often a list is used again, or those that are drawn anew would be timed always or never.
TIMED_EVERY = 17
# Between two reports of errors of ours.
_SILENT_SECONDS = 10.0


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
        reuse: int = DEFAULT_REUSE,
        stale: float = inf,
    ) -> None:
        """Take its parts; with a seed, equal requests give equal bytes but the pubdate.

        `reuse`: how often a drawn order is used on average, 0 and 1 being once; `stale`: the
        seconds after which a snapshot is called so.
        """
        self.store = store
        self.geo = geo
        self.clock = clock
        self.trust = trust
        self._minimum = minimum
        self._seed = seed
        self.log = log
        self.stale = stale
        # Where people may see how the server is, if visitors are to be told.
        self.status_page: str | None = None
        self._rng = Random()
        # With a seed an answer must depend on its request alone.
        keep = room(len(store.catalog.hosts))
        self._orders = Orders(max(1, reuse), keep) if seed is None else None
        self._plans = _kept_plans()
        self._plans_of: Catalog | None = None
        self._retired = _kept_plans()
        self._asked: set[int] = set()
        self._asked_before: set[int] = set()
        self._silent_until = 0.0
        self._untimed = 0
        # Until it gets one that others read.
        self.slot = Slot()

    def reseed(self) -> None:
        """Draw from a new random sequence; each worker must, or all would draw alike."""
        self._rng.seed()

    def respond(
        self,
        is_metalink: bool,
        raw_query: bytes,
        peer: str | None,
        forwarded: Sequence[bytes],
        is_head: bool = False,
    ) -> Answer:
        """Return the answer to a request; `forwarded` is what `Trust.believe` takes.

        One that asks for the head alone is counted, but not logged: nobody gets a list by it.
        Counting costs 0.4 us.
        """
        if self._untimed:
            self._untimed -= 1
            found = self._respond(is_metalink, raw_query, peer, forwarded, is_head)
        else:
            self._untimed = TIMED_EVERY - 1
            begun = time.perf_counter_ns()
            found = self._respond(is_metalink, raw_query, peer, forwarded, is_head)
            self.slot.add_time(time.perf_counter_ns() - begun)
        self.slot.add_list(0 if is_metalink else 1, found.status, found.tier, found.country)
        return found

    def _respond(
        self,
        is_metalink: bool,
        raw_query: bytes,
        peer: str | None,
        forwarded: Sequence[bytes],
        is_head: bool,
    ) -> Answer:
        now = self.clock()
        try:
            plan = self._plan(is_metalink, raw_query)
            client = self.identify(peer, forwarded, plan.query.ip)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        except Exception:
            return self._plain_order(is_metalink, raw_query, now)
        try:
            rng = self._draw(plan.query, client)
            found = answer_plan(plan, client, self._orders, rng, now)
        except Exception:
            return self._plain_order(is_metalink, raw_query, now)
        if self.log and found.log and not is_head:
            try:
                self.log.write(found.log, now)
            except Exception:
                # Whatever is wrong with a line, its list is not.
                self._trouble(now)
        if plan.error is not None and plan.is_unknown:
            self.slot.add(Count.UNKNOWN_REPOSITORIES)
        return found

    def _plan(self, is_metalink: bool, raw_query: bytes) -> Plan:
        """Return what a query string asks of the catalog in use; raises BadQuery."""
        catalog = self.store.catalog
        if self._plans_of is not catalog:
            # Letting go of them takes milliseconds, which `forget` has.
            self._retired, self._plans, self._plans_of = self._plans, _kept_plans(), catalog
        key = is_metalink, raw_query
        # Nearly always it is among the young ones.
        plan = self._plans.young.get(key) or self._plans.find(key)
        if plan is None:
            plan = Plan(parse_query(raw_query, is_metalink), catalog, self._minimum)
            if plan.error is not None:
                # It leads back to the plan, and nobody looks for circles among what lives long.
                plan.error.__traceback__ = None
            # One that names an address comes only once, but is like others.
            if plan.query.ip:
                plan.is_repeated = True
            elif self._was_asked(is_metalink, raw_query):
                plan.is_repeated = True
                self._plans.keep((is_metalink, raw_query), plan)
        return plan

    def forget(self) -> None:
        """Let go of what was known of the last catalog; to be called by another thread."""
        retired, self._retired = self._retired, _kept_plans()
        retired.let_go()

    def _was_asked(self, is_metalink: bool, raw_query: bytes) -> bool:
        """Return whether a query string came lately, so that one that never does costs nothing."""
        if len(self._asked) >= MOST_ASKED // 2:
            self._asked_before, self._asked = self._asked, set()
        asked = hash((is_metalink, raw_query))
        if asked in self._asked or asked in self._asked_before:
            return len(raw_query) <= _KEPT_QUERY_BYTES
        self._asked.add(asked)
        return False

    def _plain_order(self, is_metalink: bool, raw_query: bytes, now: float) -> Answer:
        # An error of ours: a client that gets a 5xx asks twelve times more, so it gets a list.
        self._trouble(now)
        try:
            query = parse_query(raw_query, is_metalink)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        return plain_order(query, self.store.catalog, now)

    def _trouble(self, now: float) -> None:
        self.slot.add(Count.ERRORS)
        # What goes wrong goes wrong for many, and must not fill the disk with it.
        if now >= self._silent_until:
            self._silent_until = now + _SILENT_SECONDS
            print_trouble()

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
        return located(self.trust.believe(peer, forwarded, wish), self.geo)


def _kept_plans() -> Kept[tuple[bool, bytes], Plan]:
    return Kept(PLANS_BYTES, lambda key, plan: plan.size + 3 * len(key[1]))


def located(client: Client, geo: Geo) -> Client:
    """Return a client with the country that GeoIP gives its address."""
    country = geo.country(client.geo)
    return Client(client.near, client.geo, client.source, client.is_ours, country, geo.name)


def seeded(seed: int, query: Query, client: Client) -> Random:
    """Return a random source that only the seed, the query and the client decide."""
    # The countries come with the addresses, so they need not count.
    asked = msgspec.to_builtins(query, order="deterministic")
    key = msgspec.json.encode((seed, asked, str(client.near), str(client.geo)))
    return Random(hashlib.blake2b(key, digest_size=16).digest())
