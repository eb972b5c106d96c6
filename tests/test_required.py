"""Queries that a new snapshot must have a host for (`--require`)."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from mirrorlist.cli.required import parse_required
from mirrorlist.errors import OptionError
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.required import check_required
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.model import Directory, Repository, SnapshotData
from snapshot.file.reader import Snapshot
from tests.cache_file import write_cache
from tests.command import assert_refused, run
from tests.factories import export_tables, make_database, world
from tests.snapshots import small_content, small_data, write

MISSING = "repo=no-such&arch=x86_64"
HOSTS = small_data().hosts


def served() -> SnapshotData:
    """Return a snapshot in which a public host has a repository and its repodata."""
    return small_data(
        directories=[
            Directory("pub", 0, 0, True, 100),
            Directory("pub/41/repodata", 0, 0, True, 100),
            Directory("pub/41", 0, 0, True, 100),
            Directory("pub/empty", 0, 1, True, 100),
            Directory("pub/half", 0, 0, True, 100),
            Directory("pub/half/repodata", 0, 1, True, 100),
            Directory("void", None, None, True, 100),
        ],
        repositories=[
            Repository("empty", "x86_64", 3, False),
            Repository("half", "x86_64", 4, False),
            Repository("linux-41", "x86_64", 2, False),
            Repository("off", "ppc64", 2, True),
            Repository("off", "x86_64", 2, False),
        ],
        redirects={"linux": "linux-41"},
        file_details={},
    )


def sorted_by_name(data: SnapshotData) -> SnapshotData:
    """Return the data with its directories in order, as a snapshot has them."""
    order = sorted(range(len(data.directories)), key=lambda at: data.directories[at].name.encode())
    place = {old: new for new, old in enumerate(order)}
    return replace(
        data,
        directories=[data.directories[at] for at in order],
        repositories=[replace(row, directory=place[row.directory]) for row in data.repositories],
    )


def check(folder: Path, query: str, **changes: object) -> None:
    """Check whether a snapshot answers a query."""
    data = replace(sorted_by_name(served()), **changes)
    fields = {name: getattr(data, name) for name in data.__struct_fields__}
    path = write(folder, small_content(**fields))
    check_required(Snapshot(path), [parse_required(query)])


@pytest.mark.parametrize(
    "query",
    [
        "repo=linux-41&arch=x86_64",
        "arch=x86_64&repo=linux",
        "path=pub/41",
        "path=/pub//41/",
        "path=pub/41/repodata/repomd.xml",
        "path=pub%2F41",
    ],
)
def test_a_query_with_a_host(tmp_path: Path, query: str) -> None:
    """A repository, a redirect, a directory and a file in one are found as by clients."""
    check(tmp_path, query)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (MISSING, "no such repository and arch"),
        ("repo=linux-41&arch=s390x", "no such repository and arch"),
        ("repo=off&arch=x86_64", "the repository is disabled"),
        (
            "repo=empty&arch=x86_64",
            "no active, public host",
        ),
        ("repo=half&arch=x86_64", "URL has pub/half/repodata"),
        ("path=pub/empty", "URL has pub/empty"),
        ("path=nowhere/at/all", "no such directory"),
        ("path=void", "void is in no category"),
    ],
)
def test_a_query_without_a_host(tmp_path: Path, query: str, why: str) -> None:
    """The refusal names the query and the reason."""
    with pytest.raises(RefusedSnapshot) as caught:
        check(tmp_path, query)
    assert str(caught.value).startswith(f"the new snapshot has no host for {query} (--require): ")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": [replace(HOSTS[0], inactive=1), HOSTS[1]]},
        {"hosts": [replace(HOSTS[0], private=True), HOSTS[1]]},
        {
            "categories": [
                replace(
                    small_data().categories[0],
                    hosts=(replace(small_data().categories[0].hosts[0], urls=("rsync://a/l",)),),
                )
            ]
        },
    ],
    ids=["inactive", "private", "rsync only"],
)
def test_a_host_that_strangers_do_not_get(tmp_path: Path, changes: dict[str, object]) -> None:
    """A host counts if it is active and public, and has a URL for package managers."""
    with pytest.raises(RefusedSnapshot, match="no active, public host"):
        check(tmp_path, "path=pub/41", **changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epel-9",
        "repo=epel-9",
        "repo=&arch=x86_64",
        "path=",
        "path=/",
        "path=a&repo=b&arch=c",
        "repo=a&repo=b&arch=c",
        "repos=epel-9&arch=x86_64",
        "repo=epel-9&arch=x86_64&country=DE",
        "path=%zz",
        "path=" + "a" * 2049,
    ],
)
def test_a_malformed_value(text: str) -> None:
    """Any other text is refused, and named."""
    with pytest.raises(OptionError, match="--require "):
        parse_required(text)


def test_an_export(tmp_path: Path) -> None:
    """A malformed value ends with 2; a snapshot that lacks a query with 3, and the old file stays;
    --force publishes it nevertheless.
    """
    snapshot, _ = tmp_path / "mm.snap", export_tables(tmp_path, world())
    before = snapshot.read_bytes()
    database = make_database(tmp_path / "other.sqlite", world())
    words = ["export", "--database", database, "--output", snapshot, "--max-loss", 100]
    assert_refused(run(*words, "--require", "epel-9"), 2, "--require epel-9: give repo=NAME")
    assert_refused(run(*words, MIRRORLIST_REQUIRE=f"path=a,{MISSING}"), 3, "no host for path=a")
    assert snapshot.read_bytes() == before
    assert run(*words, "--require", MISSING, "--force").returncode == 0
    assert snapshot.read_bytes() != before


def test_an_import(tmp_path: Path) -> None:
    """An import refuses a snapshot that lacks a query, and publishes one that has it."""
    cache, snapshot = write_cache(tmp_path / "cache.proto"), tmp_path / "mm.snap"
    words = ["import-cache", cache, "--output", snapshot]
    assert_refused(run(*words, "--require", MISSING), 3, f"no host for {MISSING}")
    assert not snapshot.exists()


def test_a_published_one_that_lacks_it(tmp_path: Path) -> None:
    """A watch that begins with a new query says so, even if the content is unchanged and young."""
    export_tables(tmp_path, world())
    job = Job(tmp_path / "mm.snap", refresh=300, required=(parse_required(MISSING),))
    with pytest.raises(RefusedSnapshot, match="no host for"):
        export(f"sqlite:///{tmp_path / 'mm.sqlite'}", job)
    found = replace(job, required=(parse_required("repo=epel-9&arch=x86_64"),))
    assert not export(f"sqlite:///{tmp_path / 'mm.sqlite'}", found).written
