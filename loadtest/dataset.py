"""Fills a database with a production-size MirrorManager database, seeded.

    python -m loadtest.dataset --database sqlite:///mm.sqlite --scale 0.1
    python -m loadtest.dataset --database postgresql://mm@db/mm --noise --data data/

Scale 1 has 430 hosts, 16,414 directories and 2.34 million rows of host_category_dir; scale 2.5
has 1,075, 32,659 and 9.7 million. The rows are the same for the same seed and scale, whatever
the database.
"""

import sys
from functools import cached_property, partial
from pathlib import Path

import click

from loadtest.coverage import Coverage
from loadtest.data_files import check_room, write_data_files
from loadtest.fill import Filling, fill_postgresql
from loadtest.fill_sqlite import fill_sqlite
from loadtest.host_rows import host_rows
from loadtest.hosts import make_hosts
from loadtest.network import make_internet
from loadtest.progress import Phases, show_phases
from loadtest.sizes import BIGGEST, SMALLEST, sizes
from loadtest.tree import Tree
from loadtest.tree_rows import tree_rows
from loadtest.workload import Workload
from snapshot.export.database import parse_url
from snapshot.file.errors import BackendError


class Dataset:
    """The data of a scale and seed: a tree, hosts, what each host has, and clients."""

    def __init__(self, scale: float, seed: int) -> None:
        """Make everything but the rows; raises ValueError for a scale that does not work."""
        least = sizes(scale)
        self.seed = seed
        self.internet = make_internet(seed)
        self.tree = Tree(least.directories)
        self.hosts = make_hosts(seed, least.hosts, self.internet)
        self.coverage = Coverage(seed, self.tree, self.hosts, least.host_category_dirs)

    @cached_property
    def workload(self) -> Workload:
        """What clients ask of this data."""
        return Workload(self.tree, self.hosts, self.internet)

    def filling(self, noise: bool) -> Filling:
        """Return the rows of a database; noise takes single directories from hosts."""
        coverage = self.coverage
        hosts = host_rows(self.seed, self.hosts, coverage.host_categories, self.internet)
        tables = tree_rows(self.seed, self.tree) | hosts
        return Filling(tables, partial(coverage.rows, noise), coverage.row_count)


def fill(database: str, filling: Filling, replace: bool, phases: Phases) -> None:
    """Fill the database of a URL; raises a BackendError, and then it is as it was."""
    url = parse_url(database)
    into = fill_sqlite if url.get_backend_name() == "sqlite" else fill_postgresql
    into(url, filling, replace, phases)


@click.command()
@click.option(
    "--database", required=True, metavar="URL", help="sqlite:///FILE, postgresql://... or @FILE."
)
@click.option(
    "--scale",
    type=click.FloatRange(SMALLEST, BIGGEST),
    default=1.0,
    show_default=True,
    help="Size; 1 and 2.5 are those the incumbent was measured at.",
)
@click.option("--seed", default=1, show_default=True, help="Another seed, other rows.")
@click.option("--noise", is_flag=True, help="Hosts miss single directories too, 0.5 % of all.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIRECTORY",
    help="Write asn.txt, geoip.mmdb, country_continent.csv and requests.log there.",
)
@click.option(
    "--requests",
    type=click.IntRange(0),
    default=200_000,
    show_default=True,
    help="Lines of requests.log.",
)
@click.option("--replace", is_flag=True, help="Delete the rows and data files that are there.")
def main(
    database: str,
    scale: float,
    seed: int,
    noise: bool,
    data: Path | None,
    requests: int,
    replace: bool,
) -> None:
    """Fill a database with a production-size MirrorManager database."""
    try:
        _run(database, scale, seed, noise, data, requests, replace)
    except BackendError as error:
        sys.stderr.write(f"dataset: error: {error}\n")
        raise SystemExit(error.exit_code) from error


def _run(
    database: str,
    scale: float,
    seed: int,
    noise: bool,
    data: Path | None,
    requests: int,
    replace: bool,
) -> None:
    if data:
        check_room(data, replace)
    with show_phases() as phases:
        with phases.phase("tree and hosts"):
            dataset = Dataset(scale, seed)
            filling = dataset.filling(noise)
        fill(database, filling, replace, phases)
        if data:
            internet, workload = dataset.internet, dataset.workload
            write_data_files(data, seed, internet, workload, requests, phases)
    click.echo(_summary(filling))


def _summary(filling: Filling) -> str:
    counts = {name: len(rows) for name, rows in filling.tables.items()}
    counts["host_category_dir"] = filling.giant_count
    return "\n".join(f"{name:<28}{count:>12,}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
