"""reposync, the plugin of dnf with which people copy a repository and its metadata."""

from pathlib import Path

from tests.clients.dnf import Dnf, DnfRun
from tests.clients.packages import PACKAGE_FILE


class Reposync:
    """A reposync that copies the repository of its dnf into one folder."""

    def __init__(self, dnf: Dnf, folder: Path) -> None:
        """Use a dnf that was made with its plugins, and a folder that need not exist."""
        self._dnf = dnf
        self._folder = folder

    def run(self) -> DnfRun:
        """Copy the packages and the metadata as the mirror has them."""
        return self._dnf.run(
            "reposync", "--repoid=t", "--download-metadata", f"--download-path={self._folder}"
        )

    @property
    def repomd(self) -> bytes | None:
        """The repomd.xml of the copy; None without one."""
        return self._read("repodata/repomd.xml")

    @property
    def metalink(self) -> bytes | None:
        """The metalink that is kept beside the copy; None without one."""
        return self._read("metalink.xml")

    @property
    def package(self) -> bytes | None:
        """The copied package; None without one."""
        return self._read(PACKAGE_FILE)

    def _read(self, name: str) -> bytes | None:
        file = self._folder / "t" / name
        return file.read_bytes() if file.exists() else None
