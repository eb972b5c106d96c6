"""Finds the process of a server or a watch that runs here, and reads its command and options.

The options come from the process's own command line. Environment and settings file are read as
this process sees them: in a container, and under one unit, they are the same.
"""

from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from mirrorlist.cli.subcommands import Subcommands
from mirrorlist.errors import OperatorError

PROC = Path("/proc")
STAYING = ("serve", "demo", "run", "watch", "import-cache")
"""The subcommands that can stay; `scan` and `stats collect` stay with `--watch`."""
SCAN, COLLECT = "scan", "stats collect"
DROP_IN = "mirrorlist-server"

_MODULE = "mirrorlist.cli"


class Running(Struct, frozen=True):
    """A process, its subcommand (or `mirrorlist-server`) and the values of its options."""

    pid: int
    command: str
    options: Mapping[str, Any]


def running(pid: int | None, group: Subcommands, proc: Path = PROC) -> Running:
    """Return the process of a number, or the one that runs here; raises OperatorError."""
    found = dict(_all(proc))
    if pid is None:
        found = {one: words for one, words in found.items() if _parent(proc, one) not in found}
    elif pid not in found:
        raise OperatorError(f"process {pid} is not a mirrorlist that stays; see --help")
    if len(found) > 1 and pid is None:
        listed = ", ".join(f"{one} ({words[0]})" for one, words in sorted(found.items()))
        raise OperatorError(f"several run here: {listed}; choose one with --pid, or give its URL")
    if not found:
        known = ", ".join(STAYING)
        raise OperatorError(
            f"no {known}, scan --watch or stats collect --watch runs here; give the URL to ask"
        )
    chosen = pid if pid is not None else min(found)
    name, *words = found[chosen]
    return Running(chosen, name, _options(group, name, words))


def _all(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each process that answers, with its subcommand and the words behind it."""
    for folder in proc.glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            # It has ended, or it is another user's.
            continue
        words = _command(line.decode("utf-8", "surrogateescape").split("\0")[:-1])
        if words:
            yield int(folder.name), words


def _command(words: list[str]) -> list[str]:
    """Return the subcommand and what follows it, or an empty list for another program."""
    # Other programs may name them too, as `journalctl -fu mirrorlist-server` does.
    is_python = bool(words) and words[0].rpartition("/")[2].startswith("python")
    for at, word in enumerate(words[: 3 if is_python else 1]):
        program = word.rpartition("/")[2]
        if program == DROP_IN:
            return [DROP_IN, *words[at + 1 :]]
        if program in ("mirrorlist", _MODULE) and words[at + 1 : at + 2]:
            found = _joined(words[at + 1 :])
            return found if _stays(found) else []
    return []


def _joined(words: list[str]) -> list[str]:
    """Return words whose first one is the subcommand, also if that is of two words."""
    parts = COLLECT.split()
    return [COLLECT, *words[len(parts) :]] if words[: len(parts)] == parts else words


def _stays(words: list[str]) -> bool:
    if words[0] == COLLECT:
        return any(one in words for one in ("--watch", "--listen"))
    return words[0] in STAYING or (words[0] == SCAN and "--watch" in words)


def _parent(proc: Path, pid: int) -> int:
    """Return the parent of a process; a worker has its supervisor's command line."""
    try:
        # The name of the program, in brackets, may have blanks.
        return int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _options(group: Subcommands, name: str, words: list[str]) -> dict[str, Any]:
    if name == DROP_IN:
        from mirrorlist.cli.dropin.command import server

        # A wrong number among its flags is a line of its own, and not one here.
        with redirect_stdout(StringIO()):
            return server.make_context(name, words).params
    # With the group's settings: click keeps the help option of a command's first context.
    parent = click.Context(group, info_name="mirrorlist", **group.context_settings)
    command: click.Command = group
    for part in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(parent, part)
        assert found is not None
        command = found
    return command.make_context(name, words, parent=parent).params
