"""What requests count: endpoint, status, first tier, country, and what goes wrong."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from mirrorlist.records.counts import Count, Counts
from mirrorlist.service import TIMED_EVERY, Service
from mirrorlist.web.app import App
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.factories import export_tables, world
from tests.in_process import make_service
from tests.small_worlds import DIRECTORY, Mirror, small_data

COUNTRIES = {"198.51.100.1": "DE", "198.51.100.2": "IT", "198.51.100.3": "A1", "192.0.2.7": "DE"}
REPO = "repo=linux-40&arch=x86_64"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A small world."""
    return export_tables(tmp_path_factory.mktemp("counting"), world())[0]


@pytest.fixture
def counts() -> Counts:
    """Counts of one worker."""
    return Counts(1)


# Kept lists know their tier, and so do those that are drawn for one answer.
@pytest.fixture(params=[None, 1], ids=["kept", "drawn"])
def service(request: pytest.FixtureRequest, snapshot: Snapshot, counts: Counts) -> Service:
    """A service that counts."""
    made = make_service(snapshot, COUNTRIES, minimum=1, seed=request.param)
    made.slot = counts.claim()
    return made


@pytest.mark.parametrize(
    ("target", "client", "labels", "country"),
    [
        pytest.param(f"metalink?{REPO}", "198.51.100.1", ("200", "country"), "DE", id="country"),
        pytest.param(f"mirrorlist?{REPO}", "198.51.100.1", ("200", "country"), "DE", id="text"),
        pytest.param(
            f"mirrorlist?{REPO}", "198.51.100.2", ("200", "continent"), "IT", id="continent"
        ),
        pytest.param(f"mirrorlist?{REPO}", "203.0.113.1", ("200", "global"), "other", id="global"),
        pytest.param(f"mirrorlist?{REPO}", "198.51.100.3", ("200", "global"), "other", id="odd"),
        pytest.param(f"metalink?{REPO}", "192.0.2.7", ("200", "netblock"), "DE", id="netblock"),
        pytest.param(
            f"metalink?{REPO}&country=fr",
            "198.51.100.1",
            ("200", "country_asked"),
            "DE",
            id="asked",
        ),
        pytest.param(
            f"metalink?{REPO}&country=it",
            "198.51.100.1",
            ("200", "continent_asked"),
            "DE",
            id="asked around",
        ),
        pytest.param(
            f"mirrorlist?{REPO}&redirect=1", "198.51.100.1", ("302", "country"), "DE", id="redirect"
        ),
        pytest.param(
            "mirrorlist?path=nowhere", "198.51.100.1", ("404", "none"), None, id="no path"
        ),
        pytest.param(
            "mirrorlist?repo=x&arch=y", "198.51.100.1", ("404", "none"), None, id="unknown"
        ),
        pytest.param("metalink", "198.51.100.1", ("200", "none"), None, id="nothing asked"),
        pytest.param("metalink?repo=%00", "198.51.100.1", ("400", "none"), None, id="bad"),
    ],
)
def test_lists(
    service: Service,
    counts: Counts,
    target: str,
    client: str,
    labels: tuple[str, str],
    country: str | None,
) -> None:
    """A list counts once, under its own labels, however often it is used again."""
    kind, _, query = target.partition("?")
    for _ in range(3):
        service.respond(kind == "metalink", query.encode(), client, ())
    totals = counts.totals()
    assert totals.requests == {(kind, *labels): 3}
    assert totals.countries == ({} if country is None else {country: 3})
    unknown = 3 if "repo=x" in target else 0
    assert {one: number for one, number in totals.counts.items() if number} == (
        {Count.UNKNOWN_REPOSITORIES: unknown} if unknown else {}
    )


def test_equal_lists_of_different_tiers(tmp_path: Path, counts: Counts) -> None:
    """A list that is the same for those who are there and those who ask counts for each."""
    path = tmp_path / "mm.snap"
    path.write_bytes(encode(small_data((Mirror("DE"), Mirror("DE")), {})))
    service = make_service(Snapshot(path), COUNTRIES, minimum=1, seed=None)
    service.slot = counts.claim()
    here = f"path={DIRECTORY}"
    for query in (here, f"{here}&country=de") * 2:
        for _ in range(3):
            service.respond(False, query.encode(), "198.51.100.1", ())
    assert counts.totals().requests == {
        ("mirrorlist", "200", "country"): 6,
        ("mirrorlist", "200", "country_asked"): 6,
    }


def test_times(service: Service, counts: Counts) -> None:
    """One list in this many is timed, beginning with the first one."""
    for _ in range(2 * TIMED_EVERY + 1):
        service.respond(True, REPO.encode(), "198.51.100.1", ())
    totals = counts.totals()
    assert sum(totals.times) == 3
    assert totals.seconds > 0


def test_an_error_of_ours(
    service: Service, counts: Counts, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error is counted as one, and its list under the tier of all public hosts."""

    def broken(*anything: object) -> None:
        raise ZeroDivisionError

    service.trust.believe = broken  # type: ignore[assignment,method-assign]
    service.respond(False, REPO.encode(), "198.51.100.1", ())
    totals = counts.totals()
    assert totals.counts[Count.ERRORS] == 1
    assert totals.requests == {("mirrorlist", "200", "global"): 1}
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """A client of the app."""
    with TestClient(App(service), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        pytest.param("GET", "/health/live", ("health", "200"), id="live"),
        pytest.param("GET", "/health/ready", ("health", "200"), id="ready"),
        pytest.param("GET", "/repositories", ("repositories", "200"), id="repositories"),
        pytest.param("GET", f"/explain?{REPO}", ("explain", "200"), id="explain"),
        pytest.param("GET", "/explain?repo=x&arch=y", ("explain", "404"), id="explain an error"),
        pytest.param("GET", "/rsyncFilter", ("rsyncFilter", "400"), id="rsync filter"),
        pytest.param("GET", "/nothing", ("other", "404"), id="nothing"),
        pytest.param("POST", "/metalink", ("metalink", "405"), id="a list by POST"),
        pytest.param("POST", "/repositories", ("repositories", "405"), id="another by POST"),
        pytest.param("HEAD", "/repositories", ("repositories", "200"), id="head"),
    ],
)
def test_other_requests(
    client: TestClient, counts: Counts, method: str, path: str, labels: tuple[str, str]
) -> None:
    """Whatever is no list counts by endpoint and status."""
    client.request(method, path)
    assert counts.totals().requests == {(*labels, "none"): 1}


def test_lists_by_the_app(client: TestClient, counts: Counts) -> None:
    """A list that the app answers counts once, as through the door."""
    client.get(f"/metalink?{REPO}")
    assert counts.totals().requests == {("metalink", "200", "global"): 1}


def test_an_error_of_the_app(client: TestClient, service: Service, counts: Counts) -> None:
    """A page that has an error is a 500, and counted as an internal error."""
    service.store.catalog = SimpleNamespace(request_paths=frozenset())  # type: ignore[assignment]
    client.get("/repositories")
    totals = counts.totals()
    assert totals.requests == {("repositories", "500", "none"): 1}
    assert totals.counts[Count.ERRORS] == 1


def test_draining(client: TestClient, counts: Counts) -> None:
    """A server that has begun to end is not ready, and still answers."""
    counts.drain()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert client.get(f"/metalink?{REPO}").status_code == 200
