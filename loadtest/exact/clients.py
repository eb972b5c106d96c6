"""Clients that count the answers that they got, by what the statistics count too."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from random import Random

from loadtest.common.servers import get

TARGETS: Mapping[tuple[str, str], str] = {
    ("metalink", "linux-40"): "/metalink?repo=linux-40&arch=x86_64&countme=2",
    ("mirrorlist", "linux-40"): "/mirrorlist?repo=linux-40&arch=x86_64",
    ("metalink", "(unknown)"): "/metalink?repo=invented&arch=x86_64",
    ("mirrorlist", "(none)"): "/mirrorlist?repo=%ff&arch=x86_64",
}
"""What is asked for, by the kind and the repository under which it is counted."""

AGENTS = {"dnf5": "libdnf5/5.2", "other": "curl/8"}
Key = tuple[str, str, str, str]
"""Kind, repository, client and status."""

_ADDRESSES = 20_000
_SECONDS = 10.0


class Clients:
    """Clients in threads of their own, from the start of the block to its end."""

    def __init__(self, ports: Sequence[int], seed: int, count: int, pause: float) -> None:
        """Take the servers' ports; each client waits `pause` seconds between its requests."""
        self._ports, self._pause = ports, pause
        self._end = threading.Event()
        self._counts = [Counter[Key]() for _ in range(count)]
        self._seen: list[set[str]] = [set() for _ in range(count)]
        self.refused = 0
        """Connections that could not be made, or that ended without an answer."""
        self._threads = [
            threading.Thread(target=self._run, args=(n, Random(f"{seed} client {n}")))
            for n in range(count)
        ]

    def __enter__(self) -> "Clients":
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more; the answers under way are read."""
        self.stop()

    def stop(self) -> None:
        """Ask no more; the answers under way are read."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> Counter[Key]:
        """How many answers all got."""
        return sum((Counter(one) for one in self._counts), Counter())

    @property
    def addresses(self) -> int:
        """How many addresses asked for a repository that there is, and got an answer."""
        return len(set().union(*self._seen))

    def _run(self, number: int, rng: Random) -> None:
        while not self._end.is_set():
            (kind, repo), target = rng.choice([*TARGETS.items()])
            family, agent = rng.choice([*AGENTS.items()])
            drawn = rng.randrange(_ADDRESSES)
            address = f"198.18.{drawn >> 8}.{drawn & 255}"
            try:
                status = self._ask(rng.choice(self._ports), target, address, agent)
            except (OSError, HTTPException):
                self.refused += 1
                time.sleep(0.05)
                continue
            # A query that is not understood has no place among the others.
            self._counts[number][kind, repo, family, str(status)] += 1
            if not repo.startswith("("):
                self._seen[number].add(address)
            if self._pause:
                self._end.wait(self._pause)

    def _ask(self, port: int, target: str, address: str, agent: str) -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        try:
            return get(connection, target, address, {"User-Agent": agent, "Connection": "close"})[0]
        finally:
            connection.close()
