"""`mirrorlist run` as a process: started, asked, and killed in parts."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.command import COMMAND, PLAIN
from tests.live import wait_until

SECONDS = 60.0
KINDS = ("worker", "admin process", "keeper")


class Site:
    """A run, and all that it has said."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        """Take the process, and the file of what it prints."""
        self.process, self._said = process, said

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._said.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has said a text so often."""
        wait_until(f"{text} in {self.said}", lambda: self.said.count(text) >= times, SECONDS)

    def start(self) -> None:
        """Wait until it serves."""
        wait_until(
            "a start",
            lambda: "status, health" in self.said or self.process.poll() is not None,
            SECONDS,
        )
        assert self.process.poll() is None, self.said

    @property
    def url(self) -> str:
        """Where it answers."""
        found = re.search(r"listening on (http://\S+) ", self.said)
        assert found, self.said
        return found[1]

    def ask(self, path: str) -> str:
        """Return the body of an answer, an error's too."""
        try:
            with urlopen(f"{self.url}{path}", timeout=SECONDS) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            return str(error.read().decode())

    def children(self) -> list[int]:
        """The processes that it has forked, in this order: worker, admin process, keeper.

        The kernel lists them in this order; their numbers begin again at some point.
        """
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [*map(int, found)]


@contextmanager
def running_site(folder: Path, *words: object, **environment: str) -> Iterator[Site]:
    """Run a site in a folder on free ports; yields before it serves."""
    said = folder / "said"
    ports = ("--port", "0", "--admin", "127.0.0.1:0", "--watch-admin", "127.0.0.1:0", "--no-dns")
    with said.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, "run", *map(str, words), *ports],
            cwd=folder, env={**PLAIN, **environment}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield Site(process, said)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def small_file(folder: Path, mirrors: dict[str, str], *more: str) -> Path:
    """Write a file of a few lines: the primary is the folder `pub` beside it."""
    listed = [
        f'  {{ name = "{name}", country = "DE", urls = ["{url}"] }},'
        for name, url in mirrors.items()
    ]
    repository = 'prefix = "base", versions = ["9"], arches = ["x86_64"], path = "{version}/{arch}"'
    lines = [
        'site = { name = "Small", failures = 1 }',
        'primary = { path = "pub" }',
        f"repository = [{{ {repository} }}]",
        "mirror = [",
        *listed,
        "]",
        *more,
    ]
    file = folder / "mirrors.toml"
    part = folder / ".mirrors.part"
    part.write_text("".join(f"{line}\n" for line in lines))
    part.rename(file)
    return file
