"""`python -m tests.comparison`: prepare the data, then compare with a running incumbent."""

import sys
import tempfile
from pathlib import Path

import click
from sqlalchemy import create_engine, make_url

from snapshot.reader import Snapshot
from tests.comparison import data
from tests.comparison.ask import Server
from tests.comparison.expected import Ours
from tests.comparison.golden import Recorded, record
from tests.comparison.known import Judge
from tests.comparison.report import Report, check_ours, judge_all
from tests.comparison.requests import make_requests
from tests.live import serve

TIMES = 4


@click.group()
def main() -> None:
    """Compare our answers with those of the incumbent, on the same database."""


@main.command()
@click.option("--database", required=True, help="URL of an empty PostgreSQL database.")
@click.option("--data", "folder", required=True, type=click.Path(path_type=Path))
def prepare(database: str, folder: Path) -> None:
    """Fill a database, write the data files, and export what we serve."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    data.fill(engine)
    engine.dispose()
    data.write_files(folder)
    data.export_database(database, folder)
    settings = folder / "incumbent.env"
    settings.write_text(f"DB_URL={database.replace('postgresql:', 'postgres:', 1)}\n")
    click.echo(f"generate-mirrorlist-cache -c {settings} -o {folder}/incumbent.proto")
    click.echo(
        f"mirrorlist-server --port 3000 -c {folder}/incumbent.proto -g {data.asn_path(folder)}"
        f" --cccsv {folder}/country_continent.csv --geoip {data.geoip_path(folder)}"
        f" -l {folder}/incumbent.log"
    )


@main.command()
@click.option("--incumbent", required=True, help="Base URL of the running incumbent.")
@click.option("--data", "folder", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--requests", "count", default=2000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--record", "golden", type=click.Path(path_type=Path), help="Record answers here.")
def run(incumbent: str, folder: Path, count: int, seed: int, golden: Path | None) -> None:
    """Ask both servers each request four times; exit 1 if a difference is unexplained."""
    theirs, report = Server(incumbent), Report()
    geoip = data.geoip_path(folder)
    ours = Ours(Snapshot(folder / "ours.snap"), geoip)
    variants = data.export_variants(folder)
    judge = Judge(ours, {kinds: Ours(one, geoip) for kinds, one in variants.items()})
    answers: list[Recorded] = []
    with (
        tempfile.TemporaryDirectory() as output,
        serve(folder / "ours.snap", Path(output), "--geoip", geoip) as live,
    ):
        us = Server(f"http://127.0.0.1:{live.port}")
        for request in make_requests(count, seed):
            replies = theirs.ask(request, TIMES)
            wrong = check_ours(ours, request, us.ask(request, TIMES))
            kinds, left = judge_all(judge, request, replies)
            report.add(request, kinds, wrong + left)
            answers.append((request, replies))
    if golden:
        click.echo(f"recorded: {record(golden, answers)} requests")
    click.echo(report.table())
    sys.exit(1 if report.unexplained else 0)


if __name__ == "__main__":
    main()
