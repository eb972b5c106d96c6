"""What the statistics say of requests: labels, hosts, unknown names, and how many addresses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from datasketches import hll_sketch, hll_union

from loadtest.stats.addresses import SIGMA, measure
from mirrorlist.records import tables, tally
from mirrorlist.records.sitekey import SiteKey, site_key
from mirrorlist.records.sketches import LOG_K
from mirrorlist.records.tally import Tally
from mirrorlist.request.software import family_of
from mirrorlist.service import Service
from snapshot.file.reader import Snapshot
from snapshot.stats import spool
from snapshot.stats.spool import Batch, CountRow
from tests.factories import export_tables, world
from tests.in_process import NOW, make_service

COUNTRIES = {"198.51.100.1": "DE", "198.51.100.2": "IT", "2001:db8::1": "DE"}
REPO = b"repo=linux-40&arch=x86_64"
HOUR = int(NOW) - int(NOW) % 3600
DAY = HOUR - HOUR % 86400
DNF = family_of(b"libdnf (Fedora Linux 41)")
KEY = SiteKey(b"secret")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A small world."""
    return export_tables(tmp_path_factory.mktemp("statistics"), world())[0]


@pytest.fixture
def service(snapshot: Snapshot) -> Service:
    """A service that counts for the statistics."""
    made = make_service(snapshot, COUNTRIES, minimum=1)
    made.tally = Tally(KEY)
    return made


def taken(service: Service) -> Batch:
    """Return what a service has counted, as a collector reads it."""
    assert service.tally is not None
    batch = service.tally.take(NOW).batch("0" * 32, 1, "server", KEY.id)
    return spool.decode(spool.encode([batch]))[0]


def distinct(*batches: Batch, of: str | None = None) -> int:
    """Return how many addresses some batches have, perhaps of a single repository."""
    union = hll_union(LOG_K)
    for row in [row for batch in batches for row in batch.sketches]:
        if of in (None, row.repository):
            union.update(hll_sketch.deserialize(row.hll))
    return int(union.get_estimate() + 0.5)


@pytest.mark.parametrize(
    ("target", "client", "row"),
    [
        pytest.param(
            REPO,
            "198.51.100.1",
            ("metalink", "linux-40", "x86_64", "DE", "country", 200, "dnf", 4, 0),
            id="metalink",
        ),
        pytest.param(
            REPO + b"&countme=3",
            "2001:db8::1",
            ("metalink", "linux-40", "x86_64", "DE", "country", 200, "dnf", 6, 3),
            id="IPv6, countme",
        ),
        pytest.param(
            REPO + b"&countme=5",
            "203.0.113.1",
            ("metalink", "linux-40", "x86_64", "N/A", "global", 200, "dnf", 4, 0),
            id="unknown country, wrong countme",
        ),
        pytest.param(
            b"repo=linux-41&arch=x86_64",
            "198.51.100.1",
            ("metalink", "(unknown)", "x86_64", "DE", "none", 404, "dnf", 4, 0),
            id="unknown repository",
        ),
        pytest.param(
            b"repo=linux-40&arch=x" * 2,
            "198.51.100.1",
            ("metalink", "(unknown)", "(other)", "DE", "none", 404, "dnf", 4, 0),
            id="unknown arch",
        ),
        pytest.param(
            b"path=pub/nothing&repo=invented&arch=x",
            "198.51.100.1",
            ("metalink", "(none)", "", "DE", "none", 404, "dnf", 4, 0),
            id="names beside a path",
        ),
        pytest.param(
            b"repo=%ff&arch=x",
            "198.51.100.1",
            ("metalink", "(none)", "", "N/A", "none", 400, "dnf", 0, 0),
            id="not understood",
        ),
    ],
)
def test_labels(service: Service, target: bytes, client: str, row: tuple[object, ...]) -> None:
    """A request is counted once, under the labels of its query, its client and its answer."""
    service.respond(True, target, client, [], False, DNF)
    assert [(HOUR, *row, 1)] == [tuple(_values(one)) for one in taken(service).counts]


def _values(row: CountRow) -> Iterator[object]:
    return (getattr(row, name) for name in CountRow.__struct_fields__)


def test_text_and_redirect(service: Service) -> None:
    """A text list and a redirect are counted as such."""
    for query in (REPO, REPO + b"&redirect=1"):
        service.respond(False, query, "198.51.100.1", [])
    rows = taken(service).counts
    assert [(row.kind, row.status) for row in rows] == [("mirrorlist", 200), ("mirrorlist", 302)]
    assert {row.client for row in rows} == {"other"}


def test_every_request_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests are counted as were sent: chunks, takes and new hours lose none."""
    monkeypatch.setattr(tally, "CHUNK", 100)
    now, sent = [NOW], 0
    service.clock = lambda: now[0]
    batches = []
    for turn in range(6):
        # Forth and back over the bound of an hour, and of a day.
        now[0] = NOW + (turn % 3) * 86400 - (turn % 2) * 7200
        for number in range(3 * tally.CHUNK + turn):
            service.respond(turn % 2 == 0, REPO, f"203.0.113.{number % 200}", [])
            sent += 1
        if turn % 2:
            batches.append(taken(service))
    assert sum(batch.requests for batch in batches) == sent
    hours = {row.hour for batch in batches for row in batch.counts}
    assert hours == {HOUR + (turn % 3) * 86400 - (turn % 2) * 7200 for turn in range(6)}
    assert sum(row.times for batch in batches for row in batch.hosts) == sent


def test_head_is_not_counted(service: Service) -> None:
    """A HEAD request is a monitor's: it is not among the users."""
    service.respond(True, REPO, "198.51.100.1", [], is_head=True)
    assert taken(service).counts == ()


