"""mirror-sync interrupted: whatever happens, clients see no hole, and the next run completes."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from tests.clients.rsync import run_daemon
from tests.live import wait_until
from tests.mirror_sync.conftest import Network
from tests.mirror_sync.cut import run_cut
from tests.mirror_sync.stage import RSYNC, Stage, end
from tests.mirror_sync.tree import change_at_random, missing, publish, read_tree, write

pytestmark = pytest.mark.system

SEED = 20261121
KILLS = 10
NOBODY = 65534


COUNTED = """\
case "$*" in *rsync://*) ;; *) exec REAL "$@" ;; esac
n=$(cat "$0.calls" 2>/dev/null)
n=$((${n:-0} + 1))
echo $n >"$0.calls"
""".replace("REAL", RSYNC)
"""The start of an rsync that counts its runs in $n; those on this machine alone are none."""


def _ending(call: int, code: int, text: str = "", *, work: bool = False) -> str:
    """An rsync whose run of this number ends with a code; `work`: after its work."""
    done = f'{RSYNC} "$@"; ' if work else ""
    return (
        f"{COUNTED}[ $n -ne {call} ] || {{ {done}echo '{text}' >&2; exit {code}; }}\n"
        f'exec {RSYNC} "$@"'
    )


def _change(stage: Stage) -> None:
    publish(stage.primary, "40/x86_64", ["a-1.rpm", "new.rpm"])
    stage.scan.scan()


def test_cut_off_between_steps(synced: Stage) -> None:
    """A connection lost before any step leaves whole repositories, and the cursor as it was."""
    cursor = synced.mirror.cursor
    for call in (1, 2, 3, 4):
        publish(synced.primary, "40/x86_64", [f"new{call}.rpm"])
        synced.scan.scan()
        synced.mirror.replace_programs(rsync=_ending(call, 12, "connection unexpectedly closed"))
        run = synced.mirror.run()
        assert run.code == 75, call
        assert "connection unexpectedly closed" in run.errors
        assert missing(synced.mirror.destination) == []
        assert synced.mirror.cursor == cursor
    synced.mirror.replace_programs()
    synced.mirror.sync()
    synced.assert_equal()


@pytest.mark.parametrize("passed", [2_000, 60_000])
def test_the_network_is_lost(synced: Stage, network: Network, passed: int) -> None:
    """A stream that is cut in its middle leaves whole repositories; the next run goes on."""
    cursor = synced.mirror.cursor
    publish(synced.primary, "40/x86_64", [f"large{n}.rpm" for n in range(4)], size=30_000)
    synced.scan.scan()
    port = int(network.rsync.rpartition(":")[2])
    with run_cut(port, passed) as cut:
        synced.mirror.settings["upstream"] = f"rsync://127.0.0.1:{cut}/{synced.module}"
        synced.mirror.fill_in_settings()
        run = synced.mirror.run()
        assert run.code == 75, run.errors
        assert "; the cursor stays" in run.errors
        assert missing(synced.mirror.destination) == []
        assert synced.mirror.cursor == cursor
    synced.mirror.settings["upstream"] = f"{network.rsync}/{synced.module}"
    synced.mirror.fill_in_settings()
    synced.mirror.sync()
    synced.assert_equal()


def test_the_order_of_steps(synced: Stage) -> None:
    """Packages come before metadata, metadata before deletions: four runs of rsync."""
    _change(synced)
    seen = []
    for call in (3, 3, 9):
        synced.mirror.replace_programs(rsync=_ending(call, 12))
        synced.mirror.run()
        here = synced.mirror.destination / "40/x86_64"
        names = ["Packages/new.rpm", "Packages/b-1.rpm"]
        new = (here / "repodata/repomd.xml").read_bytes() == (
            synced.primary / "40/x86_64/repodata/repomd.xml"
        ).read_bytes()
        seen.append(([(here / name).exists() for name in names], new))
    # The second attempt finds the packages there, and is cut off before it deletes.
    assert seen == [([True, True], False), ([True, True], True), ([True, False], True)]


def test_kills(synced: Stage) -> None:
    """Killed at any moment, it leaves whole repositories, and the next run makes all equal."""
    chance = Random(SEED)
    for run in range(KILLS):
        change_at_random(synced.primary, chance, run)
        synced.scan.scan()
        process = synced.mirror.start()
        time.sleep(chance.random() * 0.5)
        if process.poll() is None:
            os.killpg(process.pid, chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        end(process)
        assert missing(synced.mirror.destination) == [], f"run {run}"
        if run % 2:
            wait_until("the lock is free", lambda: synced.mirror.run().code == 0)
            synced.assert_equal()


def test_first_run_killed(stage: Stage) -> None:
    """A first run that is killed goes on in the next."""
    write(stage.primary, "images/large.iso", bytes(3_000_000))
    process = stage.mirror.start("--bwlimit", "500")
    images = stage.mirror.destination / "images"
    wait_until("it transfers", lambda: images.exists() and len(list(images.iterdir())) > 1)
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    assert missing(stage.mirror.destination) == []
    assert stage.mirror.cursor is None
    wait_until("the lock is free", lambda: stage.mirror.run().code == 0)
    stage.assert_equal()


WAITING = f"""\
case "$*" in *rsync://*) ;; *) exec {RSYNC} "$@" ;; esac
echo $$ >"$0.pid"
while [ ! -e "$0.go" ]; do sleep 0.02; done
exec {RSYNC} "$@"
"""
"""An rsync that says its number, and begins when a file is there."""


def test_terminated(synced: Stage) -> None:
    """SIGTERM ends it and its rsync at once, with 75 and one line."""
    _change(synced)
    synced.mirror.replace_programs(rsync=WAITING)
    process = synced.mirror.start()
    pid = synced.mirror.programs / "rsync.pid"
    wait_until("rsync runs", lambda: pid.exists() and pid.read_text().endswith("\n"))
    process.terminate()
    run = end(process)
    assert run.code == 75
    assert "interrupted" in run.errors
    assert len(run.errors.splitlines()) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert sorted(path.name for path in synced.mirror.state.iterdir()) == ["cursor", "lock"]


@pytest.mark.parametrize(
    "without", [pytest.param("", id="flock"), pytest.param("flock", id="no flock")]
)
def test_one_at_a_time(synced: Stage, without: str) -> None:
    """A second run ends at once with 75, silently, and leaves the first alone."""
    _change(synced)
    synced.mirror.replace_programs(without, rsync=WAITING)
    process = synced.mirror.start()
    wait_until("rsync runs", (synced.mirror.programs / "rsync.pid").exists)
    second = synced.mirror.run()
    (synced.mirror.programs / "rsync.go").touch()
    assert end(process).code == 0
    assert (second.code, second.output, second.errors) == (75, "", "")
    synced.assert_equal()


def test_a_stale_lock(synced: Stage) -> None:
    """Without flock, the lock of a process that is gone, or is another program, is taken."""
    synced.mirror.replace_programs(without="flock")
    for holder in ("999999999", "1", "junk"):
        (synced.mirror.state / "lock.process").symlink_to(holder)
        _change(synced)
        synced.mirror.sync()
    synced.assert_equal()
    assert not (synced.mirror.state / "lock.process").is_symlink()


def test_an_orphan_keeps_the_lock(synced: Stage) -> None:
    """While the rsync of a killed run still works, no other run starts beside it."""
    _change(synced)
    synced.mirror.replace_programs(rsync=WAITING)
    process = synced.mirror.start()
    pid = synced.mirror.programs / "rsync.pid"
    wait_until("rsync runs", lambda: pid.exists() and pid.read_text().endswith("\n"))
    with process:
        process.kill()
    assert synced.mirror.run().code == 75
    (synced.mirror.programs / "rsync.go").touch()
    wait_until("the orphan has ended", lambda: synced.mirror.run().code == 0)
    synced.assert_equal()


def test_disk_full(synced: Stage) -> None:
    """When nothing more can be written, nothing is deleted and the metadata stay old."""
    cursor, before = synced.mirror.cursor, read_tree(synced.mirror.destination)
    publish(synced.primary, "40/x86_64", ["a-1.rpm", "large.rpm"], size=60_000)
    synced.scan.scan()
    run = synced.mirror.run(before="ulimit -f 60")
    assert run.code == 1
    assert "File too large" in run.errors
    after = read_tree(synced.mirror.destination)
    assert {name: after[name] for name in before} == before
    assert synced.mirror.cursor == cursor
    synced.mirror.sync()
    synced.assert_equal()


def test_state_cannot_be_written(synced: Stage) -> None:
    """A state that cannot be written is said, and the old one stays."""
    state = synced.mirror.read_state()
    _change(synced)
    run = synced.mirror.run(before="ulimit -f 0")
    assert run.code != 0
    assert synced.mirror.read_state() == state


def test_too_many_connections(synced: Stage, network: Network) -> None:
    """An upstream that is full is tried again, and then left for the next run."""
    url = network.add_module(f"{synced.module}-full", synced.primary)
    with (network.folder / "rsyncd.conf").open("a") as settings:
        settings.write(f"max connections = 1\nlock file = {synced.folder}/lock\n")
    _change(synced)
    host, port = network.rsync.removeprefix("rsync://").split(":")
    with socket.create_connection((host, int(port))) as held:
        held.sendall(f"@RSYNCD: 31.0 sha512 md5\n{synced.module}-full\n".encode())
        wait_until("it is held", lambda: b"@RSYNCD: OK" in held.recv(1 << 16))
        run = synced.mirror.run("--upstream", url, "--full", "--tries", "3")
        assert run.code == 75
        assert "max connections (1) reached" in run.errors
    log = synced.daemon_log.read_text()
    assert log.count(f"max connections (1) reached for module {synced.module}-full") in (0, 3)
    wait_until("it is free", lambda: synced.mirror.run("--upstream", url).code == 0)
    synced.assert_equal()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        pytest.param(24, "file has vanished: x", 4, id="vanished"),
        pytest.param(
            23,
            'rsync: [sender] send_files failed to open "x" (in m): Permission denied (13)',
            0,
            id="unreadable",
        ),
        pytest.param(
            23,
            'rsync: [sender] read errors mapping "x" (in m): Input/output error (5)',
            75,
            id="upstream disk",
        ),
        pytest.param(
            23,
            'rsync: [receiver] mkstemp "x" failed: No space left on device (28)',
            1,
            id="no space",
        ),
        pytest.param(
            23,
            'rsync: [generator] recv_generator: mkdir "x" failed: Permission denied (13)',
            1,
            id="permission",
        ),
        pytest.param(1, "rsync: --nonsense: unknown option", 2, id="option"),
        pytest.param(137, "", 75, id="killed"),
    ],
)
def test_how_rsync_ends(synced: Stage, code: int, text: str, expected: int) -> None:
    """Each way in which rsync ends has its code; no step is built on a failed one."""
    cursor = synced.mirror.cursor
    _change(synced)
    synced.mirror.replace_programs(rsync=_ending(2, code, text, work=True))
    run = synced.mirror.run()
    assert run.code == expected, run.errors
    assert (synced.mirror.cursor != cursor) == (expected == 0)
    calls = int((synced.mirror.programs / "rsync.calls").read_text())
    assert calls == (4 if expected in (0, 4) else 2)


def test_what_upstream_may_not_read(synced: Stage) -> None:
    """What upstream may not read stops nothing: not the rest, and not the deletions."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        shutil.copytree(synced.primary, folder / "tree", symlinks=True)
        shutil.rmtree(folder / "tree/docs/guide")
        write(folder, "tree/hidden[1]/below/secret", "secret")
        write(synced.mirror.destination, "hidden[1]/earlier", "was readable")
        # Root's daemon is nobody here; another's has no right to its own directory.
        (folder / "tree/hidden[1]").chmod(0o700 if os.geteuid() == 0 else 0)
        try:
            with run_daemon(folder, "127.0.0.1", {"m": folder / "tree"}, user=NOBODY) as daemon:
                synced.mirror.sync("--full", "--upstream", f"{daemon.url}/m")
        finally:
            (folder / "tree/hidden[1]").chmod(0o700)
    assert not (synced.mirror.destination / "docs/guide").exists()
    assert (synced.mirror.destination / "hidden[1]/earlier").exists()


def test_a_path_below_the_module(stage: Stage) -> None:
    """Upstream may be a directory of its module, which rsyncd 3.5.0 without chroot gets wrong."""
    stage.mirror.settings["upstream"] = f"{stage.url}/primary"
    stage.mirror.sync()
    _change(stage)
    stage.mirror.sync()
    stage.assert_equal()


def test_eight_thousand_directories(stage: Stage) -> None:
    """A list of 8,000 directories is one run like any other, and what is equal is left alone."""
    for number in range(8000):
        (stage.primary / f"many/{number % 80}/{number}").mkdir(parents=True)
    stage.mirror.fill_from(stage.primary, stage.scan.cursor)
    write(stage.primary, "many/7/7/file", "new")
    stage.site.instead = stage.site.good(
        "".join(f"many/{number % 80}/{number}/\n" for number in range(8000))
    )
    run = stage.mirror.run("--verbose")
    assert run.code == 0
    assert "8000 directories listed, 1 files (3 bytes) transferred" in run.output
    assert "transferring: 1 directories" in run.errors
    stage.assert_equal()
