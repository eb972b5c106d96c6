"""What the server is measured with: a folder with data set, data files and snapshot, kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
from msgspec import Struct

from loadtest.data_files import ASN_FILE, CONTINENT_FILE, GEOIP_FILE, LOG_FILE, write_data_files
from loadtest.dataset import Dataset, fill
from loadtest.progress import Phases

CACHE = Path(".cache/bench")
"""Where files are kept, unless told otherwise."""

_SNAPSHOT, _DATABASE = "mm.snap", "mm.sqlite"
_REQUESTS = 200_000


class Stage(Struct, frozen=True):
    """The files of a scale."""

    snapshot: Path
    geoip: Path
    log: Path


def prepare(folder: Path, scale: float, seed: int, phases: Phases) -> Stage:
    """Make the files of a scale in a folder, unless they are there; raises a BackendError."""
    place = folder / f"scale-{scale:g}-seed-{seed}"
    stage = Stage(place / _SNAPSHOT, place / GEOIP_FILE, place / LOG_FILE)
    # Made last, so with it all is there.
    if not os.path.exists(stage.snapshot):
        _make(place, scale, seed, phases)
    return stage


def _make(place: Path, scale: float, seed: int, phases: Phases) -> None:
    try:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    except OSError as error:
        raise click.ClickException(f"{place}: cannot be made: {error.strerror}") from None
    with phases.phase(f"tree and hosts, scale {scale:g}"):
        dataset = Dataset(scale, seed)
        filling = dataset.filling(noise=False)
    database = f"sqlite:///{place / _DATABASE}"
    fill(database, filling, replace=False, phases=phases)
    write_data_files(place, seed, dataset.internet, dataset.workload, _REQUESTS, phases)
    with phases.phase("export"):
        export(place, database, place / _SNAPSHOT)
    # A gigabyte at scale 2.5, and nothing reads it again.
    (place / _DATABASE).unlink()


def export(place: Path, database: str, output: Path) -> None:
    """Export a database with the data files of a folder; raises an error of one line."""
    command = [sys.executable, "-m", "mirrorlist.cli", "export", "--database", database]
    command += ["--output", str(output), "--asn", str(place / ASN_FILE), "--no-dns"]
    command += ["--country-continent", str(place / CONTINENT_FILE)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise click.ClickException(run.stderr.strip().rpartition("\n")[2])
