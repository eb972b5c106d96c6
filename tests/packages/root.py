"""A clean Debian 12 in a folder; each one has files, a network and processes of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.system import ROOT, need_program

BASE = ROOT / ".cache" / "package-test" / "debian12"
"""The files that all layers have in common; made once, and removed by `make clean`."""

_HAS = "python3,systemd,man-db,logrotate,bash-completion,zsh,fish"
_SECONDS = 300.0

# What runs as the first process of the root's namespaces: the others end with it. With "boot" it is
# a systemd, which finds its targets empty, and so starts nothing but what it is told to.
_HOLDER = """
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
ip link set lo up
if [ "$3" = boot ]; then
    mkdir -p "$2/root/sys/fs/cgroup"
    mount -t cgroup2 cgroup2 "$2/root/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$2/root/run"
    mkdir "$2/root/run/units"
    for name in basic default multi-user network-online shutdown sysinit; do
        printf '[Unit]\nDescription=%s\n' "$name" >"$2/root/run/units/$name.target"
    done
    echo ready
    exec >/dev/null 2>&1
    export container=other SYSTEMD_GENERATOR_PATH=/nowhere
    export SYSTEMD_UNIT_PATH=/run/units:/etc/systemd/system:/lib/systemd/system
    # Not by chroot, in which the units could have no user namespaces. This process's own mounts
    # stay as they are for programs of this machine.
    exec unshare --mount sh -c '
        cd "$0" && pivot_root . mnt && umount --lazy mnt
        exec /lib/systemd/systemd --system --unit=default.target --log-target=null
    ' "$2/root"
fi
echo ready
exec sleep infinity
"""


class Root:
    """A root with processes in it."""

    def __init__(self, holder: subprocess.Popen[str], folder: Path, *, boot: bool) -> None:
        """Take the process that made its namespaces, and where that sees it."""
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().strip()
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        common = ["--net", f"--pid=/proc/{child}/ns/pid"]
        self._host = ["nsenter", f"--target={holder.pid}", "--mount", *common]
        self._inside = ["nsenter", f"--target={child}", "--mount", "--cgroup", *common]
        if not boot:
            self._inside += ["chroot", str(folder)]

    def run(self, *words: object, user: str = "root") -> str:
        """Run a program in the root, and return what it prints."""
        return self._run([*self._command(user), *map(str, words)])

    def host(self, *words: object) -> str:
        """Run a program of this machine, with the root at `folder`."""
        return self._run([*self._host, *map(str, words)])

    def start(self, *words: object, user: str) -> None:
        """Start a program in the root, which ends with the root."""
        command = [*self._command(user), *map(str, words)]
        quiet = subprocess.DEVNULL
        self.started.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))

    def get(self, port: int, target: str) -> str:
        """Return the body of an answer, once the server gives one."""
        url = f"http://127.0.0.1:{port}{target}"
        return self.in_time(lambda: self.host("curl", "-sS", "--fail-with-body", url))

    def in_time(self, look: Callable[[], str]) -> str:
        """Return what a function returns, once it does not fail any more."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return look()
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
        return [*self._inside, *environment, *become]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


@contextmanager
def clean_root(folder: Path, *, boot: bool = False) -> Iterator[Root]:
    """A root of which nothing is left afterwards; booted, a systemd is its first process."""
    need_program("nsenter", "util-linux")
    folder.mkdir()
    # The shell is in the control group before unshare makes the namespace of it.
    group = _control_groups() / f"mirrorlist-{os.getpid()}-{folder.parent.name}"
    group.mkdir()
    enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(group)]
    command = ["unshare", "--mount", "--net", "--pid", "--cgroup", "--fork", "--kill-child"]
    words = ["sh", "-c", _HOLDER, "sh", str(_base()), str(folder), "boot" if boot else "hold"]
    holder = subprocess.Popen([*enter, *command, *words], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    started: list[subprocess.Popen[bytes]] = []
    try:
        assert holder.stdout.readline() == "ready\n"
        root = Root(holder, folder / "root", boot=boot)
        started = root.started
        if boot:
            # It is an error until all has started.
            root.in_time(lambda: root.run("systemctl", "is-system-running"))
        yield root
    finally:
        holder.kill()
        holder.communicate()
        for process in started:
            process.wait()
        _remove(group)


def _control_groups() -> Path:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next(Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2")


def _remove(group: Path) -> None:
    """Remove a control group, which is empty soon after the end of its processes."""
    deadline = time.monotonic() + 20
    while group.exists():
        for path, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(path)
        assert time.monotonic() < deadline, f"processes are left in {group}"
        time.sleep(0.05)


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
