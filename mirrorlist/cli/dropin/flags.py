"""The flags of MirrorManager's two programs, with their names, defaults and lenient numbers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mirrorlist.cli.values import FilePath
from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.web.listener import LOOPBACK

_DATA = "/var/lib/mirrormanager"
# Of at most the digits of a 64-bit number, which is what mirrorlist-server reads.
_NUMBER = re.compile(r"\+?0*[0-9]{1,19}", re.ASCII)

F = TypeVar("F", bound=Callable[..., Any])


class Lenient(click.ParamType[int]):
    """A number; one that cannot be read is the default, with a line on standard output.

    This is what mirrorlist-server does: a unit with a wrong number starts there, so it does here.
    """

    name = "number"

    def __init__(self, what: str, default: int) -> None:
        """Take the name of the number in that line, and the default."""
        self._what, self._default = what, default

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number or the default."""
        if _NUMBER.fullmatch(str(value)):
            return int(value)
        click.echo(f"Error parsing {self._what}. Defaulting to {self._default}")
        return self._default


def flags(function: F) -> F:
    """Give a function the flags; a flag that is given twice has its last value."""
    for option in reversed(_flags()):
        function = option(function)
    return function


def generator_flags(function: F) -> F:
    """Give a function the flags of generate-mirrorlist-cache; the last of several values counts."""
    for option in (
        click.option(
            "--peer-asns",
            is_flag=True,
            help="Write the further ASNs of hosts (host_peer_asn) too, which MirrorManager's"
            " program leaves out.",
        ),
        click.option("-d", "--debug", is_flag=True, help="Say each step, and each row left out."),
        _file(
            "-c",
            "--config",
            metavar="CONFIG",
            default="/etc/mirrormanager/generate-mirrorlist-cache.cfg",
            help="A file with the line DB_URL=postgresql://USER@HOST/NAME.",
        ),
        _file(
            "-o",
            "--outfile",
            metavar="CACHE",
            default=f"{_DATA}/mirrorlist_cache.proto",
            help="The cache file to write.",
        ),
    ):
        function = option(function)
    return function


def _flags() -> list[Callable[[F], F]]:
    return [
        _flag("--listen", metavar="ADDRESS", default=LOOPBACK, help="The IP address to listen on."),
        _number("--port", what="port", default=3000, help="The TCP port to listen on."),
        _number(
            "--minimum",
            "-m",
            what="minimum number of mirrors",
            # So its line comes first, as that of mirrorlist-server does.
            is_eager=True,
            default=DEFAULT_MINIMUM,
            help="If the nearer tiers give fewer hosts than this, the global tier is added.",
        ),
        _file("--cache", "-c", default=f"{_DATA}/mirrorlist_cache.proto", help="The cache file."),
        _flag(
            "--internet2_netblocks",
            "-i",
            metavar="FILE",
            expose_value=False,
            help="Has no effect and is not read, as in MirrorManager's server.",
        ),
        _file(
            "--global_netblocks",
            "-g",
            default=f"{_DATA}/global_netblocks.txt",
            help="Which networks belong to which ASN: lines `PREFIX ASN`, or an ASN mmdb.",
        ),
        _file(
            "--log",
            "-l",
            default="/var/log/mirrormanager/mirrorlist.log",
            help="The request log, which MirrorManager's statistics read; - is standard output.",
        ),
        _file(
            "--cccsv",
            default=f"{_DATA}/country_continent.csv",
            help="A CSV of lines `CC,CONT`: the continents of countries.",
        ),
        _file(
            "--geoip",
            default="/usr/share/GeoIP/GeoLite2-Country.mmdb",
            help="The GeoIP country file (mmdb).",
        ),
    ]


def _flag(*names: str, **kwargs: Any) -> Callable[[F], F]:
    kwargs.setdefault("show_default", "default" in kwargs)
    return click.option(*names, **kwargs)


def _number(*names: str, what: str, default: int, **kwargs: Any) -> Callable[[F], F]:
    return _flag(*names, type=Lenient(what, default), default=default, metavar="N", **kwargs)


def _file(*names: str, default: str, **kwargs: Any) -> Callable[[F], F]:
    kind = FilePath(stream="--log" in names)
    kwargs.setdefault("metavar", "FILE")
    return _flag(*names, type=kind, default=Path(default), **kwargs)
