"""The guard sees what is whole and wrong: countries, machines, netblocks, arches, old checksums."""

from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import RefusedSnapshot
from tests.factories import Row, Tables, file_detail, host, make_database, site

Change = Callable[[Tables], None]
HOSTS = range(1, 13)
COUNTRIES = ["US", "US", "US", "DE", "DE", "FR", "GB", "JP", "CN", "BR", "ZA", "AU"]
ARCHES = ("x86_64", "aarch64", "ppc64le", "source")
RELEASES = range(1, 6)


def _world() -> Tables:
    """Twelve hosts with netblocks carry five releases for four arches."""
    names = ["pub", *(f"pub/{r}/{arch}/os" for r in RELEASES for arch in ARCHES)]
    names += [f"{name}/repodata" for name in names[1:]]
    directories = [{"id": id, "name": name} for id, name in enumerate(names, 1)]
    ids = {str(row["name"]): int(str(row["id"])) for row in directories}
    return {
        "site": [site(id) for id in HOSTS],
        "host": [host(id, country=COUNTRIES[id - 1]) for id in HOSTS],
        "directory": directories,
        "category": [{"id": 1, "name": "Linux", "topdir_id": 1}],
        "category_directory": [{"category_id": 1, "directory_id": id} for id in ids.values()],
        "arch": [{"id": id, "name": name} for id, name in enumerate(ARCHES, 1)],
        "version": [{"id": 1, "name": "1"}],
        "repository": [
            _repository(4 * release + arch, release, arch, ids)
            for release in RELEASES
            for arch in range(1, 5)
        ],
        "repository_redirect": [
            {"id": id, "from_repo": name, "to_repo": "linux-5"}
            for id, name in enumerate(("latest", "stable", "rawhide"), 1)
        ],
        "file_detail": [file_detail(id, id) for name, id in ids.items() if "repodata" in name],
        "host_netblock": [{"id": id, "host_id": id, "netblock": f"192.0.{id}.0"} for id in HOSTS],
        "host_category": [{"id": id, "host_id": id, "category_id": 1} for id in HOSTS],
        "host_category_url": [
            {"id": 2 * id + n, "host_category_id": id, "url": f"{scheme}://h{id}.example/l"}
            for id in HOSTS
            for n, scheme in enumerate(("http", "https"))
        ],
        "host_category_dir": [
            {"host_category_id": id, "directory_id": one, "path": str(one), "up2date": True}
            for id in HOSTS
            for one in ids.values()
        ],
    }


def _repository(id: int, release: int, arch: int, ids: dict[str, int]) -> Row:
    directory = ids[f"pub/{release}/{ARCHES[arch - 1]}/os"]
    row = {"id": id, "name": str(id), "prefix": f"linux-{release}", "arch_id": arch}
    return {**row, "version_id": 1, "directory_id": directory, "disabled": False}


def _each(table: str, change: Callable[[Row], Row]) -> Change:
    def edit(tables: Tables) -> None:
        for row in tables[table]:
            row.update(change(row))

    return edit


def _without(table: str, which: Callable[[Row], bool]) -> Change:
    def edit(tables: Tables) -> None:
        tables[table] = [row for row in tables[table] if not which(row)]

    return edit


def _off(*ids: int) -> Change:
    return _each("host", lambda row: {"user_active": row["id"] not in ids})


ACCIDENTS = [
    pytest.param(_each("host", lambda row: {"country": "US"}), "9 of 12 hosts in the", id="one"),
    pytest.param(_each("host", lambda row: {"country": ""}), "12 of 12 hosts in the", id="none"),
    pytest.param(
        _each("host_category_url", lambda row: {"url": f"https://one.example/{row['id']}"}),
        "11 of 12 different host names",
        id="one machine",
    ),
    pytest.param(
        _without("host_category_url", lambda row: row["url"].startswith("https")),
        "41 of 41 directories with a public host and an https URL",
        id="no https",
    ),
    pytest.param(
        _without("host_netblock", lambda row: True), "12 of 12 active hosts with", id="netblocks"
    ),
    pytest.param(
        _without("arch", lambda row: row["id"] == 1), "5 of 5 repositories .* x86_64", id="arch"
    ),
    pytest.param(
        _each("file_detail", lambda row: {"timestamp": row["timestamp"] - 1}),
        "20 of 20 directories whose repomd.xml",
        id="older details",
    ),
    pytest.param(
        _without(
            "host_category_dir",
            lambda row: row["host_category_id"] != row["directory_id"] % 12 + 1,
        ),
        "451 of 492 mirrors of directories",
        id="a mirror each",
    ),
]
ORDINARY = [
    pytest.param(_without("repository_redirect", lambda row: row["id"] == 3), id="a redirect"),
    pytest.param(_off(4, 7), id="two mirrors off"),
    pytest.param(
        _each("host", lambda row: {"country": "FR"} if row["id"] < 3 else {}), id="two moved"
    ),
    pytest.param(_without("host_netblock", lambda row: row["id"] < 3), id="two netblocks"),
    pytest.param(
        _without("host_category_url", lambda row: row["url"].startswith("http:")), id="no http"
    ),
    pytest.param(
        _each("host_category_url", lambda row: {"url": f"{row['url']}/new"}), id="other paths"
    ),
    pytest.param(
        _each("file_detail", lambda row: {"timestamp": row["timestamp"] + 9}), id="newer details"
    ),
    pytest.param(
        _without("repository", lambda row: row["id"] % 4 == 3 and row["id"] < 16),
        id="an arch of old releases",
    ),
]


def _exported(folder: Path, change: Change = lambda tables: None) -> None:
    tables = _world()
    change(tables)
    export(make_database(folder / "mm.sqlite", tables), Job(folder / "mm.snap", resolve_dns=False))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The snapshot of the world before anything happens to it."""
    folder = tmp_path_factory.mktemp("before")
    _exported(folder)
    return (folder / "mm.snap").read_bytes()


@pytest.mark.parametrize(("accident", "says"), ACCIDENTS)
def test_an_accident(tmp_path: Path, before: bytes, accident: Change, says: str) -> None:
    """What is complete and wrong is refused, with counts; what was published stays."""
    (tmp_path / "mm.snap").write_bytes(before)
    with pytest.raises(RefusedSnapshot, match=says):
        _exported(tmp_path, accident)
    assert (tmp_path / "mm.snap").read_bytes() == before


@pytest.mark.parametrize("change", ORDINARY)
def test_an_ordinary_day(tmp_path: Path, before: bytes, change: Change) -> None:
    """What changes one by one, or on purpose, is published."""
    (tmp_path / "mm.snap").write_bytes(before)
    _exported(tmp_path, change)
