"""Where and on what a measurement was made, so that its figures can be judged."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct

_ROOT = Path(__file__).parent.parent


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
        command=f"python -m {_module()} {' '.join(sys.argv[1:])}".strip(),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{_distribution()}, Linux {platform.release()}",
        python=platform.python_version(),
    )


def _module() -> str:
    return (
        Path(sys.argv[0]).resolve().relative_to(_ROOT).with_suffix("").as_posix().replace("/", ".")
    )


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


def figures_file(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse, before anything is measured, a file that holds no figures of a run: it would go."""
    try:
        known = path is None or not path.exists() or '"machine"' in path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        known = False
    if not known:
        raise click.BadParameter(
            f"{path} is there and holds no figures of a run", context, parameter
        )
    return path
