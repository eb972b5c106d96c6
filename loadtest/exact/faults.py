"""What is done to the scene while clients ask; each returns what it did."""

import signal
import time
from collections.abc import Callable, Mapping
from random import Random

from loadtest.exact.scene import SERVERS, Scene

_MOST_AWAY = 3.0
_MOST_STEPS = 70
_HOUR = 3600


def _database_crashes(scene: Scene, rng: Random) -> str:
    """As `pg_ctl stop -m immediate` does."""
    return _without_database(scene, rng, signal.SIGQUIT)


def _database_is_killed(scene: Scene, rng: Random) -> str:
    return _without_database(scene, rng, signal.SIGKILL)


def _without_database(scene: Scene, rng: Random, number: signal.Signals) -> str:
    scene.postgresql.kill(number)
    away = rng.uniform(0.2, _MOST_AWAY)
    time.sleep(away)
    start_database(scene)
    return f"{number.name}, away for {away:.1f} s"


def start_database(scene: Scene) -> None:
    """Start PostgreSQL again, as soon as the last process of the one before has ended."""
    deadline = time.monotonic() + 30
    while True:
        try:
            scene.postgresql.start()
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _collector_is_killed(scene: Scene, rng: Random) -> str:
    number = rng.randrange(2)
    scene.kill_collector(number)
    scene.start_collector(number)
    return f"collector {number}"


def _collector_dies_at_a_step(scene: Scene, rng: Random) -> str:
    step = rng.randrange(1, _MOST_STEPS)
    code = scene.collect_and_die(step)
    return f"step {step}, exit code {code}"


def _server_restarts(scene: Scene, rng: Random) -> str:
    number = rng.randrange(SERVERS)
    scene.end_server(number)
    scene.start_server(number)
    scene.wait_for_server(number)
    return f"server {number}"


def _server_looks_again(scene: Scene, rng: Random) -> str:
    number = rng.randrange(SERVERS)
    scene.signal_server(number, signal.SIGHUP)
    return f"SIGHUP to server {number}"


def _worker_ends(scene: Scene, rng: Random) -> str:
    number = rng.randrange(SERVERS)
    scene.end_worker(number)
    return f"SIGTERM to a worker of server {number}"


def _clock_goes_back(scene: Scene, rng: Random) -> str:
    if not scene.has_faketime:
        return "not possible: libfaketime is missing"
    number = rng.randrange(SERVERS)
    scene.set_clock(number, -_HOUR)
    time.sleep(rng.uniform(1.5, 4))
    scene.set_clock(number, 0)
    return f"one hour, and forth again, of server {number}"


FAULTS: Mapping[str, Callable[[Scene, Random], str]] = {
    "the database crashes": _database_crashes,
    "the database is killed": _database_is_killed,
    "a collector is killed": _collector_is_killed,
    "a collector is killed at a step": _collector_dies_at_a_step,
    "a server is restarted": _server_restarts,
    "a server looks at its files": _server_looks_again,
    "a worker is replaced": _worker_ends,
    "a clock is set back": _clock_goes_back,
}
"""All faults by their names."""
