"""Names and paths of repositories, from the patterns of the file."""

import re
from collections.abc import Iterator
from string import Formatter
from typing import NamedTuple
from urllib.parse import unquote

from snapshot.sites.config import Repository
from snapshot.sites.shape import Tell, proposal

_ASKED = re.compile(r"[^&=\s#?%+$]+")
_IN_NAME = ("prefix", "version")
_IN_PATH = ("prefix", "version", "arch")


class Expanded(NamedTuple):
    """A repository of one version and one arch.

    `path` has no outer slashes, nor has `check`, the path of the file to ask for below the URLs.
    """

    prefix: str
    name: str
    version: str
    arch: str
    path: str
    check: str | None = None


def expand(repository: Repository) -> Iterator[Expanded]:
    """Yield a repository in each version and arch; its patterns were checked."""
    for version in repository.versions:
        path, arches = repository.path, repository.arches
        for other in repository.exception:
            if version in other.versions:
                path, arches = other.path or path, other.arches or arches
        for arch in arches:
            values = {"prefix": repository.prefix, "version": version, "arch": arch}
            name = repository.name.format(**values)
            place = outer(path.format(**values))
            check = _check(repository.check, place, values)
            yield Expanded(repository.prefix, name, version, arch, place, check)


def _check(pattern: str | None, path: str, values: dict[str, str]) -> str | None:
    if pattern is None:
        return None
    file = pattern.format(**values)
    return outer(file) if file.startswith("/") or not path else f"{path}/{outer(file)}"


def outer(path: str) -> str:
    """Return a path without the slashes around it."""
    return path.strip("/")


def leads_up(path: str) -> bool:
    """Whether a path has a part that stands for another folder, in this or another spelling."""
    return any(unquote(part) in (".", "..") for part in path.split("/"))


def why_unusable(one: Expanded) -> str | None:
    """Return why no client can ask for a repository, or read it; None if one can."""
    if leads_up(one.path) or leads_up(one.check or ""):
        return f"no path with . or ..: {one.path:.100} ({one.name}, {one.arch})"
    for what, text in (("repo", one.name), ("arch", one.arch)):
        if not _ASKED.fullmatch(text):
            return f"no client can ask for {what}={text:.100}: no blanks, and none of & = # ? % + $"
    return None


def check_name(pattern: str, tell: Tell) -> None:
    """Tell what is wrong with a pattern of names."""
    check_fields(pattern, _IN_NAME, ("name",), tell)


def check_path(pattern: str, tell: Tell, path: tuple[str | int, ...]) -> None:
    """Tell what is wrong with a pattern of paths."""
    check_fields(pattern, _IN_PATH, path, tell)
    if leads_up(outer(pattern)) or "" in outer(pattern).split("/")[1:]:
        tell(path, f"no path with ., .. or two slashes in a row: {pattern:.100}")
    if "://" in pattern:
        tell(path, "a path, not a URL: it stands behind each mirror's URLs")


def check_fields(
    pattern: str, known: tuple[str, ...], path: tuple[str | int, ...], tell: Tell
) -> None:
    """Tell which fields of a pattern, such as {arch}, are not among the known ones."""
    try:
        fields = [field for _, *field in Formatter().parse(pattern)]
    except ValueError:
        tell(path, f"a bracket without its other one: {pattern:.100}")
        return
    for name, form, conversion in fields:
        if name in known and (form or conversion):
            tell(path, f"write {{{name}}} with nothing more in its brackets")
        elif name is not None and name not in known:
            there = (
                proposal(name, known) or f"; there are {', '.join(f'{{{one}}}' for one in known)}"
            )
            tell(path, f"unknown field {{{name}}}{there}")
