"""When an export first showed what it shows: compared with what was published before it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from snapshot.cache.importer import import_cache
from snapshot.export.exporter import export
from snapshot.export.history import continue_history
from snapshot.export.job import Job
from snapshot.export.opened import Opened
from snapshot.export.publish import last_published
from snapshot.file.model import Category, Directory, History, SnapshotData
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.cache_file import write_cache
from tests.factories import edited, make_database
from tests.snapshots import sections_of, small_data, with_sections

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CATEGORIES = [Category(3, "Linux", "pub", ()), Category(5, "EPEL", "epel", ())]
PUB = Directory("pub", 0, 0, True, 100)
OLD = Directory("pub/40", 0, 0, True, 200)
DIRECTORIES = (PUB, OLD)


def data(read: int, directories: Sequence[Directory] = DIRECTORIES) -> SnapshotData:
    """Return what an export at a time finds, without its history."""
    return small_data(
        read=read, categories=CATEGORIES, directories=list(directories), host_sets=[1],
        repositories=[], file_details={},
    )  # fmt: skip


def published(folder: Path, data: SnapshotData, history: History | None) -> Snapshot:
    """Return the snapshot of data with a history."""
    path = folder / "last.snap"
    path.write_bytes(encode(replace(data, history=history)))
    return Snapshot(path)


def _directory(name: str, ctime: int = 200, category: int | None = 0) -> Directory:
    return Directory(name, category, 0, True, ctime)


def test_the_first_export(tmp_path: Path) -> None:
    """Without a snapshot before it an export knows no moments, and nothing before its read."""
    assert continue_history(data(1000), None) == History(1000, 1000, [0, 0])


def test_without_change_times(tmp_path: Path) -> None:
    """Where no directory has a change time there is no history, whatever was there before."""
    undated = [Directory("pub", 0, 0, True, 0)]
    last = published(tmp_path, data(1000), History(900, 1000, [0, 950]))
    assert continue_history(data(2000, undated), last) is None
    assert continue_history(data(2000, undated), None) is None


NEW = _directory("pub/41")
CHANGES = [
    pytest.param([PUB, OLD], [0, 950], id="nothing"),
    pytest.param([PUB, _directory("pub/40", 201)], [0, 2000], id="change time"),
    pytest.param([PUB, _directory("pub/40", 199)], [0, 2000], id="change time that went back"),
    pytest.param([PUB, OLD, NEW], [0, 950, 2000], id="new directory"),
    pytest.param([PUB], [2000], id="gone, so the one above it"),
    pytest.param([PUB, Directory("pub/40", 0, 0, False, 200)], [0, 2000], id="readable"),
    pytest.param([PUB, _directory("pub/40", category=1)], [0, 2000], id="another category"),
    pytest.param([PUB, _directory("pub/40", category=None)], [0, 2000], id="no category"),
    pytest.param([PUB, Directory("pub/40", 0, None, True, 200)], [0, 950], id="another host set"),
    pytest.param([NEW], [2000], id="all of it"),
]


@pytest.mark.parametrize(("directories", "moments"), CHANGES)
def test_what_changed(tmp_path: Path, directories: list[Directory], moments: list[int]) -> None:
    """What is shown otherwise than before has this export's moment; all else keeps its own."""
    last = published(tmp_path, data(1000), History(900, 1000, [0, 950]))
    assert continue_history(data(2000, directories), last) == History(900, 2000, moments)


def test_a_hidden_tree_appears(tmp_path: Path) -> None:
    """When a directory becomes readable, so does all below it, though its flags were on."""
    tree = [PUB, OLD, _directory("pub/40/os"), _directory("pub/400")]
    hidden = [replace(one, readable=one is not OLD) for one in tree]
    last = published(tmp_path, data(1000, hidden), History(900, 1000, [0, 0, 0, 0]))
    assert continue_history(data(2000, tree), last) == History(900, 2000, [0, 2000, 2000, 0])


