"""The service: what decides about the bytes of an answer, and what does not."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.place import locate
from mirrorlist.lists.plan import Plan
from mirrorlist.lists.plans import MOST_ASKED
from mirrorlist.records.accesslog import AccessLog
from mirrorlist.records.logline import LogEntry
from mirrorlist.request.client import Trust
from mirrorlist.request.query import parse_query
from mirrorlist.service import Service, Tuning, seeded
from snapshot.file.reader import Snapshot
from tests.contract_world import COUNTRIES, GERMAN, NOBODY, contract_world
from tests.in_process import NOW, FlushedLog, LoadedStore, TableGeo, make_service
from tests.metalink_document import read_metalink

REPO = b"repo=linux-40&arch=x86_64"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The contract's snapshot."""
    return contract_world(tmp_path_factory.mktemp("service"))


def _body(
    service: Service,
    query: bytes = REPO,
    peer: str = NOBODY,
    metalink: bool = True,
    forwarded: Sequence[bytes] = (),
) -> bytes:
    return service.respond(metalink, query, peer, forwarded).body


def _seeded(snapshot: Snapshot, seed: int | None = 1) -> Service:
    return make_service(snapshot, COUNTRIES, seed=seed)


@pytest.mark.parametrize("metalink", [True, False])
@pytest.mark.parametrize(
    "query",
    [
        pytest.param(REPO, id="again"),
        pytest.param(b"arch=x86_64&repo=linux-40", id="another order"),
        pytest.param(REPO + b"&countme=1", id="countme"),
        pytest.param(REPO + b"&infra=$infra&content=%zz", id="unknown parameters"),
        pytest.param(b"repo=no&" + REPO, id="an earlier value"),
        pytest.param(b"repo=linux%2D40&arch=x86%5f64", id="encoded otherwise"),
        pytest.param(REPO + b"&country=&ip=", id="empty ones"),
        pytest.param(REPO + b"&netblock=1", id="netblock=1"),
    ],
)
def test_same_bytes(snapshot: Snapshot, query: bytes, metalink: bool) -> None:
    """With a seed, equal requests give equal bytes, however they are written."""
    service = _seeded(snapshot)
    first = _body(service, metalink=metalink)
    assert _body(service, query, metalink=metalink) == first
    assert _body(_seeded(snapshot), query, metalink=metalink) == first


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(b"country=us,jp,de", b"country=de,US,jp,JP", id="countries"),
        pytest.param(b"netblock=0", b"netblock=", id="netblock off"),
    ],
)
def test_same_meaning_same_order(snapshot: Snapshot, first: bytes, second: bytes) -> None:
    """With a seed, what means the same gives the same order."""
    service = _seeded(snapshot)
    assert _urls(service, REPO + b"&" + first) == _urls(service, REPO + b"&" + second)


def _urls(service: Service, query: bytes, peer: str = "127.0.0.1") -> list[str]:
    return [link.url for link in read_metalink(_body(service, query, peer)).links]


def test_other_clients_other_orders(snapshot: Snapshot) -> None:
    """With a seed, each client has an order of its own."""
    service = _seeded(snapshot)
    orders = {_body(service, peer=f"203.0.112.{number}") for number in range(20)}
    assert len(orders) > 15


def test_other_seeds_other_orders(snapshot: Snapshot) -> None:
    """Another seed gives other orders."""
    assert len({_body(_seeded(snapshot, seed)) for seed in range(20)}) > 15


def test_other_queries_other_orders(snapshot: Snapshot) -> None:
    """With a seed, another query of the same hosts has another order."""
    service = _seeded(snapshot)
    queries = [
        REPO,
        *(b"path=pub/linux/40/x86_64/os/repodata/repomd.xml" + x for x in (b"", b"&time")),
    ]
    assert len({tuple(_urls(service, query)) for query in queries}) > 1


def test_without_a_seed_orders_differ(snapshot: Snapshot) -> None:
    """Without a seed the same request has a new order, each time or every few times."""
    parts = (LoadedStore(snapshot), TableGeo(COUNTRIES), Trust(), lambda: NOW)
    for reuse, least in ((0, 20), (1, 20), (4, 6)):
        service = Service(*parts, Tuning(reuse=reuse))
        assert len({_body(service) for _ in range(40)}) >= least
    assert len({_body(service) for _ in range(40)}) <= 12


def test_only_the_pubdate_changes(snapshot: Snapshot) -> None:
    """With a seed, a later answer differs in its pubdate alone."""
    times = iter([NOW, NOW + 86400.4])
    clock = times.__next__
    service = Service(LoadedStore(snapshot), TableGeo(COUNTRIES), Trust(), clock, Tuning(seed=1))
    first, second = _body(service), _body(service)
    pubdate = re.compile(rb' pubdate="[^"]*"')
    assert pubdate.findall(first) == [b' pubdate="Fri, 15 Jan 2027 08:00:00 GMT"']
    assert pubdate.findall(second) == [b' pubdate="Sat, 16 Jan 2027 08:00:00 GMT"']
    assert pubdate.sub(b"", first) == pubdate.sub(b"", second)


@pytest.mark.parametrize(
    ("minimum", "hosts"),
    [
        pytest.param(0, 5, id="never global"),
        pytest.param(5, 5, id="enough"),
        pytest.param(6, 6, id="one more wanted"),
    ],
)
def test_minimum(snapshot: Snapshot, minimum: int, hosts: int) -> None:
    """The minimum decides when the global tier is added."""
    service = make_service(snapshot, COUNTRIES, minimum)
    body = _body(service, b"path=pub/linux/five", GERMAN, metalink=False)
    assert body.count(b"\n") == 1 + hosts


