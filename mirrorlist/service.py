"""A request for a list, apart from HTTP: believe, locate, answer, log, count.

The ASGI app (`web.app`) and the fast protocol (`web.fast`) both call it: their answers are equal.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from mirrorlist.errors import QueryError, Unavailable
from mirrorlist.lists.answer import Answer, answer_plan, answer_stored, refuse
from mirrorlist.lists.callers import Callers
from mirrorlist.lists.defaults import DEFAULT_MINIMUM, DEFAULT_REUSE
from mirrorlist.lists.explain import explain, plan_any
from mirrorlist.lists.explanation import Explanation
from mirrorlist.lists.label import label_of_nothing
from mirrorlist.lists.orders import Orders, room
from mirrorlist.lists.place import NOWHERE, locate
from mirrorlist.lists.plan import Plan, Refusal, make_plan
from mirrorlist.lists.plans import Plans
from mirrorlist.lists.reworded import query_of
from mirrorlist.process.messages import print_trouble
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.counts import Count, Slot
from mirrorlist.records.logline import LogEntry
from mirrorlist.request.client import UNKNOWN_CLIENT, Client, Trust
from mirrorlist.request.geo import Geo
from mirrorlist.request.query import Query
from mirrorlist.request.software import OTHER_SOFTWARE
from mirrorlist.store import Store

if TYPE_CHECKING:
    # It loads datasketches, which only a server with a spool needs.
    from mirrorlist.records.tally import Tally

# One list of this many is timed, because timing costs more than counting. It must not be a divisor
# or a multiple of `reuse`, or lists with a new order would be timed always or never.
TIMED_EVERY = 17
# These fields of a query, in this order, are part of every seed. A field that was added later is
# part of it only where a client uses it: so all other queries keep their list of the same seed.
_IN_EVERY_SEED = (
    *("metalink", "repo", "arch", "path", "countries", "protocols"),
    *("protocol_text", "ip", "near", "redirect", "time"),
)
# The seconds between two tracebacks of internal errors.
_SILENT_SECONDS = 10.0


class Tuning(Struct, frozen=True):
    """The settings of a service.

    The global tier is added if the nearer tiers have fewer than `minimum` hosts. A drawn order is
    used `reuse` times on average; 0 and 1 both mean once. With a `seed` equal requests give equal
    bytes, except for the pubdate. A snapshot is stale after `stale` seconds.
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
        """Take the parts that make an answer; `log` is None if no request log is written."""
        tuning = tuning or Tuning()
        self.store = store
        self.geo = geo
        self.clock = clock
        self.trust = trust
        self.plans = Plans(tuning.minimum)
        self._callers = Callers(trust)
        self._seed = tuning.seed
        self.log = log
        self.stale = tuning.stale
        # The URL of the status page, if visitors of the public port may know it.
        self.status_page: str | None = None
        self._rng = Random()
        # With a seed no orders are kept, because an answer must depend on its request alone.
        keep = room(len(store.catalog.hosts))
        self._orders = Orders(max(1, tuning.reuse), keep) if tuning.seed is None else None
        self._silent_until = 0.0
        self._untimed = 0
        # Replaced in a worker by one in memory that the admin process reads.
        self.slot = Slot()
        # Counts for the statistics, if they are wanted.
        self.tally: Tally | None = None

    def reseed(self) -> None:
        """Draw from a new random sequence: each worker must do so, or all workers draw alike."""
        self._rng.seed()

    def request_paths(self) -> frozenset[bytes]:
        """Return the paths of lists in other words, each from its /metalink/ or /mirrorlist/ on."""
        return self.store.catalog.request_paths

    def respond(
        self,
        is_metalink: bool,
        raw_query: bytes,
        peer: str | None,
        forwarded: Sequence[bytes],
        is_head: bool = False,
        software: int = OTHER_SOFTWARE,
    ) -> Answer:
        """Return the answer to a request; `forwarded` is that of `Trust.believe`.

        `software` is the client's (`family_of`). A HEAD request is counted in the metrics but
        neither logged nor in the statistics: "the log counts users; a client that sends HEAD gets
        no list, and usually is a monitor" (docs/protocol.md#known-differences).
        """
        if self._untimed:
            self._untimed -= 1
            found = self._respond(is_metalink, raw_query, peer, forwarded, is_head, software)
        else:
            self._untimed = TIMED_EVERY - 1
            begun = time.perf_counter_ns()
            found = self._respond(is_metalink, raw_query, peer, forwarded, is_head, software)
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
        software: int,
    ) -> Answer:
        now, catalog = self.clock(), self.store.catalog
        tally = None if is_head else self.tally
        try:
            if tally is not None and not tally.begin <= now < tally.end:
                tally.turn(now)
            plan = self.plans.find(catalog, is_metalink, raw_query)
            if wish := plan.query.ip:
                client = self.trust.believe(peer, forwarded, wish)
                place = locate(client, catalog, self.geo)
            else:
                client, place = self._callers.find(catalog, self.geo, peer, forwarded)
            rng = self._draw(plan.query, client)
            found = answer_plan(plan, client, place, self._orders, rng, now)
        except QueryError as error:
            found = refuse(error, is_metalink, now)
            self._count_failed(tally, is_metalink, found, software)
            return found
        except Exception:
            found = self._stored_order(is_metalink, raw_query, now)
            self._count_failed(tally, is_metalink, found, software)
            return found
        try:
            if self.log and plan.is_resolved and not is_head:
                repo, arch = plan.query.repo or "", plan.query.arch or ""
                self.log.write(LogEntry(client.geo, place.country, repo, arch), now)
            if tally is not None:
                tally.add(plan.label, found, client, place, software)
        except Exception:
            # The list is made already: a client gets it even if its log line cannot be made.
            self._trouble(now)
        if isinstance(plan, Refusal) and plan.is_unknown:
            self.slot.add(Count.UNKNOWN_REPOSITORIES)
            if tally is not None:
                tally.add_unknown(plan.query.repo or "", plan.query.arch or "")
        return found

    def _count_failed(
        self, tally: "Tally | None", is_metalink: bool, found: Answer, software: int
    ) -> None:
        """Count an answer to a request of which nothing is known."""
        if tally is not None:
            tally.add(label_of_nothing(is_metalink), found, UNKNOWN_CLIENT, NOWHERE, software)

    def forget(self) -> None:
        """Free the plans of the last catalog; to be called by another thread than the loop's."""
        self.plans.forget()

    def _stored_order(self, is_metalink: bool, raw_query: bytes, now: float) -> Answer:
        # "An internal error never turns a list into a 5xx or a reset"
        # (docs/protocol.md#internal-errors): librepo would ask twelve times for it.
        self._trouble(now)
        try:
            # From the raw query again, because the kept plan may be what is broken.
            catalog = self.store.catalog
            query = query_of(raw_query, is_metalink, catalog)
            return answer_stored(make_plan(query, catalog, self.plans.minimum), now)
        except QueryError as error:
            return refuse(error, is_metalink, now)
        except Exception:
            return refuse(Unavailable("# no list can be made at the moment"), is_metalink, now)

    def _trouble(self, now: float) -> None:
        self.slot.add(Count.ERRORS)
        # A bug usually hits many requests: one traceback every 10 s does not fill the disk.
        if now >= self._silent_until:
            self._silent_until = now + _SILENT_SECONDS
            print_trouble()

    def count_damage(self) -> int:
        """Count the sums of files that were damaged since the last call; returns how many.

        To be called by one thread only.
        """
        sums = self.store.catalog.snapshot.file_sum_table
        if sums is None or not sums.damaged:
            return 0
        found, sums.damaged = sums.damaged, 0
        self.slot.add(Count.DAMAGED_SUMS, found)
        return found

    def explain(
        self,
        raw_query: bytes,
        peer: str | None,
        forwarded: Sequence[bytes],
        is_metalink: bool | None = None,
    ) -> Explanation:
        """Return the reasons of an answer; raises QueryError where the answer is an error.

        Without `is_metalink` it is the metalink, or the mirrorlist if there are no checksums for
        one.
        """
        catalog = self.store.catalog
        query = query_of(raw_query, is_metalink is not False, catalog)
        client = self.trust.believe(peer, forwarded, query.ip)
        planned = plan_any if is_metalink is None else Plan
        plan = planned(query, catalog, self.plans.minimum)
        place = locate(client, catalog, self.geo)
        return explain(plan, client, place, self._draw(plan.query, client), self.clock())

    def _draw(self, query: Query, client: Client) -> Random:
        return self._rng if self._seed is None else seeded(self._seed, query, client)


def seeded(seed: int, query: Query, client: Client) -> Random:
    """Return a random source that depends on nothing but the seed, the query and the client."""
    # Country and ASN follow from the addresses, so they need not be part of it.
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
