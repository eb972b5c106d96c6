"""`generate-mirrorlist-cache`: the file of MirrorManager's program, from the same database."""

import errno
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mirrorlist.cli.dropin.configuration import database_url
from snapshot.cache import generator
from snapshot.cache.fields import fields
from snapshot.cache.generator import generate_cache
from snapshot.cache.importer import import_cache
from snapshot.cache.messages import FILES_OF_DIRECTORY, HOSTS_OF_DIRECTORY, parse, parse_names
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import BackendError, OutputError, RefusedSnapshot
from snapshot.file.reader import Snapshot
from tests.comparison import data, golden
from tests.factories import Row, edited, make_database, world
from tests.forked import template
from tests.in_process import respond

SECONDS = 30.0


def imported(cache: Path) -> Snapshot:
    """Return the snapshot that a cache becomes."""
    place = cache.with_suffix(".snap")
    import_cache(cache, Job(place, max_loss=None))
    return Snapshot(place)


def generated(folder: Path, tables: Mapping[str, Sequence[Row]], **options: Any) -> Path:
    """Generate the cache of a database of these rows."""
    database = make_database(folder / "mm.sqlite", tables)
    job = Job(folder / "cache.proto", resolve_dns=False, **{"max_loss": None, **options})
    generate_cache(database, job, peers=True)
    return job.output


def carried(snapshot: Snapshot) -> dict[str, tuple[list[int], list[str]]]:
    """Return the ids of the hosts of each directory, and all URLs that they have for it."""
    found = {}
    for directory in snapshot.directories():
        if directory.category is None or directory.host_set is None:
            continue
        hosts = snapshot.host_set(directory.host_set)
        category = snapshot.categories[directory.category]
        urls = {one.host: one.urls for one in category.hosts}
        below = directory.name.removeprefix(category.topdir)
        found[directory.name] = (
            [snapshot.hosts[host].id for host in hosts],
            sorted(f"{url}{below}" for host in hosts for url in urls[host]),
        )
    return found


def repositories(snapshot: Snapshot) -> list[tuple[str, str, str, bool]]:
    """Return all repositories with the names of their directories."""
    return [
        (one.prefix, one.arch, snapshot.directory(one.directory).name, one.disabled)
        for one in snapshot.repositories
    ]


def of_hosts(snapshot: Snapshot, *without: int) -> list[tuple[object, ...]]:
    """Return what a cache says of hosts, but for those with some ids."""
    return [
        (one.id, one.country, one.bandwidth, one.private, one.asns, one.countries_allowed)
        for one in snapshot.hosts
        if one.id not in without
    ]


def test_as_mirrormanagers_program(tmp_path: Path) -> None:
    """Its cache of the same rows says the same, but for two known differences."""
    job = Job(tmp_path / "cache.proto", resolve_dns=False)
    generate_cache(make_database(tmp_path / "mm.sqlite", data.tables()), job)
    theirs = tmp_path / "theirs.proto"
    theirs.write_bytes(golden.CACHE.read_bytes())
    ours, recorded = imported(job.output), imported(theirs)
    different = {
        name
        for name, digest in recorded.section_digests().items()
        if ours.section_digests()[name] != digest
    }
    assert different <= {"directories", "hosts", "report"}
    # "directory in several categories" and "a host whose URLs are all private or unusable", of
    # docs/protocol.md.
    both = carried(ours), carried(recorded)
    assert {name for name, found in both[0].items() if both[1][name] != found} == {
        "pub/linux/nested/a"
    }
    pairs = zip(of_hosts(ours), of_hosts(recorded), strict=True)
    assert {one[0] for one, other in pairs if one != other} == {34}


