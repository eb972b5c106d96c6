"""Reads MirrorManager's rows in bulk: one statement for each table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import NoneType
from typing import Any, NamedTuple, get_args

from snapshot.export.beside import beside
from snapshot.export.carried import read_carried
from snapshot.export.directories import Carried
from snapshot.export.file_sums import read_file_sums
from snapshot.export.imported import may_read_packages
from snapshot.export.leftout import LeftOutRows
from snapshot.export.newest import read_newest
from snapshot.export.rows import LARGE, SMALL, TABLES, CategoryDirectoryRow, Progress, Rows
from snapshot.export.session import SQLITE, Row, Session
from snapshot.export.site_rows import (
    REQUEST_SHAPE,
    SITE_FILE,
    may_read_or_note,
    read_reduced,
    read_shapes,
)
from snapshot.export.values import reader_of
from snapshot.file.errors import DatabaseError
from snapshot.file.reader import Snapshot


class _ReadTable(NamedTuple):
    field: str
    table: str
    row: type[tuple[Any, ...]]
    fields: tuple[str, ...]

    @property
    def keys(self) -> set[str]:
        """The columns that must be integers, because rows are sorted by them."""
        return _KEYS.get(self.row, {"id"})

    @property
    def statement(self) -> str:
        """SQL that reads all rows."""
        columns = ", ".join(f"{self.table}.{name}" for name in self.fields)
        return f"SELECT {columns} FROM {self.table}"


# Rows without an `id` column.
_KEYS: dict[object, set[str]] = {CategoryDirectoryRow: {"category_id", "directory_id"}}

_SMALL = [
    _ReadTable(field, table, row, tuple(row.__annotations__))
    for field, (table, row) in SMALL.items()
]

# "`host_peer_asn` may be missing, because `mirrorlist-server` never reads it."
# (docs/mirrormanager.md#views-instead-of-tables)
_OPTIONAL = {"host_peer_asn"}


@contextmanager
def reading(
    session: Session,
    progress: Progress,
    left_out: LeftOutRows,
    read_up2date: Callable[[Session], Carried] = read_carried,
    old: Callable[[], Snapshot | None] | None = None,
    *,
    newest: bool = False,
) -> Iterator[Rows]:
    """Read every table once; raises DatabaseError if a table of MirrorManager's is missing.

    Rows whose id is not an integer are left out: a copy without constraints may have such rows.
    `read_up2date` reads the largest table, in a thread and while the block runs: the block can
    apply rules to all other rows meanwhile. The block must not use the session. With `old`,
    which opens the published snapshot, sums of single files are read too; with `newest`, it is
    also read which packages are the newest.
    """
    present = _present_tables(session)
    asked: list[tuple[_ReadTable, Callable[[], list[Row]]]] = []
    for step, source in enumerate(_SMALL):
        progress(f"reading {source.table}", step, len(TABLES))
        asked += [(source, session.ask(source.statement) if source.table in present else list)]
    read: dict[str, Any] = {}
    progress(f"reading {LARGE}", len(_SMALL), len(TABLES))
    if SITE_FILE in present and may_read_or_note(session, SITE_FILE, left_out):
        read["reduced"] = read_reduced(session)
    if REQUEST_SHAPE in present and may_read_or_note(session, REQUEST_SHAPE, left_out):
        read["request_shapes"] = read_shapes(session)
    if old is not None:
        progress("reading sums of files", len(_SMALL), len(TABLES))
        read["file_sums"] = read_file_sums(session, present, old(), left_out)
    if newest and may_read_packages(session, present, "--newest", left_out):
        progress("reading the newest packages", len(_SMALL), len(TABLES))
        read["newest"] = read_newest(session)
    with beside(partial(read_up2date, session), session.cut_off) as up2date:
        # The server is at work on the largest table now, and this process would only wait.
        read |= {source.field: _made(rows(), source, left_out) for source, rows in asked}
        asked.clear()
        yield Rows(**read, up2date=up2date)
    progress("applying the rules", len(TABLES), len(TABLES))


def _present_tables(session: Session) -> set[str]:
    present = session.names()
    missing = [name for name in TABLES if name not in present | _OPTIONAL]
    if missing:
        rights = ", and that its user has USAGE on their schema" if session.kind != SQLITE else ""
        raise DatabaseError(
            "not a MirrorManager database: it has no table"
            f" {', '.join(missing[:3])}{' ...' if missing[3:] else ''}; check the URL{rights}"
        )
    return present


def _made(found: list[Row], source: _ReadTable, left_out: LeftOutRows) -> list[Any]:
    if _fit(found, source):
        # What the function `_make` of a NamedTuple does.
        return [*map(partial(tuple.__new__, source.row), found)]
    return _read_singly(found, source, left_out)


def _fit(rows: Sequence[Sequence[Any]], source: _ReadTable) -> bool:
    """Whether all values have the types of their columns, as nearly always: columns are quick."""
    for name, column in zip(source.fields, zip(*rows, strict=True), strict=False):
        kind = source.row.__annotations__[name]
        fit = {int} if name in source.keys else {*get_args(kind), kind, NoneType}
        if not fit.issuperset(map(type, column)):
            return False
    return True


def _read_singly(
    found: Sequence[Sequence[Any]], source: _ReadTable, left_out: LeftOutRows
) -> list[Any]:
    """Convert the rows of a table, and report those that cannot be converted."""
    keys = [index for index, name in enumerate(source.fields) if name in source.keys]
    values = _Values(source)
    rows = []
    for one in found:
        try:
            row = values.of(one)
        except ValueError as error:
            id = one[keys[0]]
            left_out.add(source.table, id if type(id) is int else None, str(error))
            continue
        if all(type(row[index]) is int for index in keys):
            rows.append(source.row(*row))
        else:
            left_out.add(source.table, None, f"an id that is no number: {one[0]!r:.40}")
    return rows


class _Values:
    """Converts the values of rows to the types of their columns.

    Most rows have the right types already: the answer is remembered for each combination of types,
    so that millions of rows cost one dictionary lookup each.
    """

    def __init__(self, source: _ReadTable) -> None:
        hints = source.row.__annotations__
        self._names = source.fields
        self._readers = [reader_of(name, hints[name]) for name in source.fields]
        self._types = [{*get_args(hints[name]), hints[name], NoneType} for name in source.fields]
        self._fit: dict[tuple[type, ...], bool] = {}

    def of(self, found: Sequence[Any]) -> Sequence[Any]:
        """Return a row's values, converted; a ValueError names the column that cannot be read."""
        types = tuple(map(type, found))
        fit = self._fit.get(types)
        if fit is None:
            pairs = zip(types, self._types, strict=True)
            fit = self._fit[types] = all(one in those for one, those in pairs)
        return found if fit else self._converted(found)

    def _converted(self, found: Sequence[Any]) -> list[object]:
        values = []
        for name, read, value in zip(self._names, self._readers, found, strict=True):
            try:
                values.append(read(value))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return values
