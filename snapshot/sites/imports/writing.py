"""Writes a draft as a site's files, and sets aside the mirrors that the rules do not allow."""

import os
import re
import tempfile
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from snapshot.file.errors import DataFileError, OutputError
from snapshot.sites.imports.draft import (
    Draft,
    Note,
    Notes,
    SiteDraft,
    comment,
    mirror_toml,
    site_toml,
)
from snapshot.sites.load import FOLDER, load
from snapshot.sites.problems import Problem, SitesFileError
from snapshot.sites.state import declared

INCOMPLETE = ".incomplete"
"""The ending of the files of mirrors that are not complete, and so not read."""
_MOST_ROUNDS = 20


class Incomplete(Struct, frozen=True):
    """A mirror that somebody has to complete: its file is not read until it is renamed."""

    file: str
    """Its file, below the folder of the main file."""
    why: str
    """What has to be written into it."""


class Imported(Struct, frozen=True):
    """What an import wrote."""

    file: str
    """The main file; the mirrors are in mirrors.d beside it."""
    mirrors: int
    """How many mirrors are used."""
    repositories: int
    """How many repositories, each version and arch counted."""
    incomplete: list[Incomplete]
    changed: list[Note]
    """What was written in another way."""
    left_out: list[Note]
    """What was not taken."""


def check_free(file: Path) -> None:
    """Raise OutputError if the main file or a mirrors.d is there already."""
    for path in (file, file.parent / FOLDER):
        if os.path.lexists(path):
            raise OutputError(f"{path}: is there already; give another folder by --output")


def write_site(
    site: SiteDraft,
    notes: Notes,
    file: Path,
    command: str,
    contact: str | None,
    primary: str | None,
) -> Imported:
    """Write all files, or none; raises OutputError, and SitesFileError for the main file."""
    check_free(file)
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mirrorlist-import-") as name:
            staged = Path(name)
            (staged / FOLDER).mkdir()
            text = site_toml(site, command, contact, primary)
            (staged / file.name).write_text(text, encoding="utf-8")
            incomplete = _write_mirrors(site.mirrors, staged / FOLDER)
            if len(incomplete) == len(site.mirrors):
                raise DataFileError(f"no mirror is complete: {incomplete[0].why}")
            incomplete += _set_aside(staged / file.name, file)
            state = declared(load(staged / file.name).config)
            os.rename(staged / FOLDER, file.parent / FOLDER)
            os.link(staged / file.name, file)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}") from error
    counts = len(state.mirrors), len(state.repositories)
    return Imported(str(file), *counts, incomplete, notes.changed, notes.left_out)


def _write_mirrors(mirrors: list[Draft], folder: Path) -> list[Incomplete]:
    found = []
    for one in mirrors:
        name = re.sub(r"[^\w.-]", "-", one.name).lstrip(".") or "mirror"
        file = _free(folder, name)
        text = f"# From {comment(str(one.place))}\n{mirror_toml(one)}"
        if one.country is None:
            file = file.with_name(file.name + INCOMPLETE)
            why = f"nothing tells its country; write it, or give --country {one.name}=CC"
            found.append(Incomplete(f"{FOLDER}/{file.name}", why))
            text = f'# {comment(why)}\n# country = "DE"\n{text}'
        file.write_text(text, encoding="utf-8")
    return found


def _free(folder: Path, name: str) -> Path:
    numbers = ("", *(f"-{number}" for number in range(2, 10_000)))
    files = (folder / f"{name}{number}.toml" for number in numbers)
    return next(
        file
        for file in files
        if not file.exists() and not file.with_name(file.name + INCOMPLETE).exists()
    )


def _set_aside(main: Path, file: Path) -> list[Incomplete]:
    """Take out the mirrors with problems; what is wrong with the main file is raised.

    `file` is its name after the import.
    """
    found = []
    for _ in range(_MOST_ROUNDS):
        try:
            load(main)
        except SitesFileError as error:
            if mine := [one for one in error.problems if one.file == str(main)]:
                raise SitesFileError([replace(one, file=str(file)) for one in mine]) from error
            found += _aside(main, error)
            if not any((main.parent / FOLDER).glob("*.toml")):
                raise DataFileError(f"no mirror can be used: {found[0].why}") from error
        else:
            return found
    raise DataFileError("the mirrors of the list contradict each other; nothing was written")


def _aside(main: Path, error: SitesFileError) -> list[Incomplete]:
    by_file: dict[str, Problem] = {}
    for problem in error.problems:
        by_file.setdefault(problem.file, problem)
    found = []
    for name, problem in by_file.items():
        file = Path(name)
        aside = file.with_name(file.name + INCOMPLETE)
        why = comment(problem.text.replace(f"{main.parent}{os.sep}", ""))
        aside.write_text(f"# line {problem.line + 1}: {why}\n{file.read_text('utf-8')}", "utf-8")
        file.unlink()
        found.append(Incomplete(f"{FOLDER}/{aside.name}", why))
    return found
