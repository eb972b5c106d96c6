"""The ASGI app beyond the lists: health, repositories, other paths and methods, headers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.process.jobs import MOST_WAITING
from mirrorlist.rsync.filter import Held, RsyncFilter
from mirrorlist.web.app import App
from snapshot.file.reader import Snapshot
from tests.asgi import call, call_at_once
from tests.contract_world import contract_world
from tests.factories import export_tables, world
from tests.in_process import NOW, make_service

REPO = "repo=linux-40&arch=x86_64"
EPEL = "categories=EPEL&since=450"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The contract's snapshot."""
    return contract_world(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def client(snapshot: Snapshot) -> Iterator[TestClient]:
    """A client of the app, on loopback, that follows no redirects."""
    app = App(make_service(snapshot))
    peer = ("127.0.0.1", 50000)
    with TestClient(app, client=peer, follow_redirects=False) as client:
        yield client


def test_live(client: TestClient) -> None:
    """The process says that it lives."""
    answer = client.get("/health/live")
    assert (answer.status_code, answer.text) == (200, "OK\n")


def test_ready(client: TestClient, snapshot: Snapshot) -> None:
    """Ready says from what lists are answered: the snapshot, its times and age, the GeoIP."""
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "ready": True,
        "stale": False,
        "snapshot": {
            "id": snapshot.id,
            "format": snapshot.format,
            "built": snapshot.built,
            "read": snapshot.read,
            "age": int(NOW) - snapshot.read,
        },
        "geoip": "table",
        "silent": 0,
    }


REPOSITORIES = [
    ("alternates", "x86_64", "pub/linux/alternates", False),
    ("bare", "x86_64", "pub/linux/bare", False),
    ("epel-9", "x86_64", "pub/epel/9/x86_64", False),
    ("linux-40", "x86_64", "pub/linux/40/x86_64/os", False),
    ("linux-source-40", "source", "pub/linux/40/source", False),
    ("moved", "x86_64", "pub/linux/sparse", False),
    ("no-details", "x86_64", "pub/linux/no-details", False),
    ("old-39", "aarch64", "pub/epel/9/x86_64", True),
    ("old-39", "x86_64", "pub/epel/9/x86_64", True),
    ("rolling", "x86_64", "pub/linux/rolling/repodata", False),
    ("sparse", "x86_64", "pub/linux/sparse", False),
    ("uncarried", "x86_64", "pub/linux/nobody", False),
    ("uncategorised", "x86_64", "pub/elsewhere", False),
]


@pytest.mark.parametrize("path", ["/repositories", "/any/prefix/repositories"])
def test_repositories_as_text(client: TestClient, path: str) -> None:
    """All repositories that are not disabled, a line each, as they stand in a query."""
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text == "".join(
        f"repo={prefix}&arch={arch}\n" for prefix, arch, _, disabled in REPOSITORIES if not disabled
    )


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        pytest.param("", "application/json", id="Accept"),
        pytest.param("", "text/html, application/json;q=0.9", id="Accept with others"),
        pytest.param("?format=json", "*/*", id="format=json"),
    ],
)
def test_repositories_as_json(client: TestClient, query: str, accept: str) -> None:
    """As JSON all repositories with their directories; a disabled prefix in every arch."""
    answer = client.get("/repositories" + query, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    fields = ("repo", "arch", "directory", "disabled")
    rows = [dict(zip(fields, repository, strict=True)) for repository in REPOSITORIES]
    assert answer.json() == {"total": len(rows), "repositories": rows}


@pytest.mark.parametrize("path", ["/", "/nothing", "/metalinks", "/health", "/repositories.txt"])
def test_other_paths(client: TestClient, path: str) -> None:
    """Any other path is a 404 with mirrorlist-server's words."""
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "We don't serve their kind here!")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/repositories/", "/health/live/", "/health/ready/"])
def test_a_slash_at_the_end_is_another_path(client: TestClient, path: str) -> None:
    """A slash behind a known path makes another path, as it does with a list."""
    assert client.get(path).status_code == 404