def test_back_again(tmp_path: Path) -> None:
    """Read back, a cache gives what an export of the same database gives."""
    tables = edited(
        # Host 1 alone, with other URLs than it has for EPEL.
        ("directory", None, {"id": 8, "name": "pub/linux/one"}),
        ("category_directory", None, {"category_id": 1, "directory_id": 8}),
        ("host_category_dir", None, {"host_category_id": 11, "directory_id": 8, "up2date": True}),
        ("host", 3, {"asn": 64501, "bandwidth_int": 77}),
        ("host_country_allowed", None, {"id": 1, "host_id": 4, "country": "us"}),
        ("host_netblock", None, {"id": 2, "host_id": 6, "netblock": "192.0.2.128/25"}),
        ("host_netblock", None, {"id": 3, "host_id": 1, "netblock": "192.0.2.130"}),
        ("host_netblock", None, {"id": 4, "host_id": 1, "netblock": "2001:db8::/32"}),
        ("host_peer_asn", None, {"id": 1, "host_id": 6, "asn": 64502}),
        ("country_continent_redirect", None, {"id": 1, "country": "JP", "continent": "EU"}),
        ("netblock_country", None, {"id": 1, "netblock": "198.51.100.0/24", "country": "FR"}),
        ("netblock_country", None, {"id": 2, "netblock": "198.51.100.64/30", "country": "DE"}),
        ("file_detail", 1, {"timestamp": None, "sha1": None}),
    )
    found = imported(generated(tmp_path, tables))
    export(f"sqlite:///{tmp_path}/mm.sqlite", Job(tmp_path / "direct.snap", resolve_dns=False))
    direct = Snapshot(tmp_path / "direct.snap")
    # Of hosts that have nothing, such as 7 and 8, a cache says neither active nor public.
    assert of_hosts(found, 7, 8) == of_hosts(direct, 7, 8)
    assert carried(found) == carried(direct)
    assert repositories(found) == repositories(direct) != []
    assert found.redirects == direct.redirects
    assert found.continents == direct.continents
    assert found.netblock_chains == direct.netblock_chains
    for name in ("netblock_ranges", "country_ranges"):
        assert found.section_digests()[name] == direct.section_digests()[name]
    named = [
        one.file_details(one.find_directory("pub/epel/9/x86_64/repodata") or 0)
        for one in (found, direct)
    ]
    assert named[0] == named[1] != {}
    assert found.read == pytest.approx(direct.read, abs=60)


def test_answers(tmp_path: Path) -> None:
    """A private host is in its netblock's list, and nowhere else; a disabled prefix says so."""
    snapshot = imported(generated(tmp_path, world()))
    asked = "/mirrorlist?repo=linux-40&arch=x86_64"
    near = respond(snapshot, asked, forwarded=[b"192.0.2.7"]).body
    far = respond(snapshot, asked, forwarded=[b"203.0.113.7"]).body
    assert b"host6" in near
    assert b"host6" not in far
    assert b"host1" in far
    assert b"disabled" in respond(snapshot, "/mirrorlist?repo=old-39&arch=x86_64").body


def test_what_only_mirrorlist_server_reads(tmp_path: Path) -> None:
    """Hosts stand by country, and fields that protobuf requires are there even if they are 0."""
    allowed = ({"id": host, "host_id": host, "country": to} for host, to in ((4, "US"), (7, "DE")))
    cache = generated(
        tmp_path,
        edited(
            ("file_detail", 1, {"timestamp": None, "size": None}),
            *(("host_country_allowed", None, row) for row in allowed),
        ),
    )
    found: dict[int, list[Any]] = {number: [value] for number, value, _, _ in fields(cache)}
    directory = parse("HostsOfDirectory", found[HOSTS_OF_DIRECTORY][-1])
    entries = (parse("TextToNumbers", one) for one in directory.by_country)
    assert {one.key: [*one.value] for one in entries} == dict(
        zip((b"DE", b"FR", b"JP", b"NL", b"US"), ([1, 2], [3], [5], [9], [4]), strict=True)
    )
    assert [*directory.public] == [1, 2, 3, 4, 5, 9]
    names = [
        parse_names(value)[:2]
        for number, value, _, _ in fields(cache)
        if number == HOSTS_OF_DIRECTORY and isinstance(value, bytes)
    ]
    assert names[:2] == [(b"pub/epel", b""), (b"pub/epel/9/x86_64", b"9/x86_64")]
    # Of hosts that are active.
    assert [number for number, _, _, _ in fields(cache)].count(14) == 1
    files = [
        parse("FilesOfDirectory", value)
        for number, value, _, _ in fields(cache)
        if number == FILES_OF_DIRECTORY and isinstance(value, bytes)
    ]
    of_linux = next(one for one in files if one.directory.startswith(b"pub/linux"))
    detail = parse("FileDetails", parse("File", of_linux.files[0]).details[0])
    assert [detail.HasField(name) for name in ("timestamp", "size")] == [True, True]


