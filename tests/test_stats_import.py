"""Old logs into a database: each line once, whatever the file is called or packed by."""

import gzip
import hashlib
import itertools
import lzma
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backports import zstd

from snapshot.stats import importing, logfiles, loglines
from snapshot.stats.cubes import NOT_LOGGED
from snapshot.stats.importing import Imported, import_logs
from snapshot.stats.logforms import Counted, Reading
from tests.command import run_inside as run
from tests.stats_world import query, sqlite

READING = Reading(
    country={"192.0.2.1": "DE", "2001:db8::1": "FR"}.get,
    client=lambda agent: agent.decode("latin-1")[:3],
)
CLASSIC = "IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64"
JSON = (
    '{"time":"2026-11-21T23:59:59Z","address":"2001:db8::1","country":"DE","repo":"rawhide",'
    '"arch":"x86_64"}'
)
COMBINED = (
    '2001:db8::1 - - [21/Nov/2026:23:59:59 +0000] "GET /metalink?repo=fedora-43&arch=x86_64'
    '&countme=2 HTTP/2.0" 200 24101 "-" "dnf5 (Fedora Linux 43)"'
)
NONE = NOT_LOGGED
SKIPPED = b"\x50\x2a\x4d\x18\4\0\0\0abcd"
"""A frame of zstd that is skipped."""
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


def lines(seed: int, count: int) -> list[str]:
    """Return random lines of MirrorManager's form."""
    chance = random.Random(seed)
    return [
        f"IP: 192.0.2.{chance.randrange(256)}; DATE: 2026-11-{chance.choice(('20', '21'))};"
        f" COUNTRY: {chance.choice(('DE', 'N/A'))}; REPO: epel-{chance.randrange(5)}; ARCH: x86_64"
        for _ in range(count)
    ]


def write(path: Path, content: list[str], pack: Callable[[bytes], bytes] = bytes) -> Path:
    """Write a log."""
    path.write_bytes(pack("".join(f"{line}\n" for line in content).encode()))
    return path


def take(url: str, *paths: Path) -> list[Imported]:
    """Import logs."""
    return [*import_logs(paths, url, READING)]


