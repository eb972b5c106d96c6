"""The guard counts what a stranger can use: accidents that leave a useless snapshot are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.usable import Quality, usable
from snapshot.file.errors import RefusedSnapshot
from tests.factories import (
    MD5,
    SHA1,
    SHA256,
    SHA512,
    Row,
    Tables,
    export_tables,
    make_database,
    world,
)

EPEL = {4, 5, 6}


def _set(table: str, **columns: object) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        for row in tables[table]:
            row.update(columns)

    return change


def _allow(country: Callable[[int], str]) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        tables["host_country_allowed"] = [
            {"id": row["id"], "host_id": row["id"], "country": country(row["id"])}
            for row in tables["host"]
        ]

    return change


def _delete(
    table: str, which: Callable[[Row], bool] = lambda row: True
) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        tables[table] = [row for row in tables[table] if not which(row)]

    return change


def _rsync_only(tables: Tables) -> None:
    for row in tables["host_category_url"]:
        row["url"] = f"rsync://{row['id']}.example/"


# What happened at other sites, and what is left for clients after it.
ACCIDENTS = [
    pytest.param(_delete("file_detail"), "2 of 2 repositories with checksums", id="no details"),
    pytest.param(
        _set("file_detail", md5=None, sha1=None, sha256=None, sha512=None),
        "2 of 2 repositories with checksums",
        id="details without a checksum",
    ),
    pytest.param(
        _set("file_detail", sha256="", sha512=" "),
        "2 of 2 repositories with a SHA-256 or SHA-512",
        id="weak checksums only",
    ),
    pytest.param(
        _delete("file_detail", lambda row: row["directory_id"] == 6),
        "1 of 2 repositories with checksums",
        id="no details in one of two categories",
    ),
    pytest.param(
        _set("file_detail", filename="other.xml"), "repositories with checksums", id="other files"
    ),
    pytest.param(_set("site", private=True), "5 of 5 public hosts", id="all sites private"),
    pytest.param(_set("host", private=True), "5 of 5 public hosts", id="all hosts private"),
    pytest.param(
        _set("host_category_url", private=True), "6 of 6 directories", id="all URLs private"
    ),
    pytest.param(_set("host", user_active=False), "8 of 8 hosts", id="all hosts inactive"),
    pytest.param(_set("site", admin_active=False), "8 of 8 hosts", id="all sites inactive"),
    pytest.param(_allow("Z{}".format), "5 of 5 public hosts", id="countries that do not exist"),
    pytest.param(
        _allow(lambda id: ["AQ", "BV", "GS", "HM", "TF", "IO", "UM", "CC", "CX"][id - 1]),
        "6 of 6 directories with a public host and an http or https URL for every country",
        id="each for one country",
    ),
    pytest.param(_rsync_only, "5 of 5 public hosts with an http", id="rsync URLs only"),
    pytest.param(_delete("host_category_url"), "6 of 6 directories", id="no URLs"),
    pytest.param(_delete("repository_redirect"), "1 of 1 redirects", id="no redirects"),
    pytest.param(
        _set("repository_redirect", to_repo="nowhere"), "1 of 1 redirects", id="dangling redirects"
    ),
    pytest.param(_set("repository", disabled=True), "2 of 2 repositories", id="all disabled"),
    pytest.param(_delete("category_directory"), "6 of 6 directories", id="in no category"),
]


def _exported(folder: Path, *changes: Callable[[Tables], None], max_loss: int = 30) -> None:
    tables = world()
    for change in changes:
        change(tables)
    url = make_database(folder / "mm.sqlite", tables)
    export(url, Job(folder / "mm.snap", resolve_dns=False, max_loss=max_loss))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The snapshot of the small world, before anything happens to it."""
    folder = tmp_path_factory.mktemp("before")
    _exported(folder)
    return (folder / "mm.snap").read_bytes()


@pytest.fixture
def exported(tmp_path: Path, before: bytes) -> Path:
    """A folder with that snapshot."""
    (tmp_path / "mm.snap").write_bytes(before)
    return tmp_path


@pytest.mark.parametrize(("accident", "says"), ACCIDENTS)
def test_an_accident(
    exported: Path, before: bytes, accident: Callable[[Tables], None], says: str
) -> None:
    """What leaves strangers without an answer, or without a checksum, is refused with counts."""
    with pytest.raises(RefusedSnapshot) as caught:
        _exported(exported, accident)
    text = str(caught.value)
    assert says in text
    for part in ("before", "now", "--force", "--max-loss"):
        assert part in text
    assert (exported / "mm.snap").read_bytes() == before
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("max_loss", [50, 99])
@pytest.mark.parametrize(
    ("accident", "says"),
    [
        pytest.param(
            _delete("host_category_dir", lambda row: row["directory_id"] in EPEL),
            "3 of 3 directories that clients can use, in category EPEL, all of them"
            " (3 before, 0 now)",
            id="not up to date",
        ),
        pytest.param(
            _delete("file_detail", lambda row: row["directory_id"] in EPEL),
            "1 of 1 repositories with checksums of their repomd.xml, in category EPEL",
            id="no checksum",
        ),
        pytest.param(
            _delete("host_category_url", lambda row: row["host_category_id"] == 12),
            "3 of 3 directories that clients can use, in category EPEL",
            id="no URL",
        ),
    ],
)
def test_a_category_gone(
    exported: Path, accident: Callable[[Tables], None], says: str, max_loss: int
) -> None:
    """A category of which nothing is left is missed, however small its share of the whole."""
    with pytest.raises(RefusedSnapshot) as caught:
        _exported(exported, accident, max_loss=max_loss)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            _delete("host_category_dir", lambda row: row["directory_id"] == 4),
            id="one of three directories of a small category",
        ),
        pytest.param(_delete("host", lambda row: row["id"] == 2), id="one of six public hosts"),
        pytest.param(lambda tables: tables["host"][0].update(country="FR"), id="a host that moves"),
        pytest.param(
            lambda tables: tables["category"][1].update(name="Extras"), id="a category renamed"
        ),
    ],
)
def test_what_happens_on_any_day(exported: Path, change: Callable[[Tables], None]) -> None:
    """What sites do each day is published without a question."""
    _exported(exported, change)