@pytest.mark.parametrize(
    ("gone", "moments"),
    [
        pytest.param("pub/40/os/x86_64", [0, 2000], id="the nearest that is there"),
        pytest.param("pub/.snapshot/daily", [0, 0], id="noise"),
        pytest.param("pub/40/.~tmp~", [0, 0], id="rsync's own"),
        pytest.param("elsewhere/x", [0, 0], id="nothing above it"),
    ],
)
def test_what_is_gone(tmp_path: Path, gone: str, moments: list[int]) -> None:
    """What is gone counts for the directory above it, unless nobody would have it."""
    before = sorted([PUB, OLD, _directory(gone)], key=lambda one: one.name)
    last = published(tmp_path, data(1000, before), History(900, 1000, [0, 0, 0]))
    assert continue_history(data(2000), last) == History(900, 2000, moments)


def test_categories_are_the_same_by_id(tmp_path: Path) -> None:
    """A category before the others moves the places of all, and changes nothing."""
    last = published(tmp_path, data(1000), History(900, 1000, [0, 0]))
    more = replace(
        data(2000, [replace(one, category=1) for one in DIRECTORIES]),
        categories=[Category(1, "Archive", "archive", ()), *CATEGORIES],
    )
    assert continue_history(more, last) == History(900, 2000, [0, 0])


@pytest.mark.parametrize(
    ("read", "cursor"),
    [
        pytest.param(1001, 1001, id="a second later"),
        pytest.param(1000, 1001, id="in the same second"),
        pytest.param(500, 1001, id="a clock that was set back"),
    ],
)
def test_the_cursor_rises(tmp_path: Path, read: int, cursor: int) -> None:
    """A cursor is later than all before it, and what changed has it as its moment."""
    last = published(tmp_path, data(1000), History(900, 1000, [0, 0]))
    found = continue_history(data(read, [PUB, _directory("pub/40", 201)]), last)
    assert found == History(900, cursor, [0, cursor])


def test_a_cursor_beyond_all_times(tmp_path: Path) -> None:
    """A cursor beyond any clock makes the history begin again, and ends no export."""
    for cursor in (1 << 62, (1 << 63) - 1):
        last = published(tmp_path, data(1000), History(900, cursor, [0, 0]))
        assert continue_history(data(2000), last) == History(2000, 2000, [0, 0])


def test_a_malformed_one(tmp_path: Path) -> None:
    """A published snapshot whose names are not text is ignored: the history begins again."""
    content = bytes(encode(replace(data(1000), history=History(900, 1000, [0, 950]))))
    names = next(one.data for one in sections_of(content) if one.name == "directory_names")
    spoilt = bytes(names).replace(b"40", b"\xff\xff")
    path = tmp_path / "last.snap"
    path.write_bytes(with_sections(content, {"directory_names": spoilt}))
    last = last_published(Opened(), path, None)
    assert last is None
    assert continue_history(data(2000), last) == History(2000, 2000, [0, 0])


def test_an_older_format(tmp_path: Path) -> None:
    """A snapshot of format 1.0 begins a history: what changed since it has a moment."""
    last = published(tmp_path, data(1000), None)
    found = continue_history(data(2000, [PUB, _directory("pub/40", 201)]), last)
    assert found == History(1000, 2000, [0, 2000])


def _export(folder: Path, *changed: int, key: bytes | None = None) -> Snapshot:
    """Export the small world, in which some directories changed; nothing is refused."""
    ids = {1: 100, 2: 200, 3: 300}
    edits = [("directory", id, {"ctime": ids[id] + changed.count(id)}) for id in ids]
    database = folder / "mm.sqlite"
    database.unlink(missing_ok=True)
    url = make_database(database, edited(*edits))
    export(url, Job(folder / "mm.snap", key=key, max_loss=None))
    return Snapshot(folder / "mm.snap", key)