def read(*given: str) -> Counted:
    """Count some lines."""
    data = "".join(f"{line}\n" for line in given).encode()
    return loglines.take_apart(loglines.count(data, READING), READING)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database."""
    return sqlite(tmp_path)


def stored(url: str) -> Counter[tuple[str, str, str]]:
    """Return the requests by day, country and repository, as the database has them."""
    rows = query(
        url,
        "SELECT t.day, k.country, k.repo, t.requests FROM stat_day t"
        " JOIN stat_key k ON k.id = t.key_id WHERE k.cube = 'repo,arch,country'",
    )
    return Counter({(day, country, repo): count for day, country, repo, count in rows})


def by_hand(given: list[str]) -> Counter[tuple[str, str, str]]:
    """Count the same, by hand."""
    parts = [dict(one.split(": ") for one in line.split("; ")) for line in given]
    return Counter((one["DATE"], one["COUNTRY"], one["REPO"]) for one in parts)


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(bytes, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lzma.compress, id="xz"),
        pytest.param(zstd.compress, id="zstd"),
        pytest.param(lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:]), id="two"),
        pytest.param(
            lambda data: b"".join(
                (lzma.compress(data[:999]), bytes(8), lzma.compress(data[999:]), bytes(4))
            ),
            id="two of xz, padded",
        ),
        pytest.param(
            lambda data: SKIPPED + zstd.compress(data[:999]) + zstd.compress(data[999:]) + SKIPPED,
            id="two of zstd, as by pzstd",
        ),
    ],
)
def test_every_sum(tmp_path: Path, url: str, pack: Callable[[bytes], bytes]) -> None:
    """All lines are counted, however the log is packed."""
    given = lines(1, 500)
    (done,) = take(url, write(tmp_path / "a.log", given, pack))
    assert (done.requests, done.unread, done.problem) == (500, 0, "")
    assert stored(url) == by_hand(given)
    whole = "SELECT (SELECT sum(requests) FROM stat_detail), (SELECT count(*) FROM stat_hour)"
    assert query(url, whole) == [(500, 0)]


@pytest.mark.parametrize("kind", PACKS)
def test_a_packed_log_that_is_not_whole(tmp_path: Path, url: str, kind: str) -> None:
    """Cut short anywhere, or with other bytes behind or between, it is refused and not counted."""
    frames = [PACKS[kind](f"{CLASSIC}\n".encode() * n) for n in (50, 9)]
    whole = b"".join(frames)
    cuts = (8, len(frames[0]) // 2, len(frames[0]) - 1, len(frames[0]) + 1, len(whole) - 1)
    wrong = [whole[:cut] for cut in cuts]
    wrong += [whole + b"garbage", frames[0] + b"x" + frames[1], frames[0] + b"garbage" * 99999]
    for data in wrong:
        path = tmp_path / "a.log"
        path.write_bytes(data)
        (done,) = take(url, path)
        assert "cannot be unpacked: " in done.problem
        assert done.requests == 0
    path.write_bytes(whole)
    assert [one.requests for one in take(url, path)] == [59]


def test_a_log_that_comes_again(tmp_path: Path, url: str) -> None:
    """Renamed, packed or in one run twice, it changes nothing; grown, it adds its new lines."""
    given = lines(2, 300)
    first = write(tmp_path / "a.log", given[:100])
    packed = write(tmp_path / "a.log.1.gz", given[:100], gzip.compress)
    assert [one.requests for one in take(url, first, first, packed)] == [100, 0, 0]
    write(first, given[:250])
    (grown,) = take(url, first)
    assert (grown.requests, grown.before) == (150, packed_size(given[:100]))
    write(packed, given, gzip.compress)
    assert [one.requests for one in take(url, packed, first)] == [50, 0]
    assert stored(url) == by_hand(given)
    # Rotated: the next file begins with other lines.
    other = lines(3, 40)
    assert [one.requests for one in take(url, write(first, other))] == [40]
    assert stored(url) == by_hand([*given, *other])


def packed_size(given: list[str]) -> int:
    """Return the bytes of lines."""
    return sum(len(line) + 1 for line in given)


def test_a_line_that_is_being_written(tmp_path: Path, url: str) -> None:
    """It is counted as unread, and taken once it has its end."""
    path = tmp_path / "a.log"
    path.write_text(f"{CLASSIC}\n{CLASSIC[:40]}")
    (done,) = take(url, path)
    assert (done.requests, done.unread, done.shown) == (1, 1, [CLASSIC[:40]])
    path.write_text(f"{CLASSIC}\n{CLASSIC}\n")
    (done,) = take(url, path)
    assert (done.requests, done.unread) == (1, 0)
    assert [one.requests for one in take(url, path)] == [0]


@pytest.mark.parametrize(
    ("line", "family", "rest"),
    [
        pytest.param(CLASSIC, "4", (NONE, "epel-9", "x86_64", "DE", NONE, NONE, NONE), id="v4"),
        pytest.param(
            CLASSIC.replace("192.0.2.1", "2001:db8::1").replace("DE;", "N/A;"),
            "6",
            (NONE, "epel-9", "x86_64", "N/A", NONE, NONE, NONE),
            id="v6",
        ),
        pytest.param(
            CLASSIC.replace("192.0.2.1", "0.0.0.0"),
            "0",
            (NONE, "epel-9", "x86_64", "DE", NONE, NONE, NONE),
            id="no address",
        ),
        pytest.param(JSON, "6", (NONE, "rawhide", "x86_64", "DE", NONE, NONE, NONE), id="json"),
        pytest.param(
            JSON.replace("2001:db8::1", "192.0.2.1"),
            "4",
            (NONE, "rawhide", "x86_64", "DE", NONE, NONE, NONE),
            id="json v4",
        ),
        pytest.param(
            JSON.replace('"address":"2001:db8::1",', ""),
            "0",
            (NONE, "rawhide", "x86_64", "DE", NONE, NONE, NONE),
            id="json without an address",
        ),
        pytest.param(
            COMBINED, "6", ("metalink", "fedora-43", "x86_64", "FR", NONE, "200", "dnf"), id="httpd"
        ),
        pytest.param(
            COMBINED.replace("dnf5 (", 'dnf5 \\"').replace(" 200 ", " 404 "),
            "6",
            ("metalink", "(unknown)", "x86_64", "FR", NONE, "404", "dnf"),
            id="httpd with quotes",
        ),
        pytest.param(
            COMBINED.replace("repo=fedora-43&arch=x86_64", "path=pub").replace("2001:db8::1", "x"),
            "4",
            ("metalink", "(none)", "", "N/A", NONE, "200", "dnf"),
            id="httpd with a path",
        ),
    ],
)
def test_a_line(line: str, family: str, rest: tuple[str, ...]) -> None:
    """Each form gives its labels, and says of the others that they are not in the log."""
    found = read(line, line)
    assert found.unread == 0
    ((_, values),) = {**found.dated, **found.timed}
    assert values[:7] == rest
    assert values[7] == family
    assert values[8] == ("2" if "HTTP" in line else NONE)
    assert found.requests == 2
    assert read(line + "\r") == read(line)


@pytest.mark.parametrize(
    "line",
    [
        *(
            pytest.param(line[:cut], id=f"{name} cut at {cut}")
            for name, line in (("classic", CLASSIC), ("json", JSON), ("httpd", COMBINED))
            for cut in (5, 20, 60)
        ),
        pytest.param("", id="empty"),
        pytest.param("Nov 21 host kernel: foreign", id="foreign"),
        pytest.param(CLASSIC[:10] + CLASSIC, id="torn"),
        pytest.param(CLASSIC.replace("11-21", "13-21"), id="month 13"),
        pytest.param(CLASSIC.replace("2026", "9999"), id="year 9999"),
        pytest.param(CLASSIC.replace("2026", "2090"), id="in the future"),
        pytest.param(CLASSIC.replace("epel-9", "ep\0el"), id="nul"),
        pytest.param(JSON.replace("rawhide", "raw\\u0000"), id="nul in JSON"),
        pytest.param(CLASSIC.replace("epel-9", "x" * 300), id="a long name"),
        pytest.param(JSON.replace('"DE"', "5"), id="a number for a country"),
        pytest.param(COMBINED.replace("Nov", "Foo"), id="no month"),
    ],
)
def test_a_line_that_cannot_be_read(line: str) -> None:
    """It is counted and shown, and those around it are read."""
    found = read(CLASSIC, line, JSON, COMBINED)
    assert (found.requests, found.unread, len(found.shown)) == (3, 1, 1)
    assert len(found.shown[0]) <= 200


def test_names_that_clients_invent() -> None:
    """Only an answer with a list says that a repository exists: all others are one label."""
    usual = COMBINED.replace("fedora-43", "{}").replace("x86_64", "{}")
    states = (301, 400, 404, 429, 503)
    given = [usual.format(f"x{n}", f"y{n}").replace(" 200 ", f" {n} ") for n in states]
    given += [usual.format("a%00b", "x"), usual.format("a", "%00")]
    found = read(*given)
    names = {(values[1], values[2]) for _, values in found.timed}
    assert names == {(NONE, NONE), ("(unknown)", "(other)")}
    assert (found.requests, found.unread) == (7, 0)


def test_lines_about_something_else() -> None:
    """A proxy's other requests are counted apart."""
    other = COMBINED.replace("/metalink?", "/static/x?")
    head = COMBINED.replace("GET", "HEAD")
    found = read(COMBINED, other, head)
    assert (found.requests, found.passed, found.unread) == (1, 2, 0)


