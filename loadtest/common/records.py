"""Keeps a run: its figures with where, when and by which command they were made."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click
import msgspec
from msgspec import Struct

from loadtest.common.tables import Sheet, markdown

_ROOT = Path(__file__).parents[2]
_PASSWORD = re.compile(r"(://[^:@/\s]*:)[^@\s]*@")


class Machine(Struct, frozen=True):
    """The machine and the code of a run; a commit that ends in + has changes on top."""

    date: str
    commit: str
    command: str
    cpu: str
    cores: int
    system: str
    python: str


def this_machine() -> Machine:
    """Describe this machine, this checkout and this process's command."""
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=_git("rev-parse", "--short", "HEAD") + ("+" if _git("diff", "HEAD") else ""),
        command=_command(sys.argv),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{_distribution()}, Linux {platform.release()}",
        python=platform.python_version(),
    )


def _command(words: list[str]) -> str:
    """Return the command of a process, without the passwords of its databases."""
    path = Path(words[0]).resolve().relative_to(_ROOT).with_suffix("")
    module = ".".join(path.parts).removesuffix(".__main__")
    return _PASSWORD.sub(r"\1***@", " ".join(["python -m", module, *words[1:]]))


def _git(*words: str) -> str:
    run = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


class KeptRun(Protocol):
    """A run that can be kept: a struct with its machine."""

    @property
    def machine(self) -> Machine:
        """Where and when it was made."""


def holds_figures(path: Path) -> bool:
    """Say whether nothing would be lost if a run were written there, but figures of another."""
    try:
        return not path.exists() or '"machine"' in path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def record(
    machine: Machine, title: str, details: dict[str, str], sheets: list[Sheet], note: str = ""
) -> str:
    """Return a run's record for people; `details` has versions and settings by name."""
    commit = machine.commit.removesuffix("+")
    changed = " and changes on top" if machine.commit.endswith("+") else ""
    lines = [
        f"# Measured {machine.date}: {title}",
        "",
        f"`{machine.command}`, commit {commit}{changed}.",
        "",
        f"{machine.cores} cores ({machine.cpu}), {machine.system}, Python {machine.python}.",
        f"{', '.join(f'{name} {value}' for name, value in details.items())}.",
        "",
        *([note, ""] if note else []),
    ]
    return "\n".join([*lines, *map(markdown, sheets)])


def keep(run: KeptRun, path: Path, text: str) -> None:
    """Write a run as JSON to a path, and for people beside it; raises an error of one line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
        path.with_suffix(".md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None
    click.echo(f"written: {path}, {path.with_suffix('.md')}")
