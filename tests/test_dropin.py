"""`mirrorlist-server`: each behaviour of MirrorManager's server that a site may rely on.

docs/drop-in.md has the list, and says which of them were seen at mirrorlist-server 3.1.0.
"""

import errno
import os
import re
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import cast

import pytest

from mirrorlist.cli.dropin import importer as importer_module
from mirrorlist.cli.dropin.folder import snapshot_path
from mirrorlist.cli.dropin.importer import Importer
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.errors import StartError
from snapshot.export.job import Job
from tests import cache_file as cache
from tests.cache_file import entry, write_cache
from tests.dropin import DropIn, Serving
from tests.left_open import left_open, open_files
from tests.live import wait_until
from tests.mmdb import write_countries

QUERY = "/mirrorlist?repo=linux-40&arch=x86_64"
FRENCH = "X-Forwarded-For: 198.51.100.7"
FLAGS = "--listen --port --minimum -m --cache -c --internet2_netblocks -i --global_netblocks -g"
FLAGS += " --log -l --cccsv --geoip"
DEFAULTS = """127.0.0.1 3000 5 /var/lib/mirrormanager/mirrorlist_cache.proto
/var/lib/mirrormanager/global_netblocks.txt /var/log/mirrormanager/mirrorlist.log
/var/lib/mirrormanager/country_continent.csv /usr/share/GeoIP/GeoLite2-Country.mmdb"""


@pytest.fixture
def dropin(tmp_path: Path) -> DropIn:
    """The files of one server."""
    return DropIn(tmp_path)


@pytest.mark.parametrize(
    "words", [["-h"], ["--help"], ["--bogus"], ["--cach", "x"], ["-z"], ["--cache"]]
)
def test_usage(dropin: DropIn, words: list[str]) -> None:
    """Asked for it, and at any wrong flag, it prints its flags and defaults and ends with 0."""
    done = dropin.run(*words)
    assert done.returncode == 0
    for word in (FLAGS + " " + DEFAULTS).split():
        assert word in re.sub(r"\n +", "", done.stdout) or word in done.stdout.split(), word


def test_a_wrong_flag_is_named(dropin: DropIn) -> None:
    """The line on standard error is ours."""
    done = dropin.run("--bogus")
    assert done.stderr.startswith("mirrorlist: error: No such option")


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("-c", "missing"),
        ("--cache", "empty"),
        ("--cache", "junk"),
        ("-g", "missing"),
        ("--global_netblocks", "junk"),
        ("--cccsv", "missing"),
        ("--cccsv", "empty"),
        ("--geoip", "missing"),
        ("--geoip", "junk"),
        ("-l", "missing/log"),
    ],
)
def test_a_file_that_cannot_be_used(dropin: DropIn, flag: str, name: str) -> None:
    """The command says which file it is, and ends with 1 without having listened."""
    (dropin.folder / "empty").touch()
    (dropin.folder / "junk").write_bytes(b"\xff junk\n")
    done = dropin.run(flag, dropin.folder / name)
    assert done.returncode == 1
    assert done.stdout == ""
    assert str(dropin.folder / name) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--listen", "localhost"], ["--listen", "192.0.2.1"], ["--port", "70000"], ["--listen", "*"]],
)
def test_an_address_that_cannot_be_had(dropin: DropIn, words: list[str]) -> None:
    """It ends with 101, as a Rust program does that cannot go on."""
    done = dropin.run(*words)
    assert (done.returncode, done.stdout) == (101, "")
    assert done.stderr.startswith("mirrorlist: error: ")
    assert words[1] in done.stderr