def test_random_bytes() -> None:
    """They are never more than lines that cannot be read."""
    chance = random.Random(7)
    for _ in range(200):
        data = bytearray(f"{CLASSIC}\n{JSON}\n{COMBINED}\n".encode())
        for _ in range(chance.randrange(1, 9)):
            data[chance.randrange(len(data) - 1)] = chance.randrange(256)
        found = loglines.take_apart(loglines.count(bytes(data), READING), READING)
        whole = data.removesuffix(b"\n").count(b"\n") + 1
        assert found.requests + found.passed + found.unread == whole


def test_the_command(tmp_path: Path) -> None:
    """It says what each file gave; a file that is not a log is named, and the others are taken."""
    good = write(tmp_path / "a.log", [CLASSIC, "\x1b[2Jforeign", COMBINED])
    bad = write(tmp_path / "b.txt", ["# \x1b[2JA page"])
    broken = tmp_path / "c.gz"
    broken.write_bytes(gzip.compress(b"x" * 9999)[:40])
    empty = write(tmp_path / "d.log", [])
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    done = run("stats", "import", good, bad, broken, tmp_path / "no", empty, "--database", url)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[0] == "  ! ?[2Jforeign"
    assert said[1].startswith(f"mirrorlist: {good}: 2 requests, 1 line not readable (")
    assert said[2] == (
        f"mirrorlist: {bad}: no line of a log that we know; one of its lines: # ?[2JA page"
    )
    assert said[3].startswith(f"mirrorlist: {broken}: cannot be unpacked: ")
    assert said[4] == f"mirrorlist: {tmp_path / 'no'}: cannot be read: No such file or directory"
    assert said[5].startswith(f"mirrorlist: {empty}: 0 requests (")
    assert said[6] == "mirrorlist: error: not taken: 3 of 5 files; see above"
    rows = query(url, "SELECT client, country, requests FROM stat_detail ORDER BY 1")
    assert rows == [("(not logged)", "DE", 1), ("dnf5", "N/A", 1)]