@pytest.mark.parametrize(
    "accident",
    [
        pytest.param(_set("site", private=True), id="private"),
        pytest.param(_set("host", user_active=False), id="inactive"),
        pytest.param(_allow("Z{}".format), id="countries that do not exist"),
        pytest.param(_rsync_only, id="rsync only"),
        pytest.param(_delete("host_category_url"), id="no URLs"),
        pytest.param(_delete("host_category_dir"), id="nothing up to date"),
    ],
)
def test_a_first_one_of_no_use(tmp_path: Path, accident: Callable[[Tables], None]) -> None:
    """A first snapshot with nothing for strangers is refused as empty; once forced, it goes on."""
    with pytest.raises(RefusedSnapshot, match=r"empty: .*http or https.*--force"):
        _exported(tmp_path, accident, max_loss=100)
    assert not (tmp_path / "mm.snap").exists()
    url = f"sqlite:///{tmp_path / 'mm.sqlite'}"
    export(url, Job(tmp_path / "mm.snap", resolve_dns=False, max_loss=None))
    _exported(tmp_path, accident)


def test_anything_may_go_at_a_hundred_percent(exported: Path) -> None:
    """Who allows the loss of everything is not asked about a category."""
    _exported(exported, _delete("file_detail"), max_loss=100)


# The directory of a repository and its repodata, in the small world.
OS, REPODATA = 2, 3
WEB = Quality.USABLE | Quality.PUBLIC | Quality.EVERYWHERE | Quality.SECURE
STRONG = Quality.CHECKED | Quality.STRONG


def _hashes(**given: str) -> Callable[[Tables], None]:
    none = dict.fromkeys(("md5", "sha1", "sha256", "sha512"))
    return _set("file_detail", **{**none, **given})


def _nowhere(*directories: int) -> Callable[[Tables], None]:
    return _delete("host_category_dir", lambda row: row["directory_id"] in directories)


def _at_repodata(tables: Tables) -> None:
    tables["repository"][0].update(directory_id=REPODATA)


def _private_repodata(tables: Tables) -> None:
    """Let only the private host 6 have the repodata."""
    _delete(
        "host_category_dir",
        lambda row: row["directory_id"] == REPODATA and row["host_category_id"] != 61,
    )(tables)


def _repodata_only(tables: Tables) -> None:
    """Let hosts have the repodata, without a checksum, and not the directory above it."""
    _nowhere(OS)(tables)
    _hashes()(tables)


def _two_versions(tables: Tables) -> None:
    """Give the newer version of the repomd.xml an MD5 only, and the older one no checksum."""
    _hashes()(tables)
    tables["file_detail"].append({**tables["file_detail"][0], "id": 9, "md5": MD5})
    tables["file_detail"][0].update(timestamp=1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_hashes(sha512=SHA512), WEB | STRONG, id="SHA-512 only"),
        pytest.param(_hashes(sha256=SHA256), WEB | STRONG, id="SHA-256 only"),
        pytest.param(_hashes(sha1=SHA1), WEB | Quality.CHECKED, id="SHA-1 only"),
        pytest.param(_hashes(md5=MD5), WEB | Quality.CHECKED, id="MD5 only"),
        pytest.param(_hashes(), WEB, id="no checksum"),
        pytest.param(_two_versions, WEB | Quality.CHECKED, id="one of two versions"),
        pytest.param(_at_repodata, WEB | STRONG, id="repodata as the repository's directory"),
        pytest.param(_nowhere(REPODATA), WEB, id="no host has the repodata"),
        pytest.param(_nowhere(OS, REPODATA), 0, id="no host has the repository"),
        pytest.param(_repodata_only, 0, id="hosts have the repodata only"),
        pytest.param(_private_repodata, WEB | STRONG, id="a private host has the repodata"),
        pytest.param(
            _delete("directory", lambda row: row["id"] == REPODATA), WEB, id="no repodata"
        ),
    ],
)
def test_checksums_of_a_repository(
    tmp_path: Path, change: Callable[[Tables], None], expected: int
) -> None:
    """A repository has the checksums of the repomd.xml in its repodata, if a host has that."""
    tables = world()
    change(tables)
    snapshot, _ = export_tables(tmp_path, tables)
    things = usable(snapshot).repositories
    found = dict(zip(things.keys, things.qualities, strict=True))
    assert found["linux-40", "x86_64"] == expected
