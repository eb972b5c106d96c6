"""Snapshots of one data set in a row, each with one host crawled since the one before."""

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import click
from msgspec import Struct

from loadtest.crawl import DIRECTORIES, crawl, crawled_hosts
from loadtest.dataset import Dataset, fill
from loadtest.progress import Phases
from loadtest.stage import Stage, export, prepare

_COUNT = 5
# At small scales no host has more.
_FEW_DIRECTORIES = 50


class Versions(Struct, frozen=True):
    """The files of a scale, and its snapshots."""

    stage: Stage
    snapshots: Sequence[Path]


def make_versions(folder: Path, scale: float, seed: int, phases: Phases) -> Versions:
    """Make the snapshots of a scale in a folder, unless they are there; raises a BackendError."""
    stage = prepare(folder, scale, seed, phases)
    place = stage.snapshot.parent
    snapshots = [place / f"mm-{number}.snap" for number in range(_COUNT)]
    # Made last, so with it all are there.
    if not snapshots[-1].exists():
        _make(place, snapshots, scale, seed, phases)
    return Versions(stage, snapshots)


def _make(place: Path, snapshots: Sequence[Path], scale: float, seed: int, phases: Phases) -> None:
    with tempfile.TemporaryDirectory(dir=place) as name:
        path = Path(name) / "mm.sqlite"
        database = f"sqlite:///{path}"
        fill(database, Dataset(scale, seed).filling(noise=False), replace=False, phases=phases)
        with closing(sqlite3.connect(path)) as connection:
            directories = DIRECTORIES if scale >= 1 else _FEW_DIRECTORIES
            hosts = [row[0] for row in connection.execute(crawled_hosts(directories))]
            if len(hosts) < _COUNT:
                raise click.ClickException(f"scale {scale:g} has too few hosts; use a bigger one")
            crawled = Random(seed).sample(hosts, _COUNT)
            for host, output in phases.counted(
                "exports", zip(crawled, snapshots, strict=True), _COUNT
            ):
                connection.execute(crawl(host, directories))
                connection.commit()
                export(place, database, output)
