"""A swap that changes who has a directory: what is used on, and that no answer is an old one."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.lists import plan as plan_module
from mirrorlist.lists import plans as plans_module
from mirrorlist.lists.plan import Plan, Refusal, make_plan
from mirrorlist.request.client import Trust
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from snapshot.file.model import Repository, RequestShape, SnapshotData
from snapshot.file.writer import encode
from tests.examples import examples
from tests.in_process import NOW, TableGeo
from tests.published import put
from tests.small_worlds import DIRECTORY, FILE, Mirror, small_data

# Enough for lists without the global tier in Europe; in America only a few more hosts are needed.
COUNTRIES = (*["DE"] * 4, *["FR"] * 3, *["US"] * 4, "CA", "ZZ")
CLIENTS = {f"192.0.2.{number}": one for number, one in enumerate((*{*COUNTRIES}, "GB", "AU"))}
PEERS = {country: peer for peer, country in CLIENTS.items()}
_PREFERENCE = re.compile(rb' preference="\d+"')
_TIME = re.compile(rb"<mm0:timestamp>.*|pubdate=.*")
QUERY = f"path={DIRECTORY}".encode()

Change = Callable[[SnapshotData], SnapshotData]


class _Site:
    """A service, and the file of its snapshot."""

    def __init__(self, folder: Path, minimum: int = 5) -> None:
        self.path = folder / "mm.snap"
        put(self.path, encode(_data({})))
        self.service = _service(self.path, Tuning(minimum, reuse=1000))

    def swap(self, data: SnapshotData) -> None:
        """Take another snapshot into use."""
        put(self.path, encode(data))
        self.service.store.catalog = self.service.store.load()

    def ask(self, country: str, query: bytes = QUERY, times: int = 3) -> list[bytes]:
        """Ask often enough for everything to be kept; returns the last answer's lines, sorted."""
        for _ in range(times):
            found = self.service.respond(False, query, PEERS[country], []).body
        return _lines(found)

    def plan(self, query: bytes = QUERY) -> object:
        """Return the plan of a query."""
        return self.service.plans.find(self.service.store.catalog, False, query)


def _service(path: Path, tuning: Tuning) -> Service:
    return Service(Store(path), TableGeo(CLIENTS), Trust(), lambda: NOW, tuning)


def _data(lacking: dict[int, bool], read: int = 1000) -> SnapshotData:
    """Return a snapshot in which some hosts do not have the directory, by their numbers."""
    mirrors = tuple(
        Mirror(one, number + 1, carries=not lacking.get(number))
        for number, one in enumerate(COUNTRIES)
    )
    return msgspec.structs.replace(small_data(mirrors, {}), read=read)


def _lines(body: bytes) -> list[bytes]:
    return sorted(_PREFERENCE.sub(b"", _TIME.sub(b"", body)).splitlines())


@pytest.fixture
def site(tmp_path: Path) -> _Site:
    """A service that has answered each country."""
    site = _Site(tmp_path)
    for country in PEERS:
        site.ask(country)
    return site


@examples(15)
@given(
    worlds=st.lists(
        st.dictionaries(st.integers(0, len(COUNTRIES) - 1), st.just(True)), min_size=2, max_size=6
    )
)
def test_answers_have_the_hosts_of_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, worlds: list[dict[int, bool]]
) -> None:
    """Whichever hosts lose or gain the directory, each answer is that of a fresh service."""
    site = _Site(tmp_path_factory.mktemp("moved"))
    roster = site.service.store.catalog.roster
    for read, lacking in enumerate(worlds, 2000):
        site.swap(_data(lacking, read))
        assert site.service.store.catalog.roster is roster
        fresh = _service(site.path, Tuning(seed=1))
        for one in _asked():
            wanted = fresh.respond(*one)
            for _ in range(3):
                found = site.service.respond(*one)
                assert found.status == wanted.status
                assert _lines(found.body) == _lines(wanted.body), one


def _asked() -> Iterator[tuple[bool, bytes, str, list[bytes]]]:
    for is_metalink in (False, True):
        for more in (b"", b"&country=fr", b"&country=us,global", b"&protocol=https", b"&time=1"):
            query = QUERY + (f"/{FILE}".encode() if is_metalink else b"") + more
            for peer in CLIENTS:
                yield is_metalink, query, peer, []


