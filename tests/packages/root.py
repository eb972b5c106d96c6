"""A clean Debian 12 in a folder; each one has files, a network and processes of its own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import ROOT, need_program

BASE = ROOT / ".cache" / "package-test" / "debian12"
"""The files that all layers have in common; made once, and removed by `make clean`."""

_HAS = "python3,systemd,man-db,logrotate,bash-completion,zsh,fish"
_SECONDS = 300.0

# What runs as the first process of the root's namespaces: the others end with it.
_HOLDER = """
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
ip link set lo up
echo ready
exec sleep infinity
"""


class Root:
    """A root with processes in it."""

    def __init__(self, holder: subprocess.Popen[str], folder: Path) -> None:
        """Take its first process, and where that sees it."""
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().strip()
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self._enter = ["nsenter", f"--target={child}", "--mount", "--net", "--pid"]

    def run(self, *words: object, user: str = "root") -> str:
        """Run a program in the root, and return what it prints."""
        return self._run([*self._command(user), *map(str, words)])

    def host(self, *words: object) -> str:
        """Run a program of this machine, with the root at `folder`."""
        return self._run([*self._enter, *map(str, words)])

    def start(self, *words: object, user: str) -> None:
        """Start a program in the root, which ends with the root."""
        command = [*self._command(user), *map(str, words)]
        quiet = subprocess.DEVNULL
        self.started.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))

    def get(self, port: int, target: str) -> str:
        """Return the body of an answer, once the server gives one."""
        deadline = time.monotonic() + 60
        url = f"http://127.0.0.1:{port}{target}"
        while True:
            try:
                return self.host("curl", "-sS", "--fail-with-body", url)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def read(self, path: str) -> str:
        """Return a text file's text."""
        return self.run("cat", path)

    def write(self, path: str, text: str) -> None:
        """Write a text file."""
        script = 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"'
        self.run("sh", "-c", script, "sh", path, text)

    def put(self, *files: Path) -> list[str]:
        """Copy files into the root's /tmp, and return their paths there."""
        self.host("cp", *files, self.folder / "tmp")
        return [f"/tmp/{file.name}" for file in files]

    def exists(self, path: str) -> bool:
        """Whether a path is there."""
        return self.run("sh", "-c", 'test -e "$1" && echo yes || true', "sh", path) == "yes\n"

    def _command(self, user: str) -> list[str]:
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        plain = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        environment = ["/usr/bin/env", "-i", *plain, "DEBIAN_FRONTEND=noninteractive"]
        return [*self._enter, "chroot", str(self.folder), *environment, *become]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


@contextmanager
def clean_root(folder: Path) -> Iterator[Root]:
    """A root of its own; nothing of it is left afterwards."""
    need_program("nsenter", "util-linux")
    folder.mkdir()
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    holder = subprocess.Popen(
        [*command, "sh", "-c", _HOLDER, "sh", _base(), folder], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder:
        try:
            assert holder.stdout.readline() == "ready\n"
            root = Root(holder, folder / "root")
            yield root
        finally:
            holder.kill()
    for process in root.started:
        process.wait()


def _base() -> Path:
    """Return the common files, and make them if they are not there yet: one to three minutes."""
    if not BASE.exists():
        need_program("mmdebstrap", "mmdebstrap")
        new = BASE.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        options = (
            "--aptopt=APT::Install-Recommends 0",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
        )
        made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_HAS}", *options]
        subprocess.run([*made, "bookworm", new], check=True)
        new.rename(BASE)
    return BASE
