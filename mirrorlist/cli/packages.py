"""`mirrorlist packages`: the group of what knows the packages of repositories."""

import click

from mirrorlist.cli.packages_import import import_command


@click.group(short_help="Import the packages of repositories.")
def packages() -> None:
    """Import the packages of repositories, with their checksums and capabilities.

    \b
    mirrorlist packages import --database sqlite:///mm.sqlite /srv
    """


packages.add_command(import_command)
