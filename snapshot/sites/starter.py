"""Writes a first `mirrors.toml` with comments, for somebody to go on with."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import OutputError
from snapshot.file.text import printable
from snapshot.sites.load import load
from snapshot.sites.problems import SitesFileError

_TEXT = """\
# The mirrors and repositories of {plain_name}.
#   mirrorlist sites check {file}      finds mistakes: file, line, and what to write instead
#   mirrorlist run {file}              asks the mirrors, and answers clients
# A mirror may also stand in a file of its own in mirrors.d, with the same keys and no [[mirror]].

[site]
name = {name}
{contact}

# The tree that all mirrors copy, as a URL or as a folder of this machine: path = "/srv/pub"
[primary]
{primary}

# One [[repository]] for each. Clients ask for repo=PREFIX-VERSION and an arch.
[[repository]]
prefix = {prefix}
versions = {versions}
arches = {arches}
path = {path}  # below the primary's URL and the mirrors' URLs
# name = "{{prefix}}-{{version}}"                # what clients ask for, if it is not this
# [[repository.exception]]                   # a version that is somewhere else, or has other arches
# versions = [{first_version}]
# path = "old/{{version}}/{{arch}}"
"""
_MIRROR = """
[[mirror]]
name = {name}
country = {country}{hint}
urls = [{url}]
"""
_MORE = """\
# weight = 1000                              # Mbit/s: twice as much, twice as many clients; 100
# netblocks = ["192.0.2.0/24"]               # clients in these networks get this mirror first
# asn = 64500                                # and so do clients of this autonomous system
# private = true                             # nobody but these clients gets it
# countries_allowed = ["DE", "AT"]           # clients of other countries do not get it
# contact = "admin@mirror.example"
# sponsor = "Example University"
"""


class Starter(Struct, frozen=True, kw_only=True):
    """The answers that a first file is made from; `mirrors` are pairs of a country and a URL."""

    name: str = "Example Linux"
    contact: str | None = "mirrors@example.org"
    primary: str = "http://primary.example/pub/"
    prefix: str = "baseos"
    versions: tuple[str, ...] = ("9",)
    arches: tuple[str, ...] = ("x86_64",)
    path: str = "{version}/BaseOS/{arch}/os"
    mirrors: tuple[tuple[str, str], ...] = (("DE", "https://mirror-de.example/pub/"),)


def check_absent(file: Path) -> None:
    """Raise OutputError if there is a file already."""
    if os.path.lexists(file):
        raise OutputError(f"{file}: is there already; give another name, or edit it")


def write_starter(file: Path, starter: Starter) -> None:
    """Write a new file; raises OutputError if one is there, SitesFileError for unfit answers."""
    check_absent(file)
    text = _text(file, starter)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OutputError("an answer is not text in UTF-8; nothing was written") from error
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}") from error
    try:
        load(file)
    except SitesFileError:
        os.unlink(file)
        raise


def _text(file: Path, starter: Starter) -> str:
    is_url = "://" in starter.primary
    plain = printable(" ".join(starter.name.split()))
    text = _TEXT.format(
        file=printable(file.name),
        plain_name=plain,
        name=_quoted(starter.name),
        contact=f"contact = {_quoted(starter.contact)}" if starter.contact else '# contact = ""',
        primary=f"{'url' if is_url else 'path'} = {_quoted(starter.primary)}",
        prefix=_quoted(starter.prefix),
        versions=_list(starter.versions),
        arches=_list(starter.arches),
        path=_quoted(starter.path),
        first_version=_quoted(starter.versions[0] if starter.versions else ""),
    )
    return text + "".join(_mirror(*one) for one in starter.mirrors) + _MORE


def _mirror(country: str, url: str) -> str:
    host = url.partition("://")[2].partition("/")[0] or url
    hint = "  # two letters of ISO 3166"
    return _MIRROR.format(name=_quoted(host), country=_quoted(country), hint=hint, url=_quoted(url))


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    """Return a text as TOML's basic string, which writes all that JSON's does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
