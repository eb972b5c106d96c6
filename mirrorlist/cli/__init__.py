"""The command `mirrorlist`: its subcommands, and how a failure ends them.

Only this package may import the modules that make snapshots, and only within a subcommand, so that
a worker never loads a database driver.
"""

# Imported first: loading the other modules takes a while, and a signal may come meanwhile.
from mirrorlist.cli.begin import begun

# isort: split

import os
import sys
from io import TextIOWrapper

import click

from mirrorlist import __version__
from mirrorlist.cli.console import say
from mirrorlist.cli.environment import warning_of_variables
from mirrorlist.cli.failure import guarded
from mirrorlist.cli.subcommands import Subcommands
from mirrorlist.process.messages import fill_standard


@click.group(
    cls=Subcommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="mirrorlist")
def cli() -> None:
    """Mirror lists and metalinks for dnf, yum and zypper, from a MirrorManager database.

    \b
    Try it:          mirrorlist demo
    Scan:            mirrorlist scan --database URL --config FILE --category NAME
    To the archive:  mirrorlist repo move --database URL --prefix fedora-41 \\
                         --to-archive --dry-run
    Packages:        mirrorlist packages import --database URL SOURCE
    Export:          mirrorlist export --database URL --output mm.snap
    On each change:  mirrorlist watch --database URL --output mm.snap
    From a cache:    mirrorlist import-cache cache.proto --output mm.snap
    From a file:     mirrorlist run mirrors.toml
    Serve:           mirrorlist serve --snapshot mm.snap --port 3000
    Why this list?   mirrorlist ask --snapshot mm.snap 'repo=rawhide&arch=x86_64'
    Would it differ? mirrorlist replay --log FILE --against URL --against mm.snap
    What changed?    mirrorlist diff mm.snap.1 mm.snap
    Is it healthy?   mirrorlist health
    Who asked?       mirrorlist stats top --database URL --by country

    \b
    URL is a database, postgresql://mm@db/mirrormanager or sqlite:///mm.sqlite.

    \b
    Every option can also stand in the environment (--trusted-proxy is
    MIRRORLIST_TRUSTED_PROXY) or in a TOML file given with --config.
    Exit codes: 0 done, 2 a wrong option, 3 a snapshot or database that cannot
    be used, 1 anything else (a port in use, a file that cannot be written).
    """


def main() -> None:
    """Run the command line and exit with a documented code, never with a traceback."""
    fill_standard()
    for stream in (sys.stdout, sys.stderr):
        # A path may have bytes that are not UTF-8: escape them rather than end with an error.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if warning := warning_of_variables(os.environ):
        say(warning)
    sys.exit(guarded(_run))


def _run() -> object:
    begun()
    return cli.main(standalone_mode=False)
