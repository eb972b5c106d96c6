"""Runs the command `mirrorlist` as a user does: a process, its output, its exit code."""

import subprocess
import sys
from pathlib import Path

COMMAND = [str(Path(sys.executable).parent / "mirrorlist")]
SECONDS = 30


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a subcommand to its end with a small, plain environment."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Hold that a command ended with a code and one plain line on standard error."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("mirrorlist: error: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