def _count(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[object]:
    """Count the calls of a function from now on."""
    calls, function = list[object](), getattr(module, name)

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_a_plan_is_moved(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """If only hosts of directories changed, nothing is looked up by names or rendered again."""
    before = site.plan()
    assert isinstance(before, Plan)
    made = _count(monkeypatch, plans_module, "make_plan")
    site.swap(_data({0: True}, 2000))
    site.ask("DE")
    assert made == []
    moved = site.plan()
    assert isinstance(moved, Plan)
    assert moved is not before
    assert (moved.catalog, before.catalog.read) == (site.service.store.catalog, 1000)
    assert moved.target == make_plan(moved.query, moved.catalog, 5).target  # type: ignore[union-attr]


def test_an_unknown_repository_stays_unknown(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names closest to an unknown one are not searched again."""
    query = b"repo=x&arch=y"
    wanted = site.ask("DE", query)
    made = _count(monkeypatch, plans_module, "make_plan")
    site.swap(_data({0: True}, 2000))
    assert site.ask("DE", query) == wanted
    assert made == []


def test_a_directory_without_hosts(site: _Site) -> None:
    """A plan is not moved to a directory without hosts, nor its refusal to one that has some."""
    everyone = dict.fromkeys(range(len(COUNTRIES)), True)
    wanted = site.ask("DE")
    site.swap(_data(everyone, 2000))
    assert b"no active host carries" in b"".join(site.ask("DE"))
    assert isinstance(site.plan(), Refusal)
    site.swap(_data({}, 3000))
    assert site.ask("DE") == wanted


def _repository(data: SnapshotData) -> SnapshotData:
    return msgspec.structs.replace(data, repositories=[Repository("r", "x86_64", 1, False)])


def _redirect(data: SnapshotData) -> SnapshotData:
    return msgspec.structs.replace(data, redirects={"a": "b"})


def _details(data: SnapshotData) -> SnapshotData:
    return msgspec.structs.replace(data, file_details={})


def _name(data: SnapshotData) -> SnapshotData:
    top, below = data.directories
    return msgspec.structs.replace(
        data,
        directories=[top, msgspec.structs.replace(below, name="top/a"), below],
        file_details={2: data.file_details[1]},
    )


def _category(data: SnapshotData) -> SnapshotData:
    top, below = data.directories
    moved = msgspec.structs.replace(below, category=1)
    two = [*data.categories, msgspec.structs.replace(data.categories[0], id=2, name="Other")]
    return msgspec.structs.replace(data, categories=two, directories=[top, moved])


def _other_category(data: SnapshotData) -> SnapshotData:
    """Another category of the directory, after `_category`."""
    data = _category(data)
    top, below = data.directories
    below = msgspec.structs.replace(below, category=0)
    return msgspec.structs.replace(data, directories=[top, below])


def _topdir(data: SnapshotData) -> SnapshotData:
    (category,) = data.categories
    return msgspec.structs.replace(
        data, categories=[msgspec.structs.replace(category, topdir="top/dir")]
    )


def _shape(data: SnapshotData) -> SnapshotData:
    """A request in other words, for a repository of any arch."""
    shape = RequestShape(("v",), {"?v=1": ("r", "$basearch")})
    return msgspec.structs.replace(_repository(data), request_shapes=(shape,))


def test_another_category(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is made again if the directory came into another category."""
    site.swap(_category(_data({}, 2000)))
    site.ask("DE")
    made = _count(monkeypatch, plans_module, "make_plan")
    site.swap(_other_category(_data({}, 3000)))
    site.ask("DE")
    assert len(made) == 1


def test_other_words(site: _Site) -> None:
    """A list of any arch has several host sets, so it is made again; and other words may go."""
    site.swap(_shape(_data({}, 2000)))
    query = b"v=1"
    wanted = site.ask("DE", query)
    assert b"error: invalid repo or arch" not in b"".join(wanted)
    plan = site.plan(query)
    assert isinstance(plan, Plan)
    assert plan.moved(site.service.store.catalog) is None
    site.swap(_repository(_data({}, 3000)))
    assert b"must be specified" in b"".join(site.ask("DE", query))


@pytest.mark.parametrize("change", [_repository, _redirect, _details, _name, _topdir])
def test_a_plan_is_made_again(site: _Site, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """A plan is made again if what a name stands for may be another directory or file."""
    made = _count(monkeypatch, plans_module, "make_plan")
    site.swap(change(_data({}, 2000)))
    site.ask("DE")
    assert len(made) == 1


def test_what_is_forgotten_is_made_again(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the last catalog's plans are freed, a plan is made of the new one."""
    made = _count(monkeypatch, plans_module, "make_plan")
    site.swap(_data({}, 2000))
    site.ask("DE", b"repo=x&arch=y")
    del made[:]
    site.service.forget()
    site.ask("DE")
    assert len(made) == 1


@pytest.mark.parametrize(
    ("minimum", "lacking", "country", "chosen"),
    [
        pytest.param(5, 0, "DE", 1, id="a host of the country"),
        pytest.param(5, 4, "DE", 1, id="a host of the continent"),
        pytest.param(5, 7, "DE", 0, id="a host of another continent"),
        pytest.param(5, 12, "DE", 0, id="a host on no continent"),
        pytest.param(5, 7, "GB", 1, id="the global tier"),
        pytest.param(8, 7, "DE", 1, id="the global tier after the continent"),
        pytest.param(5, 0, "ZZ", 1, id="a client on no continent"),
    ],
)
def test_a_choice_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    minimum: int,
    lacking: int,
    country: str,
    chosen: int,
) -> None:
    """Hosts are chosen again only if one of the client's continent, or of a tier, has changed."""
    site = _Site(tmp_path, minimum)
    site.ask(country)
    offered = _count(monkeypatch, plan_module, "geo_offer")
    site.swap(_data({lacking: True}, 2000))
    site.ask(country)
    assert len(offered) == chosen


def test_countries_asked_are_anywhere(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With country= the client's own continent says nothing."""
    query = QUERY + b"&country=us"
    site.ask("DE", query)
    offered = _count(monkeypatch, plan_module, "geo_offer")
    site.swap(_data({7: True}, 2000))
    site.ask("DE", query)
    assert len(offered) == 1
