"""Collects the rows that could not be used, so that one bad row never stops an export."""

from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def row(self, table: str, id: int | None) -> Iterator[None]:
        """Turn a ValueError or TypeError raised for a row into a report of that row."""
        try:
            yield
        except (ValueError, TypeError, OverflowError) as error:
            self.add(table, id, str(error))

    def sorted(self) -> tuple[LeftOut, ...]:
        """Return all reports, sorted by table, id and reason."""
        return tuple(sorted(self._rows, key=lambda row: (row.table, row.id or 0, row.reason)))
