"""What the server is measured with: a folder with data set, data files and snapshot, kept."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import Struct

from loadtest.common.progress import Phases
from loadtest.dataset.data_files import ASN_FILE, CONTINENT_FILE, GEOIP_FILE, LOG_FILE
from loadtest.dataset.dataset import Dataset, fill

_SNAPSHOT = "mm.snap"
_REQUESTS = 200_000


class ScaleFiles(Struct, frozen=True):
    """The files of a scale."""

    snapshot: Path
    geoip: Path
    log: Path


def prepare(folder: Path, scale: float, seed: int, phases: Phases) -> ScaleFiles:
    """Make the files of a scale in a folder, unless they are there; raises a BackendError."""
    place = folder / f"scale-{scale:g}-seed-{seed}"
    files = ScaleFiles(place / _SNAPSHOT, place / GEOIP_FILE, place / LOG_FILE)
    # Made last, so with it all is there.
    if not os.path.exists(files.snapshot):
        _make(place, scale, seed, phases)
    return files


def _make(place: Path, scale: float, seed: int, phases: Phases) -> None:
    try:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    except OSError as error:
        raise click.ClickException(f"{place}: cannot be made: {error.strerror}") from None
    with filled(place, scale, seed, phases) as (dataset, database):
        dataset.write_files(place, _REQUESTS, phases)
        with phases.phase("export"):
            export(place, f"sqlite:///{database}", place / _SNAPSHOT)


@contextmanager
def filled(place: Path, scale: float, seed: int, phases: Phases) -> Iterator[tuple[Dataset, Path]]:
    """Give a data set and a SQLite database of it in a folder; the file goes with the block.

    At scale 2.5 it is a gigabyte.
    """
    with tempfile.TemporaryDirectory(dir=place) as folder:
        with phases.phase(f"tree and hosts, scale {scale:g}"):
            dataset = Dataset(scale, seed)
            rows = dataset.rows(noise=False)
        database = Path(folder) / "mm.sqlite"
        fill(f"sqlite:///{database}", rows, replace=False, phases=phases)
        yield dataset, database


def export(place: Path, database: str, output: Path) -> None:
    """Export a database with the data files of a folder; raises an error of one line."""
    command = [sys.executable, "-m", "mirrorlist.cli", "export", "--database", database]
    command += ["--output", str(output), *export_options(place)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise click.ClickException(run.stderr.strip().rpartition("\n")[2])


def export_options(place: Path) -> list[str]:
    """Return the options of `export` and `watch` for the data files of a folder."""
    asn, continents = str(place / ASN_FILE), str(place / CONTINENT_FILE)
    return ["--asn", asn, "--country-continent", continents, "--no-dns"]
