"""`mirrorlist packages`: the group of what knows the packages of repositories."""

import click

from mirrorlist.cli.packages_find import find_command
from mirrorlist.cli.packages_import import import_command


@click.group(short_help="Import the packages of repositories, and find them.")
def packages() -> None:
    """Import the packages of repositories, with their checksums and capabilities, and find them.

    \b
    mirrorlist packages import --database sqlite:///mm.sqlite /srv
    mirrorlist packages find --database sqlite:///mm.sqlite bash
    """


packages.add_command(import_command)
packages.add_command(find_command)
