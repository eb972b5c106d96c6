"""`mirrorlist packages`: the group of what knows the packages of repositories."""

import click

from mirrorlist.cli.packages_find import find_command
from mirrorlist.cli.packages_import import import_command
from mirrorlist.cli.packages_slim import slim_command


@click.group(short_help="Packages of repositories: import, find, keep the newest.")
def packages() -> None:
    """Import the packages of repositories, find them, and make small repositories of them.

    \b
    mirrorlist packages import --database sqlite:///mm.sqlite /srv
    mirrorlist packages find --database sqlite:///mm.sqlite bash
    mirrorlist packages slim --newest 1 --out slim \\
        /srv/pub/epel/9/Everything/x86_64
    """


packages.add_command(import_command)
packages.add_command(find_command)
packages.add_command(slim_command)
