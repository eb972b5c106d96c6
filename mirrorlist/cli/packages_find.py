"""`mirrorlist packages find`: in which repositories a package is, and on how many mirrors."""

from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import fail, output, print_json
from mirrorlist.cli.options import options
from mirrorlist.errors import OptionError
from snapshot.file.text import printable

if TYPE_CHECKING:
    from snapshot.packages.find import FoundPackage

_HEADS = ("version", "arch", "repository", "mirrors", "bytes", "path")


@click.command("find", short_help="In which repositories a package is, and on how many mirrors.")
@click.argument("name", metavar="NAME")
@options("packages find", toml=False)
def find_command(database: str, json: bool, name: str) -> int:
    """Show in which repositories a package is, in which version, and on how many mirrors.

    NAME is the whole name of a package, such as bash. The newest version comes first. A mirror
    counts if it is active, public, and up to date for the package's directory.

    \b
    mirrorlist packages find --database sqlite:///mm.sqlite bash
    """
    if not name:
        raise OptionError("NAME: give the whole name of a package, such as bash")
    # Imported here: a worker must never load a database driver.
    from snapshot.packages.find import find

    found = find(database, name)
    if json:
        print_json(found)
        return 0 if found.packages else 1
    if not found.packages:
        return fail(f"{name}: no imported repository has a package of this name", 1)
    console = output()
    for line in _lines([_HEADS, *map(_cells, found.packages)], console.width):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def _cells(one: "FoundPackage") -> tuple[str, ...]:
    repository = f"{one.prefix or '-'} {one.repository_arch or '-'}"
    mirrors = "unknown" if one.mirrors is None else f"{one.mirrors:,}"
    path = f"{one.directory}/{one.path}"
    cells = (one.version, one.arch, repository, mirrors, f"{one.size:,}", path)
    return tuple(map(printable, cells))


def _lines(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """Return the rows as lines; paths that do not fit beside the rest stand below it, whole."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    is_beside = sum(widths) + 2 * (len(widths) - 1) <= width
    lines = []
    for row in rows:
        cells = [cell.ljust(room) for cell, room in zip(row, widths, strict=True)]
        if is_beside:
            lines.append("  ".join(cells).rstrip())
        else:
            lines += ["  ".join(cells[:-1]).rstrip(), f"     {row[-1]}"]
    return lines
