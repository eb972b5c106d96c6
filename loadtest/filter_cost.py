"""Measures what an answer to mirrors that run rsync costs: CPU a request, by how much changed.

    python -m loadtest.filter_cost mm.snap

Of all categories of a snapshot, by both forms, each answer drawn anew. With `--twice` the same
for a snapshot that has every directory a second time, unchanged.
"""

import tempfile
import time
from pathlib import Path

import click
from msgspec.structs import replace

from mirrorlist import rsyncfilter
from mirrorlist.catalog import Catalog
from mirrorlist.rsyncfilter import Held, RsyncFilter
from snapshot.file.model import Category, Directory, History, Ranges, Report, SnapshotData
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode

HOUR = 3600
# Before the newest change, as a data set may be older than its snapshot.
SINCE = {"the future": -HOUR, "an hour": HOUR, "a day": 24 * HOUR, "a week": 168 * HOUR}
_NEVER = 1
_SECONDS = 0.3
_NO_RANGES = Ranges([], [], [], [])


@click.command()
@click.argument("snapshot", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--twice", is_flag=True, help="Add every directory again, unchanged.")
def main(snapshot: Path, twice: bool) -> None:
    """Print a table of CPU a request and of directories listed."""
    rsyncfilter.KEPT_ANSWERS = 0
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Snapshot(_with_more(snapshot, Path(folder)) if twice else snapshot))
        click.echo(f"{catalog.snapshot.directory_count:,} directories\n")
        click.echo("| since | directories | classic | files |\n|---|---:|---:|---:|")
        newest = max(one.ctime for one in catalog.snapshot.directories())
        for name, ago in {**SINCE, "for ever": newest - _NEVER}.items():
            cells = [_measure(catalog, newest - ago, form) for form in ("classic", "files")]
            click.echo(
                f"| {name} | {cells[0][0]:,} | {cells[0][1]:,.0f} us | {cells[1][1]:,.0f} us |"
            )


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
    data = SnapshotData(
        read=old.read, hosts=[], categories=_alone(old.categories), host_sets=[],
        directories=[one for one, _ in pairs], repositories=[], redirects={}, file_details={},
        continents={}, netblock_chains=[], netblock_ranges=_NO_RANGES,
        country_ranges=_NO_RANGES, asn_ranges=_NO_RANGES, report=Report({}, ()),
        history=History(old.history.since, old.history.cursor, [moment for _, moment in pairs]),
    )  # fmt: skip
    written = folder / "more.snap"
    written.write_bytes(encode(data))
    return written


def _unchanged(directory: Directory) -> Directory:
    return replace(directory, name=f"{directory.name}.again", ctime=min(directory.ctime, _NEVER))


def _alone(categories: list[Category]) -> list[Category]:
    return [Category(one.id, one.name, one.topdir, ()) for one in categories]


if __name__ == "__main__":
    main()