def test_a_port_in_use(dropin: DropIn) -> None:
    """It ends with 101."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = dropin.run("--port", other.getsockname()[1])
    assert done.returncode == 101
    assert "--listen or --port" in done.stderr


def test_wrong_numbers(dropin: DropIn) -> None:
    """A number that cannot be read is the default, which is said on standard output."""
    done = dropin.run("--port", "80x", "-m", "-3", "--listen", "nowhere")
    assert done.stdout.splitlines() == [
        "Error parsing minimum number of mirrors. Defaulting to 5",
        "Error parsing port. Defaulting to 3000",
    ]
    assert done.returncode == 101


def test_a_huge_number(dropin: DropIn) -> None:
    """A number of more digits than any integer has cannot be read either."""
    done = dropin.run("--port", "9" * 5000, "--listen", "nowhere")
    assert done.stdout == "Error parsing port. Defaulting to 3000\n"
    assert "Traceback" not in done.stderr


def test_a_cache_without_an_end(dropin: DropIn) -> None:
    """A device is refused at once; it would be read for ever."""
    done = dropin.run("-c", "/dev/zero")
    assert (done.returncode, done.stdout) == (1, "")
    assert "/dev/zero: cannot be read: not a regular file" in done.stderr


def test_the_command_line(dropin: DropIn) -> None:
    """The last of several values counts, words beside the flags do nothing, -i reads nothing."""
    more = ["word", "-c", "/not/there", "-c", dropin.cache, f"--log={dropin.log}", "-m1", "-i", "x"]
    with dropin.serving(*more) as server:
        assert server.get(QUERY).status == 200


def test_the_log(dropin: DropIn) -> None:
    """A line is as MirrorManager's statistics read it; a file that is there is appended to."""
    before = "IP: 192.0.2.9; DATE: 2026-01-01; COUNTRY: N/A; REPO: a; ARCH: b"
    dropin.log.write_text(f"{before}\n")
    with dropin.serving() as server:
        body = server.get(QUERY, FRENCH).body.decode()
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    first, line = dropin.log.read_text().splitlines()
    assert first == before
    form = r"IP: 198\.51\.100\.7; DATE: \d{4}-\d\d-\d\d; COUNTRY: FR; REPO: linux-40; ARCH: x86_64"
    assert re.fullmatch(form, line)
    # As MirrorManager's statistics split it: "at its blanks, and takes the fields 3, 5, 7 and 9"
    # (docs/mirrormanager.md#statistics).
    fields = line.split()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", fields[3][:10])
    assert (fields[5][:2], fields[7].rstrip(";"), fields[9]) == ("FR", "linux-40", "x86_64")
    assert body.startswith("# repo = linux-40 arch = x86_64 country = FR ")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/static/x", 404),
        ("/mirrorlist?repo=nothing&arch=x86_64", 404),
        (QUERY, 200),
        ("/metalink?repo=linux-40&arch=x86_64", 200),
        (f"{QUERY}&redirect=1", 302),
        ("/mirrorlist", 200),
    ],
)
def test_what_apache_sends(one: Serving, target: str, status: int) -> None:
    """The paths that Fedora's Apache passes on have the answers that they had."""
    assert one.get(target).status == status


def test_checks(one: Serving) -> None:
    """The checks of nagios, haproxy and the restart script find what they look for."""
    assert one.get(f"{QUERY}&country=global").body.count(b"https://") == 2
    assert b'<hash type="sha256">' in one.get("/metalink?repo=linux-40&arch=x86_64").body
    with socket.create_connection(("127.0.0.1", one.port)) as connection:
        connection.sendall(b"GET /metalink?repo=linux-40&arch=x86_64 HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.")


def test_the_last_forwarded_address_counts(one: Serving) -> None:
    """On loopback it is the client, also if it is private: so it is in mirrorlist-server."""
    explained = "/explain?repo=linux-40&arch=x86_64"
    answer = one.get(explained, "X-Forwarded-For: 198.51.100.7, 10.5.126.9", "Accept: text/plain")
    assert b"10.5.126.9" in answer.body
    assert b"198.51.100.7" not in answer.body


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP])
def test_signals_of_scripts(one: Serving, number: signal.Signals) -> None:
    """A signal of a logrotate script does not end it, where it ended mirrorlist-server."""
    one.process.send_signal(number)
    assert one.get(QUERY).status == 200
    assert one.process.poll() is None


def test_drain(dropin: DropIn) -> None:
    """With --drain, which only ours has, a balancer that asks /health/ready is told first."""
    with dropin.serving("--drain", "0.3") as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until("it is not ready", lambda: server.get("/health/ready").status == 503)
        assert server.get(QUERY).status == 200
        assert server.process.wait(10) == 0