TARGETS = [
    "/health/live",
    "/health/ready",
    "/repositories",
    "/repositories?format=json",
    f"/mirrorlist?{REPO}",
    f"/metalink?{REPO}",
    f"/mirrorlist?{REPO}&redirect",
    "/mirrorlist?repo=x&arch=y",
    "/metalink?path=%00",
    "/nothing",
    f"/rsyncFilter?{EPEL}",
    f"/rsyncFilter?{EPEL}&form=files",
    "/rsyncFilter",
]


@pytest.mark.parametrize("target", TARGETS)
def test_head(client: TestClient, target: str) -> None:
    """HEAD has the status and headers of GET, its length among them, and no body."""
    got, head = client.get(target), client.head(target)
    assert head.status_code == got.status_code
    assert head.headers == got.headers
    assert head.content == b""
    assert got.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/metalink", "/mirrorlist", "/repositories", "/health/live", "/rsyncFilter"]
)
def test_other_methods(client: TestClient, path: str, method: str) -> None:
    """Other methods are refused, and told which are allowed."""
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.text == "Only GET and HEAD are answered here.\n"


@pytest.mark.parametrize("target", TARGETS)
def test_never_compressed(client: TestClient, target: str) -> None:
    """A body is never compressed, as librepo and zypper cannot read it then."""
    answer = client.get(target, headers={"Accept-Encoding": "gzip, br, zstd"})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "accept", ["*/*", "*/*, application/metalink+xml, application/metalink4+xml", "text/html"]
)
def test_one_metalink_whatever_is_accepted(client: TestClient, accept: str) -> None:
    """There is one form of metalink: old zypper asks for version 4 and librepo refuses it."""
    answer = client.get(f"/metalink?{REPO}", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/metalink+xml"
    assert ' version="3.0"' in answer.text


def test_changes(client: TestClient, snapshot: Snapshot) -> None:
    """What changed comes as plain text with the cursor to send next, and may be cached."""
    answer = client.get(f"/rsyncFilter?{EPEL}&form=files")
    assert answer.text == "pub/epel/9/x86_64/\npub/epel/9/x86_64/repodata/\n"
    expected = {
        "content-type": "text/plain",
        "cache-control": "public, max-age=60",
        "x-mirrorlist-cursor": str(snapshot.read),
        "x-mirrorlist-history": str(snapshot.read),
        "x-mirrorlist-directories": "2",
    }
    assert {name: answer.headers[name] for name in expected} == expected


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_changes_again(client: TestClient, name: str, method: str) -> None:
    """Who sends back what came with an answer hears that it is still the same."""
    conditions = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    target = f"/rsyncFilter?{EPEL}"
    first = client.get(target)
    again = client.request(method, target, headers={conditions[name]: first.headers[name]})
    assert (again.status_code, again.content) == (304, b"")
    for kept in ("etag", "last-modified", "cache-control", "x-mirrorlist-cursor"):
        assert again.headers[kept] == first.headers[kept]


def test_lists_are_answered_beside_changes(client: TestClient, snapshot: Snapshot) -> None:
    """Many requests for changes at once are answered one after another, each of them right."""
    targets = [f"/rsyncFilter?categories=EPEL,Linux&since={since}" for since in range(200, 1100, 9)]
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(client.get, targets))
    fresh, catalog = RsyncFilter(), Catalog(snapshot)
    for target, answer in zip(targets, answers, strict=True):
        query = target.partition("?")[2].encode()
        assert answer.content == fresh.answer(catalog, query, Held()).body


