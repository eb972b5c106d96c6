"""Counts as servers spool them, the same counts summed up by hand, and what databases say."""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from datasketches import hll_sketch, tgt_hll_type

from snapshot.link import linked
from snapshot.stats import spool
from snapshot.stats.cubes import CUBES, Cube, name
from snapshot.stats.spool import CLIENTS, KINDS, Batch, CountRow, HostRow, SketchRow, UnknownRow

TODAY = int(time.time()) // 86400 * 86400
"""The first second of today, UTC: collectors refuse what is far from it."""
FIELDS = {"repo": "repository"}
REPOSITORIES = ("fedora-43", "updates-released-f43", "epel-9", "tab\tand\\n", "(unknown)")
"""What random rows ask for."""

ACCESS = """
CREATE TABLE access_stat_category (id {serial} PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE);
CREATE TABLE access_stat (category_id INTEGER NOT NULL, date DATE NOT NULL,
    name VARCHAR(255) NOT NULL, percent FLOAT, requests INTEGER,
    PRIMARY KEY (category_id, date, name))
"""
"""MirrorManager's tables of statistics."""


def source(number: int) -> str:
    """Return the source of a worker process."""
    return f"{number:032x}"


def row(hour: int = TODAY, requests: int = 1, **labels: Any) -> CountRow:
    """Return a row of counts, of a usual request but for some labels."""
    usual: dict[str, Any] = {
        "kind": "metalink",
        "repository": "fedora-43",
        "arch": "x86_64",
        "country": "DE",
        "tier": "country",
        "status": 200,
        "client": "dnf5",
        "family": 4,
        "countme": 0,
    }
    return CountRow(hour=hour, requests=requests, **{**usual, **labels})


def batch(sequence: int, *rows: CountRow, of: int = 1, **more: Any) -> Batch:
    """Return a batch of a source."""
    begun = more.pop("begun", TODAY)
    return Batch(source(of), sequence, f"server{of}", begun, begun + 60, rows, **more)


def batches(seed: int, count: int, rows: int, days: int = 3) -> list[Batch]:
    """Return batches of two sources with random rows of the last days."""
    chance = random.Random(seed)
    return [
        batch(
            n // 2 + 1,
            *(_random_row(chance, days) for _ in range(rows)),
            of=n % 2 + 1,
            hosts=tuple(_random_host(chance, days) for _ in range(3)),
            unknown=(UnknownRow(TODAY, f"typo-{n % 3}", "x86_64", n + 1),),
            sketches=(sketch(range(n * 100, n * 100 + 150)),),
            key="k",
            other=n,
        )
        for n in range(count)
    ]


def _random_row(chance: random.Random, days: int) -> CountRow:
    return row(
        TODAY - 3600 * chance.randrange(24 * days),
        chance.randrange(1, 9),
        kind=chance.choice(KINDS),
        repository=chance.choice(REPOSITORIES),
        arch=chance.choice(("x86_64", "aarch64")),
        country=chance.choice(("DE", "FR", "N/A")),
        tier=chance.choice(("country", "continent")),
        status=chance.choice((200, 200, 404)),
        client=chance.choice(CLIENTS),
        family=chance.choice((4, 6)),
        countme=chance.randrange(5),
    )


def _random_host(chance: random.Random, days: int) -> HostRow:
    hour = TODAY - 3600 * chance.randrange(24 * days)
    return HostRow(hour, chance.choice(("a.example", "b.example")), "country", 2)


def sketch(
    addresses: Iterable[int], day: int = TODAY, repo: str = "fedora-43", arch: str = "x86_64"
) -> SketchRow:
    """Return a sketch of some addresses."""
    made = hll_sketch(12, tgt_hll_type.HLL_8)
    for one in addresses:
        made.update(one)
    return SketchRow(day, repo, arch, made.serialize_compact())


def spooled(folder: Path, given: Iterable[Batch]) -> Path:
    """Write a file for each batch, and return the folder."""
    folder.mkdir(exist_ok=True)
    for one in given:
        spool.write(folder, one.file_name, spool.encode([one]))
    return folder


def unreadable(path: Path) -> None:
    """Put a file there whose reading is an I/O error: the first page of a process is not there."""
    path.symlink_to("/proc/self/mem")


def counted(given: Iterable[Batch], cube: Cube) -> Counter[tuple[str, ...]]:
    """Count requests by day and the labels of a cube, by hand."""
    found: Counter[tuple[str, ...]] = Counter()
    for one in given:
        for each in one.counts:
            values = (str(getattr(each, FIELDS.get(label, label))) for label in cube)
            found[(_day(each.hour), *values)] += each.requests
    return found


def _day(second: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(second))


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return what a database says, with all values but numbers as text."""
    with linked(url) as link:
        return [tuple(map(_plain, one)) for one in link.query(sql)]


def _plain(value: Any) -> Any:
    # A sum in PostgreSQL is a Decimal.
    return value if isinstance(value, int | float | Decimal) else str(value)


def sums(url: str, cube: Cube) -> Counter[tuple[str, ...]]:
    """Return the sums of a cube by day, as a direct SQL query gives them."""
    labels = "".join(f", k.{label}" for label in cube)
    rows = query(
        url,
        f"SELECT t.day{labels}, t.requests FROM stat_day t JOIN stat_key k ON k.id = t.key_id"
        f" WHERE k.cube = '{name(cube)}'",
    )
    return Counter({tuple(map(str, one[:-1])): one[-1] for one in rows})


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that the roll-ups say, in an order of its own."""
    tables = {
        **{
            table: f"SELECT key_id, {unit}, requests, total FROM {table} ORDER BY 1, 2"
            for table, unit in (("stat_hour", "hour"), ("stat_day", "day"), ("stat_month", "month"))
        },
        "stat_key": "SELECT id, cube, repo, arch, country, host FROM stat_key ORDER BY 1",
        "stat_unknown": "SELECT day, repo, arch, requests FROM stat_unknown ORDER BY 1, 2, 3",
        "stat_batch": "SELECT source, sequence, requests FROM stat_batch ORDER BY 1, 2",
        "stat_sketch": "SELECT day, secret, repo, arch FROM stat_sketch ORDER BY 1, 3",
        "stat_release_sketch": "SELECT day, secret, release, arch FROM stat_release_sketch"
        " ORDER BY 1, 3, 4",
        "stat_release": "SELECT repo, release FROM stat_release ORDER BY 1",
        "stat_detail": "SELECT sum(requests) FROM stat_detail",
    }
    return {table: query(url, sql) for table, sql in tables.items()}


def hold_all_sums(url: str, given: list[Batch]) -> None:
    """Hold that each cube's sums are those that were counted by hand."""
    for cube in CUBES:
        assert sums(url, cube) == counted(given, cube), cube


def sqlite(folder: Path, name: str = "stats.sqlite") -> str:
    """Return the URL of a SQLite file, which has MirrorManager's tables of statistics."""
    with sqlite3.connect(folder / name) as connection:
        connection.executescript(ACCESS.format(serial="INTEGER"))
    connection.close()
    return f"sqlite:///{folder / name}"