def test_one_port(one: Serving) -> None:
    """It listens on the port that it was given and on no other."""
    assert "/status" not in one.printed
    found = Path("/proc/net/tcp").read_text().splitlines()
    inodes = {line.split()[9] for line in found[1:] if line.split()[3] == "0A"}
    processes = [one.process.pid, *one.children()]
    held = {
        os.readlink(link) for process in processes for link in Path(f"/proc/{process}/fd").iterdir()
    }
    assert len({f"socket:[{inode}]" for inode in inodes} & held) == 1


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that several tests ask."""
    with DropIn(tmp_path_factory.mktemp("dropin")).serving() as server:
        yield server


def test_a_new_start_of_unchanged_files(dropin: DropIn) -> None:
    """The snapshot is kept, and made again only of files whose content is another one."""
    with dropin.serving():
        (snapshot,) = dropin.state.glob("*.snap")
        first = snapshot.stat()
    # As `cp -a` and rsync without times do: the same content with other times.
    os.utime(dropin.cache, (1, 1))
    with dropin.serving():
        assert snapshot.stat() == first
    snapshot.write_bytes(b"damaged")
    with dropin.serving() as server:
        assert server.get(QUERY).status == 200
    write_cache(dropin.cache, without=(cache.REPOSITORIES,))
    with dropin.serving() as server:
        assert server.get(QUERY).status == 404


@pytest.mark.system
def test_new_files(dropin: DropIn) -> None:
    """A new cache, netblocks and GeoIP file are taken while it runs, and junk is refused."""
    with dropin.serving(often=True) as server:
        new = write_cache(
            dropin.folder / ".new",
            (cache.REDIRECTS, entry("a", "linux-40")),
            (cache.ASNS, entry(64501, 3)),
        )
        os.rename(new, dropin.cache)
        wait_until("the cache", lambda: server.get("/mirrorlist?repo=a&arch=x86_64").status == 200)
        assert b"host3" not in server.get(QUERY, FRENCH).body
        dropin.netblocks.write_text("198.51.100.0/24 64501\n")
        wait_until("netblocks", lambda: b"host3" in server.get(QUERY, FRENCH).body)
        write_countries(dropin.folder / ".geo", {"198.51.100.0/24": "DE"})
        os.rename(dropin.folder / ".geo", dropin.geoip)
        wait_until("GeoIP", lambda: b"country = DE" in server.get(QUERY, FRENCH).body)
        assert b"host2" in server.get(f"{QUERY}&country=jp").body
        dropin.cache.write_bytes(b"\xffjunk")
        server.wait_for("not a mirrorlist cache")
        assert server.get("/mirrorlist?repo=a&arch=x86_64").status == 200


@pytest.mark.system
def test_the_continents_are_taken(dropin: DropIn) -> None:
    """A new CSV file changes which countries are near."""
    with dropin.serving("-m", "0", often=True) as server:
        british = f"{QUERY}&country=jp"
        assert server.get(british).status == 200
        dropin.continents.write_text("DE,EU\nFR,EU\nJP,EU\n")
        wait_until("the CSV", lambda: b"country = FR" in server.get(british).body)


@pytest.mark.system
def test_the_importer_is_replaced(dropin: DropIn) -> None:
    """If the importer is killed, another one takes the next cache; it ends with the server."""
    with dropin.serving(often=True) as server:
        importer = server.children()[0]
        os.kill(importer, signal.SIGKILL)
        server.wait_for("starting another")
        write_cache(dropin.cache, (cache.REDIRECTS, entry("a", "linux-40")))
        wait_until(
            "the cache", lambda: server.get("/mirrorlist?repo=a&arch=x86_64").status == 200, 20
        )
        children = server.children()
        os.kill(server.process.pid, signal.SIGKILL)
        for child in children:
            wait_until("its end", partial(_has_ended, child))


@pytest.mark.system
def test_a_folder_that_was_cleaned_away(dropin: DropIn) -> None:
    """If a cleaner of /tmp has removed the folder of the snapshot, the next cache is taken."""
    with dropin.serving(often=True) as server:
        rmtree(dropin.state)
        write_cache(dropin.cache, (cache.REDIRECTS, entry("a", "linux-40")))
        wait_until("the cache", lambda: server.get("/mirrorlist?repo=a&arch=x86_64").status == 200)


class _Killed(JobOptions, frozen=True, kw_only=True):
    """Options in whose use the process is killed."""

    def job(self, refresh: int | None = None) -> Job:
        """Kill this process."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(refresh)


def test_an_import_that_is_killed(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """If the first import is killed, the end says so; nothing is left to be ended."""
    options = _Killed(
        output=tmp_path / "mm.snap",
        asn=None,
        country_continent=None,
        allow_wide_netblocks=False,
        max_loss=30,
        require=(),
        snapshot_key=None,
    )
    importer = Importer(tmp_path / "cache", options)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        # A parent process that ignores SIGCHLD, which is inherited, does not hide the end.
        assert not importer.wait(importer.begin())
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert "was ended by SIGKILL" in capfd.readouterr().err
    importer.end()


def test_an_import_that_cannot_begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fork that the system refuses is named, and leaves no pipe open."""
    importer = Importer(tmp_path / "cache", cast(JobOptions, None))

    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refused)
    before = open_files()
    with pytest.raises(StartError, match="imports the cache cannot be started: Resource temp"):
        importer.begin()
    assert not left_open(before)
    monkeypatch.setattr(importer_module, "_PAUSE_SECONDS", 0.0)
    assert not importer.look_after()


def _has_ended(process: int) -> bool:
    """Return whether a process has ended, perhaps without its parent having waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


def test_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The snapshot is in the unit's folder, or in one that no other user can write."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/b")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    assert snapshot_path("a").parent == tmp_path
    assert snapshot_path("a") == snapshot_path("a") != snapshot_path("b")
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CACHE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = snapshot_path("a").parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert capfd.readouterr().err == ""
    folder.chmod(0o777)
    assert snapshot_path("a").parent != folder
    assert f"{folder} is not a folder of this user alone" in capfd.readouterr().err


def test_two_starts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another server makes the folder at the same moment, both use it."""
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CACHE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = snapshot_path("a").parent
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    assert snapshot_path("a").parent == made
