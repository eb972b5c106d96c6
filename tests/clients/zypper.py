"""zypper in a private world: its own root with one repository file, nothing of the machine's."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.clients.dnf import as_root
from tests.clients.packages import INSTALLED_FILE

FAILED = 4
"""zypper's exit code when libzypp could not do it."""


@dataclass(frozen=True, slots=True)
class ZypperRun:
    """How one zypper command ended: exit code, and what it printed on both streams."""

    code: int
    output: str


class Zypper:
    """A zypper whose only repository `t` takes its mirrors from one list."""

    def __init__(self, folder: Path, kind: str, url: str) -> None:
        """Set up below an empty folder; kind is `metalink` or `mirrorlist`."""
        self._folder = folder
        repositories = folder / "root" / "etc" / "zypp" / "repos.d"
        repositories.mkdir(parents=True)
        (repositories / "t.repo").write_text(
            f"[t]\nname=t\nenabled=1\nautorefresh=1\ntype=rpm-md\ngpgcheck=0\n{kind}={url}\n"
        )

    def run(self, *arguments: str) -> ZypperRun:
        """Run one zypper command to its end, as root or as root of an own user namespace."""
        settings = ("--non-interactive", "--no-gpg-checks", "--releasever=40")
        run = subprocess.run(
            [*as_root(), "zypper", *settings, f"--root={self._folder}/root", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ZypperRun(run.returncode, run.stdout)

    @property
    def installed_text(self) -> str | None:
        """The text of the package's file in the private root; None when it is not installed."""
        file = self._folder / "root" / INSTALLED_FILE
        return file.read_text() if file.exists() else None

    @property
    def repomd(self) -> bytes | None:
        """The repomd.xml that zypper keeps in its cache; None when it has none."""
        file = self._folder / "root" / "var/cache/zypp/raw/t/repodata/repomd.xml"
        return file.read_bytes() if file.exists() else None
