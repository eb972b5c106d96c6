"""What outlives a snapshot: the hosts, their URLs, and the orders that were drawn of them."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.request.address import parse_address
from mirrorlist.request.client import Trust
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from snapshot.file.errors import ForeignSnapshot, TruncatedSnapshot
from snapshot.file.model import Directory, Repository, SnapshotData
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.in_process import NOW, TableGeo
from tests.small_worlds import DIRECTORY, Mirror, small_catalog, small_data

MIRRORS = tuple(Mirror(bandwidth=number) for number in range(1, 13))
QUERY = f"path={DIRECTORY}".encode()


def _less(data: SnapshotData) -> SnapshotData:
    """A host less has the directory."""
    return msgspec.structs.replace(data, host_sets=[data.host_sets[0] & ~1])


def _more(data: SnapshotData) -> SnapshotData:
    """One directory more, and a later read."""
    more = [*data.directories, Directory("top/e", 0, 0, True, 0)]
    return msgspec.structs.replace(data, directories=more, read=data.read + 1)


def _country(data: SnapshotData) -> SnapshotData:
    return _first_host(data, country="FR")


def _bandwidth(data: SnapshotData) -> SnapshotData:
    return _first_host(data, bandwidth=7)


def _first_host(data: SnapshotData, **changes: object) -> SnapshotData:
    first, *others = data.hosts
    return msgspec.structs.replace(data, hosts=[msgspec.structs.replace(first, **changes), *others])


def _url(data: SnapshotData) -> SnapshotData:
    (category,) = data.categories
    first, *others = category.hosts
    first = msgspec.structs.replace(first, urls=("https://new.example/top",))
    category = msgspec.structs.replace(category, hosts=(first, *others))
    return msgspec.structs.replace(data, categories=[category])


def _continent(data: SnapshotData) -> SnapshotData:
    return msgspec.structs.replace(data, continents={**data.continents, "FR": "NA"})


def _same(data: SnapshotData) -> SnapshotData:
    return data


def _store(folder: Path, key: bytes | None = None) -> Store:
    _write(folder, small_data(MIRRORS, {}), key)
    return Store(folder / "mm.snap", key)


def _write(folder: Path, data: SnapshotData, key: bytes | None = None) -> None:
    part = folder / "part"
    part.write_bytes(encode(data, key=key) if key else encode(data))
    part.rename(folder / "mm.snap")


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        pytest.param(_same, True, id="nothing"),
        pytest.param(_less, True, id="who has a directory"),
        pytest.param(_more, True, id="another directory"),
        pytest.param(_country, False, id="a country"),
        pytest.param(_bandwidth, False, id="a bandwidth"),
        pytest.param(_url, False, id="a URL"),
        pytest.param(_continent, False, id="a continent"),
    ],
)
def test_the_roster_is_kept(
    tmp_path: Path, change: Callable[[SnapshotData], SnapshotData], is_kept: bool
) -> None:
    """What follows from hosts, URLs and continents alone is kept if these are equal, only then."""
    store = _store(tmp_path)
    _write(tmp_path, change(small_data(MIRRORS, {})))
    assert (store.load().roster is store.catalog.roster) is is_kept


def _near(data: SnapshotData) -> SnapshotData:
    """A host has another netblock."""
    near = Mirror(netblocks=("198.51.100.0/24",))
    return small_data((near, *MIRRORS[1:]), {})


def _asn(data: SnapshotData) -> SnapshotData:
    return small_data(MIRRORS, {"198.51.100.0/24": 64500})


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        pytest.param(_less, True, id="who has a directory"),
        pytest.param(_near, False, id="a netblock"),
        pytest.param(_asn, False, id="an ASN"),
    ],
)
def test_what_is_known_of_addresses_is_kept(
    tmp_path: Path, change: Callable[[SnapshotData], SnapshotData], is_kept: bool
) -> None:
    """Where the tables know something is put together again only if one of them changed."""
    store, address = _store(tmp_path), parse_address("198.51.100.7")
    assert address is not None
    assert not store.catalog.is_known(address)
    _write(tmp_path, change(small_data(MIRRORS, {})))
    new = store.load()
    assert (new._edges is store.catalog._edges) is is_kept
    assert new.is_known(address) is not is_kept


def test_names_to_suggest_are_kept(tmp_path: Path) -> None:
    """The index of repositories' names is made again if one is renamed or redirected, only then."""
    store = _store(tmp_path)
    _write(tmp_path, _less(small_data(MIRRORS, {})))
    assert store.load()._closest is store.catalog._closest
    row = Repository("new-1", "x86_64", 1, False)
    _write(tmp_path, msgspec.structs.replace(small_data(MIRRORS, {}), repositories=[row]))
    assert store.load().closest("new-2", "x86_64") == [("new-1", "x86_64")]
    _write(tmp_path, msgspec.structs.replace(small_data(MIRRORS, {}), redirects={"a": "b"}))
    assert store.load()._closest is not store.catalog._closest


