"""What is wrong with a file of a site: file, line, and what to do."""

from collections.abc import Sequence

from msgspec import Struct

from snapshot.file.errors import DataFileError
from snapshot.file.text import printable


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong."""

    file: str
    """The file that has it."""
    line: int
    """Its line, counted from 1."""
    text: str
    """What is wrong, and what to write instead if that can be told."""

    def __str__(self) -> str:
        """As compilers say it, so that editors find the place; without orders for a terminal."""
        return printable(f"{self.file}:{self.line}: {self.text}")


class SitesFileError(DataFileError):
    """A file of a site that cannot be used; `more` are its further problems, a line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take all problems, at least one."""
        super().__init__(str(problems[0]))
        self.problems = tuple(problems)
        self.more = tuple(map(str, problems[1:]))
