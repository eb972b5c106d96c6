"""Points repositories to other directories: all of them in one transaction, or none."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from snapshot.file.errors import BusyScan, NoSuchRepository
from snapshot.link import Link, linked
from snapshot.repo import statements as sql
from snapshot.repo.choice import Choice, choose, forget, lock
from snapshot.repo.destination import Category, Move, Order, Planned, plan_moves, read_category


class Moved(Struct, frozen=True):
    """A repository that was moved, or would be."""

    prefix: str
    """The name that clients ask for: it stays."""
    arch: str | None
    """The arch that clients ask for: it stays."""
    old: str
    """The directory that it had."""
    new: str
    """The directory that it has now."""
    category: str
    """Its category now."""
    hosts: int
    """How many hosts are up to date in the new directory."""


class Left(Struct, frozen=True):
    """A repository that stays where it is."""

    repository: str
    """Its prefix and arch, or the name of its row."""
    why: str
    """The reason."""


class MoveResult(Struct, frozen=True):
    """What a move of repositories did, or with `--dry-run` would have done."""

    dry_run: bool
    """Whether nothing was written because that was asked for."""
    refused: bool
    """Whether nothing was written because a new directory is not ready."""
    moved: list[Moved]
    """What was moved; if it was refused, what is ready to be moved."""
    unready: list[Left]
    """Repositories whose new directory is missing or cannot be used yet."""
    skipped: list[Left]
    """Repositories that a move is not about, such as those that are in the archive already."""


def move_repositories(
    database: str, choice: Choice, order: Order, *, dry_run: bool = False, skip: bool = False
) -> MoveResult:
    """Move repositories; with `skip`, those that are ready, else all or none.

    Raises a BackendError, and then nothing is changed.
    """
    with linked(database) as link:
        link.begin()
        new = None if order.category is None else read_category(link, order.category)
        lock(link, [new.id if new else None, *(row.category_id for row in choose(link, choice))])
        # Read again, because a scan may have ended before the lock was there.
        planned = plan_moves(choose(link, choice), order, new, link)
        if not planned.moves:
            raise NoSuchRepository(_nothing(planned))
        moved, unready = _look(link, planned.moves, _names(link))
        refused = bool(unready) and not skip
        if not refused:
            _write(link, len(moved), planned.moves, new)
        link.end(commit=not dry_run and not refused)
    skipped = [Left(*one) for one in planned.skipped]
    return MoveResult(dry_run, refused, moved, unready, skipped)


def _nothing(planned: Planned) -> str:
    told = "".join(f"; {name}: {why}" for name, why in planned.skipped[:3])
    more = f"; and {len(planned.skipped) - 3} more" if len(planned.skipped) > 3 else ""
    return f"no repository is to be moved{told}{more}; mirrorlist repo list shows what is there"


def _names(link: Link) -> dict[int, str]:
    return {id: name for name, id, *_ in link.query(sql.CATEGORIES)}


def _look(
    link: Link, moves: Sequence[Move], categories: dict[int, str]
) -> tuple[list[Moved], list[Left]]:
    """Load the moves, and take out those whose target is not ready."""
    _load(link, "repo_move", sql.MOVES, map(_shape, moves))
    twice = Counter((one.target, one.row.directory) for one in moves)
    sources = Counter(target for target, _ in twice)
    moved, unready, ids = [], [], []
    states = {row[0]: row[1:] for row in link.query(sql.READY)}
    for one in moves:
        *state, hosts = states[one.row.id]
        category = categories[one.category]
        why = _unready(one, category, *state)
        if why is None and sources[one.target] > 1:
            why = f"{one.target}: two directories would become this one"
        if why is None:
            moved.append(_moved(one, category, hosts))
        else:
            unready.append(Left(one.row.called(), why))
            ids.append(one.row.id)
    _load(link, "repo_unready", {"id": "INTEGER"}, ((id,) for id in ids))
    link.execute(sql.DROP_UNREADY)
    return moved, unready


def _shape(one: Move) -> tuple[object, ...]:
    row = one.row
    return row.id, row.directory_id, one.name, one.target, one.category, one.version


def _load(
    link: Link, table: str, columns: dict[str, str], rows: Iterable[tuple[object, ...]]
) -> None:
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    link.execute(f"CREATE TEMPORARY TABLE {table} ({shape})")
    link.load(table, list(columns), rows)


def _unready(
    one: Move,
    category: str,
    directory: int | None,
    readable: bool,
    linked_there: int | None,
    details: int,
    occupant: str | None,
    namesake: str | None,
) -> str | None:
    """Return why a directory cannot take a repository yet, with what to do."""
    place = one.target
    if directory is None:
        return f"{place}: no such directory in the database; scan {category} first"
    if linked_there is None:
        return f"{place}: not a directory of {category}; scan {category} first"
    if not readable:
        return f"{place}: not readable on the primary; scan {category} when it is"
    if not details:
        return f"{place}: its repomd.xml has no file details; scan {category} first"
    if occupant is not None:
        return f"{place}: the repository {occupant or 'without a prefix'} is there already"
    if namesake is not None:
        other = namesake or "without a prefix"
        return f"{place}: the repository {other} has this name; rename or delete it"
    return None


def _moved(one: Move, category: str, hosts: int) -> Moved:
    row = one.row
    return Moved(row.prefix or "", row.arch, row.directory or "", one.target, category, hosts)


def _write(link: Link, count: int, moves: Sequence[Move], new: Category | None) -> None:
    if link.execute(sql.UPDATE) != count:
        raise BusyScan("a repository was changed meanwhile; nothing was changed: try again")
    forget(link, [new.id if new else None, *(one.row.category_id for one in moves)])
