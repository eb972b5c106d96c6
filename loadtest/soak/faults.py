"""The faults of a soak: functions that break something in a `Scene`, by name."""

import fcntl
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import psycopg

from loadtest.soak.scene import Scene
from snapshot.file.format import CONTENT, ENTRY, HEADER, FileSection, pack

# How far the clock is ahead in `_ahead`; for this long, later exports seem older.
_AHEAD_SECONDS = 4
_BEGIN_BYTES = 8
_LEAST_SECONDS, _MOST_SECONDS = 0.2, 1.5

Fault = Callable[[Scene, Random], str]


def _kill_worker(scene: Scene, rng: Random) -> str:
    pid = rng.choice(scene.workers())
    os.kill(pid, signal.SIGKILL)
    return f"worker {pid}"


def _kill_watch(scene: Scene, rng: Random) -> str:
    # Sometimes during an export, which a trigger starts at once.
    seconds = rng.uniform(0, _MOST_SECONDS)
    time.sleep(seconds)
    scene.kill_watch()
    time.sleep(rng.uniform(_LEAST_SECONDS, _MOST_SECONDS))
    scene.start_watch()
    return "killed and started again"


def _kill_postgresql(scene: Scene, rng: Random) -> str:
    scene.postgresql.kill()
    seconds = rng.uniform(_LEAST_SECONDS, _MOST_SECONDS)
    time.sleep(seconds)
    scene.start_database()
    return f"away for {seconds:.1f} s and its start"


def _cut_connections(scene: Scene, rng: Random) -> str:
    return f"{scene.cut_connections()} cut"


def _fill_disk(scene: Scene, rng: Random) -> str:
    if not scene.has_disk:
        return "left out: only root can mount a disk to be filled"
    scene.fill_disk()
    try:
        scene.commit(rng)
        time.sleep(rng.uniform(_MOST_SECONDS, 2 * _MOST_SECONDS))
    finally:
        scene.free_disk()
    return "full for a change or two"


def _corrupt(scene: Scene, rng: Random) -> str:
    """Put a bad file in the snapshot's place, like an incomplete copy or a faulty disk."""
    content = bytearray(_content(scene))
    begin = content[:_BEGIN_BYTES]
    kind = rng.choice(("flipped", "cut short", "something else", "empty"))
    if kind == "flipped":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "cut short":
        del content[rng.randrange(len(content)) :]
    else:
        content = bytearray(rng.randbytes(5000) if kind == "something else" else b"")
    in_place = rng.random() < 0.5
    _put(scene, content, in_place)
    if content[:_BEGIN_BYTES] != begin:
        # A watch does not replace a file that is not a snapshot, and says to remove it.
        time.sleep(rng.uniform(_LEAST_SECONDS, _MOST_SECONDS))
        scene.snapshot.unlink(missing_ok=True)
    return f"{kind}, {'written in place' if in_place else 'renamed into place'}"


def _ahead(scene: Scene, rng: Random) -> str:
    """Publish like a machine whose clock is ahead, so that the watch's own exports seem older."""
    content = _content(scene)
    header = HEADER.unpack_from(content)
    table = content[HEADER.size : HEADER.size + ENTRY.size * header[3]]
    sections = [
        FileSection(name.rstrip(b"\0").decode(), content[at : at + length], bool(flags & CONTENT))
        for name, at, length, flags in ENTRY.iter_unpack(table)
    ]
    ahead = int(time.time()) + _AHEAD_SECONDS
    _put(scene, pack(sections, ahead, ahead), in_place=False)
    return f"a snapshot from {_AHEAD_SECONDS} s ahead"


def _mtime(scene: Scene, rng: Random) -> str:
    """Set the published file's time to a random one, as after a restored backup."""
    when = rng.choice((0, int(time.time()) + 86_400))
    with suppress(FileNotFoundError):
        os.utime(scene.snapshot, (when, when))
    return f"the file is of {time.strftime('%Y-%m-%d', time.gmtime(when))}"


def _remove(scene: Scene, rng: Random) -> str:
    scene.snapshot.unlink(missing_ok=True)
    return "removed"


