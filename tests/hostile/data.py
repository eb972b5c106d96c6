"""What the server under attack serves: the demo's mirrors and repositories."""

from pathlib import Path

from snapshot.demo import build_demo
from snapshot.export.exporter import export
from snapshot.export.job import Job
from tests.hostile.dear import Targets

DEMO = Targets(
    "repo=fedora-44&arch=x86_64",
    "pub/fedora/linux/releases/44/Server/x86_64/iso",
    "Fedora%20Linux,Fedora%20EPEL",
)
"""What can be asked of the demo."""

GOOD = "/metalink?repo=fedora-44&arch=x86_64"
"""A request that must be answered with mirrors, whatever else is sent."""


def make_snapshot(folder: Path) -> Path:
    """Export the demo below a folder and return the snapshot's path."""
    database, snapshot = folder / "demo.sqlite", folder / "demo.snap"
    build_demo(database)
    export(f"sqlite:///{database}", Job(snapshot, resolve_dns=False))
    return snapshot
