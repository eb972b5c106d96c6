"""Writes the requests in other words that a file allows into the table of `mirrorlist sites`."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from snapshot.export.declared import request_shape
from snapshot.sites.request_shapes import Request

_COLUMNS = ("request", "names", "prefix", "arch")


class RequestRows:
    """The rows of a site: those of the database, and those that its file asks for."""

    def __init__(self, connection: Connection, site: str, want: Iterable[Request]) -> None:
        """Read the rows, and compare them."""
        table = self._table = request_shape
        self._connection, self._site = connection, site
        statement = select(*(table.c[name] for name in _COLUMNS)).where(table.c.site == site)
        have = {tuple(row) for row in connection.execute(statement)}
        self._want = {(one.key, "&".join(one.names), one.prefix, one.arch) for one in want}
        self.differ = have != self._want
        """Whether the file says something else than the database."""

    def write(self) -> None:
        """Bring the database to what the file says."""
        if not self.differ:
            return
        self._connection.execute(delete(self._table).where(self._table.c.site == self._site))
        rows = [
            {"site": self._site, **dict(zip(_COLUMNS, row, strict=True))}
            for row in sorted(self._want)
        ]
        if rows:
            self._connection.execute(insert(self._table), rows)
