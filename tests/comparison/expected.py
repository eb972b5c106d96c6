"""What we say to a request, with the tiers whole: sets of hosts in order, not one draw of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from mirrorlist.answer import DEFAULT_MINIMUM, answer
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client, Trust
from mirrorlist.errors import QueryError
from mirrorlist.geo import MmdbGeo
from mirrorlist.place import locate
from mirrorlist.query import Query, parse_query
from mirrorlist.selection import Chosen, Selection, Situation, Tier, select
from mirrorlist.service import Service
from mirrorlist.target import find_target
from snapshot.reader import Snapshot
from tests.comparison.meaning import Link, Meaning, Reply, read_meaning
from tests.comparison.requests import Request
from tests.in_process import NOW, LoadedStore

# The links of one host in order; preference is left out, as it follows from the host's place.
HostLinks = tuple[Link, ...]


@dataclass(frozen=True)
class Expected:
    """What any one answer must say, and the hosts of each tier, of which none is empty."""

    meaning: Meaning
    tiers: tuple[frozenset[HostLinks], ...] = ()
    client_asn: str | None = None


class Ours:
    """Our answers from a snapshot, in this process."""

    def __init__(self, snapshot: Snapshot, geoip: Path) -> None:
        """Compile the snapshot and open the GeoIP file."""
        self._catalog = Catalog(snapshot)
        self._service = Service(LoadedStore(snapshot), MmdbGeo(geoip), Trust(), lambda: NOW)

    def expect(self, request: Request) -> Expected:
        """Return what we say to a request from loopback."""
        path, _, raw = request.target.partition("?")
        if refused := _refused(request, path):
            return Expected(refused)
        is_metalink = path.endswith("/metalink")
        try:
            query = parse_query(raw.encode(), is_metalink)
            client = self._service.identify("127.0.0.1", (), query.ip)
        except QueryError:
            found = self._service.respond(is_metalink, raw.encode(), "127.0.0.1", ())
            return Expected(
                read_meaning(Reply(found.status, found.content_type, None, found.body.decode()))
            )
        return self._expect(query, client)

    def _expect(self, query: Query, client: Client) -> Expected:
        found = answer(query, client, self._catalog, Random(1), NOW)
        reply = Reply(found.status, found.content_type, found.location, found.body.decode())
        meaning, place = read_meaning(reply), locate(client, self._catalog)
        asn = None if place.asn is None else str(place.asn)
        if meaning.error is not None:
            return Expected(meaning, client_asn=asn)
        target = find_target(query, self._catalog)
        situation = Situation(query, client, place, target, self._catalog, DEFAULT_MINIMUM)
        tiers = self._tiers(situation, select(situation, Random(1)))
        return Expected(replace(meaning, location=None, links=()), tiers, asn)

    def _tiers(
        self, situation: Situation, selection: Selection
    ) -> tuple[frozenset[HostLinks], ...]:
        groups: dict[tuple[str, int], set[HostLinks]] = {}
        for one in selection.chosen:
            key = (one.tier.value, self._prefix_order(situation, one))
            groups.setdefault(key, set()).add(self._links(situation, one))
        return tuple(map(frozenset, groups.values()))

    def _prefix_order(self, situation: Situation, one: Chosen) -> int:
        # In the netblock tier each prefix length is a tier of its own.
        if one.tier is not Tier.NETBLOCK:
            return 0
        near = situation.client.near
        chain = self._catalog.netblocks(near) or self._catalog.netblocks(near.tunnelled)
        return next(place for place, block in enumerate(chain) if one.host in block.hosts)

    def _links(self, situation: Situation, one: Chosen) -> HostLinks:
        return tuple(
            Link(
                url.base + situation.target.path,
                self._attributes(one, url.protocol) if situation.query.metalink else (),
            )
            for url in one.urls
        )

    def _attributes(self, one: Chosen, protocol: str) -> tuple[tuple[str, str], ...]:
        host = self._catalog.hosts[one.host]
        private = [("{http://fedorahosted.org/mirrormanager}private", "True")]
        return (
            ("location", host.country),
            ("protocol", protocol),
            ("type", protocol),
            *(private if host.private else []),
        )


def _refused(request: Request, path: str) -> Meaning | None:
    if not path.endswith(("/metalink", "/mirrorlist")):
        return Meaning(404, "text/plain", error="We don't serve their kind here!")
    if request.method not in ("GET", "HEAD"):
        return Meaning(405, "text/plain", error="Only GET and HEAD are answered here.")
    return None
