"""Download tools (aria2, wget2, curl, rsync): one command, in an empty folder of its own."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ToolRun:
    """How one command ended: exit code, None when killed; what it printed on both streams."""

    code: int | None
    output: str


class Tool:
    """A program that downloads files into a folder, and has another one as its home."""

    def __init__(self, folder: Path, *command: str) -> None:
        """Set up below an empty folder, for `command` with what it always needs."""
        self._command = command
        self._files = folder / "files"
        self._home = folder / "home"
        self._files.mkdir()
        self._home.mkdir()

    def run(self, *arguments: str, seconds: float = 30) -> ToolRun:
        """Run the command with these arguments; kill it with its children after that time."""
        process = subprocess.Popen(
            [*self._command, *arguments],
            cwd=self._files,
            env={"PATH": os.environ["PATH"], "HOME": str(self._home), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with process:
            try:
                output, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return ToolRun(None, process.communicate()[0])
        return ToolRun(process.returncode, output)

    def read(self, name: str) -> bytes | None:
        """The bytes of a file that was downloaded; None when there is none."""
        file = self._files / name
        return file.read_bytes() if file.exists() else None

    @property
    def files(self) -> list[str]:
        """The names of the files that were downloaded."""
        return sorted(file.name for file in self._files.iterdir())
