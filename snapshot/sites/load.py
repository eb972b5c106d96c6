"""Reads `mirrors.toml` and the files of `mirrors.d` beside it; says all that is wrong with them."""

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from snapshot.file.wholefile import read_text
from snapshot.sites.config import Aliases, Config, Mirror, Primary, Repository, Shape, Site
from snapshot.sites.positions import Path as Keys
from snapshot.sites.positions import find_positions, line_of
from snapshot.sites.problems import Problem, SitesFileError
from snapshot.sites.request_shapes import check_shapes
from snapshot.sites.rules import Placed, check_rules
from snapshot.sites.shape import shaped, unknown_key

FOLDER = "mirrors.d"
_SYNTAX = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# A value of letters without quotes.
_BARE = re.compile(r"=(?:[^\"'#]*[\[,])?\s*(?!true\b|false\b|inf\b|nan\b)[A-Za-z]")
_MOST_DOTS = 100
# A string in a line, or a comment: what is left has the dots of keys.
_NO_KEY = re.compile(r"\"(?:[^\"\\\n]|\\[^\n])*\"|'[^'\n]*'|#[^\n]*")
_SECTIONS = ("site", "primary", "repository", "mirror", "shapes", "aliases")
_WRITES_ONE = "`mirrorlist sites init` writes a first one"
_EXAMPLE = '; text stands in quotes, such as country = "DE"'


class Loaded(Struct, frozen=True):
    """A site whose files are right, and the files that were read."""

    config: Config
    files: tuple[Path, ...]


def load(file: Path) -> Loaded:
    """Return a site; raises SitesFileError with all problems of all files."""
    found: list[Problem] = []
    try:
        files = files_of(file)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise SitesFileError([Problem(str(file.parent / FOLDER), 1, why)]) from error
    sources = [source for path in files if (source := _read(path, found))]
    if len(sources) == len(files):
        config = _config(sources, found)
        if config is not None and not found:
            return Loaded(config, files)
    raise SitesFileError(sorted(found))


def files_of(file: Path) -> tuple[Path, ...]:
    """Return a site's file and those of mirrors.d; a name that begins with a dot is an editor's.

    Raises OSError for a mirrors.d that cannot be read: without it, its mirrors would be gone.
    """
    folder = file.parent / FOLDER
    if not os.path.lexists(folder):
        return (file,)
    found = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))
    return (file, *(folder / name for name in found if not name.startswith(".")))


class _Source(Struct, frozen=True):
    """A file's values, and the lines where they stand."""

    file: Path
    data: dict[str, Any]
    positions: dict[Keys, int]

    def problem(self, path: Keys, text: str) -> Problem:
        """Return a problem with its place."""
        return Problem(str(self.file), line_of(self.positions, path), text)


def _read(file: Path, found: list[Problem]) -> _Source | None:
    text = ""
    try:
        text = read_text(file).removeprefix("\ufeff")
        _check_dots(text)
        return _Source(file, tomllib.loads(text), find_positions(text))
    except FileNotFoundError:
        is_link = os.path.lexists(file)
        why = "a link to nothing" if is_link else f"no such file; {_WRITES_ONE}"
        found.append(Problem(str(file), 1, why))
    except RecursionError:
        found.append(Problem(str(file), 1, "too many levels of brackets"))
    except OSError as error:
        found.append(Problem(str(file), 1, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        found.append(Problem(str(file), 1, "is not text in UTF-8"))
    except ValueError as error:
        found.append(_syntax(file, text, str(error)))
    return None


def _check_dots(text: str) -> None:
    """Raise ValueError for a key with so many dots that tomllib would read it for hours."""
    for number, line in enumerate(_NO_KEY.sub("", text).split("\n"), 1):
        if any(part.count(".") > _MOST_DOTS for part in line.split("=")):
            raise ValueError(f"a key with more than {_MOST_DOTS} dots (at line {number}, column 1)")


def _syntax(file: Path, text: str, error: str) -> Problem:
    """Return tomllib's error as a problem; `at end of document` has no line."""
    place, lines = _SYNTAX.search(error), text.splitlines() or [""]
    why = error[: place.start()] if place else error
    line = int(place[1]) if place and place[1] else len(lines) if place else 1
    hint = _EXAMPLE if _BARE.search(lines[min(line, len(lines)) - 1]) else ""
    return Problem(str(file), line, f"not TOML: {why}{hint}")


def _config(sources: list[_Source], found: list[Problem]) -> Config | None:
    main = sources[0]
    for name in main.data.keys() - {*_SECTIONS}:
        found.append(main.problem((name,), unknown_key(name, _SECTIONS)))
    site = _section(main, Site, "site", found)
    repositories = _listed(main, Repository, "repository", found)
    mirrors = _listed(main, Mirror, "mirror", found)
    for source in sources[1:]:
        mirrors += _part(source, found)
    primary: Primary | UnsetType | None = UNSET
    if "primary" in main.data:
        primary = _section(main, Primary, "primary", found)
    shapes = _listed(main, Shape, "shapes", found)
    aliases: Aliases | UnsetType | None = UNSET
    if "aliases" in main.data:
        aliases = _section(main, Aliases, "aliases", found)
    whole = not found
    if site is None:
        return None
    tops = {"site": _teller(main, ("site",), found), "primary": _teller(main, ("primary",), found)}
    config = Config(
        site=site,
        primary=UNSET if primary is None else primary,
        repository=[one.value for one in repositories],
        mirror=[one.value for one in mirrors],
        shapes=[one.value for one in shapes],
        aliases=UNSET if aliases is None else aliases,
    )
    check_rules(config, tops, repositories, mirrors, whole=whole)
    if not found:
        check_shapes(config, shapes, _teller(main, ("aliases",), found))
    return config


def _section(source: _Source, kind: Any, name: str, found: list[Problem]) -> Any:
    if name not in source.data:
        found.append(source.problem((), f"`[{name}]` is missing"))
        return None
    return shaped(kind, source.data[name], _teller(source, (name,), found))


def _listed(source: _Source, kind: Any, name: str, found: list[Problem]) -> list[Placed[Any]]:
    """Return the tables of a list of tables; a single table in its place is named."""
    tables = source.data.get(name, [])
    if not isinstance(tables, list):
        found.append(source.problem((name,), f"write [[{name}]] with two brackets"))
        return []
    return [
        one
        for at, table in enumerate(tables)
        if (one := _placed(source, kind, table, (name, at), found))
    ]


def _part(source: _Source, found: list[Problem]) -> list[Placed[Mirror]]:
    """Return the mirrors of a file of mirrors.d: one without a heading, or a list."""
    if "mirror" not in source.data:
        one = _placed(source, Mirror, source.data, (), found)
        return [one] if one else []
    for name in source.data.keys() - {"mirror"}:
        why = f"`{name}` cannot stand beside [[mirror]] in a file of {FOLDER}"
        found.append(source.problem((name,), why))
    return _listed(source, Mirror, "mirror", found)


def _placed(
    source: _Source, kind: Any, table: object, path: Keys, found: list[Problem]
) -> Placed[Any] | None:
    tell = _teller(source, path, found)
    value = shaped(kind, table, tell)
    place = f"{source.file}:{line_of(source.positions, path)}"
    return None if value is None else Placed(value, place, tell)


def _teller(source: _Source, path: Keys, found: list[Problem]) -> Callable[[Keys, str], None]:
    def tell(within: Keys, text: str) -> None:
        found.append(source.problem((*path, *within), text))

    return tell
