"""Requests in other words: the file's shapes and aliases, and what clients get for them."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mirrorlist.web.app import App
from mirrorlist.web.protocol import LimitedProtocol
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.reader import Snapshot
from tests.asgi import call
from tests.command import run_inside as run
from tests.connection import Connection, light
from tests.in_process import make_service
from tests.second_reader import message, open_file
from tests.small_sites import applied, mirror, problems, publish_tree, site_text, write

SHAPES = """\
[[shapes]]
path = "/mirrorlist/{version}/{prefix}"
arch = "$basearch"
[[shapes]]
path = "/metalink/{version}/{prefix}/{arch}"
[[shapes]]
query = { release = "{version}", repo = "{prefix}", arch = "{arch}" }
[[shapes]]
query = { repo = "{prefix}-{version}", arch = "{arch}" }
[aliases]
versions = { stream = "10", "9" = "10" }
prefixes = { BaseOS = "baseos" }
"""
MIRRORS = (mirror("a"), mirror("b", "FR", 'arches = ["x86_64"]'))


def made(folder: Path, text: str) -> Snapshot:
    """Return the snapshot of a file, after a probe of its primary."""
    from snapshot.sites.load import load
    from snapshot.sites.probe import probe

    file, database = write(folder, text), f"sqlite:///{folder / 'm.db'}"
    publish_tree(folder / "pub")
    applied(database, file)
    nothing = ("test", lambda phase, done, total: None, 1_790_000_000)
    probe(database, load(file).config, folder, *nothing, mirrors=False)
    export(database, Job(folder / "m.snap", resolve_dns=False))
    return Snapshot(folder / "m.snap")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Two mirrors, of which b has x86_64 alone, with the shapes of several distributions."""
    return made(tmp_path_factory.mktemp("shapes"), site_text(*MIRRORS) + SHAPES)


@pytest.fixture(scope="module")
def app(snapshot: Snapshot) -> App:
    """The app that answers from it."""
    return App(make_service(snapshot))


def lines(app: App, target: str) -> list[str]:
    """Return the URLs of a mirrorlist, sorted."""
    answer = call(app, target.encode())
    assert answer.status == 200, answer.body
    return sorted(one for one in answer.body.decode().splitlines() if one[:4] == "http")


OS = ".example/pub/{}/BaseOS/{}/os/"


@pytest.mark.parametrize(
    ("target", "version", "arch", "hosts"),
    [
        pytest.param("/mirrorlist/9/baseos", "9", "$basearch", "a", id="AlmaLinux"),
        pytest.param("/any/mirrorlist/stream/baseos", "10", "$basearch", "a", id="a prefix"),
        pytest.param("/mirrorlist/%39/BaseOS?country=fr", "9", "$basearch", "a", id="encoded"),
        pytest.param(
            "/mirrorlist?release=9&repo=BaseOS&arch=x86_64&infra=x", "9", "x86_64", "ab",
            id="CentOS"
        ),
        pytest.param("/mirrorlist?repo=BaseOS-9&arch=aarch64", "9", "aarch64", "a", id="Rocky"),
        pytest.param("/mirrorlist?arch=x86_64&repo=BaseOS-stream", "10", "x86_64", "ab", id="a"),
        pytest.param("/mirrorlist?repo=baseos-stream&arch=x86_64", "10", "x86_64", "ab", id="b"),
        pytest.param("/mirrorlist?repo=baseos-9&arch=x86_64", "9", "x86_64", "ab", id="its own"),
        pytest.param(
            "/mirrorlist/9/baseos?repo=baseos-10&arch=aarch64&path=no", "9", "$basearch", "a",
            id="a path counts first",
        ),
    ],
)  # fmt: skip
def test_a_mirrorlist(app: App, target: str, version: str, arch: str, hosts: str) -> None:
    """Each way to ask gets the list of the repository that is meant."""
    ends = OS.format(version, arch)
    assert lines(app, target) == [f"https://{host}{ends}" for host in hosts]


