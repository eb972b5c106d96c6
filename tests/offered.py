"""What clients of a small site's database get, by an export and the server's own code."""

from pathlib import Path

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.reader import Snapshot
from tests.in_process import respond
from tests.metalink_document import Document, read_metalink


def _answer(file: Path, target: str) -> bytes:
    output = file.parent / "m.snap"
    export(f"sqlite:///{file.parent / 'm.db'}", Job(output, resolve_dns=False, max_loss=None))
    return respond(Snapshot(output), target).body


def offered(file: Path, query: str = "repo=baseos-9&arch=x86_64") -> set[str]:
    """Return the names of the mirrors of a farm that a client gets; m.db is beside the file."""
    body = _answer(file, f"/mirrorlist?{query}").decode()
    return {line.split("/")[3] for line in body.splitlines() if line.startswith("http")}


def metalink_of(file: Path, query: str) -> Document:
    """Return the metalink that a client gets; m.db is beside the file."""
    return read_metalink(_answer(file, f"/metalink?{query}"))
