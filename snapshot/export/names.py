"""DNS names among the netblocks: looked up by one bounded pool of threads, remembered for a week.

The names are free text of any mirror admin, and a lookup cannot be ended: a name whose server does
not answer keeps its thread for as long as the C library waits. So a host has a share of the
threads and a number of names, and no export adds threads to those that still wait.
"""

import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from snapshot.file.model import KnownName

# Source: docs/mirrormanager.md#dns-names-as-netblocks.
DNS_SECONDS = 2.0
MOST_NAMES = 32
"""How many different names of one host are looked up."""
MOST_ADDRESSES = 64
"""How many addresses of one name are taken: an answer of DNS has room for thousands."""
MOST_THREADS = 32
# So that eight hosts whose names hang are needed before another one's wait.
_THREADS_A_HOST = 4
KEPT_SECONDS = 7 * 24 * 3600
"""For how long the last known addresses of a name that nobody answers for are used."""
# What says that a name has no address, unlike a server that is not reached.
_NOBODY = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


class Resolved(NamedTuple):
    """The addresses of names; of those in `kept` the last known ones, of `lost` none."""

    known: dict[str, KnownName]
    kept: tuple[str, ...]
    lost: tuple[str, ...]

    def note(self) -> str | None:
        """Say in one line which names did not resolve; None if all did."""
        missing = sorted((*self.kept, *self.lost))
        if not missing:
            return None
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        kept = f"; the last known addresses of {len(self.kept)} are kept" if self.kept else ""
        names = "name" if len(missing) == 1 else "names"
        return f"{len(missing)} DNS {names} among the netblocks not resolved: {shown}{kept}"


def resolve(
    names: Mapping[int, Sequence[str]], before: Mapping[str, KnownName], now: int
) -> Resolved:
    """Look up the names of each host, at `now` (seconds since 1970); `before` was known then."""
    answers = pool().look_up(names, DNS_SECONDS) if names else {}
    known, kept, lost = {}, [], []
    for name in sorted({name for of_host in names.values() for name in of_host}):
        found = answers.get(name)
        if found:
            known[name] = KnownName(now, tuple(found))
        elif found is None and name in before and now - before[name].seen <= KEPT_SECONDS:
            known[name] = before[name]
            kept.append(name)
        else:
            lost.append(name)
    return Resolved(known, tuple(kept), tuple(lost))


@cache
def pool() -> "Pool":
    """Return the one pool of this process: exports in a row share what still waits."""
    return Pool()


class Pool:
    """At most so many threads, which end when nothing is left to look up."""

    def __init__(self, threads: int = MOST_THREADS, a_host: int = _THREADS_A_HOST) -> None:
        """Take how many threads there may be, and how many of these wait for one host's names."""
        self._most, self._share = threads, a_host
        self._changed = threading.Condition()
        self._threads = 0
        self._waiting: deque[tuple[int, deque[str]]] = deque()
        self._asked: dict[str, int] = {}
        self._busy: Counter[int] = Counter()
        self._open = False
        self._answers: dict[str, list[str] | None] = {}
        self._late: dict[str, list[str] | None] = {}

    def look_up(
        self, names: Mapping[int, Sequence[str]], seconds: float
    ) -> dict[str, list[str] | None]:
        """Return the addresses of names, no address for one that does not exist.

        A name without an answer in time is None or not there. Hosts take turns; what was not
        begun in time is not begun later, and what comes later is there the next time.
        """
        deadline = time.monotonic() + seconds
        wanted = {name for of_host in names.values() for name in of_host}
        with self._changed:
            self._begin(names)
            while self._threads and wanted - self._answers.keys():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            self._open = False
            self._waiting.clear()
            found = {**self._late, **self._answers}
            self._late = {}
            return {name: found[name] for name in wanted & found.keys()}

    def _begin(self, names: Mapping[int, Sequence[str]]) -> None:
        self._open, self._answers = True, {}
        taken = {*self._asked}
        for host, of_host in names.items():
            mine = deque(name for name in dict.fromkeys(of_host) if name not in taken)
            taken.update(mine)
            if mine:
                self._waiting.append((host, mine))
        waiting = sum(len(mine) for _, mine in self._waiting)
        for _ in range(min(waiting, self._most - self._threads)):
            try:
                threading.Thread(target=self._work, daemon=True, name="dns").start()
            except RuntimeError:
                # The system gives no more: those that there are do all of it.
                break
            self._threads += 1

    def _work(self) -> None:
        while True:
            with self._changed:
                name = self._next()
                if name is None:
                    self._threads -= 1
                    self._changed.notify_all()
                    return
            found = _addresses(name)
            with self._changed:
                self._busy[self._asked.pop(name)] -= 1
                (self._answers if self._open else self._late)[name] = found
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The next name of the next host that has its share of threads not yet."""
        for _ in range(len(self._waiting)):
            host, mine = self._waiting.popleft()
            busy = self._busy[host] >= self._share
            name = None if busy else mine.popleft()
            if mine:
                self._waiting.append((host, mine))
            if name is not None:
                self._busy[host] += 1
                self._asked[name] = host
                return name
        return None


def _addresses(name: str) -> list[str] | None:
    """Return the addresses of a name, none if it does not exist; None if nobody says."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [] if error.errno in _NOBODY else None
    except UnicodeError:
        return []
    except Exception:
        # Whatever it is: this thread has others to look up.
        return None
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})[:MOST_ADDRESSES]
