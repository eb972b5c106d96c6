"""dnf in a private world: its own root, cache, state, log and one repository file.

Nothing of the machine's own is read: docs/clients.md#dnf-in-a-world-of-its-own.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.clients.packages import INSTALLED_FILE, INSTALLED_TEXT, PACKAGE

# dnf asks for a list once to get metadata, and once more to get packages.
LISTS_OF_AN_INSTALL = 2

_FOLDERS = ("root", "repos", "cache", "persist", "log", "home")


@dataclass(frozen=True, slots=True)
class DnfRun:
    """How one dnf command ended: exit code, and what it printed on both streams."""

    code: int
    output: str


class Dnf:
    """A dnf whose only repository `t` takes its mirrors from one list."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        url: str,
        options: Mapping[str, str] = MappingProxyType({}),
        *,
        plugins: Path | None = None,
    ) -> None:
        """Set up below an empty folder; kind is `metalink` or `mirrorlist`.

        `options` are further lines of the repository file. `plugins`: where Python finds dnf's
        plugins, of which reposync is then switched on.
        """
        self._folder = folder
        self._plugins = plugins
        for name in _FOLDERS:
            (folder / name).mkdir()
        (folder / "dnf.conf").write_text("[main]\ngpgcheck=0\nplugins=0\n")
        lines = {"name": "t", kind: url, "gpgcheck": "0", **options}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (folder / "repos" / "t.repo").write_text(f"[t]\n{text}")

    def run(self, *arguments: str) -> DnfRun:
        """Run one dnf command to its end, as root or as root of an own user namespace."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": f"{self._folder}/home",
            "TMPDIR": f"{self._folder}/home",
            "LC_ALL": "C.UTF-8",
            **({"PYTHONPATH": str(self._plugins)} if self._plugins else {}),
        }
        run = subprocess.run(
            [*as_root(), "dnf", "-y", *self._settings(), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return DnfRun(run.returncode, run.stdout)

    def _settings(self) -> list[str]:
        folders = {
            name: f"{self._folder}/{folder}"
            for name, folder in (
                ("reposdir", "repos"),
                ("cachedir", "cache"),
                ("persistdir", "persist"),
                ("logdir", "log"),
            )
        }
        return [
            f"--config={self._folder}/dnf.conf",
            f"--installroot={self._folder}/root",
            "--releasever=40",
            *(f"--setopt={name}={folder}" for name, folder in folders.items()),
            *self._plugin_settings(),
        ]

    def _plugin_settings(self) -> list[str]:
        if self._plugins is None:
            return []
        folder = self._plugins / "dnf-plugins"
        settings = ["--setopt=plugins=1", f"--setopt=pluginpath={folder}"]
        return [*settings, "--disableplugin=*", "--enableplugin=reposync"]

    @property
    def installed_text(self) -> str | None:
        """The text of the package's file in the private root; None when it is not installed."""
        file = self._folder / "root" / INSTALLED_FILE
        return file.read_text() if file.exists() else None

    def has(self, name: str) -> bool:
        """Whether a package of a name is installed in the private root."""
        return (self._folder / "root" / INSTALLED_FILE.replace(PACKAGE, name)).exists()

    @property
    def repomd(self) -> bytes | None:
        """The repomd.xml that dnf believed and keeps in its cache; None when it has none."""
        found = list(self._folder.glob("cache/t-*/repodata/repomd.xml"))
        return found[0].read_bytes() if found else None

    @property
    def countme_file(self) -> Path:
        """Where dnf keeps its countme window, once it has run."""
        (folder,) = self._folder.glob("persist/repos/t-*")
        return folder / "countme"


def assert_installed(dnf: Dnf, run: DnfRun) -> None:
    """Assert that a run ended well and that the package's file is where it belongs."""
    assert run.code == 0, run.output
    assert dnf.installed_text == INSTALLED_TEXT


def assert_refused(dnf: Dnf, run: DnfRun, *reasons: str) -> None:
    """Assert that a run failed for these reasons, and left no package and no metadata."""
    assert run.code == 1, run.output
    assert dnf.installed_text is None
    assert dnf.repomd is None
    for reason in reasons:
        assert reason in run.output


def may_install() -> bool:
    """Tell whether dnf can install here: as root, or where user namespaces are allowed."""
    return (
        not as_root() or subprocess.run([*as_root(), "true"], capture_output=True).returncode == 0
    )


def as_root() -> list[str]:
    """A command prefix under which dnf installs: it asks for user id 0, and for chroot."""
    return [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