def test_other_kinds(app: App) -> None:
    """A metalink, a redirect and an explanation follow the same words."""
    plain = call(app, b"/metalink?repo=baseos-10&arch=x86_64")
    assert plain.status == 200
    for target in (
        b"/metalink/stream/BaseOS/x86_64",
        b"/metalink?release=10&repo=BaseOS&arch=x86_64",
    ):
        found = call(app, target)
        assert found.status == 200
        assert sorted(found.body.splitlines())[4:] == sorted(plain.body.splitlines())[4:]
    redirect = call(app, b"/mirrorlist?release=9&repo=BaseOS&arch=aarch64&redirect=1")
    assert (redirect.status, redirect.headers["location"][:15]) == (302, "https://a.examp")
    for target in (b"/mirrorlist/9/baseos/explain", b"/explain?release=9&repo=BaseOS&arch=x86_64"):
        found = call(app, target)
        assert found.status == 200
        directory = json.loads(found.body)["directory"]
        assert directory.startswith("pub/9/BaseOS/")
    missing = json.loads(call(app, b"/mirrorlist/9/baseos/explain").body)["excluded"]
    assert [one["name"] for one in missing] == ["b"]


def test_all_arches_at_once(app: App) -> None:
    """A list for clients that fill in their arch has no checksums, and says how to get them."""
    found = call(app, b"/metalink?repo=baseos-9&arch=$basearch")
    assert found.status == 404
    assert b"ask with arch=" in found.body
    assert b"$basearch" in call(app, b"/mirrorlist/9/baseos").body.splitlines()[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/mirrorlist/11/baseos", 404),
        ("/mirrorlist/9/baseos/x", 404),
        ("/mirrorlist/", 404),
        ("/mirrorlist?release=11&repo=BaseOS&arch=x86_64", 404),
        ("/mirrorlist?release=9&repo=BaseOS", 200),
        ("/mirrorlist?release=9&release=%zz&repo=BaseOS&arch=x86_64", 400),
        ("/mirrorlist?release=" + 300 * "9" + "&repo=BaseOS&arch=x86_64", 400),
    ],
)
def test_what_is_not_asked_well(app: App, target: str, status: int) -> None:
    """It gets the answer that it would get of a site without shapes, or a reason."""
    found = call(app, target.encode())
    assert found.status == status
    assert "http" not in found.body.decode()


def test_close_paths(app: App) -> None:
    """A path that is none of a shape's gets the closest ones, which are lists of the same kind."""
    for asked in (
        b"/mirrorlist/9/basos",
        b"/any/metalink/9/x/s390x",
        "/mirrorlist/9/bäse".encode(),
    ):
        answer = call(app, quote(asked).encode())
        first, *close = answer.body.decode().splitlines()
        assert (answer.status, first) == (404, "We don't serve their kind here!")
        assert 0 < len(close) <= 10
        for line in close:
            assert line.startswith("# /metalink/" if b"metalink" in asked else "# /mirrorlist/")
            assert call(app, line.removeprefix("# ").encode()).status == 200
    assert b"# /mirrorlist/9/baseos" in call(app, b"/mirrorlist/9/basos").body
    assert call(app, b"/any/9/baseos").body == b"We don't serve their kind here!"


def test_another_method(app: App) -> None:
    """A path of a shape is a list in this too: only GET and HEAD are answered."""
    assert call(app, b"/mirrorlist/9/baseos", method="POST").status == 405
    assert call(app, b"/mirrorlist/9/baseos", method="HEAD").status == 200


@pytest.mark.parametrize(
    "target", [b"/mirrorlist/9/baseos?country=de", b"/mirrorlist?release=9&repo=BaseOS&arch=x86_64"]
)
def test_the_fast_way(snapshot: Snapshot, target: bytes) -> None:
    """It is recognised by its bytes, needs no app, and gets the bytes that the app sends."""
    service = make_service(snapshot)

    async def none(*given: Any) -> None:
        raise AssertionError("the app was asked")

    written = []
    for kind, answering in ((light(service), none), (LimitedProtocol, App(service))):
        connection = Connection(kind, answering)
        for _ in range(3):
            connection.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.statuses == [200] * 3
        written.append(connection.wire.written)
        connection.close()
    assert written[0] == written[1]
    assert len(service.plans.kept) == 1


def test_a_site_without_shapes(tmp_path: Path) -> None:
    """Its snapshot has no section for them, and all of this is unknown, as it was."""
    found = made(tmp_path, site_text(*MIRRORS))
    assert "request_shapes" not in dict(found.section_sizes)
    other = App(make_service(found))
    for path in (b"/mirrorlist/9/baseos", b"/metalink/9/baseos/x86_64"):
        answer = call(other, path)
        assert (answer.status, answer.body) == (404, b"We don't serve their kind here!")


def test_a_shape_that_is_gone(snapshot: Snapshot, tmp_path: Path) -> None:
    """A request that was recognised before its shape went is refused as any unknown path."""
    service = make_service(snapshot)
    connection = Connection(light(service), App(service))
    request = b"GET /mirrorlist/9/baseos HTTP/1.1\r\nHost: a\r\n\r\n"
    connection.send(request)
    service.store.catalog = make_service(made(tmp_path, site_text(*MIRRORS))).store.catalog
    connection.send(request)
    assert connection.statuses == [200, 404]
    assert connection.wire.written.endswith(b"We don't serve their kind here!")
    connection.close()