def test_loading_rests(tmp_path: Path) -> None:
    """A swap calls what lets others run after each step, with lists or only their hosts made."""
    store, counts = _store(tmp_path), []
    for change in (_less, _bandwidth):
        rests: list[None] = []
        _write(tmp_path, change(small_data(MIRRORS, {})))
        store.load(lambda: rests.append(None))  # noqa: B023
        counts.append(len(rests))
    # Opened, compared, verified in five steps, compiled; there is no repository to try out.
    assert counts == [8, 8]


def test_equal_host_sets_are_one(tmp_path: Path) -> None:
    """The hosts of an equal host set are compiled once for all snapshots."""
    store = _store(tmp_path)
    before = store.catalog.carriers(0)
    _write(tmp_path, _more(small_data(MIRRORS, {})))
    assert store.load().carriers(0) is before
    _write(tmp_path, _less(small_data(MIRRORS, {})))
    assert store.load().carriers(0) is not before


def test_host_sets_share_what_is_equal() -> None:
    """Two host sets that differ in one country have equal numbers for all other continents."""
    countries = ("DE", "DE", "FR", "FR", "US")
    roster = small_catalog(*[Mirror(country=country) for country in countries]).roster
    one, other = roster.carriers(0b11111), roster.carriers(0b11011)
    assert roster.ranks.hosts(one.public) == (0, 1, 2, 3, 4)
    assert roster.ranks.hosts(other.public) == (0, 1, 3, 4)
    assert one.nearby.keys() == other.nearby.keys() == {"EU", "NA"}
    assert one.nearby["NA"] == other.nearby["NA"]
    assert one.nearby["EU"] != other.nearby["EU"]


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        pytest.param(_more, True, id="another directory"),
        pytest.param(_less, False, id="a host less"),
    ],
)
def test_orders_are_kept(
    tmp_path: Path, change: Callable[[SnapshotData], SnapshotData], is_kept: bool
) -> None:
    """A drawn order goes on over a change that does not concern its hosts."""
    store = _store(tmp_path)
    # So often used that it is drawn but once.
    service = Service(store, TableGeo({}), Trust(), lambda: NOW, Tuning(reuse=1_000_000))

    def hosts() -> bytes:
        return service.respond(False, QUERY, "192.0.2.1", []).body.partition(b"https")[2]

    bodies = [hosts() for _ in range(4)]
    assert bodies[-1] == bodies[-2]
    _write(tmp_path, change(small_data(MIRRORS, {})))
    store.catalog = store.load()
    # Asked twice before it is kept, so a new order would come with each.
    after = [hosts() for _ in range(3)]
    assert (after == bodies[-1:] * 3) is is_kept
    assert (b"host1.example/" in after[-1]) is is_kept


def test_a_catalog_is_replaced_only_by_who_decides(tmp_path: Path) -> None:
    """Loading gives a catalog and leaves the one in use in its place."""
    store = _store(tmp_path)
    before = store.catalog
    _write(tmp_path, _less(small_data(MIRRORS, {})))
    loaded = store.load()
    assert store.catalog is before
    assert loaded.id != before.id
    assert loaded.id == Catalog(Snapshot(tmp_path / "mm.snap")).id


def test_a_bad_file_leaves_the_catalog(tmp_path: Path) -> None:
    """A file that cannot be loaded raises why, and changes nothing."""
    store = _store(tmp_path)
    before = store.catalog
    content = (tmp_path / "mm.snap").read_bytes()
    (tmp_path / "mm.snap").write_bytes(content[:-8])
    with pytest.raises(TruncatedSnapshot):
        store.load()
    assert store.catalog is before


def test_the_key_counts_for_every_file(tmp_path: Path) -> None:
    """With a key a file that was sealed with another one is not loaded later either."""
    store = _store(tmp_path, b"k" * 32)
    _write(tmp_path, _less(small_data(MIRRORS, {})), b"other" * 8)
    with pytest.raises(ForeignSnapshot):
        store.load()
    _write(tmp_path, _less(small_data(MIRRORS, {})), b"k" * 32)
    assert store.load().id != store.catalog.id
