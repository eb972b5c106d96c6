"""Asks databases of different histories the same, by turns, and compares what it takes.

    python -m loadtest.stats --database postgresql://mm@db/one --days 1
    python -m loadtest.stats --database postgresql://mm@db/big --days 1000
    python -m loadtest.stats.pair --database postgresql://mm@db/one --database postgresql://mm@db/big

Each round asks each question, or with --pages gets each page, in each database about all of its
history. By turns, because other work on the machine then slows all of them. CPU is that of this
process and of the server's process, if that is on this machine.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct
from starlette.testclient import TestClient

from loadtest import options
from loadtest.common.tables import Sheet, sheet, show
from loadtest.stats.__main__ import LAST, questions
from loadtest.stats.history import REQUESTS, History
from mirrorlist.status.stats_pages import StatisticsPages
from snapshot.link import Link, linked
from snapshot.stats.queries import first_day
from snapshot.stats.reading import Reader
from snapshot.stats.shown import Statistics

_AFTERNOON = datetime(LAST.year, LAST.month, LAST.day, 15, 30)
_PAGES = ("/", "/requests", "/requests?by=repo", "/systems", "/addresses", "/countries", "/hosts")
_SERVER = "SELECT pg_backend_pid()"

Ask = Callable[[], object]


class Asked(Struct, frozen=True):
    """A database: what it can be asked, and the CPU seconds of all who answer."""

    days: int
    asks: Mapping[str, Ask]
    cpu: Callable[[], float]


class Compared(Struct, frozen=True):
    """A question or page: milliseconds of each round, for each database."""

    name: str
    cpu: list[list[float]]
    wall: list[list[float]]

    @property
    def ratio(self) -> float:
        """How much more CPU the last database takes than the first: the median of the rounds."""
        return statistics.median(b / a for a, b in zip(self.cpu[0], self.cpu[-1], strict=True))


@options.program
@click.option("--database", "databases", multiple=True, required=True, metavar="URL",
    help="May be given more than once, the shortest history first.")  # fmt: skip
@options.number("--requests", REQUESTS, "Requests a day, as the databases were filled.", 1000)
@options.number("--rounds", 20, "How often each is asked.", 1)
@click.option("--pages", is_flag=True, help="Get the pages of stats serve instead.")
@options.seed("The seed of the databases.")
def main(databases: tuple[str, ...], requests: int, rounds: int, pages: bool, seed: int) -> None:
    """Compare what questions or pages take in databases of different histories."""
    history = History(seed, LAST, requests)
    with ExitStack() as stack:
        found = [
            _pages(stack, database, history) if pages else _questions(stack, database, history)
            for database in databases
        ]
        compared = [_compare(name, found, rounds) for name in found[0].asks]
    show([_sheet([one.days for one in found], compared)])


def _questions(stack: ExitStack, database: str, history: History) -> Asked:
    link = stack.enter_context(linked(database, "loadtest.stats"))
    since = first_day(link) or LAST
    asks = {name: _bound(ask, link) for name, ask in questions(history, since).items()}
    return Asked((LAST - since).days + 1, asks, _cpu_of(link))


def _bound(ask: Callable[[Link], object], link: Link) -> Ask:
    return lambda: ask(link)


def _pages(stack: ExitStack, database: str, history: History) -> Asked:
    reader = Reader(database)
    stack.callback(reader.close)
    since, cpu = reader.read(lambda link: (first_day(link) or LAST, _cpu_of(link)))
    client = TestClient(StatisticsPages(Statistics(reader), lambda: _AFTERNOON).app())
    asks = {page: _got(client, page, since) for page in _paths(history)}
    return Asked((LAST - since).days + 1, asks, cpu)


def _paths(history: History) -> Iterator[str]:
    yield from _PAGES
    for label, path in (("repo", "repository"), ("host", "host")):
        yield f"/{path}/{quote(next(iter(history.shares[label])), safe='')}"


def _got(client: TestClient, page: str, since: date) -> Ask:
    url = f"{page}{'&' if '?' in page else '?'}since={since}"
    return lambda: client.get(url).raise_for_status()


def _cpu_of(link: Link) -> Callable[[], float]:
    """Return what gives the CPU seconds of this process and of the server's, exactly."""
    with suppress(OSError):
        file = Path(f"/proc/{link.query(_SERVER)[0][0]}/schedstat")
        file.read_bytes()
        return lambda: int(file.read_bytes().split()[0]) / 1e9 + time.process_time()
    return time.process_time


def _compare(name: str, found: list[Asked], rounds: int) -> Compared:
    for one in found:
        one.asks[name]()
    made = Compared(name, [[] for _ in found], [[] for _ in found])
    for turn in range(rounds):
        order = [*enumerate(found)]
        for place, one in order if turn % 2 else order[::-1]:
            cpu, wall = one.cpu(), time.perf_counter()
            one.asks[name]()
            made.wall[place].append((time.perf_counter() - wall) * 1000)
            made.cpu[place].append((one.cpu() - cpu) * 1000)
    return made


def _sheet(days: list[int], compared: list[Compared]) -> Sheet:
    columns: dict[str, Callable[[Compared], object]] = {"what": lambda one: one.name}
    for place, count in enumerate(days):
        columns |= _columns(place, f"{count:,} days")
    if len(days) > 1:
        columns[f"CPU, {days[-1]:,} / {days[0]:,}"] = lambda one: f"{one.ratio:.2f}"
    return sheet("By turns", compared, columns)


def _columns(place: int, of: str) -> dict[str, Callable[[Compared], object]]:
    return {
        f"{of}: CPU": lambda one: f"{statistics.median(one.cpu[place]):.1f} ms",
        f"{of}: wall": lambda one: f"{statistics.median(one.wall[place]):.0f} ms",
        f"{of}: best": lambda one: f"{min(one.wall[place]):.0f} ms",
    }


if __name__ == "__main__":
    main()
