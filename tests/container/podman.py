"""podman without root: its own user if the tests run as root, its own storage, no network."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.live import ROOT
from tests.system import SYSTEM_PYTHON, need_power, need_program

# With the number of the process that made the user behind it.
USER = "ml-test-"
IMAGE = "localhost/mirrorlist"
BASE = "localhost/base-of-tests"
SECONDS = 240.0
COPIED = ("mirrorlist", "snapshot", "wheelhouse")
FILES = (*("Containerfile", ".containerignore"), "pyproject.toml", "README.md", "LICENSE")
# For a machine that is a container of little power itself: podman raises no limits, makes no
# network, and asks no systemd. crun wants the second version of cgroups; runc does not.
SETTINGS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@dataclass(frozen=True)
class Podman:
    """podman of a user who is not root, with everything of it below a folder."""

    home: Path
    uid: int
    gid: int

    def run(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a podman command to its end; one that fails is an error, unless `check` is off."""
        done = subprocess.run(
            [*self._prefix(), "podman", *map(str, words)],
            env=self._environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, f"podman {words[0]}: {done.stderr}"
        return done

    def own(self, path: Path) -> Path:
        """Give a file or folder to the user."""
        os.chown(path, self.uid, self.gid)
        return path

    def folder(self, name: str) -> Path:
        """Make a folder of the user's."""
        path = self.home / name
        path.mkdir()
        return self.own(path)

    def _prefix(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "runtime"),
            "CONTAINERS_CONF": str(self.home / "containers.conf"),
        }


@contextmanager
def rootless() -> Iterator[Podman]:
    """Give a podman that is not root, and remove all that it made; skips where it cannot run."""
    for program, package in (("podman", "podman"), ("runc", "runc"), ("newuidmap", "uidmap")):
        need_program(program, package)
    # A short name: conmon waits in vain on a socket whose path is longer than 108 bytes.
    home = Path(mkdtemp(prefix="ml-", dir="/var/tmp"))
    try:
        with _user(home) as (uid, gid):
            podman = Podman(home, uid, gid)
            podman.own(home)
            (home / "containers.conf").write_text(SETTINGS)
            podman.folder("runtime")
            podman.folder(".config")
            (podman.folder(".config/containers") / "storage.conf").write_text(
                '[storage]\ndriver = "overlay"\n'
            )
            try:
                tried = podman.run("unshare", "true", check=False)
                need_power(tried.returncode == 0, f"podman without root: {tried.stderr[-300:]}")
                yield podman
            finally:
                podman.run("rm", "--all", "--force", "--time", "0", check=False)
                # Files in the storage belong to other users of the user's range.
                podman.run("unshare", "rm", "-rf", home / ".local", check=False)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _user(home: Path) -> Iterator[tuple[int, int]]:
    """Give the ids of a user who is not root: who runs the tests, or one made for them."""
    if os.geteuid() != 0:
        if pwd.getpwuid(os.geteuid()).pw_name not in Path("/etc/subuid").read_text():
            need_power(False, "/etc/subuid has no range for this user")
        yield os.geteuid(), os.getegid()
        return
    for entry in pwd.getpwall():
        # An interrupted run left the user.
        if (
            entry.pw_name.startswith(USER)
            and not Path("/proc", entry.pw_name[len(USER) :]).exists()
        ):
            _remove(entry.pw_name)
    name = f"{USER}{os.getpid()}"
    options = ("--no-create-home", "--home-dir", str(home), "--no-log-init")
    subprocess.run(["useradd", *options, name], check=True)
    try:
        entry = pwd.getpwnam(name)
        yield entry.pw_uid, entry.pw_gid
    finally:
        # podman keeps a process of the user, which holds its user namespace.
        _end_pause(home)
        _remove(name)


def _remove(name: str) -> None:
    subprocess.run(["userdel", "--force", name], capture_output=True, check=False)


def _end_pause(home: Path) -> None:
    with suppress(OSError, ValueError):
        os.kill(int((home / "runtime/libpod/tmp/pause.pid").read_text()), 15)


def build(podman: Podman) -> None:
    """Build the image, on a base of this machine's own packages, and without a network."""
    need_program("dpkg", "dpkg")
    base = podman.home / "base.tar"
    subprocess.run([ROOT / "scripts" / "base-image", base], check=True)
    podman.run("import", podman.own(base), BASE)
    # The base has the distribution's Python, which need not be that of .venv.
    version = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    subprocess.run([ROOT / "scripts" / "wheelhouse", "--python-version", version], check=True)
    context = podman.folder("context")
    for name in COPIED:
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, "requirements.lock"):
        shutil.copy(ROOT / name, context)
    arguments = [f"--build-arg={one}" for one in (f"BASE={BASE}", "VERSION=1.2.3", "REVISION=abc")]
    quiet = ("--quiet", "--layers=false", "--format", "docker", "--network", "none", "--tag", IMAGE)
    podman.run("build", *quiet, *arguments, context)