def _quiet(scene: Scene, rng: Random) -> str:
    """Stop reading the server's standard error, or close it, while the server prints lines."""
    kind = rng.choice(("is not read", "has no reader"))
    (scene.stderr.stop if kind == "is not read" else scene.stderr.leave)()
    try:
        _kill_worker(scene, rng)
        os.kill(scene.server.pid, signal.SIGUSR1)
        scene.workers()
        time.sleep(rng.uniform(_LEAST_SECONDS, _MOST_SECONDS))
    finally:
        scene.stderr.come_back()
    return f"it {kind}"


def _refuse_forks(scene: Scene, rng: Random) -> str:
    """Let the system refuse a new process while one is missing."""
    before = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    scene.limit_processes(1)
    try:
        killed = _kill_worker(scene, rng)
        time.sleep(rng.uniform(_MOST_SECONDS, 2 * _MOST_SECONDS))
    finally:
        scene.limit_processes(before)
    scene.workers()
    return f"{killed}, and no other at first"


def _no_descriptors(scene: Scene, rng: Random) -> str:
    """Let the watch open no file for a while, after it has loaded its modules."""
    scene.until("the watch has begun", scene.watches)
    before = resource.prlimit(scene.watch, resource.RLIMIT_NOFILE)
    resource.prlimit(scene.watch, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with suppress(psycopg.Error):
            scene.commit(rng)
        time.sleep(rng.uniform(_MOST_SECONDS, 2 * _MOST_SECONDS))
    finally:
        resource.prlimit(scene.watch, resource.RLIMIT_NOFILE, before)
    return "for the watch, with a change"


def _lock_log(scene: Scene, rng: Random) -> str:
    """Lock the request log as any reader can; lines go on."""
    with scene.requests.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file.fileno()).st_size
        scene.until(
            "lines are written in spite of a lock",
            lambda: os.fstat(file.fileno()).st_size > size,
        )
    return "lines went on"


def _overwrite_snapshot(scene: Scene, rng: Random) -> str:
    """Overwrite the published file in place with its own content, several times."""
    content = _content(scene)
    times = rng.randrange(1, 5)
    for _ in range(times):
        _put(scene, content, in_place=True)
        time.sleep(rng.uniform(0, _LEAST_SECONDS))
    return f"{times} times"


def _overwrite_geoip(scene: Scene, rng: Random) -> str:
    """Spoil the GeoIP file in place, and cut it short, then bring it back."""
    content = scene.geoip.read_bytes()
    scene.geoip.write_bytes(rng.randbytes(len(content) // 2))
    time.sleep(rng.uniform(_LEAST_SECONDS, _MOST_SECONDS))
    scene.geoip.write_bytes(content)
    return "spoilt, then as before"


def _drip(scene: Scene, rng: Random) -> str:
    """Start a server whose watch never ends an answer, and kill -9 that server."""
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        where = f"127.0.0.1:{neighbour.getsockname()[1]}"
        _content(scene)
        pids = scene.start_beside(where)
        connection, _ = neighbour.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            os.kill(pids[0], signal.SIGKILL)
            scene.until("none of its processes stays", lambda: not any(map(_is_there, pids)))
    return "it ended with its supervisor"


def _is_there(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _content(scene: Scene) -> bytes:
    """The published file's content, as soon as it is a good snapshot."""
    scene.until("a good file is published", lambda: scene.published() is not None)
    return scene.snapshot.read_bytes()


def _put(scene: Scene, content: bytes | bytearray, in_place: bool) -> None:
    if in_place:
        scene.snapshot.write_bytes(content)
        return
    part = scene.disk / "foreign"
    part.write_bytes(content)
    part.rename(scene.snapshot)


FAULTS: dict[str, Fault] = {
    "kill -9 of a worker": _kill_worker,
    "kill -9 of the watch": _kill_watch,
    "kill -9 of PostgreSQL": _kill_postgresql,
    "connections to the database cut": _cut_connections,
    "disk full": _fill_disk,
    "corrupt snapshot": _corrupt,
    "clock ahead": _ahead,
    "file times jump": _mtime,
    "snapshot removed": _remove,
    "standard error": _quiet,
    "forks refused": _refuse_forks,
    "no file can be opened": _no_descriptors,
    "request log locked": _lock_log,
    "snapshot written over in place": _overwrite_snapshot,
    "GeoIP file spoilt in place": _overwrite_geoip,
    "a neighbour that drips": _drip,
}
"""All faults by name."""

DATABASE_IS_GONE = (psycopg.OperationalError, psycopg.InterfaceError)
"""The errors that a crawler gets while PostgreSQL is down."""
