"""Asks a snapshot without a server: the service with a fixed clock, seed and GeoIP."""

from collections.abc import Mapping, Sequence
from random import Random

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.answer import Answer, answer_plan
from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.lists.place import CountrySource, locate
from mirrorlist.lists.plan import make_plan
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.logline import LogEntry
from mirrorlist.request.address import BITS, Address
from mirrorlist.request.client import Client, Trust
from mirrorlist.request.defaults import DEFAULT_TRUSTED
from mirrorlist.request.query import Query
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from snapshot.file.reader import Snapshot

NOW = 1_800_000_000.0


class FlushedLog(AccessLog):
    """A request log that writes each line at once."""

    def write(self, entry: LogEntry, now: float) -> None:
        """Write an entry's line."""
        super().write(entry, now)
        self.flush()


class TableGeo:
    """GeoIP from a table of addresses, so that no test depends on real data."""

    name = "table"
    built: int | None = None

    def __init__(self, countries: Mapping[str, str]) -> None:
        """Take countries by address text."""
        self._countries = dict(countries)

    def country(self, address: Address) -> str | None:
        """Return the table's country."""
        return self._countries.get(str(address.tunnelled))

    def prefix_length(self, address: Address) -> int:
        """Return that of a single address."""
        return BITS[address.version]


NO_GEO = TableGeo({})


def answered(
    query: Query,
    client: Client,
    catalog: Catalog,
    seed: int = 1,
    geo: CountrySource = NO_GEO,
    minimum: int = DEFAULT_MINIMUM,
) -> Answer:
    """Return the answer to a query, with nothing kept before or after it."""
    plan, place = make_plan(query, catalog, minimum), locate(client, catalog, geo)
    return answer_plan(plan, client, place, None, Random(seed), NOW)


class LoadedStore(Store):
    """A store around a snapshot that is open already."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Compile the snapshot."""
        self.path = snapshot.path
        self.catalog = Catalog(snapshot)


def make_service(
    snapshot: Snapshot,
    countries: Mapping[str, str] | None = None,
    minimum: int = 5,
    seed: int | None = 1,
    trusted: Sequence[str] = DEFAULT_TRUSTED,
) -> Service:
    """Return a service with a fixed clock."""
    geo = TableGeo(countries or {})
    tuning = Tuning(minimum, seed=seed)
    return Service(LoadedStore(snapshot), geo, Trust(trusted), lambda: NOW, tuning)


def respond(
    snapshot: Snapshot,
    target: str,
    peer: str = "127.0.0.1",
    forwarded: Sequence[bytes] = (),
    countries: Mapping[str, str] | None = None,
) -> Answer:
    """Return the answer to one request target."""
    path, _, query = target.partition("?")
    service = make_service(snapshot, countries)
    return service.respond(path.endswith("/metalink"), query.encode(), peer, forwarded)
