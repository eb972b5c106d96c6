"""What goes wrong in a soak: each fault by its name, done to a `Scene`."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

import psycopg

from loadtest.scene import Scene
from snapshot.format import CONTENT, ENTRY, HEADER, Section, pack

# How far a clock is ahead; exports wait until it has come to that.
_AHEAD_SECONDS = 4
_LEAST_SECONDS, _MOST_SECONDS = 0.2, 1.5

Fault = Callable[[Scene, Random], str]


def _kill_worker(scene: Scene, rng: Random) -> str:
    pid = rng.choice(scene.workers())
    os.kill(pid, signal.SIGKILL)
    return f"worker {pid}"


def _kill_watch(scene: Scene, rng: Random) -> str:
    # Sometimes within its export, which a trigger begins at once.
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
    """Put a bad file into the place, as a copy that broke off or a disk that lies."""
    content = bytearray(_content(scene))
    kind = rng.choice(("flipped", "cut short", "something else", "empty"))
    if kind == "flipped":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "cut short":
        del content[rng.randrange(len(content)) :]
    else:
        content = bytearray(rng.randbytes(5000) if kind == "something else" else b"")
    in_place = rng.random() < 0.5
    _put(scene, content, in_place)
    return f"{kind}, {'written in place' if in_place else 'renamed into place'}"


def _ahead(scene: Scene, rng: Random) -> str:
    """Publish as a machine does whose clock is ahead: the watch's own exports seem older."""
    content = _content(scene)
    header = HEADER.unpack_from(content)
    table = content[HEADER.size : HEADER.size + ENTRY.size * header[3]]
    sections = [
        Section(name.rstrip(b"\0").decode(), content[at : at + length], bool(flags & CONTENT))
        for name, at, length, flags in ENTRY.iter_unpack(table)
    ]
    ahead = int(time.time()) + _AHEAD_SECONDS
    _put(scene, pack(sections, ahead, ahead), in_place=False)
    return f"a snapshot from {_AHEAD_SECONDS} s ahead"


def _mtime(scene: Scene, rng: Random) -> str:
    """Let the published file's time be any, as after a restored backup."""
    when = rng.choice((0, int(time.time()) + 86_400))
    with suppress(FileNotFoundError):
        os.utime(scene.snapshot, (when, when))
    return f"the file is of {time.strftime('%Y-%m-%d', time.gmtime(when))}"


def _remove(scene: Scene, rng: Random) -> str:
    scene.snapshot.unlink(missing_ok=True)
    return "removed"


def _content(scene: Scene) -> bytes:
    """What is published, as soon as it is a snapshot."""
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
}
"""All faults by name."""

DATABASE_IS_GONE = (psycopg.OperationalError, psycopg.InterfaceError)
"""What a crawler gets while PostgreSQL is away."""
