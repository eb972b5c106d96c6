"""Which repositories of a database a command is about."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from msgspec import Struct

from snapshot.file.errors import BusyScan, NoSuchRepository
from snapshot.link import Link
from snapshot.repo import statements as sql
from snapshot.scan.statements import STATE_TABLE

_KINDS = ("category", "product", "version", "arch")


class Row(Struct, frozen=True):
    """A row of `repository` with the names of what it refers to."""

    id: int
    name: str
    prefix: str | None
    arch: str | None
    version: str | None
    product: str | None
    category_id: int | None
    category: str | None
    directory_id: int | None
    directory: str | None
    disabled: bool

    def called(self) -> str:
        """Return what clients ask for, or else the name of the row."""
        return f"{self.prefix} {self.arch}" if self.prefix else f"the nameless {self.name}"


class Choice(Struct, frozen=True, kw_only=True):
    """What repositories must be; None is all. `prefix` may have * and ?, `directory` is above."""

    category: str | None = None
    product: str | None = None
    version: str | None = None
    arch: str | None = None
    prefix: str | None = None
    directory: str | None = None

    def fits(self, row: Row) -> bool:
        """Whether a repository is meant."""
        return (
            all(getattr(self, kind) in (None, getattr(row, kind)) for kind in _KINDS)
            and (self.prefix is None or is_like(row.prefix or "", self.prefix))
            and (self.directory is None or is_within(row.directory, self.directory))
        )

    @property
    def is_all(self) -> bool:
        """Whether every repository is meant."""
        return self == Choice()


def is_like(prefix: str, pattern: str) -> bool:
    """Whether a prefix is a pattern's, in which * and ? stand for others; no prefix never is."""
    return prefix != "" and fnmatchcase(prefix, pattern.replace("[", "[[]"))


def is_within(name: str | None, top: str) -> bool:
    """Whether a directory is another one or below it."""
    return name is not None and f"{name}/".startswith(f"{top}/")


def read_rows(link: Link) -> list[Row]:
    """Return all repositories."""
    return [Row(*row) for row in link.query(sql.REPOSITORIES)]


def choose(link: Link, choice: Choice) -> list[Row]:
    """Return the repositories that are meant; raises NoSuchRepository for a name of nothing."""
    _check(link, choice)
    rows = read_rows(link)
    found = [row for row in rows if choice.fits(row)]
    if not found and choice.prefix is not None:
        known = sorted({row.prefix for row in rows if row.prefix})
        if not any(is_like(one, choice.prefix) for one in known):
            raise NoSuchRepository(
                f"prefix {choice.prefix}: no repository has it{near(choice.prefix, known)}"
            )
    return found


def _check(link: Link, choice: Choice) -> None:
    known: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for kind, name in link.query(sql.NAMES):
        known[kind].append(name)
    for kind in _KINDS:
        given = getattr(choice, kind)
        if given is not None and given not in known[kind]:
            raise NoSuchRepository(f"{kind} {given}: not in the database{near(given, known[kind])}")


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest of some names, or with what shows them."""
    found = get_close_matches(name, list(known), 1)
    return f" (perhaps {found[0]}?)" if found else "; mirrorlist repo list shows what is there"


def lock(link: Link, categories: Iterable[int | None]) -> None:
    """Exclude scans of some categories until the end; raises BusyScan."""
    for category in sorted({one for one in categories if one is not None}):
        try:
            link.lock(category)
        except BusyScan:
            raise BusyScan(
                "a scan of one of the categories is running; nothing was changed:"
                " try again when it has ended"
            ) from None


def forget(link: Link, categories: Iterable[int | None]) -> None:
    """Let the next scan of some categories compare everything."""
    link.execute("CREATE TEMPORARY TABLE repo_category (id INTEGER)")
    ids = sorted({one for one in categories if one is not None})
    link.load("repo_category", ["id"], ((one,) for one in ids))
    if link.tables([STATE_TABLE]):
        link.execute(sql.FORGET)