def test_no_log(snapshot: Snapshot, tmp_path: Path) -> None:
    """Without a log an answer is the same as with one, to which a line goes."""
    logged, unlogged = _seeded(snapshot), _seeded(snapshot)
    logged.log = FlushedLog(str(tmp_path / "log"))
    assert _body(unlogged) == _body(logged)
    assert (tmp_path / "log").read_text().endswith("REPO: linux-40; ARCH: x86_64\n")


class _Broken(AccessLog):
    """A log none of whose lines can be made."""

    def __init__(self) -> None:
        """Take nothing."""

    def write(self, entry: LogEntry, now: float) -> None:
        """Raise an error."""
        raise ZeroDivisionError


def test_a_line_that_cannot_be_made(snapshot: Snapshot, capsys: pytest.CaptureFixture[str]) -> None:
    """An error in the log is counted and told, and the list is the same."""
    service = make_service(snapshot)
    plain = service.respond(True, REPO, NOBODY, []).body
    service.log = _Broken()
    assert service.respond(True, REPO, NOBODY, []).body == plain
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert service.respond(True, REPO, NOBODY, [], is_head=True).body == plain
    assert capsys.readouterr().err == ""


SEEDS = (0.3634691253321989, 0.13193927227634783, 0.3131630739235328)


def test_seeded() -> None:
    """A random source depends on the seed, the query and both addresses, and on nothing else."""

    def number(seed: int = 1, raw: bytes = b"path=a", near: str = GERMAN, wish: str = "") -> float:
        query = parse_query(raw, False)
        client = Trust().believe(near, [], wish)
        return seeded(seed, query, client).random()

    assert number() == number()
    assert len({number(), number(seed=2), number(raw=b"path=b"), number(near=NOBODY)}) == 4
    assert number(wish=NOBODY) not in (number(), number(near=NOBODY))


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        pytest.param(b"repo=r&arch=a", SEEDS[0], id="nothing else"),
        pytest.param(b"path=a&country=us,de&protocol=HTTPS,rsync", SEEDS[1], id="lists"),
        pytest.param(b"path=a&netblock=0&redirect&time&ip=192.0.2.9", SEEDS[2], id="all others"),
    ],
)
def test_seeds_stay(raw: bytes, number: float) -> None:
    """A seed gives the numbers that it gave before queries could say more."""
    client = Trust().believe(NOBODY, [], "")
    assert seeded(1, parse_query(raw, False), client).random() == number


def test_located(snapshot: Snapshot) -> None:
    """The country is that of the address wished for, with the source's name."""
    client = Trust().believe(NOBODY, [], GERMAN)
    place = locate(client, Catalog(snapshot), TableGeo(COUNTRIES))
    assert (place.country, place.country_source) == ("DE", "table")


def test_plans_are_kept_when_they_come_again(snapshot: Snapshot) -> None:
    """A query string that comes a second time is looked into no more; one with `ip=` always is."""
    service = _seeded(snapshot, None)
    for query, kept in ((REPO, [0, 1, 1]), (REPO + b"&ip=192.0.2.1", [1, 1, 1])):
        counts = []
        for _ in kept:
            service.respond(True, query, NOBODY, [])
            counts.append(len(service.plans.kept))
        assert counts == kept


def test_plans_are_bounded(snapshot: Snapshot) -> None:
    """However many query strings come, and come again, few are remembered."""
    service = _seeded(snapshot, None)
    for number in range(MOST_ASKED + 1):
        service.plans.find(service.store.catalog, True, b"repo=%d" % number)
    assert service.plans.remembered <= MOST_ASKED
    for number in range(100):
        for _ in range(2):
            service.plans.find(service.store.catalog, True, b"repo=%d" % number)
    assert service.plans.remembered <= MOST_ASKED


def test_plans_in_use_stay(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many query strings come twice, what is asked for now and then is looked into once."""
    monkeypatch.setattr("mirrorlist.lists.plans.PLANS_BYTES", 200_000)
    service = _seeded(snapshot, None)
    for _ in range(2):
        service.respond(True, REPO, NOBODY, [])
    plan = service.plans.find(service.store.catalog, True, REPO)
    for number in range(600):
        for _ in range(2):
            service.respond(False, b"repo=%d&arch=x" % number, NOBODY, [])
        if not number % 20:
            service.respond(True, REPO, NOBODY, [])
        assert service.plans.size <= 200_000
    assert service.plans.find(service.store.catalog, True, REPO) is plan
    assert len(service.plans.kept) < 100


def test_a_new_catalog_drops_the_plans(snapshot: Snapshot) -> None:
    """What was known of a query on one snapshot is not used for another."""
    store = LoadedStore(snapshot)
    service = Service(store, TableGeo(COUNTRIES), Trust(), lambda: NOW)
    for _ in range(2):
        service.respond(True, REPO, NOBODY, [])
    before = service.plans.kept
    store.catalog = Catalog(snapshot)
    for _ in range(2):
        service.respond(True, REPO, NOBODY, [])
    (plan,) = service.plans.kept
    assert isinstance(plan, Plan)
    assert plan.catalog is store.catalog
    assert plan not in before
