"""What clients of a small site's database get, by an export and the server's own code."""

from pathlib import Path

from mirrorlist.web.app import App
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.reader import Snapshot
from tests.asgi import call
from tests.in_process import make_service
from tests.metalink_document import Document, read_metalink


def answer_of(file: Path, target: str) -> bytes:
    """Return the body of the answer to a request; m.db is beside the file."""
    output = file.parent / "m.snap"
    export(f"sqlite:///{file.parent / 'm.db'}", Job(output, resolve_dns=False, max_loss=None))
    answer = call(App(make_service(Snapshot(output))), target.encode())
    return bytes(answer.body)


def offered(file: Path, query: str = "repo=baseos-9&arch=x86_64") -> set[str]:
    """Return the names of the mirrors of a farm that a client gets; m.db is beside the file."""
    body = answer_of(file, f"/mirrorlist?{query}").decode()
    return {line.split("/")[3] for line in body.splitlines() if line.startswith("http")}


def metalink_of(file: Path, query: str) -> Document:
    """Return the metalink that a client gets; m.db is beside the file."""
    return read_metalink(answer_of(file, f"/metalink?{query}"))