def test_the_second_reader(snapshot: Snapshot) -> None:
    """It reads of the section what the page says."""
    found = message(open_file(Path(snapshot.path).read_bytes()).content["request_shapes"])
    assert [names for names, _ in found] == [["arch", "release", "repo"], ["arch", "repo"], []]
    assert found[0][1]["?arch=x86_64&release=9&repo=BaseOS"] == ["baseos-9", "x86_64"]
    assert found[2][1]["/mirrorlist/stream/baseos?"] == ["baseos-10", "$basearch"]


def test_the_command(snapshot: Snapshot) -> None:
    """`ask` understands the same words."""
    for query in ("/mirrorlist/9/baseos", "release=9&repo=BaseOS&arch=x86_64"):
        done = run("ask", "--snapshot", snapshot.path, query)
        assert done.returncode == 0, done.stderr
        assert "directory  pub/9/BaseOS/" in done.stdout
        assert "https://a.example" in done.stdout
    done = run("ask", "--snapshot", snapshot.path, "/mirrorlist/8/baseos")
    assert (done.returncode, "is neither" in done.stderr) == (2, True)


def test_apply_tells(tmp_path: Path) -> None:
    """A change of shapes alone is a difference, and without one nothing differs."""
    database = f"sqlite:///{tmp_path / 'm.db'}"
    plain, shaped = site_text(*MIRRORS), site_text(*MIRRORS) + SHAPES
    for text, requests, changes in (
        (plain, False, True), (plain, False, False), (shaped, True, True),
        (shaped, False, False), (plain, True, True),
    ):  # fmt: skip
        found = applied(database, write(tmp_path, text))
        assert (found.requests, found.changes_anything) == (requests, changes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[shapes]]", "21: give `path`, or `query`, or both"),
        ("[shapes]", "21: write [[shapes]] with two brackets"),
        ('[[shapes]]\npath = "/m/{version}/{arch}"', "22: begins neither with /mirrorlist/ nor"),
        ('[[shapes]]\npath = "/mirrorlist/{verison}/{arch}"', "22: unknown field {verison}: did"),
        ('[[shapes]]\npath = "/mirrorlist/{version"', "22: a bracket without its other one"),
        ('[[shapes]]\npath = "/mirrorlist/a b/{arch}"', "22: not a path of a request, such as"),
        ('[[shapes]]\npath = "/mirrorlist/{version}/metalink"', "22: names a list twice"),
        ('[[shapes]]\npath = "/mirrorlist/{version}"', "21: no pattern has {arch}: give an arch"),
        (
            '[[shapes]]\narch = "x86_64"\npath = "/mirrorlist/{version}/{arch}"',
            "21: `arch` is for patterns without {arch}",
        ),
        (
            '[[shapes]]\npath = "/mirrorlist/{prefix}/{arch}"',
            "21: /mirrorlist/baseos/x86_64 asks for baseos-10 x86_64 and for baseos-9 x86_64: does",
        ),
        ('[[shapes]]\nquery = { country = "{arch}" }', "22: `country` has a meaning of its own"),
        ('[[shapes]]\nquery = { "a&b" = "{arch}" }', "22: needs a name and a pattern"),
        ('[[shapes]]\nquery = { a = "{arch}&" }', "22: needs a name and a pattern"),
        ('[[shapes]]\nquery = { repo = "{prefix!r}", arch = "{arch}" }', "22: write {prefix} with"),
        (
            '[[shapes]]\nquery = { repo = "{prefix}-9", arch = "{arch}" }',
            "21: ?arch=x86_64&repo=baseos-9 asks for baseos-10 x86_64 and for baseos-9 x86_64",
        ),
        ('[aliases]\nversions = { a = "11" }', "22: there is no version `11`; there are 10, 9"),
        ('[aliases]\nversion = { a = "10" }', "22: unknown key `version`: did you mean `versions`"),
    ],
)
def test_a_mistake(tmp_path: Path, text: str, told: str) -> None:
    """It is named with its line, and with a proposal where there is one."""
    head = site_text(mirror("a"), mirror("b"))
    assert len(head.splitlines()) == 18
    found = problems(write(tmp_path, f"{head}\n\n{text}\n"))
    assert len(found) == 1, found
    assert found[0].startswith(told), found
