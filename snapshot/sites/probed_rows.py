"""The rows that say which directories mirrors have up to date, as a probe found them."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, update

from snapshot.export import schema
from snapshot.sites.judging import Memory
from snapshot.sites.rows import chunks, insert_all, rows_of, update_all
from snapshot.sites.state import CheckedFile
from snapshot.sites.url_states import UrlState

_CARRIER = "host_category_id"
_TABLE = schema.host_category_dir

Told = Mapping[int, Mapping[str, bool]]
"""For mirrors, by their host_category: the directories of repositories that they have or not."""


class MirrorUrl(Struct, frozen=True):
    """A URL to ask, and the files of repositories that are below it."""

    id: int
    carrier: int
    mirror: str
    url: str
    files: tuple[CheckedFile, ...]
    state: UrlState
    answers: dict[str, Memory]

    @property
    def key(self) -> tuple[int, int, str]:
        """What is the same as long as nobody changes it."""
        return self.id, self.carrier, self.url


class Directories:
    """The rows of host_category_dir of a site's mirrors.

    A mirror that was never asked has `always_up2date` and no rows, unless the file says that it has
    only a part. The first answer of a mirror gives it rows instead. A directory that is not known
    stays as it was. Directories above a repository have no file that could be asked for, and count
    as up to date.
    """

    def __init__(self, connection: Connection, urls: Iterable[MirrorUrl]) -> None:
        """Read what the database has of the mirrors with these URLs."""
        self._connection = connection
        self._mirrors = {one.carrier: one for one in urls}
        carriers = rows_of(connection, schema.host_category, "id", self._mirrors)
        self._whole = {row.id: row.always_up2date for row in carriers}
        self._rows = {
            (row.host_category_id, row.path): row
            for row in rows_of(connection, _TABLE, _CARRIER, self._whole)
        }

    def write(self, told: Told, shown: Set[int]) -> bool:
        """Write what was told; return whether a mirror lost a directory that it had.

        `shown` are the mirrors that have a URL in lists.
        """
        told = self._spared(told, shown)
        wanted = [
            (carrier, name, state)
            for carrier in self._whole
            if told.get(carrier)
            for name, state in self._wanted(carrier, told[carrier])
        ]
        self._insert([one for one in wanted if one[:2] not in self._rows])
        for state in (True, False):
            self._update(state, [one[:2] for one in wanted if one[2] is state])
        changed = [
            {"id": carrier, "always_up2date": False}
            for carrier, whole in self._whole.items()
            if whole and told.get(carrier)
        ]
        update_all(self._connection, schema.host_category, changed)
        return any(
            self.had(carrier, directory) and not state
            for carrier, found in told.items()
            for directory, state in found.items()
        )

    def had(self, carrier: int, directory: str) -> bool:
        """Return whether a mirror had a directory before this probe."""
        row = self._rows.get((carrier, directory))
        return bool(self._whole.get(carrier)) or (row is not None and bool(row.up2date))

    def _spared(self, told: Told, shown: Set[int]) -> dict[int, dict[str, bool]]:
        """Return what was told without what would leave a repository without any mirror.

        A network that answers everything with a page of its own looks as if all mirrors were wrong,
        and clients check what they get: an old mirror does less harm than no mirror.
        """
        left = {
            directory
            for carrier, mirror in self._mirrors.items()
            if carrier in shown
            for file in mirror.files
            for directory in (file.directory,)
            if told.get(carrier, {}).get(directory, self.had(carrier, directory))
        }
        return {
            carrier: {name: state for name, state in found.items() if state or name in left}
            for carrier, found in told.items()
        }

    def _wanted(self, carrier: int, told: Mapping[str, bool]) -> Iterator[tuple[str, bool]]:
        """Yield each directory that is known, with its state, once."""
        one = self._mirrors[carrier]
        found: dict[str, bool] = {}
        for file in one.files:
            state = told.get(file.directory, True if self._whole[carrier] else None)
            for name in file.family:
                if name not in file.own:
                    found.setdefault(name, True)
                elif state is not None:
                    found[name] = state
        yield from found.items()

    def _insert(self, wanted: list[tuple[int, str, bool]]) -> None:
        names = {name for _, name, _ in wanted}
        ids = {
            row.name: row.id for row in rows_of(self._connection, schema.directory, "name", names)
        }
        rows: list[dict[str, Any]] = [
            {_CARRIER: carrier, "path": name, "up2date": state, "directory_id": ids[name]}
            for carrier, name, state in wanted
            if name in ids
        ]
        insert_all(self._connection, _TABLE, rows)

    def _update(self, state: bool, places: list[tuple[int, str]]) -> None:
        rows = (self._rows.get(place) for place in places)
        ids = [row.id for row in rows if row is not None and row.up2date is not state]
        for part in chunks(ids):
            statement = update(_TABLE).where(_TABLE.c.id.in_(part)).values(up2date=state)
            self._connection.execute(statement)
