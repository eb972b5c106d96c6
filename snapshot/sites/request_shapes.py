"""Requests in other words: `[[shapes]]` and `[aliases]` of a file, written out one by one.

A server looks a request up among them, so that it costs one look-up, whatever the patterns are.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, islice, product
from typing import NamedTuple

from snapshot.sites.config import Aliases, Config, Repository, Shape
from snapshot.sites.patterns import Expanded, check_fields, expand
from snapshot.sites.rules import Placed
from snapshot.sites.shape import Tell, proposal

LISTS = ("/mirrorlist/", "/metalink/")
MOST_REQUESTS = 50_000
_MOST_NAMED = 10
_TOO_MANY = f"more than {MOST_REQUESTS:,} requests in other words"
_FIELDS = ("prefix", "version", "arch")
_TAKEN = ("path", "country", "protocol", "ip", "netblock", "redirect", "time")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# What a path may consist of, as clients write it; and what a parameter's value may have.
_PATH, _VALUE = re.compile(r"[A-Za-z0-9._+/~{}$-]+"), re.compile(r"[^&=\s#?%]+")


Meanings = dict[str, defaultdict[str, list[str]]]
"""By kind, the aliases of each word."""


class Request(NamedTuple):
    """A request, as a snapshot has it, its parameters, and what it asks for."""

    key: str
    names: tuple[str, ...]
    prefix: str
    arch: str


def expand_shapes(config: Config) -> list[Request]:
    """Return all requests of a file whose shapes were checked, each once."""
    found = {one.key: one for one in _by_shape(config)}
    return [*{one.key: one for one in _by_alias(config)}.values(), *found.values()]


def check_shapes(config: Config, shapes: list[Placed[Shape]], aliases: Tell) -> None:
    """Tell what is wrong with the shapes and aliases of a file that is right otherwise."""
    _check_aliases(config, aliases)
    seen = {f"?arch={one.arch}&repo={one.name}": _target(one) for one in _all(config)}
    places = dict.fromkeys(seen, "a repository of this name")
    right = [one for one in shapes if _is_right(one, config)]
    if len(right) == len(shapes) and _are_too_many(config):
        aliases((), f"{_TOO_MANY}: use fewer [[shapes]] or aliases")
        return
    for one in right:
        told = False
        for request in _requests(one.value, config):
            known = seen.setdefault(request.key, (request.prefix, request.arch))
            if known != (request.prefix, request.arch) and not told:
                told = True
                one.tell((), f"{_twice(request, known)} ({places[request.key]})")
            places.setdefault(request.key, one.place)
    count = len(expand_shapes(config)) if len(right) == len(shapes) else 0
    if count > MOST_REQUESTS:
        aliases((), f"{_TOO_MANY}: use fewer [[shapes]] or aliases")


def _are_too_many(config: Config) -> bool:
    """Whether aliases multiply so much that writing all requests out would take for ever."""
    every = chain(_by_alias(config), _by_shape(config))
    return next(islice(every, 4 * MOST_REQUESTS, None), None) is not None


def _by_shape(config: Config) -> Iterator[Request]:
    return (one for shape in config.shapes for one in _requests(shape, config))


def _twice(request: Request, known: tuple[str, str]) -> str:
    asked = request.key.rstrip("?")
    return (
        f"{asked} asks for {request.prefix} {request.arch} and for {' '.join(known)}:"
        " does the pattern need {version}, {prefix} or {arch}?"
    )


def _target(one: Expanded) -> tuple[str, str]:
    return one.name, one.arch


def _all(config: Config) -> Iterator[Expanded]:
    for row in config.repository:
        yield from expand(row)


def _is_right(one: Placed[Shape], config: Config) -> bool:
    told: list[str] = []

    def tell(path: tuple[str | int, ...], text: str) -> None:
        told.append(text)
        one.tell(path, text)

    shape = one.value
    if shape.path is None and not shape.query:
        tell((), "give `path`, or `query`, or both")
    if shape.path is not None:
        _check_path(shape.path, tell)
    for name, pattern in shape.query.items():
        if name in _TAKEN:
            tell(("query", name), f"`{name}` has a meaning of its own in every request")
        elif not _NAME.fullmatch(name) or not _VALUE.fullmatch(pattern):
            tell(("query", name), 'needs a name and a pattern, such as repo = "{prefix}"')
        check_fields(pattern, _FIELDS, ("query", name), tell)
    patterns = [shape.path or "", *shape.query.values()]
    has_arch = any("{arch}" in pattern for pattern in patterns)
    if not told and has_arch == (shape.arch is not None):
        tell((), _ARCH_TWICE if has_arch else _NO_ARCH)
    if not told and shape.arch is not None and not _VARIABLE.fullmatch(shape.arch):
        known = {one.arch for one in _all(config)}
        if shape.arch not in known:
            why = f"no repository has the arch `{shape.arch}`{proposal(shape.arch, known)}"
            tell(("arch",), f"{why}; a variable of clients is written as $basearch")
    return not told


_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})", re.ASCII)
_ARCH_TWICE = "`arch` is for patterns without {arch}"
_NO_ARCH = (
    'no pattern has {arch}: give an arch, or arch = "$basearch", which stays so in the list for'
    " clients to fill in"
)


def _check_path(path: str, tell: Tell) -> None:
    if not path.startswith(LISTS):
        tell(("path",), f"begins neither with {LISTS[0]} nor with {LISTS[1]}")
    elif any(one in path[1:] for one in LISTS) or path.endswith(("/metalink", "/mirrorlist")):
        tell(("path",), "names a list twice")
    elif path.endswith(("/", "/explain")) or "//" in path or not _PATH.fullmatch(path):
        tell(("path",), "not a path of a request, such as /mirrorlist/{version}/{prefix}")
    check_fields(path, _FIELDS, ("path",), tell)


def _check_aliases(config: Config, tell: Tell) -> None:
    for kind, found in _aliases(config).items():
        known = {getattr(one, kind) for one in _all(config)}
        for alias, meant in found.items():
            at = (f"{kind}es" if kind in ("prefix", "arch") else f"{kind}s", alias)
            if meant not in known:
                listed = f"; there are {', '.join(sorted(known)[:_MOST_NAMED])}"
                tell(at, f"there is no {kind} `{meant}`{proposal(meant, known) or listed}")
            if not _VALUE.fullmatch(alias):
                tell(at, f"no client can ask for the {kind} `{alias}`")


def _aliases(config: Config) -> dict[str, dict[str, str]]:
    found = config.aliases
    if not isinstance(found, Aliases):
        return {kind: {} for kind in _FIELDS}
    return {"prefix": found.prefixes, "version": found.versions, "arch": found.arches}


def _by_meaning(config: Config) -> Meanings:
    found: Meanings = {kind: defaultdict(list) for kind in _FIELDS}
    for kind, aliases in _aliases(config).items():
        for alias, meant in aliases.items():
            found[kind][meant].append(alias)
    return found


def _spellings(aliases: Meanings, row: Repository, one: Expanded) -> Iterator[dict[str, str]]:
    """Yield the words in which clients may name a repository, its own first.

    A version of the repository is never an alias.
    """
    own = {"prefix": one.prefix, "version": one.version, "arch": one.arch}
    taken = {"prefix": [one.prefix], "version": row.versions, "arch": row.arches}
    words = {
        kind: [
            own[kind],
            *(one for one in aliases[kind].get(own[kind], ()) if one not in taken[kind]),
        ]
        for kind in _FIELDS
    }
    for values in product(*words.values()):
        yield dict(zip(_FIELDS, values, strict=True))


def _requests(shape: Shape, config: Config) -> Iterator[Request]:
    names, aliases = tuple(sorted(shape.query)), _by_meaning(config)
    for row in config.repository:
        for one in _of_arch(expand(row), shape.arch):
            for words in _spellings(aliases, row, one):
                path = (shape.path or "").format(**words)
                values = "&".join(f"{name}={shape.query[name].format(**words)}" for name in names)
                yield Request(f"{path}?{values}", names, one.name, _arch(shape, one))


def _arch(shape: Shape, one: Expanded) -> str:
    return shape.arch if shape.arch is not None and shape.arch[:1] == "$" else one.arch


def _of_arch(found: Iterable[Expanded], arch: str | None) -> Iterator[Expanded]:
    """Yield the repositories of an arch; without one, all; with one like $basearch, all too."""
    return (one for one in found if arch is None or arch[:1] == "$" or one.arch == arch)


def _by_alias(config: Config) -> Iterator[Request]:
    """Yield the usual requests with aliases in them, but for those that mean a repository."""
    known, aliases = {_target(one) for one in _all(config)}, _by_meaning(config)
    for row in config.repository:
        for one in expand(row):
            for words in _spellings(aliases, row, one):
                name = row.name.format(**words)
                if (name, words["arch"]) not in known:
                    key = f"?arch={words['arch']}&repo={name}"
                    yield Request(key, ("arch", "repo"), one.name, one.arch)