@pytest.mark.parametrize("form", ["classic", "files"])
def test_so_many_wait_for_changes(snapshot: Snapshot, form: str) -> None:
    """One is under way and 16 wait; the others hear at once when to come again, and no rule."""
    app = App(make_service(snapshot))
    target = f"/rsyncFilter?{EPEL}&form={form}".encode()
    answers = call_at_once(app, [target] * 40)
    assert [one.status for one in answers] == [200] * (1 + MOST_WAITING) + [503] * (
        39 - MOST_WAITING
    )
    refused = answers[-1]
    assert refused.headers["retry-after"] == "10"
    assert refused.headers["cache-control"] == "no-store"
    assert b"ask again in 10 s" in refused.body
    assert not [line for line in refused.body.splitlines() if line.startswith(b"+")]
    assert call(app, target).status == 200


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        pytest.param("/explain?path=pub/epel/9/x86_64", "application/json", id="explain"),
        pytest.param("/repositories?format=json", "application/json", id="repositories"),
        pytest.param("/repositories", "text/plain", id="repositories as text"),
    ],
)
def test_so_many_wait(snapshot: Snapshot, target: str, kind: str) -> None:
    """What is made for people waits in the same way, beside the changes, and then is refused."""
    app = App(make_service(snapshot))
    answers = call_at_once(app, [target.encode()] * 20 + [f"/rsyncFilter?{EPEL}".encode()])
    accepted = 1 + MOST_WAITING
    assert [one.status for one in answers] == [200] * accepted + [503] * (20 - accepted) + [200]
    refused = answers[-2]
    assert (refused.headers["retry-after"], refused.headers["content-type"]) == ("10", kind)
    assert b"ask again in 10 s" in refused.body
    # Once there, the list of repositories waits for nobody; nor does it outlive its snapshot.
    again = call_at_once(app, [target.encode()] * 20)
    if "repositories" in target:
        assert {one.status for one in again} == {200}
        assert {one.body for one in again} == {answers[0].body}


def test_repositories_of_another_snapshot(
    snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After a swap the new snapshot's repositories are listed."""
    service = make_service(snapshot)
    app = App(service)
    before = call(app, b"/repositories").body
    tables = world()
    tables["repository"] = tables["repository"][:1]
    service.store.catalog = Catalog(export_tables(tmp_path_factory.mktemp("other"), tables)[0])
    after = call(app, b"/repositories").body
    assert before.count(b"\n") > after.count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("x" * 255, 200, id="as long as a name may be"),
        pytest.param("x" * 256, 404, id="one longer"),
        pytest.param("%D0%B6" * 127, 200, id="two bytes a letter"),
        pytest.param("%D0%B6" * 128, 404, id="the bytes count"),
    ],
)
def test_long_names(client: TestClient, name: str, status: int) -> None:
    """A file's name that no file system takes is no file, before anything is made of it."""
    for path in ("/mirrorlist", "/mirrorlist/explain"):
        answer = client.get(f"{path}?path=pub/epel/9/x86_64/{name}")
        assert answer.status_code == status
        assert ("invalid path" in answer.text) is (status == 404)


def _app_with(tmp_path_factory: pytest.TempPathFactory, prefixes: list[str]) -> TestClient:
    tables = world()
    tables["repository"] += [
        {**tables["repository"][0], "id": 100 + id, "name": f"r{id}", "prefix": prefix}
        for id, prefix in enumerate(prefixes)
    ]
    snapshot, _ = export_tables(tmp_path_factory.mktemp("many"), tables)
    return TestClient(App(make_service(snapshot)), client=("127.0.0.1", 50000))


def test_unknown_repository(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The 404 is short: two lines, at most ten of the closest, and where all of them are."""
    names = [f"fedora-{number}" for number in range(20, 45)]
    client = _app_with(tmp_path_factory, [*names, "zzz"])
    text = client.get("/mirrorlist?repo=fedora-4&arch=x86_64").text
    head, error, *lines = text.split("\n")
    assert (head, error) == (
        "# repo = fedora-4 arch = x86_64 ",
        "error: invalid repo or arch",
    )
    suggested = [line for line in lines if line.startswith("# repo=")]
    assert len(suggested) == 10
    assert all(line.startswith("# repo=fedora-") for line in suggested)
    assert "/repositories" in lines[-1]
    assert all(line.startswith("# ") for line in lines)
    assert "://" not in text
    assert len(text) < 1024


def test_unknown_repository_among_long_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The 404 stays under 1 KiB, however long names are: librepo fetches it twelve times."""
    client = _app_with(tmp_path_factory, [f"{'long-name-' * 12}{n}" for n in range(20)])
    for path in ("/mirrorlist", "/metalink"):
        body = client.get(f"{path}?repo={'long-name-' * 12}x&arch=x86_64").content
        assert len(body) < 1024
