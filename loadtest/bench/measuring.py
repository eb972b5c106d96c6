"""Measures the cases: starts their servers, warms them up, loads them, and judges the answers."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import click
from msgspec import Struct, structs

from loadtest.bench.cases import FLAVOURS, FLOORS, OURS, THEIRS, BenchCase
from loadtest.bench.figures import Memory, Round, Start
from loadtest.common.judging import answer_fault, load_fault, most_refused, refusals
from loadtest.common.members import look_at_all, members
from loadtest.common.mix import ALL_REFUSED, make_mix, read_data, turned
from loadtest.common.processes import cpu_seconds, own_pss_bytes, pss_bytes, tree
from loadtest.common.servers import Server, Servers, ask, says_close
from loadtest.common.wrk import Load, load
from loadtest.dataset.prepared import ScaleFiles

# wrk counts the head of an answer too; the floor's is of this length.
_FLOOR_HEAD = 68
_TRIED = 200
# The rounds that measure memory do not measure time, so their loads may be longer.
_LONGER = 4
_WORKERS = 2


class BenchPlan(Struct, frozen=True):
    """The options of a run."""

    only: tuple[str, ...]
    seconds: int
    warm: int
    rounds: int
    scale: tuple[float, ...]
    lines: int
    seed: int
    requests: int
    directory: Path


class Measuring:
    """The servers and mixes of a run, made when first needed."""

    def __init__(
        self,
        servers: Servers,
        files: dict[float, ScaleFiles],
        plan: BenchPlan,
        folder: Path,
        theirs: Server | None = None,
    ) -> None:
        """Take what is measured with; `folder` is for logs, which are thrown away."""
        self._servers = servers
        self._files = files
        self._datas = {scale: read_data(one.log, one.snapshot) for scale, one in files.items()}
        self._plan = plan
        self._folder = folder
        self._theirs = theirs
        self._running: dict[tuple[str, str, float], Server] = {}
        self._mixes: dict[tuple[str, float], list[str]] = {}
        self._means: dict[float, int] = {}
        self._silent: set[int] = set()
        # How many lines of a mix a server has had.
        self._sent: Counter[tuple[int, str]] = Counter()

    def measure(self, case: BenchCase) -> Round:
        """Load a case once; raises an error of one line if an answer was not what it should be."""
        server = self._server(case)
        before = pss_bytes(server.pid)
        used = cpu_seconds(server.pid)
        found = self._load(server, case, self._plan.seconds)
        used = cpu_seconds(server.pid) - used
        self._servers.check()
        self._judge(found, case, server.pid in self._silent)
        if not used and found.requests > 1000:
            raise click.ClickException(
                f"process {server.pid} used no CPU in {found.requests} requests: is it the one"
                f" behind {server.url}?"
            )
        return Round(found, used * 1e6 / found.requests, before, pss_bytes(server.pid))

    def start(self) -> Start:
        """Start a server, ask it twice, end it."""
        scale = next(iter(self._files))
        target, address = self._mix("day", scale)[0].split()
        before = time.perf_counter()
        server = self._servers.ours(self._files[scale].snapshot, self._options(OURS, scale))
        times = [before, time.perf_counter()]
        for _ in range(2):
            self._expect(ask(server, target, address), target)
            times.append(time.perf_counter())
        self._servers.end(server.pid)
        return Start(*((two - one) * 1e3 for one, two in pairwise(times)))

    def memory(self, requests: int, done: Callable[[int], None]) -> Memory:
        """Let two workers answer this many requests, then look at all pages of the admin process.

        PSS divides shared pages: another server that runs meanwhile would lower it.
        """
        scale = next(iter(self._files))
        options = ["--workers", str(_WORKERS), "--admin", "127.0.0.1:0"]
        snapshot = self._files[scale].snapshot
        server = self._servers.ours(snapshot, [*self._options(OURS, scale), *options])
        names, pages = members(server, _WORKERS)
        ask(server, *self._mix("day", scale)[0].split())
        start = _memory_of(names)
        case, count = BenchCase("memory", OURS, scale=scale), 0
        while count < requests:
            found = self._load(server, case, _LONGER * self._plan.seconds)
            self._judge(found, case)
            count += found.requests
            done(min(count, requests))
        loaded = _memory_of(names)
        look_at_all(pages)
        looked = _memory_of(names)
        if sorted(tree(server.pid)) != sorted(names.values()):
            raise click.ClickException("a process was lost while memory was measured")
        self._servers.end(server.pid)
        return Memory(count, start, loaded, looked)

    def _load(self, server: Server, case: BenchCase, seconds: int) -> Load:
        # From where its last load ended: a request that comes once must not come in each round.
        mix, had = self._mix(case.kind, case.scale), (server.pid, case.kind)
        found = load(server.url, turned(mix, self._sent[had]), seconds, case.close)
        self._sent[had] += found.requests
        return found

    def _server(self, case: BenchCase) -> Server:
        found = self._running.get(case.server)
        if found is None:
            found = self._running[case.server] = self._new(case)
            if case.flavour not in FLOORS:
                self._try(found, case)
                if not says_close(found):
                    self._silent.add(found.pid)
                self._warm(found, case)
        return found

    def _warm(self, server: Server, case: BenchCase) -> None:
        if self._plan.warm:
            found = self._load(server, case, self._plan.warm)
            self._judge(found, case, server.pid in self._silent)

    def _new(self, case: BenchCase) -> Server:
        if case.flavour in FLOORS:
            size = max(0, self._mean(case) - _FLOOR_HEAD)
            return self._servers.floor(FLOORS[case.flavour], size)
        if case.flavour == THEIRS:
            assert self._theirs is not None
            return self._theirs
        options = self._options(case.flavour, case.scale)
        return self._servers.ours(self._files[case.scale].snapshot, options)

    def _mean(self, case: BenchCase) -> int:
        """The mean length of our answers, for the floor's."""
        if case.scale not in self._means:
            ours = BenchCase(OURS, OURS, case.kind, scale=case.scale)
            found = self._load(self._server(ours), ours, 1)
            self._means[case.scale] = found.mean_bytes
        return self._means[case.scale]

    def _options(self, flavour: str, scale: float) -> list[str]:
        options = ["--geoip", str(self._files[scale].geoip), *FLAVOURS[flavour]]
        return [*options, str(self._folder / "requests.log")] if flavour == "log" else options

    def _mix(self, kind: str, scale: float) -> list[str]:
        key = kind, scale
        if key not in self._mixes:
            plan = self._plan
            self._mixes[key] = make_mix(self._datas[scale], kind, plan.seed, plan.lines)
        return self._mixes[key]

    def _try(self, server: Server, case: BenchCase) -> None:
        """Send some requests of a mix, and check the answers."""
        refused = 0
        for line in self._mix(case.kind, case.scale)[:_TRIED]:
            target, address = line.split()
            status, body = ask(server, target, address)
            refused += status == 404
            if status != 404:
                self._expect((status, body), target)
        wrong = refused != _TRIED if case.kind in ALL_REFUSED else refused > most_refused(_TRIED)
        if wrong and len(self._mix(case.kind, case.scale)) >= _TRIED:
            raise click.ClickException(f"{case.name}: {refused} of {_TRIED} requests are 404")

    def _expect(self, answer: tuple[int, bytes], target: str) -> None:
        status, body = answer
        if why := answer_fault(target, status, body):
            raise click.ClickException(f"{target}: the answer is not a list: {why}")

    def _judge(self, found: Load, case: BenchCase, is_silent: bool = False) -> None:
        # wrk counts a connection that ends without "Connection: close" as a failure, even if the
        # answer was complete.
        if case.close and is_silent:
            found = structs.replace(found, failed=max(0, found.failed - found.requests))
        why = load_fault(found, 0.0 if case.flavour in FLOORS else refusals(case.kind))
        if why:
            raise click.ClickException(f"{case.name}: {why}")


def _memory_of(pids: Mapping[str, int]) -> dict[str, int]:
    return {name: own_pss_bytes(pid) for name, pid in pids.items()}
