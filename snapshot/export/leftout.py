"""Collects the rows that could not be used, so that one bad row never stops an export."""

from types import TracebackType

from snapshot.file.model import LeftOut


class LeftOutRows:
    """The rows left out so far, each with its table, id and reason."""

    def __init__(self) -> None:
        self._rows: list[LeftOut] = []
        self._notes: list[str] = []

    def add(self, table: str, id: int | None, reason: str) -> None:
        """Report one row."""
        self._rows.append(LeftOut(table, id, reason))

    def note(self, text: str) -> None:
        """Add a line about the snapshot as a whole, for which no single row is to blame."""
        self._notes.append(text)

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes, sorted."""
        return tuple(sorted(self._notes))

    def add_all(self, others: "LeftOutRows") -> None:
        """Add the reports and notes of another collection."""
        self._rows += others._rows
        self._notes += others._notes

    def row(self, table: str, id: int | None) -> "_Row":
        """Turn a ValueError or TypeError that its block raises into a report of the row."""
        return _Row(self, table, id)

    def sorted(self) -> tuple[LeftOut, ...]:
        """Return all reports, sorted by table, id and reason."""
        return tuple(sorted(self._rows, key=lambda row: (row.table, row.id or 0, row.reason)))


class _Row:
    """The block in which a row is read.

    Not by contextlib: its `__exit__` is in a cycle with the error, and from Python 3.12 on such a
    cycle keeps all frames of an export, and so all rows, until a collection.
    """

    def __init__(self, left_out: LeftOutRows, table: str, id: int | None) -> None:
        self._left_out, self._table, self._id = left_out, table, id

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, (ValueError, TypeError, OverflowError)):
            return False
        self._left_out.add(self._table, self._id, str(error))
        return True
