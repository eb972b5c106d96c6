"""`/explain`: the same reasons as `ask`, over HTTP, and what a stranger does not see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from mirrorlist.web.app import App
from snapshot.file.reader import Snapshot
from tests.factories import edited, export_tables, world
from tests.in_process import make_service

REPO = "repo=linux-40&arch=x86_64"
STRANGER, NEIGHBOUR, LOOPBACK = "203.0.113.9", "192.0.2.7", "127.0.0.1"
PRIVATE_HOST = 6


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The small world; its private host 6 has the netblock of NEIGHBOUR."""
    return export_tables(tmp_path_factory.mktemp("explain"), world())[0]


def _get(
    snapshot: Snapshot,
    query: str,
    peer: str = LOOPBACK,
    headers: Mapping[str, str] | None = None,
    path: str = "/explain",
) -> Response:
    app = App(make_service(snapshot, {STRANGER: "DE"}))
    with TestClient(app, client=(peer, 50000)) as client:
        return client.get(f"{path}?{query}", headers=dict(headers or {}))


def _ids(answer: Response, part: str) -> set[int]:
    found: list[dict[str, Any]] = answer.json()[part]
    return {host["id"] for host in found}


@pytest.mark.parametrize("path", ["/explain", "/any/prefix/explain"])
def test_json(snapshot: Snapshot, path: str) -> None:
    """Without a wish it is JSON with the client, each host with its tier, each other's reason."""
    answer = _get(snapshot, f"{REPO}&ip={STRANGER}", path=path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert set(found) == {"snapshot", "client", "directory", "file", "hosts", "excluded"}
    assert found["snapshot"]["id"] == snapshot.id
    assert found["client"]["address"] == STRANGER
    assert found["client"]["source"] == "ip="
    assert found["client"]["country"] == "DE"
    assert {host["tier"] for host in found["hosts"]} == {"country", "continent", "global"}
    assert all(host["reason"] for host in found["excluded"])


def test_text(snapshot: Snapshot) -> None:
    """With `Accept: text/plain` it is what `ask` prints."""
    answer = _get(snapshot, REPO, headers={"Accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain"
    assert "not in the list: 3 hosts" in answer.text
    assert "directory  pub/linux/40/x86_64/os/repodata" in answer.text


def test_a_stranger_sees_no_private_host(snapshot: Snapshot) -> None:
    """A private host of somebody else is neither among the hosts nor among those left out."""
    answer = _get(snapshot, REPO, STRANGER)
    assert PRIVATE_HOST not in _ids(answer, "hosts") | _ids(answer, "excluded")
    assert "host6.example" not in answer.text


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
@pytest.mark.parametrize("query", [REPO, "repo=epel-9&arch=x86_64", f"{REPO}&protocol=gopher"])
def test_a_stranger_learns_only_what_is_public(tmp_path: Path, query: str, accept: str) -> None:
    """Of hosts that no stranger can be sent to he learns nothing; of others no inner reason."""
    tables = edited(("site", 3, {"admin_active": False}), ("host", 4, {"admin_active": False}))
    for row in tables["host_category_url"]:
        row["private"] = row["host_category_id"] == 51
    tables["netblock_country"] = [{"id": 1, "netblock": f"{NEIGHBOUR}/32", "country": "JP"}]
    snapshot, _ = export_tables(tmp_path, tables)
    headers = {"Accept": accept}
    told = _get(snapshot, query, headers=headers).text
    for hidden in ("host3.", "host4.", "host5.", "host6.", "host7.", "switched off"):
        assert hidden in told, "ours sees all"
    found = _get(snapshot, query, STRANGER, headers).text
    inner = ("inactive", "switched", "administrator", "owner", "crawler", "private", "site ")
    for hidden in ("host3.", "host4.", "host5.", "host6.", "host7.", "public URL", *inner):
        assert hidden not in found
    assert "host8." in found
    wished = _get(snapshot, f"{query}&ip={NEIGHBOUR}", STRANGER, headers).text
    assert "JP" in wished
    assert "netblock_country" not in wished


def test_a_directory_of_private_hosts(tmp_path: Path) -> None:
    """A stranger cannot tell a directory of private hosts from one that nobody carries."""
    tables = world()
    tables["host_category_dir"] = [
        row for row in tables["host_category_dir"] if row["host_category_id"] == 61
    ]
    snapshot, _ = export_tables(tmp_path, tables)
    found = _get(snapshot, REPO, STRANGER).json()
    assert found["error"].startswith("error: no active host carries")
    assert "host6" not in str(found)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        pytest.param(STRANGER, {}, id="directly"),
        pytest.param(LOOPBACK, {"X-Forwarded-For": STRANGER}, id="behind a trusted proxy"),
    ],
)
def test_a_wish_opens_nothing(snapshot: Snapshot, peer: str, headers: dict[str, str]) -> None:
    """A stranger's ip= in a private host's netblock does not show that host."""
    answer = _get(snapshot, f"{REPO}&ip={NEIGHBOUR}", peer, headers)
    assert "host6.example" not in answer.text


def test_its_own_clients_see_a_private_host(snapshot: Snapshot) -> None:
    """A client of its netblock is offered the private host, as in the list itself."""
    answer = _get(snapshot, REPO, NEIGHBOUR)
    assert answer.json()["hosts"][0]["id"] == PRIVATE_HOST
    assert answer.json()["hosts"][0]["tier"] == "netblock"


def test_an_operator_sees_all(snapshot: Snapshot) -> None:
    """From loopback every host is there once, private ones with their reason."""
    answer = _get(snapshot, REPO)
    assert _ids(answer, "hosts") | _ids(answer, "excluded") == set(range(1, 10))
    assert not _ids(answer, "hosts") & _ids(answer, "excluded")


def test_a_directory_without_checksums(snapshot: Snapshot) -> None:
    """Where there can be no metalink, the mirrorlist is explained."""
    answer = _get(snapshot, "path=pub/linux/40/x86_64/os")
    assert (answer.json()["file"], answer.json()["directory"]) == (None, "pub/linux/40/x86_64/os")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        pytest.param("repo=none&arch=x86_64", 404, "invalid repo or arch", id="unknown"),
        pytest.param("repo=old-39&arch=x86_64", 404, "repo disabled", id="disabled"),
        pytest.param("", 404, "either path=", id="nothing asked"),
        pytest.param("path=%zz", 400, "# path=", id="broken escape"),
        pytest.param(f"{REPO}&ip=junk", 400, "# ip=", id="junk address"),
    ],
)
def test_errors(snapshot: Snapshot, query: str, status: int, words: str) -> None:
    """An error is told in the form that was asked for, with a status of its own."""
    answer = _get(snapshot, query)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    text = _get(snapshot, query, headers={"Accept": "text/plain"})
    assert text.status_code == status
    assert words in text.text


def test_a_kind_alone(snapshot: Snapshot) -> None:
    """The name of a list before it says which of the two is explained."""
    metalink = _get(snapshot, REPO, path="/any/metalink/explain").json()
    mirrorlist = _get(snapshot, REPO, path="/mirrorlist/explain").json()
    assert metalink["file"] == "repomd.xml"
    assert mirrorlist["file"] is None
    assert metalink["directory"] == f"{mirrorlist['directory']}/repodata"
    answer = _get(snapshot, "path=pub/linux", path="/metalink/explain")
    assert answer.status_code == 404