def _dated(snapshot: Snapshot) -> dict[str, int]:
    """Return the names of the directories with a moment, as exports since the first one."""
    names, history = snapshot.directory_names(), snapshot.history
    moments = sorted({moment for moment in history.moments if moment})
    pairs = zip(names, history.moments, strict=True)
    return {name: moments.index(moment) for name, moment in pairs if moment}


OS, REPODATA = "pub/linux/40/x86_64/os", "pub/linux/40/x86_64/os/repodata"


def test_exports_in_a_row(tmp_path: Path) -> None:
    """Each export continues the one before it, within a second too."""
    first = _export(tmp_path)
    assert _dated(first) == {}
    assert _dated(_export(tmp_path, 2)) == {OS: 0}
    last = _export(tmp_path, 2, 3)
    assert _dated(last) == {OS: 0, REPODATA: 1}
    assert last.history.since == first.read
    assert last.history.cursor >= first.history.cursor + 2


def test_the_id_is_that_of_the_content(tmp_path: Path) -> None:
    """A history leaves the snapshot id as it is."""
    (tmp_path / "alone").mkdir()
    _export(tmp_path)
    assert _export(tmp_path, 2).id == _export(tmp_path / "alone", 2).id


def _remove(path: Path) -> None:
    path.unlink()


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _import(path: Path) -> None:
    import_cache(write_cache(path.with_name("cache")), Job(path, max_loss=None))


@pytest.mark.parametrize("spoil", [_remove, _damage, _empty])
def test_a_published_file_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """The newest kept one that can be read takes its place: what changed since it is dated."""
    first = _export(tmp_path)
    _export(tmp_path, 2)
    spoil(tmp_path / "mm.snap")
    last = _export(tmp_path, 2, 3)
    assert last.history.since == first.read
    assert _dated(last) == {OS: 0, REPODATA: 0}


def test_an_imported_cache_in_between(tmp_path: Path) -> None:
    """What has no change times is passed over, and the one before it is continued."""
    first = _export(tmp_path)
    _import(tmp_path / "mm.snap")
    assert "history" not in dict(Snapshot(tmp_path / "mm.snap").section_sizes)
    last = _export(tmp_path, 3)
    assert last.history.since == first.read
    assert _dated(last) == {REPODATA: 0}


def test_nothing_that_can_be_used(tmp_path: Path) -> None:
    """Without any, a history begins with this export."""
    _export(tmp_path)
    _damage(tmp_path / "mm.snap")
    last = _export(tmp_path, 2)
    assert (last.history.since, _dated(last)) == (last.read, {})


def test_another_key(tmp_path: Path) -> None:
    """A snapshot that was not sealed with the exporter's key says nothing about the past."""
    first = _export(tmp_path, key=KEY)
    assert _dated(_export(tmp_path, 2, key=KEY)) == {OS: 0}
    assert first.history.since == Snapshot(tmp_path / "mm.snap").history.since
    last = _export(tmp_path, 3, key=OTHER_KEY)
    assert (last.history.since, _dated(last)) == (last.read, {})


def test_going_back(tmp_path: Path) -> None:
    """After a kept snapshot was put back, the changes of the one in between get new moments."""
    _export(tmp_path)
    between = _export(tmp_path, 2)
    (tmp_path / "mm.snap.1").replace(tmp_path / "mm.snap")
    last = _export(tmp_path, 2)
    assert _dated(last) == {OS: 0}
    assert max(last.history.moments) >= between.history.cursor


def test_which_is_the_last(tmp_path: Path) -> None:
    """The published one, else the first kept one, else the second; and there may be none."""
    path = tmp_path / "mm.snap"
    assert last_published(Opened(), path, None) is None
    for changed in (1, 2, 3):
        _export(tmp_path, changed)
    for name in ("mm.snap", "mm.snap.1", "mm.snap.2"):
        found = last_published(Opened(), path, None)
        assert found is not None
        assert found.path == str(tmp_path / name)
        (tmp_path / name).unlink()
    assert last_published(Opened(), path, None) is None
