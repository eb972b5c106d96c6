"""Prepares what both servers need: the database, our snapshot, the files beside it."""

from pathlib import Path

import click
from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from loadtest.common.progress import show_phases
from loadtest.dataset.data_files import (
    ASN_FILE,
    CONTINENT_FILE,
    GEOIP_FILE,
)
from loadtest.dataset.dataset import Dataset
from loadtest.dataset.dataset import fill as fill_large
from snapshot.demo.tables import create_tables
from snapshot.export.exporter import export
from snapshot.export.job import Job
from tests.comparison import data, network
from tests.factories import fill
from tests.postgresql import engine

SNAPSHOT, GEOIP, LOG = "mm.snap", "GeoLite2-Country.mmdb", "theirs.log"
NETBLOCKS = "global_netblocks.txt"
LOG_LINES = 20_000


def prepare_large(database: str, folder: Path, scale: float) -> None:
    """Do the same with a production-size database (`loadtest.dataset`), and a log of requests."""
    dataset = Dataset(scale, seed=1)
    rows = dataset.rows(noise=False)
    # What we do with them on purpose cannot be asked of mirrorlist-server in other words here.
    rows.tables.update(host_country_allowed=[], host_peer_asn=[])
    with show_phases() as phases:
        fill_large(database, rows, True, phases)
        dataset.write_files(folder, LOG_LINES, phases)
    # Under the names that mirrorlist-server's programs know.
    (folder / ASN_FILE).rename(folder / NETBLOCKS)
    (folder / GEOIP_FILE).rename(folder / GEOIP)
    continents = folder / CONTINENT_FILE
    export(
        database,
        Job(folder / SNAPSHOT, asn=folder / NETBLOCKS, country_continent=continents, max_loss=None),
    )
    _write_settings(database, folder)


def prepare(database: str, folder: Path) -> None:
    """Fill an empty PostgreSQL database, export it, and write the files of the network."""
    folder.mkdir(parents=True, exist_ok=True)
    with engine(database) as to:
        if inspect(to).get_table_names():
            raise click.ClickException("the database is not empty; create one for the comparison")
        create_tables(to)
        fill(to, data.tables())
    _, asns, continents = network.write_files(folder)
    export(database, Job(folder / SNAPSHOT, asn=asns, country_continent=continents))
    _write_settings(database, folder)


def _write_settings(database: str, folder: Path) -> None:
    settings = folder / "database.env"
    settings.touch(mode=0o600)
    settings.write_text(f"DB_URL={make_url(database).render_as_string(hide_password=False)}\n")


def next_steps(folder: Path) -> str:
    """Return what to do with mirrorlist-server, as its own programs call things."""
    files = NETBLOCKS, CONTINENT_FILE, GEOIP, LOG
    asns, continents, geoip, log = (folder / name for name in files)
    return f"""\
Now let mirrorlist-server export and serve the same database, wherever you have it:

  generate-mirrorlist-cache --config {folder / "database.env"} --outfile {folder / "cache.proto"}
  mirrorlist-server --cache {folder / "cache.proto"} --global_netblocks {asns} \\
    --cccsv {continents} --geoip {geoip} --log {log} --port 3001

and then compare:

  python -m tests.comparison run --theirs http://127.0.0.1:3001 --data {folder}
"""
