"""Distinct addresses over three servers: what the sketches say, beside what is true.

    python -m loadtest.stats.addresses --addresses 10000000

Each address asks for some repositories: the first server sees all of these requests, the second the
first half of the addresses, the third the last third. So most addresses are seen twice. The marks,
sketches, spool files and the collection are those of the product, and the database is a SQLite
file. Each round is a site with a secret of its own, so it draws again.
"""

import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import click
import numpy as np
from msgspec import Struct

from loadtest import options
from loadtest.common.progress import show_phases
from loadtest.common.tables import Sheet, sheet, show
from mirrorlist.lists.label import LABELS
from mirrorlist.records.sitekey import BLOCK_BYTES, SiteKey
from mirrorlist.records.sketches import LOG_K, Sketches
from snapshot.link import linked
from snapshot.stats import spool
from snapshot.stats.collecting import collect
from snapshot.stats.distinct import distinct
from snapshot.stats.questions import Question
from snapshot.stats.spool import DAY_SECONDS, METALINK, Batch

SIGMA = 1.04 / 2 ** (LOG_K / 2)
"""The standard error of a sketch."""

ASKED: Mapping[tuple[str, str], int] = {
    ("rawhide", "x86_64"): 1,
    ("fedora-43", "x86_64"): 2,
    ("updates-released-f43", "x86_64"): 3,
    ("fedora-43", "aarch64"): 7,
    ("epel-9", "x86_64"): 5,
}
"""Which addresses ask for a repository and an arch: those whose numbers are divisible."""
# 2026-11-26.
_DAY = 20_783 * DAY_SECONDS
_CHUNK = 1 << 18
_PARTS = ((0.0, 1.0), (0.0, 0.5), (2 / 3, 1.0))


class Figure(Struct, frozen=True):
    """What a union says in a round, and what is true."""

    round: int
    what: str
    true: int
    estimate: int

    @property
    def error(self) -> float:
        """The relative error."""
        return self.estimate / self.true - 1


@options.program
@options.number("--addresses", 10_000_000, "Distinct addresses.", 100)
@options.number("--rounds", 5, "Sites, each with another secret.", 1)
@options.seed("Other secrets.")
def main(addresses: int, rounds: int, seed: int) -> None:
    """Count addresses over three servers; fails if an error is over three standard errors."""
    figures = []
    with show_phases() as phases:
        for n in range(1, rounds + 1):
            with phases.phase(f"round {n}"):
                figures += [*measure(addresses, n, f"{seed} {n}".encode())]
    show([figures_sheet(figures)])
    if any(abs(one.error) > 3 * SIGMA for one in figures):
        raise click.ClickException(f"an error is over 3 standard errors of {SIGMA:.2%}")


def measure(addresses: int, number: int, secret: bytes) -> Iterator[Figure]:
    """Count the addresses 1, 2, 3 and so on, and yield what the database says of them."""
    key = SiteKey(secret)
    with tempfile.TemporaryDirectory(prefix="mirrorlist-addresses-") as path:
        folder = Path(path)
        for server, part in enumerate(_PARTS):
            first, last = (int(addresses * bound) for bound in part)
            rows = tuple(_seen(key, first + 1, last + 1).rows())
            name = f"server{server}"
            batch = Batch(f"{server:032x}", 1, name, _DAY, _DAY, sketches=rows, key=key.id)
            spool.write(folder, batch.file_name, spool.encode([batch]))
        database = f"sqlite:///{folder / 'stats.sqlite'}"
        collect([folder], database)
        for what, found, true in _answers(database, addresses):
            yield Figure(number, what, true, found)


def _seen(key: SiteKey, first: int, end: int) -> Sketches:
    """Return the sketches of a server that the addresses from `first` to before `end` asked."""
    sketches = Sketches()
    for begin in range(first, end, _CHUNK):
        numbers = np.arange(begin, min(begin + _CHUNK, end), dtype=np.uint64)
        marks = key.marks(_DAY, _blocks(numbers))
        for (repo, arch), divisor in ASKED.items():
            asks = numbers % np.uint64(divisor) == 0
            code = LABELS.find(METALINK, repo, arch, 0, 200).code
            sketches.see(_DAY, np.full(int(asks.sum()), code, np.int64), marks[asks])
    return sketches


def _blocks(numbers: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> bytes:
    """Return addresses as the server gives them: numbers with the highest byte first."""
    blocks = np.zeros((len(numbers), BLOCK_BYTES // 8), ">u8")
    blocks[:, -1] = numbers
    return blocks.tobytes()


def _answers(database: str, addresses: int) -> Iterator[tuple[str, int, int]]:
    """Yield what was asked, the estimate, and the true number."""
    numbers = np.arange(1, addresses + 1, dtype=np.uint64)
    asks = {place: numbers % np.uint64(divisor) == 0 for place, divisor in ASKED.items()}
    of_fedora = [one for (repo, _), one in asks.items() if "43" in repo]
    true = {
        (): np.logical_or.reduce([*asks.values()]),
        ("Fedora 43",): np.logical_or.reduce(of_fedora),
        ("Fedora 43", "x86_64"): np.logical_or(*of_fedora[:2]),
        ("EPEL 9",): asks["epel-9", "x86_64"],
    }
    day = date.fromtimestamp(_DAY)
    with linked(database) as link:
        found = {
            one.values: one.addresses
            for by in ((), ("release",), ("release", "arch"))
            for one in distinct(link, Question(by, day, day))
        }
    for values, who in true.items():
        yield ", ".join(values) or "all", found[values], int(who.sum())


def figures_sheet(figures: list[Figure]) -> Sheet:
    """Return the figures as a table."""
    return sheet(f"Distinct addresses over three servers (standard error {SIGMA:.2%})", figures, {
        "round": lambda one: one.round,
        "union of": lambda one: one.what,
        "true": lambda one: f"{one.true:,}",
        "estimate": lambda one: f"{one.estimate:,}",
        "error": lambda one: f"{one.error:+.2%}",
    })  # fmt: skip


if __name__ == "__main__":
    main()
