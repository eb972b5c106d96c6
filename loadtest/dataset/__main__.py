"""Fills a database with a production-size MirrorManager database, seeded.

python -m loadtest.dataset --database sqlite:///mm.sqlite --scale 0.1
python -m loadtest.dataset --database postgresql://mm@db/mm --noise --data data/
"""

from pathlib import Path

import click

from loadtest import options
from loadtest.common.progress import show_phases
from loadtest.dataset.data_files import check_room
from loadtest.dataset.dataset import Dataset, fill
from loadtest.dataset.fill import DatabaseRows


@options.program
@click.option(
    "--database", required=True, metavar="URL", help="sqlite:///FILE, postgresql://... or @FILE."
)
@options.scale()
@options.seed("Another seed, other rows.")
@click.option("--noise", is_flag=True, help="Hosts miss single directories too, 0.5 % of all.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIRECTORY",
    help="Write asn.txt, geoip.mmdb, country_continent.csv and requests.log there.",
)
@options.number("--requests", 200_000, "Lines of requests.log.")
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
    if data:
        check_room(data, replace)
    with show_phases() as phases:
        with phases.phase("tree and hosts"):
            dataset = Dataset(scale, seed)
            rows = dataset.rows(noise)
        fill(database, rows, replace, phases)
        if data:
            dataset.write_files(data, requests, phases)
    click.echo(_summary(rows))


def _summary(rows: DatabaseRows) -> str:
    counts = {name: len(found) for name, found in rows.tables.items()}
    counts["host_category_dir"] = rows.giant_count
    return "\n".join(f"{name:<28}{count:>12,}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
