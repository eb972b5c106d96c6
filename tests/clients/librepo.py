"""librepo, the library under dnf, run alone: it tells what it read from a list.

It lives in the distribution's Python only, so a script (`librepo_script.py`) runs there.
"""

import os
import subprocess
from pathlib import Path

import msgspec

_SCRIPT = Path(__file__).with_name("librepo_script.py")


class Report(msgspec.Struct, frozen=True):
    """What librepo made of a list: mirrors in order, the metalink's file, its own error."""

    mirrors: tuple[str, ...]
    preferences: tuple[int, ...]
    timestamp: int
    size: int
    hashes: dict[str, str]
    alternates: tuple[int, ...]
    error: str | None


class Librepo:
    """A librepo that keeps what it downloads below one folder."""

    def __init__(self, python: str, folder: Path) -> None:
        """Run under the given Python, with an empty folder."""
        # -I keeps this file's folder, where a module is called librepo too, off the path.
        self._command = (python, "-I", str(_SCRIPT))
        self._folder = folder

    def download(self, kind: str, url: str) -> Report:
        """Read a list (kind `metalink` or `mirrorlist`), then the metadata from its mirrors."""
        return self._run(kind, url, only_list=False)

    def read_list(self, kind: str, url: str, *headers: str) -> Report:
        """Read the list at `url` with further header lines, and ask no mirror."""
        return self._run(kind, url, *headers, only_list=True)

    @property
    def repomd(self) -> bytes | None:
        """The repomd.xml that librepo believed; None when it believed none."""
        file = self._folder / "repodata" / "repomd.xml"
        # A refused one leaves an empty file behind.
        return (file.read_bytes() or None) if file.exists() else None

    def _run(self, kind: str, url: str, *headers: str, only_list: bool) -> Report:
        order = {
            "kind": kind,
            "url": url,
            "headers": headers,
            "folder": str(self._folder),
            "only_list": only_list,
        }
        run = subprocess.run(
            self._command,
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(self._folder),
                "LC_ALL": "C.UTF-8",
            },
            input=msgspec.json.encode(order),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr.decode()
        return msgspec.json.decode(run.stdout, type=Report)