@pytest.mark.parametrize("size", [10, 200, 5000, 1 << 20])
def test_blocks(tmp_path: Path, size: int) -> None:
    """They have all bytes, end with lines and at each cut, and know the digest up to there."""
    given = lines(9, 50)
    path = write(tmp_path / "a.log", given)
    path.write_bytes(path.read_bytes() + b"no end")
    cut = packed_size(given[:20])
    found = [*logfiles.blocks(path, [cut, 7 * cut], size)]
    assert b"".join(one.data for one in found) == path.read_bytes()
    assert found[-1].data == b"no end"
    assert all(one.data.endswith(b"\n") for one in found[:-1])
    (at_cut,) = (one for one in found if one.end == cut)
    assert at_cut.digest == hashlib.sha256(path.read_bytes()[:cut]).hexdigest()


@pytest.mark.system
def test_a_large_log(tmp_path: Path, url: str) -> None:
    """Several processes count it, with the same sums, and torn lines in any block are found."""
    given = lines(8, 30_000) * 4
    given[50_000] = "torn"
    (done,) = take(url, write(tmp_path / "a.log", given))
    assert (done.requests, done.unread, done.shown) == (119_999, 1, ["torn"])
    assert stored(url) == by_hand([line for line in given if line != "torn"])


def test_blocks_that_other_processes_count() -> None:
    """More blocks than have room at once, and of any length, are counted once each."""
    given = lines(9, 900)
    blocks = ["".join(f"{line}\n" for line in given[n : n * 2]).encode() for n in range(1, 40)]
    here = loglines.nothing()
    with importing.counters(READING, 2) as counters:
        assert len(counters) == 2
        for block, counter in zip(blocks, itertools.cycle(counters), strict=False):
            counter.take(block)
            here.add(loglines.count(block, READING))
        found = loglines.nothing()
        for counter in counters:
            found.add(counter.give())
    assert found == here


def test_a_course_ends_now(tmp_path: Path) -> None:
    """Hours that have not begun are in no course; an empty label is shown as (none)."""
    before = datetime.now(UTC)
    line = f'192.0.2.1 - - [{before:%d/%b/%Y:%H:%M:%S} +0000] "GET /mirrorlist?path=p HTTP/1.1"'
    log = write(tmp_path / "now.log", [f'{line} 200 1 "-" "libdnf"'])
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    assert "1 request (" in run("stats", "import", log, "--database", url).stderr
    told = run("stats", "trend", "--database", url).stdout.splitlines()
    assert told[-1][:13] in {f"{one:%Y-%m-%d %H}" for one in (before, datetime.now(UTC))}
    by_arch = run("stats", "table", "--by", "arch", "--database", url).stdout.splitlines()
    assert by_arch[1].split() == ["(none)", "1"]
