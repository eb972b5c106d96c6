"""Snapshots of one data set in a row, each with one host crawled since the one before."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import click
from msgspec import Struct

from loadtest.common.progress import Phases
from loadtest.dataset.crawl import DIRECTORIES, crawl, crawled_hosts
from loadtest.dataset.prepared import ScaleFiles, export, filled, prepare

_COUNT = 5
# At small scales no host has more.
_FEW_DIRECTORIES = 50


class Versions(Struct, frozen=True):
    """The files of a scale, and its snapshots."""

    files: ScaleFiles
    snapshots: Sequence[Path]


def make_versions(folder: Path, scale: float, seed: int, phases: Phases) -> Versions:
    """Make the snapshots of a scale in a folder, unless they are there; raises a BackendError."""
    files = prepare(folder, scale, seed, phases)
    place = files.snapshot.parent
    snapshots = [place / f"mm-{number}.snap" for number in range(_COUNT)]
    # Made last, so with it all are there.
    if not snapshots[-1].exists():
        _make(place, snapshots, scale, seed, phases)
    return Versions(files, snapshots)


def _make(place: Path, snapshots: Sequence[Path], scale: float, seed: int, phases: Phases) -> None:
    with (
        filled(place, scale, seed, phases) as (_, database),
        closing(sqlite3.connect(database)) as connection,
    ):
        directories = DIRECTORIES if scale >= 1 else _FEW_DIRECTORIES
        hosts = [row[0] for row in connection.execute(crawled_hosts(directories))]
        if len(hosts) < _COUNT:
            raise click.ClickException(f"scale {scale:g} has too few hosts; use a bigger one")
        pairs = zip(Random(seed).sample(hosts, _COUNT), snapshots, strict=True)
        for host, output in phases.counted("exports", pairs, _COUNT):
            connection.execute(crawl(host, directories))
            connection.commit()
            export(place, f"sqlite:///{database}", output)
