"""`mirrorlist packages find`: in which repositories a package is, and on how many mirrors."""

import click
from rich.text import Text

from mirrorlist.cli.console import fail, output, plain_table, print_json
from mirrorlist.cli.options import options
from mirrorlist.errors import OptionError
from snapshot.file.text import printable


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
    table = plain_table("version", "arch", "repository", "mirrors", "bytes", "path")
    for one in found.packages:
        repository = f"{one.prefix or '-'} {one.repository_arch or '-'}"
        mirrors = "unknown" if one.mirrors is None else f"{one.mirrors:,}"
        path = f"{one.directory}/{one.path}"
        cells = (one.version, one.arch, repository, mirrors, f"{one.size:,}", path)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    output().print(table)
    return 0
