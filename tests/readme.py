"""README as a reader uses it: its blocks, a fresh clone, and a machine with terminals of its own.

A block ```sh is run as it stands, unless a comment `<!-- not run: why -->` is above it. A block
```text is what the block before it printed, or the command of `<!-- said by: command -->`.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import ROOT, wait_until
from tests.system import need_program

SECONDS = 60.0
_BLOCK = re.compile(
    r"(?:^<!-- (?P<remark>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
# Commands that stay, each in a terminal of its own, with what it says when it is ready.
_STAYING = {
    "make demo": "status, health and metrics",
    ".venv/bin/mirrorlist watch": " start: ",
    ".venv/bin/mirrorlist serve": "listening on",
}


@dataclass(frozen=True)
class Block:
    """A fenced block, and the comment right above it; `start` is where its text begins."""

    kind: str
    text: str
    remark: str
    start: int

    @property
    def is_run(self) -> bool:
        """Whether it is a block of commands that need nothing of the reader's."""
        return self.kind == "sh" and not self.remark.startswith("not run: ")

    @property
    def ready(self) -> str:
        """What its command says once it is ready, if it stays; else nothing."""
        return next((said for name, said in _STAYING.items() if self.text.startswith(name)), "")


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [
        Block(found["kind"], found["text"], found["remark"] or "", found.start("text"))
        for found in _BLOCK.finditer(page)
    ]


def clone(folder: Path) -> Path:
    """Clone this repository, with changes that are not committed, and lend it our programs."""
    made = folder / "mirrorlist"
    git = need_program("git", "git")
    subprocess.run([git, "clone", "--quiet", ROOT, made], check=True)
    changed = subprocess.run(
        [git, "diff", "HEAD", "--binary"], cwd=ROOT, capture_output=True, check=True
    )
    if changed.stdout:
        subprocess.run([git, "apply"], cwd=made, input=changed.stdout, check=True)
    _lend_programs(made / ".venv")
    return made


def _lend_programs(venv: Path) -> None:
    # As scripts/venv would make it from the registry in half a minute.
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / "installed").touch()


class Machine:
    """A shell in a folder with a loopback interface of its own, where every port is free."""

    def __init__(self, folder: Path, output: Path) -> None:
        """Start it; what each block prints goes to a file in `output`."""
        self._output, self._number = output, 0
        self._shell = subprocess.Popen(
            [*_apart(), "bash"],
            cwd=folder,
            # The clone's own code, not what the lent programs were installed from.
            env={**_environment(), "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._send("ip link set lo up")

    def run(self, text: str, ready: str = "") -> Path:
        """Run a block to its end, or until it says that it is ready; return its output's file."""
        self._number += 1
        output, ended = (self._output / f"{self._number}{end}" for end in ("", ".code"))
        # The first command that fails ends the block, though not one before a pipe: head may leave.
        self._send(f"(set -e\n{text}\n) >{output} 2>&1 </dev/null; echo $? >{ended}", ready)
        if ready:
            wait_until(ready, lambda: ready in _read(output) or ended.exists(), SECONDS)
            assert ready in _read(output), _read(output)
        else:
            wait_until(text, lambda: bool(_read(ended)), SECONDS)
            assert _read(ended) == "0\n", f"{text}\n{_read(output)}"
        return output

    def _send(self, text: str, ready: str = "") -> None:
        assert self._shell.stdin
        # In a shell of its own: one that stays does not hold up the next.
        self._shell.stdin.write(f"(\n{text}\n){' &' if ready else ''}\n")
        self._shell.stdin.flush()

    def close(self) -> None:
        """End all that was started."""
        if self._shell.stdin:
            self._shell.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._shell.wait(SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()


@contextmanager
def machine(folder: Path, output: Path) -> Iterator[Machine]:
    """Yield a machine whose processes are all gone after the block."""
    made = Machine(folder, output)
    try:
        yield made
    finally:
        made.close()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _environment() -> dict[str, str]:
    names = {key: os.environ[key] for key in os.environ if not key.startswith("MIRRORLIST_")}
    # make must not take our own make's job server for its own.
    return {key: names[key] for key in names if not key.startswith(("MAKE", "MFLAGS"))}


def _apart() -> Sequence[str]:
    """Return what runs a command in a network namespace, where README's ports are free."""
    need_program("unshare", "util-linux")
    need_program("ip", "iproute2")
    for wanted in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if subprocess.run([*wanted, "true"], capture_output=True, check=False).returncode == 0:
            return wanted
    pytest.skip("no network namespace: the system lets this user have none")
