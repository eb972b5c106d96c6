"""Looks up the DNS names among the netblocks, in one bounded pool of threads.

Any mirror admin may enter any name, and getaddrinfo() cannot be cancelled: a name whose DNS server
does not answer blocks its thread for as long as the C library waits. So the number of threads is
limited for the process and for each host, and so is the number of names of a host. Threads that
are still blocked count in the next export too.
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
"""How many addresses of one name are used; a DNS answer has room for thousands."""
MOST_THREADS = 32
# With 32 threads, the names of eight hosts must hang before those of another host have to wait.
_THREADS_A_HOST = 4
KEPT_SECONDS = 7 * 24 * 3600
"""For how long the last known addresses of a name are used while no DNS server answers for it."""
# The errors for a name without an address; other errors mean that no DNS server answered.
_NOBODY = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


class Resolved(NamedTuple):
    """The addresses of names; `kept` names have their last known ones, `lost` names have none."""

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
    """Look up the names of each host; `before` has earlier answers, `now` is Unix seconds."""
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
    """Return the pool of this process, which all its exports share."""
    return Pool()


class Pool:
    """A limited number of threads, each of which ends when no name is left to look up."""

    def __init__(self, threads: int = MOST_THREADS, a_host: int = _THREADS_A_HOST) -> None:
        """Take the largest number of threads, in all and for the names of one host."""
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
        """Return the addresses of names; the list of a name that does not exist is empty.

        A name without an answer in time has None, or is missing. Hosts take turns. A lookup that
        was not begun in time is dropped; an answer that comes too late is used by the next call.
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
                # The system refuses another thread: the threads that run look up all names.
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
        """The next name of the next host that has fewer threads than its share."""
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
    """Return the addresses of a name, [] if it does not exist, None if no DNS server answers."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [] if error.errno in _NOBODY else None
    except UnicodeError:
        return []
    except Exception:
        # Any other failure is of this name alone: the thread goes on with the next name.
        return None
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})[:MOST_ADDRESSES]
