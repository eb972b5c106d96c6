"""What a new snapshot must be like to take the place of the published one."""

from collections.abc import Hashable
from pathlib import Path

import pytest
from msgspec.structs import replace

from snapshot.export.checks import check_publishable
from snapshot.export.usable import Quality, Things, usable
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.model import (
    Category,
    CategoryHost,
    Directory,
    Host,
    Inactive,
    Repository,
    SnapshotData,
)
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.snapshots import BUILT, READ, small_data

COUNT = 10
KINDS = ["hosts", "directories", "repositories"]


def production() -> SnapshotData:
    """Return ten hosts, each alone in one directory that is a repository too."""
    hosts = [
        Host(number, f"m{number}", "s", "DE", 1, False, 0, (), ()) for number in range(1, COUNT + 1)
    ]
    carrying = tuple(CategoryHost(index, False, ("https://m/top",)) for index in range(COUNT))
    return small_data(
        hosts=hosts,
        categories=[Category(1, "Top", "top", carrying)],
        host_sets=[1 << index for index in range(COUNT)],
        directories=[Directory(f"top/{index}", 0, index, True, 0) for index in range(COUNT)],
        repositories=[Repository(f"r{index}", "x86_64", index, False) for index in range(COUNT)],
        redirects={},
        file_details={},
        netblock_chains=[],
        netblock_ranges=small_data().asn_ranges,
    )


def without(kind: str, count: int) -> SnapshotData:
    """Return a snapshot in which clients can no longer use this many things of one kind."""
    data = production()
    gone = range(count)
    match kind:
        case "hosts":
            inactive = [
                replace(host, inactive=Inactive.HOST_USER) if index in gone else host
                for index, host in enumerate(data.hosts)
            ]
            return replace(data, hosts=inactive)
        case "directories":
            # Repositories stand in the directories of hosts that stay, so that none is lost.
            return replace(
                data,
                host_sets=[*data.host_sets, 0],
                directories=[
                    replace(directory, host_set=COUNT) if index in gone else directory
                    for index, directory in enumerate(data.directories)
                ],
                repositories=[replace(row, directory=COUNT - 1) for row in data.repositories],
            )
        case _:
            return replace(
                data,
                repositories=[
                    replace(row, disabled=index in gone)
                    for index, row in enumerate(data.repositories)
                ],
            )


def saved(folder: Path, name: str, data: SnapshotData) -> Snapshot:
    """Return the opened snapshot of some data."""
    path = folder / name
    path.write_bytes(encode(data, BUILT))
    return Snapshot(path)


def check(folder: Path, new: SnapshotData, old: SnapshotData | None, max_loss: int = 30) -> None:
    """Check a new snapshot against an old one, both through their files."""
    before = None if old is None else saved(folder, "old", old)
    check_publishable(saved(folder, "new", new), before, max_loss)


def test_what_is_served(tmp_path: Path) -> None:
    """Counted is what clients can be given; an inactive host and an empty directory are not."""
    data = small_data(repositories=[
        Repository("linux-40", "x86_64", 1, False),
        Repository("linux-41", "x86_64", 1, True),
        Repository("linux-42", "x86_64", 2, False),
    ])  # fmt: skip
    found = usable(saved(tmp_path, "mm", data))
    assert _of(found.hosts, Quality.USABLE) == {7}
    assert _of(found.directories, Quality.USABLE) == {"pub"}
    assert _of(found.repositories, Quality.USABLE) == {("linux-40", "x86_64")}


def _of(things: Things, quality: Quality) -> set[Hashable]:
    return {
        key
        for key, qualities in zip(things.keys, things.qualities, strict=True)
        if qualities & quality
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_at_the_limit(tmp_path: Path, kind: str) -> None:
    """Three of ten may go at 30 %."""
    check(tmp_path, without(kind, 3), production())


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_past_the_limit(tmp_path: Path, kind: str) -> None:
    """Four of ten are too many at 30 %: the refusal counts them, and says what can be done."""
    with pytest.raises(RefusedSnapshot) as caught:
        check(tmp_path, without(kind, 4), production())
    text = str(caught.value)
    assert f"lost 4 of 10 {kind} that clients can use, more than 30 %" in text
    assert "nothing was published" in text
    assert "--force" in text
    assert "--max-loss" in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("max_loss", "lost"), [(0, 1), (100, None), (50, 6), (99, 10)])
def test_the_limit_is_a_setting(tmp_path: Path, kind: str, max_loss: int, lost: int | None) -> None:
    """0 allows no loss at all, 100 any; what is one less than too many is allowed."""
    if lost is None:
        check(tmp_path, without(kind, COUNT), production(), max_loss)
        return
    check(tmp_path, without(kind, lost - 1), production(), max_loss)
    with pytest.raises(RefusedSnapshot, match=f"lost {lost} of 10 {kind}"):
        check(tmp_path, without(kind, lost), production(), max_loss)


@pytest.mark.parametrize("kind", KINDS)
def test_others_in_their_place_are_a_loss(tmp_path: Path, kind: str) -> None:
    """Equal counts do not hide that all are others, as after a restore of another database."""
    old = production()
    match kind:
        case "hosts":
            new = replace(old, hosts=[replace(host, id=host.id + 100) for host in old.hosts])
        case "directories":
            renamed = [replace(row, name=f"top/x{row.name[4:]}") for row in old.directories]
            new = replace(old, directories=renamed)
        case _:
            renamed_rows = [replace(row, prefix=f"other-{row.prefix}") for row in old.repositories]
            new = replace(old, repositories=renamed_rows)
    with pytest.raises(RefusedSnapshot, match=f"lost 10 of 10 {kind}"):
        check(tmp_path, new, old)


def test_what_is_added_is_no_loss(tmp_path: Path) -> None:
    """A snapshot may grow as it likes, and nothing may become something."""
    check(tmp_path, production(), without("hosts", 9), 0)
    check(tmp_path, production(), small_data(host_sets=[0, 0]), 100)


def test_an_old_one_without_anything(tmp_path: Path) -> None:
    """Of nothing nothing can be lost."""
    check(tmp_path, production(), without("directories", COUNT), 0)


@pytest.mark.parametrize("old", [None, production()], ids=["the first", "a later one"])
@pytest.mark.parametrize(
    ("empty", "missing"),
    [
        pytest.param(
            small_data(
                hosts=[],
                categories=[Category(3, "Linux", "pub", ())],
                host_sets=[0, 0],
                netblock_chains=[],
                netblock_ranges=small_data().asn_ranges,
            ),
            "host",
            id="no hosts",
        ),
        pytest.param(
            small_data(directories=[], repositories=[], file_details={}, redirects={}),
            "directory",
            id="no directories",
        ),
    ],
)
def test_an_empty_one(
    tmp_path: Path, empty: SnapshotData, missing: str, old: SnapshotData | None
) -> None:
    """A database without hosts or directories is a failed restore, even the first time."""
    with pytest.raises(RefusedSnapshot, match=f"empty: it has no {missing}; .* --force"):
        check(tmp_path, empty, old, 100)


def test_an_older_one(tmp_path: Path) -> None:
    """A snapshot of an earlier read does not come back over a later one."""
    with pytest.raises(RefusedSnapshot, match="older: its database was read 1 s before"):
        check(tmp_path, replace(production(), read=READ - 1), production(), 100)


def test_one_of_the_same_second(tmp_path: Path) -> None:
    """Two reads within a second are in order."""
    check(tmp_path, production(), production(), 0)
