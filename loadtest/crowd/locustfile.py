"""Users that behave like dnf, for locust: a normal day, a release day, unknown repositories.

    python -m loadtest.crowd --users 200 --seconds 60

`loadtest.crowd` starts a server and locust on it. To load another server:

    LOADTEST_LOG=requests.log LOADTEST_SNAPSHOT=mm.snap locust -f loadtest/crowd/locustfile.py
"""

import os
from pathlib import Path
from random import Random

from locust import FastHttpUser, between, task

from loadtest.common.judging import answer_fault
from loadtest.common.mix import HEADERS, known_only, make_mix, read_data
from loadtest.crowd.users import LOG, SNAPSHOT, newest

_LINES = 50_000
# A system has this many of a release's repositories on, and asks for one after the other.
_ENABLED = 3
# As dnf: a connection for each list.
_HEADERS = HEADERS | {"Connection": "close"}


class _Asked:
    """What users ask for, read once."""

    def __init__(self) -> None:
        data = read_data(Path(os.environ[LOG]), Path(os.environ[SNAPSHOT]))
        known = known_only(data)
        self.day = make_mix(known, "day", 1, _LINES)
        self.unknown = make_mix(known, "unknown", 1, _LINES)
        self.addresses = [one.address for one in data.log]
        self.newest = newest(data)
        self.rng = Random(1)


_ASKED = _Asked() if LOG in os.environ else None


class _User(FastHttpUser):
    """A user that asks for lists and checks the answers."""

    abstract = True
    wait_time = between(1, 5)

    def ask(self, target: str, address: str, expected: int = 200) -> None:
        """Ask for a list; with 404 expected, anything else is a failure."""
        headers = {**_HEADERS, "X-Forwarded-For": address}
        with self.client.get(
            target, headers=headers, name=type(self).__name__, catch_response=True
        ) as answer:
            status, body = answer.status_code or 0, answer.content or b""
            if expected != 200:
                why = None if status == expected else f"status {status}"
            else:
                why = answer_fault(target, status, body)
            if why is None:
                answer.success()
            else:
                answer.failure(why)


class NormalDay(_User):
    """Systems of all kinds from everywhere, each asking for a few repositories."""

    weight = 6

    @task
    def refresh(self) -> None:
        """Ask for some lists from one address."""
        assert _ASKED is not None
        start = _ASKED.rng.randrange(len(_ASKED.day))
        address = _ASKED.day[start].split()[1]
        for number in range(_ENABLED):
            target = _ASKED.day[(start + number) % len(_ASKED.day)].split()[0]
            self.ask(target, address)


class ReleaseDay(_User):
    """Systems from everywhere ask for the new release, again and again."""

    weight = 3
    wait_time = between(0.2, 1)

    @task
    def upgrade(self) -> None:
        """Ask for the new release's lists."""
        assert _ASKED is not None
        address = _ASKED.rng.choice(_ASKED.addresses)
        one = _ASKED.rng.choice(_ASKED.newest)
        self.ask(f"/metalink?repo={one.repo}&arch={one.arch}", address)


class Unknown(_User):
    """Repositories with typing errors, each asked for twelve times at once, as librepo does."""

    weight = 1
    wait_time = between(5, 15)

    @task
    def mistyped(self) -> None:
        """Ask for a repository that does not exist."""
        assert _ASKED is not None
        target, address = _ASKED.rng.choice(_ASKED.unknown).split()
        for _ in range(12):
            self.ask(target, address, expected=404)
