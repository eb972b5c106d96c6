"""The writer with a look-up a row, by an object-relational mapper: the shape of MirrorManager.

MirrorManager's Python scanner asks through SQLAlchemy's sessions, and flushes after each row. So
does this writer, with the look-ups of `loadtest.scans.naive` in the same order.
"""

from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, registry

from loadtest.scans.tree import CATEGORY
from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.scan.checksums import Detail
from snapshot.scan.inventory import Inventory
from snapshot.scan.repositories import Wanted


def _mapped(name: str) -> Any:
    kind = type(name.title(), (), {})
    registry().map_imperatively(kind, schema.metadata.tables[name])
    return kind


Arch, Category, Directory, Link, Repository, Version, FileDetail = (
    _mapped(name)
    for name in (
        *("arch", "category", "directory", "category_directory"),
        *("repository", "version", "file_detail"),
    )
)


class Mapped:
    """Writes one row after the other, through a session."""

    def __init__(self, database: str, inventory: Inventory) -> None:
        """Open a session, in which all look-ups are counted."""
        self._session = Session(create_engine(parse_url(database).text(password=None)))
        self._inventory = inventory
        self.statements = 0
        category = self._look_up(Category, name=CATEGORY)
        self._category, self._product = category.id, category.product_id
        self._ids: dict[str, int] = {}

    def write(self, wanted: list[Wanted], found: list[Detail]) -> None:
        """Write everything, and commit."""
        with self._session as session:
            for path in self._inventory.directories:
                self._directory(path)
            for repository in wanted:
                self._repository(repository)
            for detail in found:
                self._detail(detail)
            session.commit()

    def _look_up(self, kind: Any, **values: object) -> Any:
        self.statements += 1
        return self._session.scalars(select(kind).filter_by(**values)).first()

    def _put(self, kind: Any, **values: object) -> Any:
        row = kind()
        for name, value in values.items():
            setattr(row, name, value)
        self._session.add(row)
        self._flush()
        return row

    def _flush(self) -> None:
        self.statements += bool(self._session.new or self._session.dirty)
        self._session.flush()

    def _directory(self, path: str) -> None:
        name, one = self._inventory.full(path), self._inventory.directories[path]
        row = self._look_up(Directory, name=name)
        values = {"ctime": one.ctime, "readable": one.readable, "files": one.shown()}
        if row is None:
            row = self._put(Directory, name=name, **values)
        elif any(getattr(row, name) != value for name, value in values.items()):
            for column, value in values.items():
                setattr(row, column, value)
            self._flush()
        self._ids[name] = row.id
        link = {"category_id": self._category, "directory_id": row.id}
        if self._look_up(Link, **link) is None:
            self._put(Link, **link)
        self._look_up(Repository, directory_id=row.id)

    def _repository(self, one: Wanted) -> None:
        arch = self._look_up(Arch, id=one.arch)
        of = {"name": one.version, "product_id": self._product}
        version = self._look_up(Version, **of) or self._put(Version, **of)
        if self._look_up(Repository, prefix=one.prefix, arch_id=arch.id) is None:
            self._put(
                Repository,
                name=one.name,
                prefix=one.prefix,
                arch_id=arch.id,
                version_id=version.id,
                category_id=self._category,
                directory_id=self._ids[one.name],
            )

    def _detail(self, one: Detail) -> None:
        values = {name: getattr(one, name) for name in one.__struct_fields__}
        values["directory_id"] = self._ids[values.pop("directory")]
        if self._look_up(FileDetail, **values) is None:
            self._put(FileDetail, **values)