def test_no_peers(tmp_path: Path) -> None:
    """Further ASNs of hosts are left out unless asked for, as in MirrorManager's program."""
    peer = edited(("host_peer_asn", None, {"id": 1, "host_id": 6, "asn": 64502}))
    assert imported(generated(tmp_path, peer)).hosts[5].asns == (64500, 64502)
    generate_cache(f"sqlite:///{tmp_path}/mm.sqlite", Job(tmp_path / "cache.proto"))
    assert imported(tmp_path / "cache.proto").hosts[5].asns == (64500,)


def lost_half(tables: dict[str, list[Row]]) -> None:
    """Take the directories from all hosts but the first."""
    tables["host_category_dir"] = [
        row for row in tables["host_category_dir"] if row["host_category_id"] < 20
    ]


def emptied(tables: dict[str, list[Row]]) -> None:
    """Take all directories from all hosts."""
    tables["host_category_dir"] = []


@pytest.mark.parametrize("change", [lost_half, emptied])
def test_refused(tmp_path: Path, change: Callable[[dict[str, list[Row]]], None]) -> None:
    """A cache that has lost too much does not replace the old one, unless that is meant."""
    cache = generated(tmp_path, world())
    before, tables = cache.read_bytes(), world()
    change(tables)
    with pytest.raises(RefusedSnapshot, match="not replaced: the new snapshot"):
        generated(tmp_path, tables, max_loss=30)
    assert cache.read_bytes() == before
    assert [path for path in tmp_path.iterdir() if "part" in path.name] == []
    generated(tmp_path, tables)
    assert cache.read_bytes() != before


@pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x80", b"\x08\xe8\x93\xa5\xd8\x06"])
def test_a_cache_that_is_cut_short(tmp_path: Path, content: bytes) -> None:
    """What MirrorManager's program leaves when it is killed is replaced."""
    (tmp_path / "cache.proto").write_bytes(content)
    assert imported(generated(tmp_path, world(), max_loss=30)).hosts


@pytest.mark.parametrize(
    "content", [b"my only copy\n", b"\x08 begins so by chance\n", b"\x08\x80\x80\x00", b"\x08\n"]
)
def test_another_file(tmp_path: Path, content: bytes) -> None:
    """A file that is not a cache is not replaced, unless that is meant."""
    (tmp_path / "cache.proto").write_bytes(content)
    with pytest.raises(OutputError, match="not a mirrorlist cache"):
        generated(tmp_path, world(), max_loss=30)
    assert (tmp_path / "cache.proto").read_bytes() == content
    generated(tmp_path, world(), foreign=True)


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that this user may not read is not replaced; the error says what to do."""
    (tmp_path / "cache.proto").write_text("somebody's\n")

    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(generator, "open_regular", refused)
    with pytest.raises(OutputError, match=r"cannot be read: Permission denied; move it away or"):
        generated(tmp_path, world())


def test_another_file_that_comes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is put there while the database is read is not replaced either."""

    def put(written: Path, job: Job) -> None:
        job.output.write_text("my only copy\n")

    monkeypatch.setattr(generator, "_check_new", put)
    with pytest.raises(OutputError, match="not a mirrorlist cache"):
        generated(tmp_path, world())
    assert (tmp_path / "cache.proto").read_text() == "my only copy\n"
    assert [path for path in tmp_path.iterdir() if "part" in path.name] == []


def test_nothing_is_written_of_a_bad_database(tmp_path: Path) -> None:
    """If the database cannot be read, the old file stays, with no other file beside it."""
    (tmp_path / "cache.proto").write_bytes(b"\x08\x80")
    with pytest.raises(BackendError):
        generate_cache(f"sqlite:///{tmp_path}/missing", Job(tmp_path / "cache.proto"))
    assert [path.name for path in tmp_path.iterdir()] == ["cache.proto"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DB_URL=postgresql://mm@db/mm", "postgresql://mm@db/mm"),
        ("# DB_URL=no\nexport DB_URL = 'postgresql://mm:a b#c@db/mm' # why", None),
        ('DB_URL="sqlite:///x"\n', "sqlite:///x"),
        ("DB_URL=sqlite:///x # y\nDB_URL=second", "sqlite:///x"),
        ("DB_URL=a#b", "a#b"),
        ("DB_URL='open", "'open"),
        ("DB_URL=\n", ""),
        ("OTHER_DB_URL=x", ""),
        ("", ""),
    ],
)
def test_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None
) -> None:
    """The URL may have quotes, and a comment behind a blank; the first line with it counts."""
    (tmp_path / "conf").write_text(text)
    monkeypatch.delenv("DB_URL", raising=False)
    wanted = "postgresql://mm:a b#c@db/mm" if expected is None else expected
    assert database_url(tmp_path / "conf") == (wanted or None)
    monkeypatch.setenv("DB_URL", "sqlite:///other")
    assert database_url(tmp_path / "conf") == "sqlite:///other"


