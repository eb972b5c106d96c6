"""Measures what an answer to mirrors that run rsync costs: CPU a request, by how much changed.

    python -m loadtest.rsync.filter_cost mm.snap

Of all categories of a snapshot, by both forms, each answer drawn again. With `--twice` the same
for a snapshot that has every directory a second time, unchanged.
"""

import tempfile
import time
from pathlib import Path

import click
from msgspec.structs import replace

from loadtest import options
from loadtest.common.tables import Sheet, show
from loadtest.rsync.tree import bare_data
from mirrorlist.catalog.catalog import Catalog
from mirrorlist.rsync import filter as rsyncfilter
from mirrorlist.rsync.filter import Held, RsyncFilter
from snapshot.file.model import Category, Directory, History
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode

HOUR = 3600
# Before the newest change, because a data set may be older than its snapshot.
SINCE = {"the future": -HOUR, "an hour": HOUR, "a day": 24 * HOUR, "a week": 168 * HOUR}
_NEVER = 1
_SECONDS = 0.3


@options.program
@click.argument("snapshot", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--twice", is_flag=True, help="Add every directory again, unchanged.")
def main(snapshot: Path, twice: bool) -> None:
    """Print a table of CPU a request and of directories listed."""
    rsyncfilter.KEPT_ANSWERS = 0
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Snapshot(_with_more(snapshot, Path(folder)) if twice else snapshot))
        newest = max(one.ctime for one in catalog.snapshot.directories())
        rows = []
        for name, ago in {**SINCE, "for ever": newest - _NEVER}.items():
            cells = [_measure(catalog, newest - ago, form) for form in ("classic", "files")]
            rows.append([name, f"{cells[0][0]:,}", *(f"{cost:,.0f} us" for _, cost in cells)])
    title = f"CPU a request, of {catalog.snapshot.directory_count:,} directories"
    show([Sheet(title, ["since", "directories", "classic", "files"], rows)])


def _measure(catalog: Catalog, since: int, form: str) -> tuple[int, float]:
    """Return how many directories are listed, and microseconds of CPU a request."""
    names = ",".join(category.name.replace(" ", "+") for category in catalog.categories)
    query = f"categories={names}&since={since}&form={form}&stripprefix=pub".encode()
    answers = RsyncFilter()
    answer = answers.answer(catalog, query, Held())
    started, count = time.process_time(), 0
    while time.process_time() < started + _SECONDS:
        answers.answer(catalog, query, Held())
        count += 1
    spent = time.process_time() - started
    return int(answer.headers["X-Mirrorlist-Directories"]), spent / count * 1e6


def _with_more(path: Path, folder: Path) -> Path:
    """Write a snapshot of the directories alone, with as many more that never changed."""
    old = Snapshot(path)
    pairs = list(zip(old.directories(), old.history.moments, strict=True))
    pairs = [(replace(one, host_set=None), moment) for one, moment in pairs]
    pairs += [(_unchanged(one), 0) for one, _ in pairs]
    pairs.sort(key=lambda pair: pair[0].name.encode())
    history = History(old.history.since, old.history.cursor, [moment for _, moment in pairs])
    categories = [Category(one.id, one.name, one.topdir, ()) for one in old.categories]
    directories = [one for one, _ in pairs]
    written = folder / "more.snap"
    written.write_bytes(encode(bare_data(old.read, categories, directories, history)))
    return written


def _unchanged(directory: Directory) -> Directory:
    return replace(directory, name=f"{directory.name}.again", ctime=min(directory.ctime, _NEVER))


if __name__ == "__main__":
    main()