def test_hosts(service: Service) -> None:
    """A host is counted each time it is named first, with the tier; an answer without has none."""
    first = []
    for _ in range(40):
        answer = service.respond(False, REPO, "198.51.100.1", [])
        first.append(answer.body.split(b"\n")[1].split(b"/")[2].decode())
    service.respond(False, b"repo=x&arch=y", "198.51.100.1", [])
    rows = taken(service).hosts
    assert {row.tier for row in rows} == {"country"}
    assert sum(row.times for row in rows) == 40
    assert len(rows) == len(set(first))
    assert {row.hour for row in rows} == {HOUR}


def test_unknown_names(service: Service) -> None:
    """What is asked for often stays among the unknown, however many others are invented."""
    for number in range(2000):
        name = b"linux-4" if number % 4 == 0 else b"invented-%d" % number
        service.respond(True, b"repo=" + name + b"&arch=x86_64", "198.51.100.1", [])
    service.respond(True, b"repo=%3Cscript%3E&arch=x86_64", "198.51.100.1", [])
    batch = taken(service)
    found = {row.repository: row.requests for row in batch.unknown}
    assert len(found) <= tables.MOST_UNKNOWN
    assert found["linux-4"] >= 500 - 2001 // tables.MOST_UNKNOWN
    assert max(found.values()) == found["linux-4"] <= 500
    assert not any("<" in name for name in found)
    assert {row.day for row in batch.unknown} == {DAY}
    assert [row.repository for row in batch.counts] == ["(unknown)"]


def test_too_many_labels(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of keys, requests are counted as other: the sum stays."""
    monkeypatch.setattr(tables, "MOST_KEYS", 3)
    service.geo = _EachItsCountry()
    for number in range(100):
        for _ in range(1 + (number < 3)):
            service.respond(True, REPO, f"203.0.113.{number}", [])
    batch = taken(service)
    other = [row for row in batch.counts if row.repository == spool.OTHER]
    assert len(batch.counts) == 4
    assert batch.requests == 103
    assert [row.requests for row in other] == [batch.other] == [97]


class _EachItsCountry:
    name = "each"
    built: int | None = None

    def country(self, address: tuple[int, int]) -> str:
        number = address[1] % 256
        return chr(65 + number // 26) + chr(65 + number % 26)

    def prefix_length(self, address: tuple[int, int]) -> int:
        return 128


def test_addresses(service: Service, snapshot: Snapshot) -> None:
    """Distinct addresses are counted once, over repositories, batches and servers of one key."""
    other = make_service(snapshot, COUNTRIES)
    other.tally = Tally(KEY)
    for number in range(150):
        for one in (service, other):
            one.respond(True, REPO, f"203.0.113.{number}", [])
            one.respond(False, REPO, f"203.0.113.{number}", [])
    service.respond(True, REPO, "2001:db8::2", [])
    first, second = taken(service), taken(other)
    assert distinct(first) == 151
    assert distinct(first, second) == 151
    # A proxy that tells no address, and a request that names no repository, are not counted.
    service.respond(True, REPO, "127.0.0.1", [b"\0"])
    service.respond(True, b"repo=x&arch=y", "203.0.113.200", [])
    assert taken(service).sketches == ()


def test_days_and_keys_cannot_be_compared(service: Service, snapshot: Snapshot) -> None:
    """An address leaves other marks on another day, and at another site."""
    now = [NOW]
    service.clock = lambda: now[0]
    foreign = make_service(snapshot, COUNTRIES)
    foreign.tally = Tally(SiteKey(b"another"))
    batches = []
    for day in range(2):
        now[0] = NOW + day * 86400
        for number in range(100):
            service.respond(True, REPO, f"203.0.113.{number}", [])
            foreign.respond(True, REPO, f"203.0.113.{number}", [])
        batches.append(taken(service))
    assert {row.day for batch in batches for row in batch.sketches} == {DAY, DAY + 86400}
    assert distinct(*batches) == 200
    assert distinct(batches[0], taken(foreign)) == 200


@pytest.mark.parametrize("secret", [b"one", b"two", b"three", b"four"])
def test_error_of_sketches(secret: bytes) -> None:
    """Over three servers and their spool files, the error is within three standard errors."""
    figures = [*measure(30_000, 1, secret)]
    assert [one.what for one in figures] == ["all", "Fedora 43", "Fedora 43, x86_64", "EPEL 9"]
    for one in figures:
        assert abs(one.error) < 3 * SIGMA


def test_names_in_a_folder(tmp_path: Path) -> None:
    """A folder keeps its own secret, which only the owner can read."""
    first = site_key(None, tmp_path)
    assert site_key(None, tmp_path).id == first.id
    assert (tmp_path / ".key").stat().st_mode & 0o777 == 0o600
