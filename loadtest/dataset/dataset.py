"""A production-size MirrorManager database, seeded: the same rows whatever database they are in.

Scale 1 has 430 hosts, 16,414 directories and 2.34 million rows of host_category_dir; scale 2.5
has 1,075, 32,659 and 9.7 million.
"""

from functools import cached_property, partial
from pathlib import Path

from loadtest.common.progress import Phases
from loadtest.common.sizes import sizes
from loadtest.dataset.coverage import Coverage
from loadtest.dataset.data_files import write_data_files
from loadtest.dataset.fill import DatabaseRows, fill_postgresql
from loadtest.dataset.fill_sqlite import fill_sqlite
from loadtest.dataset.host_rows import host_rows
from loadtest.dataset.hosts import make_hosts
from loadtest.dataset.network import make_internet
from loadtest.dataset.tree import DatasetTree
from loadtest.dataset.tree_rows import tree_rows
from loadtest.dataset.workload import Workload
from snapshot.export.database import database_file, parse_url


class Dataset:
    """The data of a scale and seed: a tree, hosts, what each host has, and clients."""

    def __init__(self, scale: float, seed: int) -> None:
        """Make everything but the rows; raises ValueError for a scale that does not work."""
        least = sizes(scale)
        self.seed = seed
        self.internet = make_internet(seed)
        self.tree = DatasetTree(least.directories)
        self.hosts = make_hosts(seed, least.hosts, self.internet)
        self.coverage = Coverage(seed, self.tree, self.hosts, least.host_category_dirs)

    @cached_property
    def workload(self) -> Workload:
        """What clients ask of this data."""
        return Workload(self.tree, self.hosts, self.internet)

    def write_files(self, directory: Path, requests: int, phases: Phases) -> None:
        """Write the data files that go with the rows, with a log of this many requests.

        Makes the directory; raises OutputError.
        """
        write_data_files(directory, self.seed, self.internet, self.workload, requests, phases)

    def rows(self, noise: bool) -> DatabaseRows:
        """Return the rows of a database; noise takes single directories from hosts."""
        coverage = self.coverage
        hosts = host_rows(self.seed, self.hosts, coverage.host_categories, self.internet)
        tables = tree_rows(self.seed, self.tree) | hosts
        return DatabaseRows(tables, partial(coverage.rows, noise), coverage.row_count)


def fill(database: str, rows: DatabaseRows, replace: bool, phases: Phases) -> None:
    """Fill the database of a URL; raises a BackendError, and then it is as it was."""
    url = parse_url(database)
    into = fill_sqlite if database_file(url) else fill_postgresql
    into(url, rows, replace, phases)
