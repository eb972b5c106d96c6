"""Spool files into a database: every sum is right, each batch is in it once, and none is lost."""

import itertools
import random
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from datasketches import hll_sketch, tgt_hll_type
from msgspec import structs

from snapshot.file.errors import DatabaseError, SpoolError
from snapshot.stats import spool
from snapshot.stats.collecting import Collected, collect
from snapshot.stats.cubes import key, neighbours
from snapshot.stats.expiring import Keep, expire
from snapshot.stats.sketches import is_sketch
from snapshot.stats.spool import SketchRow
from tests.command import assert_refused
from tests.command import run_inside as run
from tests.examples import fewer
from tests.scanned import statements
from tests.stats_world import (
    TODAY,
    batch,
    batches,
    everything,
    hold_all_sums,
    query,
    row,
    sketch,
    spooled,
    sqlite,
    unreadable,
)

DAY = 86400


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database."""
    return sqlite(tmp_path)


def test_every_sum(tmp_path: Path, url: str) -> None:
    """Each cube has the sums that were counted by hand; the files are gone."""
    given = batches(1, 6, 40)
    folder = spooled(tmp_path / "spool", given)
    done = collect([folder], url)
    assert (done.files, done.batches, done.again, done.set_aside) == (6, 6, 0, [])
    assert done.requests == sum(one.requests for one in given)
    assert done.other == sum(range(6))
    hold_all_sums(url, given)
    assert [*folder.iterdir()] == []
    detail = query(url, "SELECT sum(requests) FROM stat_detail")
    assert detail == query(
        url,
        "SELECT sum(requests) FROM stat_day WHERE key_id ="
        " (SELECT id FROM stat_key WHERE cube = 'all')",
    )
    hosts = query(
        url,
        "SELECT k.host, sum(t.requests) FROM stat_hour t JOIN stat_key k"
        " ON k.id = t.key_id WHERE k.cube = 'host,tier' GROUP BY k.host ORDER BY 1",
    )
    by_hand = {
        host: sum(r.times for b in given for r in b.hosts if r.host == host)
        for host in ("a.example", "b.example")
    }
    assert dict(hosts) == by_hand
    names = query(url, "SELECT repo, requests FROM stat_unknown ORDER BY 1")
    assert names == [("typo-0", 5), ("typo-1", 7), ("typo-2", 9)]


def test_files_that_come_again(tmp_path: Path, url: str) -> None:
    """They are removed, and change nothing: alone, twice in one run, or in a pack with new ones."""
    first, second = batches(2, 2, 10)
    collect([spooled(tmp_path / "spool", [first])], url)
    before = everything(url)
    folders = [spooled(tmp_path / "spool", [first]), spooled(tmp_path / "copy", [first])]
    done = collect(folders, url)
    assert (done.files, done.batches, done.again) == (2, 0, 2)
    assert everything(url) == before
    assert not any([*folder.iterdir()] for folder in folders)
    spool.write(folders[0], first.file_name, spool.encode([first, second]))
    done = collect([folders[0]], url)
    assert (done.batches, done.again) == (1, 1)
    hold_all_sums(url, [first, second])


@pytest.mark.parametrize("seed", range(fewer(6)))
def test_late_data(tmp_path: Path, url: str, seed: int) -> None:
    """In whatever order files come, all tables are the same, the running totals too."""
    given = batches(seed, 8, 10, days=60)
    collect([spooled(tmp_path / "spool", given)], url)
    other = sqlite(tmp_path, "other.sqlite")
    random.Random(seed).shuffle(given)
    for n in range(0, len(given), 2):
        collect([spooled(tmp_path / "spool", given[n : n + 2])], other)
    assert everything(other) == everything(url)
    hold_all_sums(other, given)


def test_the_number_of_statements(tmp_path: Path, url: str) -> None:
    """It depends neither on the number of files nor on that of rows."""
    collect([spooled(tmp_path / "spool", batches(3, 1, 1))], url)
    counts = []
    for n, (files, rows) in enumerate([(1, 1), (40, 60)]):
        with statements() as sent:
            collect([spooled(tmp_path / "spool", batches(4 + n, files + 1, rows)[1:])], url)
        counts.append([one.split("(")[0] for one in sent])
    assert counts[0] == counts[1]
    assert len(counts[0]) < 70


def test_damaged_files(tmp_path: Path, url: str) -> None:
    """They are moved aside and named; the others are added, and nothing else is looked at."""
    given = batches(5, 3, 5)
    folder = spooled(tmp_path / "spool", given)
    names = sorted(one.file_name for one in given)
    whole = (folder / names[0]).read_bytes()
    (folder / names[0]).write_bytes(whole[:-9])
    (folder / names[1]).write_bytes(b"foreign")
    (folder / f".{names[2]}.part").write_bytes(b"not yet")
    done = collect([folder], url)
    assert (done.files, done.batches) == (1, 1)
    assert len(done.set_aside) == 2
    assert all(name in line for name, line in zip(names, done.set_aside, strict=False))
    assert sorted(one.name for one in (folder / "damaged").iterdir()) == names[:2]
    assert sorted(one.name for one in folder.iterdir()) == [f".{names[2]}.part", "damaged"]
    (folder / names[0]).write_bytes(whole)
    assert collect([folder], url).batches == 1


def test_files_that_cannot_be_read(tmp_path: Path, url: str) -> None:
    """They wait, without a word about damage, and come in when they can be read."""
    given = batches(5, 2, 5)
    folder = spooled(tmp_path / "spool", given[1:])
    bad = folder / given[0].file_name
    unreadable(bad)
    done = Collected()
    for _ in range(2):
        collect([folder], url, done)
    assert (done.files, done.set_aside) == (1, [])
    assert done.held == [f"{bad}: cannot be read: Input/output error"] * 2
    ended = run("stats", "collect", folder, "--database", url)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2:] == [
        f"mirrorlist: {bad}: cannot be read: Input/output error",
        "mirrorlist: error: not collected: 1; see above",
    ]
    assert [*folder.iterdir()] == [bad]
    bad.unlink()
    collect([spooled(folder, given[:1])], url)
    hold_all_sums(url, given)


def test_a_spool_that_cannot_be_read(tmp_path: Path, url: str) -> None:
    """It keeps no other spool waiting."""
    folder, away = spooled(tmp_path / "spool", batches(5, 1, 5)), tmp_path / "away"
    done = collect([away, folder], url)
    assert (done.files, done.held) == (1, [f"{away}: cannot be read: No such file or directory"])
    with pytest.raises(SpoolError):
        collect([away], url)


def test_a_damaged_file_that_cannot_be_moved(tmp_path: Path, url: str) -> None:
    """It stays, and is not counted as moved."""
    folder = spooled(tmp_path / "spool", batches(5, 1, 5))
    (folder / "damaged").write_bytes(b"not a folder")
    (folder / batch(9).file_name).write_bytes(b"foreign")
    done = collect([folder], url)
    assert (done.files, done.set_aside) == (1, [])
    assert "and cannot be moved to" in done.held[0]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(batch(1, row(hour=0)), id="1970"),
        pytest.param(batch(1, row(hour=TODAY + 3 * DAY)), id="in three days"),
        pytest.param(batch(1, row(hour=1 << 39)), id="year 19,391"),
        pytest.param(batch(1, sketches=(SketchRow(TODAY, "a", "b", b"xx"),)), id="sketch"),
    ],
)
def test_what_cannot_be(tmp_path: Path, url: str, wrong: spool.Batch) -> None:
    """A time that cannot be, or a sketch that is not one, does not reach the database."""
    folder = spooled(tmp_path / "spool", [wrong, batch(2, row())])
    done = collect([folder], url)
    assert (done.batches, len(done.set_aside)) == (1, 1)
    assert query(url, "SELECT count(*) FROM stat_batch") == [(1,)]


def test_sketches_that_contradict_themselves() -> None:
    """They are refused before the library looks at them, which would end the process."""
    chance = random.Random(9)
    made = hll_sketch(12, tgt_hll_type.HLL_4)
    for one in range(9000):
        made.update(one)
    good = bytes(made.serialize_compact())
    assert is_sketch(good)
    registers = good[40 : 40 + 2048]
    free = next(at for at, one in enumerate(registers) if one >> 4 < 15)
    torn = bytearray(good)
    torn[40 + free] |= 0xF0
    assert not is_sketch(bytes(torn))
    far = good[:8] + struct.pack("<d", 1e300) + good[16:]
    assert not is_sketch(far)
    for _ in range(2000):
        torn = bytearray(chance.choice((good, sketch(range(5)).hll, sketch(range(100)).hll)))
        for _ in range(chance.randrange(1, 4)):
            torn[chance.randrange(min(len(torn), 48))] = chance.randrange(256)
        is_sketch(bytes(torn[: chance.randrange(1, len(torn) + 1)]))


def test_a_clock_that_was_far_ahead(tmp_path: Path, url: str) -> None:
    """What the pages say of the newest counts is not after now."""
    ahead = structs.replace(batch(1, row()), ended=1 << 40)
    assert collect([spooled(tmp_path / "spool", [ahead])], url).batches == 1
    assert query(url, "SELECT max(ended - added) FROM stat_batch") == [(0,)]


def test_more_than_mirrormanagers_column_has(tmp_path: Path, url: str) -> None:
    """The number stays at the largest, and everything else comes in."""
    rows = [batch(n, row(requests=1 << 31)) for n in (1, 2)]
    for one in rows:
        assert collect([spooled(tmp_path / "spool", [one])], url).batches == 1
    assert query(url, "SELECT max(requests) FROM access_stat") == [((1 << 31) - 1,)]


def test_no_database(tmp_path: Path) -> None:
    """The files wait: nothing is lost, and nothing is removed."""
    folder = spooled(tmp_path / "spool", batches(6, 3, 3))
    before = sorted(folder.iterdir())
    with pytest.raises(DatabaseError):
        collect([folder], "postgresql://mm:secret@127.0.0.1:1/mm")
    assert sorted(folder.iterdir()) == before


def test_distinct_addresses(tmp_path: Path, url: str) -> None:
    """Sketches of several servers and files count each address once; other secrets stay apart."""
    parts = [range(6000), range(3000, 9000), range(8000, 10000)]
    for n, part in enumerate(parts):
        given = batch(1, row(), of=n + 1, sketches=(sketch(part),), key="k")
        collect([spooled(tmp_path / "spool", [given])], url)
    other = batch(2, row(), sketches=(sketch(range(500)),), key="other")
    collect([spooled(tmp_path / "spool", [other])], url)
    rows = query(url, "SELECT secret, repo, arch, estimate FROM stat_sketch ORDER BY 1, 2")
    # 2 to the 12th power registers: an error of 1.6 % in one of three cases.
    assert [one[:3] for one in rows] == [
        ("k", "", ""),
        ("k", "fedora-43", "x86_64"),
        ("other", "", ""),
        ("other", "fedora-43", "x86_64"),
    ]
    assert [
        abs(one[3] / wanted - 1) < 0.05
        for one, wanted in zip(rows, (10000, 10000, 500, 500), strict=True)
    ] == [True] * 4


def test_mirrormanagers_tables(tmp_path: Path, url: str) -> None:
    """access_stat has what mm2_mirrorlist-statistics would write: lists of known repositories."""
    given = [
        batch(1, row(requests=6), row(requests=2, country="N/A", arch="aarch64")),
        batch(2, row(requests=5, status=404), row(requests=9, repository="(unknown)")),
        batch(4, row(requests=3, tier="none")),
        batch(3, row(requests=2, repository="epel-9"), row(hour=TODAY - DAY, requests=1)),
    ]
    for one in given:
        collect([spooled(tmp_path / "spool", [one])], url)
    rows = query(
        url,
        "SELECT c.name, s.date, s.name, s.requests, s.percent FROM access_stat s"
        " JOIN access_stat_category c ON c.id = s.category_id ORDER BY 2 DESC, 1, 3",
    )
    today = f"{datetime.fromtimestamp(TODAY, UTC).date()}"
    assert rows[:6] == [
        ("archs", today, "aarch64", 2, 20.0),
        ("archs", today, "x86_64", 8, 80.0),
        ("countries", today, "DE", 8, 80.0),
        ("countries", today, "N/", 2, 20.0),
        ("repositories", today, "epel-9", 2, 20.0),
        ("repositories", today, "fedora-43", 8, 80.0),
    ]
    assert [one[3:] for one in rows[6:]] == [(1, 100.0)] * 3


def test_expiry(tmp_path: Path, url: str) -> None:
    """What is too old is gone, what is kept stays, and late data of a dropped day is right."""
    given = [batch(n + 1, row(hour=TODAY - n * DAY), begun=TODAY - n * DAY) for n in range(6)]
    collect([spooled(tmp_path / "spool", given)], url)
    now = datetime.fromtimestamp(TODAY, UTC) + timedelta(hours=1)
    done = expire(url, Keep(detail_hours=24, hours=48, days=3, batch_days=2), now)
    assert done.batches == 4
    counts = (
        "SELECT (SELECT count(*) FROM stat_detail), (SELECT count(DISTINCT hour) FROM stat_hour),"
    )
    counts += " (SELECT count(DISTINCT day) FROM stat_day)"
    assert query(url, counts) == [(2, 3, 4)]
    # What it cannot know to be new is set aside.
    folder = spooled(tmp_path / "spool", [given[5]])
    assert len(collect([folder], url).set_aside) == 1
    late = batch(9, row(hour=TODAY - 5 * DAY, requests=7), begun=TODAY)
    collect([spooled(folder, [late])], url)
    days = query(
        url,
        "SELECT day, requests, total FROM stat_day WHERE key_id ="
        " (SELECT id FROM stat_key WHERE cube = 'all') ORDER BY 1",
    )
    assert [one[1] for one in days] == [7, 1, 1, 1, 1]
    totals = [one[2] for one in days]
    assert [b - a for a, b in itertools.pairwise(totals)] == [1, 1, 1, 1]


def test_the_command(tmp_path: Path) -> None:
    """It makes a SQLite file, says what it did, and refuses what it cannot use in one line."""
    folder = spooled(tmp_path / "spool", batches(7, 2, 3, days=1))
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    done = run("stats", "collect", folder, "--database", url)
    assert done.returncode == 0, done.stderr
    requests = sum(one.requests for one in batches(7, 2, 3, days=1))
    assert done.stderr.splitlines() == [
        (
            f"mirrorlist: 1 of {requests} requests are in rows of (other): a server had no room for"
            " their labels"
        ),
        f"mirrorlist: 2 files, 2 batches, {requests} requests added",
    ]
    again = run("stats", "collect", folder, "--database", url)
    assert again.stderr == "mirrorlist: 0 files, 0 batches, 0 requests added\n"
    assert_refused(
        run("stats", "collect", tmp_path / "no", "--database", url), 1, "no: cannot be read"
    )
    for word, said in (("--expire", "only with --watch"), ("--token-file=x", "only with --listen")):
        assert_refused(run("stats", "collect", folder, word, "--database", url), 2, said)
    missing = run("stats", "top", "--database", f"{url}.not")
    assert_refused(missing, 3, "stats collect, or import, makes it")
    expired = run("stats", "expire", "--database", url)
    assert expired.stderr == "mirrorlist: dropped: nothing; 0 batches forgotten\n"


def test_keys_of_a_question_are_neighbours() -> None:
    """Keys of a cube, and in it those of a first value, lie together; all keys are different."""
    repos, countries = [f"repo{n}" for n in range(60)], [f"C{n}" for n in range(60)]
    cube = ("repo", "arch", "country")
    keys = {key(cube, (repo, "x86_64", country)): repo for repo in repos for country in countries}
    others = {key(("repo",), (repo,)): "" for repo in repos}
    assert len(keys) == 3600
    assert all(-(1 << 63) <= one < 1 << 63 for one in keys)
    in_order = [name for _, name in sorted({**keys, **others}.items())]
    changes = sum(a != b for a, b in itertools.pairwise(in_order))
    # 60 groups of a repository each, and the other cube as a whole.
    assert changes == 60
    lowest, highest = neighbours(cube, {})
    assert all(lowest <= one <= highest for one in keys)
    assert not any(lowest <= one <= highest for one in others)
    for one, repo in keys.items():
        lowest, highest = neighbours(cube, {"repo": repo, "country": "C1"})
        assert lowest <= one <= highest
        assert highest - lowest < 1 << 44
