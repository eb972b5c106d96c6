"""What a worker does for a list request, apart from HTTP: believe, locate, answer, log.

The ASGI app and the faster door both call it, so their answers are the same.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from math import inf
from random import Random

import msgspec
from msgspec import Struct

from mirrorlist.errors import QueryError, Unavailable
from mirrorlist.lists.answer import DEFAULT_MINIMUM, Answer, answer_plan, answer_stored, refuse
from mirrorlist.lists.explain import explain, plan_any
from mirrorlist.lists.explanation import Explanation
from mirrorlist.lists.orders import DEFAULT_REUSE, Orders, room
from mirrorlist.lists.place import locate
from mirrorlist.lists.plan import Plan, Refusal, make_plan
from mirrorlist.lists.plans import Plans
from mirrorlist.process.messages import print_trouble
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.counts import Count, Slot
from mirrorlist.request.client import Client, Trust
from mirrorlist.request.geo import Geo
from mirrorlist.request.query import Query, parse_query
from mirrorlist.store import Store

# Of so many lists one is timed, which costs more than counting. Not a divisor or a multiple of how
# often a list is used again, or those that are drawn anew would be timed always or never.
TIMED_EVERY = 17
# What a seed takes of every query, in this order; of what queries may say since, it takes only what
# a client did say, so that the others still get the same list by the same seed.
_IN_EVERY_SEED = (
    *("metalink", "repo", "arch", "path", "countries", "protocols"),
    *("protocol_text", "ip", "near", "redirect", "time"),
)
# Between two reports of internal errors.
_SILENT_SECONDS = 10.0


class Tuning(Struct, frozen=True):
    """How a service answers.

    `minimum`: with fewer hosts than this from the nearer tiers, the global tier is added. `reuse`:
    how often a drawn order is used on average, 0 and 1 being once. With a seed, equal requests give
    equal bytes but the pubdate. `stale`: the seconds after which a snapshot is called so.
    """

    minimum: int = DEFAULT_MINIMUM
    reuse: int = DEFAULT_REUSE
    seed: int | None = None
    stale: float = inf


class Service:
    """Answers list requests from the catalog in use."""

    def __init__(
        self,
        store: Store,
        geo: Geo,
        trust: Trust,
        clock: Callable[[], float],
        tuning: Tuning | None = None,
        log: AccessLog | None = None,
    ) -> None:
        """Take its parts."""
        tuning = tuning or Tuning()
        self.store = store
        self.geo = geo
        self.clock = clock
        self.trust = trust
        self.plans = Plans(tuning.minimum)
        self._seed = tuning.seed
        self.log = log
        self.stale = tuning.stale
        # Where people may see how the server is, if visitors are to be told.
        self.status_page: str | None = None
        self._rng = Random()
        # With a seed an answer must depend on its request alone.
        keep = room(len(store.catalog.hosts))
        self._orders = Orders(max(1, tuning.reuse), keep) if tuning.seed is None else None
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
        now, catalog = self.clock(), self.store.catalog
        try:
            plan = self.plans.find(catalog, is_metalink, raw_query)
            client = self.trust.believe(peer, forwarded, plan.query.ip)
            place = locate(client, catalog, self.geo)
            rng = self._draw(plan.query, client)
            found = answer_plan(plan, client, place, self._orders, rng, now)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        except Exception:
            return self._stored_order(is_metalink, raw_query, now)
        if self.log and found.log and not is_head:
            try:
                self.log.write(found.log, now)
            except Exception:
                # Whatever is wrong with a line, its list is not.
                self._trouble(now)
        if isinstance(plan, Refusal) and plan.is_unknown:
            self.slot.add(Count.UNKNOWN_REPOSITORIES)
        return found

    def forget(self) -> None:
        """Let go of what was known of the last catalog; to be called by another thread."""
        self.plans.forget()

    def _stored_order(self, is_metalink: bool, raw_query: bytes, now: float) -> Answer:
        # An internal error: a client that gets a 5xx asks twelve times more, so it gets a list.
        self._trouble(now)
        try:
            # What was known of the query may be what is wrong.
            query = parse_query(raw_query, is_metalink)
            return answer_stored(make_plan(query, self.store.catalog, self.plans.minimum), now)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        except Exception:
            return refuse(Unavailable("# no list can be made at the moment"), is_metalink, now)

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
        client, catalog = self.trust.believe(peer, forwarded, query.ip), self.store.catalog
        planned = plan_any if is_metalink is None else Plan
        plan = planned(query, catalog, self.plans.minimum)
        place = locate(client, catalog, self.geo)
        return explain(plan, client, place, self._draw(plan.query, client), self.clock())

    def _draw(self, query: Query, client: Client) -> Random:
        return self._rng if self._seed is None else seeded(self._seed, query, client)


def seeded(seed: int, query: Query, client: Client) -> Random:
    """Return a random source that only the seed, the query and the client decide."""
    # The country comes with the addresses, so it need not count.
    asked = _asked(query)
    defaults = _asked(Query(metalink=query.metalink))
    counts = {name: asked.pop(name) for name in _IN_EVERY_SEED}
    counts |= {name: value for name, value in asked.items() if value != defaults[name]}
    key = msgspec.json.encode((seed, counts, str(client.near), str(client.geo)))
    return Random(hashlib.blake2b(key, digest_size=16).digest())


def _asked(query: Query) -> dict[str, object]:
    """Return all fields of a query by name, those of its wish among them."""
    fields: dict[str, object] = msgspec.to_builtins(query, order="deterministic")
    wish: dict[str, object] = msgspec.to_builtins(query.wish, order="deterministic")
    del fields["wish"]
    return fields | wish