def run(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    output, errors = folder / "out", folder / "err"
    line = ["generate-mirrorlist-cache", *map(str, words)]
    with output.open("wb") as out, errors.open("wb") as err:
        code = template().run(line, {"PATH": "/usr/bin:/bin", **environment}, (out, err), SECONDS)
    return subprocess.CompletedProcess([], code, output.read_text(), errors.read_text())


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration whose database is small."""
    database = make_database(tmp_path / "mm.sqlite", world())
    (tmp_path / "conf").write_text(f"DB_URL={database}\n")
    return tmp_path / "conf"


def test_the_command(tmp_path: Path, conf: Path) -> None:
    """It says nothing, and with --debug a line for each step; the last of several values counts."""
    done = run(tmp_path, "-c", "/not/there", "-c", conf, f"--outfile={tmp_path}/c.proto", "word")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert imported(tmp_path / "c.proto").directory_count == 6
    debugged = run(tmp_path, "--config", conf, "-o", tmp_path / "c.proto", "-d")
    assert debugged.stdout.startswith(" Step [1]: reading site\n")
    assert f"writing to {tmp_path}/c.proto" in debugged.stdout


@pytest.mark.parametrize("words", [["-h"], ["--bogus"], ["--out", "x"], ["-o"]])
def test_usage(tmp_path: Path, words: list[str]) -> None:
    """A wrong flag prints flags and defaults, writes nothing, and ends with 0."""
    done = run(tmp_path, *words)
    assert done.returncode == 0
    for word in ["-o", "--outfile", "-c", "--config", "-d", "--debug", "mirrorlist_cache.proto"]:
        assert word in done.stdout, word
    assert "/etc/mirrormanager/generate-mirrorlist-cache.cfg" in done.stdout


def test_how_it_fails(tmp_path: Path, conf: Path) -> None:
    """Its lines on standard output and its exit codes are those of MirrorManager's program."""
    done = run(tmp_path, "-c", tmp_path / "missing")
    said = f"Error reading configuration file {tmp_path}/missing\n"
    assert (done.returncode, done.stdout) == (1, said)
    done = run(tmp_path, "-c", conf, "-o", tmp_path / "missing" / "c.proto")
    assert (done.returncode, done.stdout) == (
        1,
        f"Error opening file {tmp_path}/missing/c.proto\n",
    )
    cache = tmp_path / "c.proto"
    done = run(tmp_path, "-c", conf, "-o", cache, DB_URL="postgresql://mm@127.0.0.1:1/mm")
    assert (done.returncode, done.stdout) == (101, "")
    assert "the database cannot be read" in done.stderr
    # The guard is ours alone.
    done = run(tmp_path, "-c", conf, "-o", tmp_path / "c.proto", "--require", "repo=a&arch=x86_64")
    assert (done.returncode, done.stdout) == (1, "")
    assert "c.proto: not replaced: the new snapshot has no host for repo=a" in done.stderr
    assert not cache.exists()


def test_the_configuration_is_not_replaced(tmp_path: Path, conf: Path) -> None:
    """The file with the password is not the place of the cache, not even with --force."""
    before = conf.read_text()
    done = run(tmp_path, "-c", conf, "-o", conf, "--force")
    assert done.returncode == 1
    assert "conf: cannot be written: it is also read" in done.stderr
    assert conf.read_text() == before


def test_a_reader_of_debug_that_ends(tmp_path: Path, conf: Path) -> None:
    """The file is written, also if nobody reads the steps any more."""
    reading, writing = os.pipe()
    os.close(reading)
    line = ["generate-mirrorlist-cache", "--debug", "-c", str(conf), "-o", str(tmp_path / "c")]
    with open(writing, "wb") as out, (tmp_path / "err").open("wb") as err:
        template().run(line, {"PATH": "/usr/bin:/bin"}, (out, err), SECONDS)
    assert imported(tmp_path / "c").directory_count == 6
    assert (tmp_path / "err").read_text() == ""
