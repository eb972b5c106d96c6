"""Where repositories go: the rules of mm2_move-to-archive and of mm2_move-devel-to-release."""

from collections.abc import Sequence

from msgspec import Struct

from snapshot.file.errors import NoSuchRepository
from snapshot.link import Link
from snapshot.repo import statements as sql
from snapshot.repo.choice import Row, near

_ABOVE = "pub/"


class Places(Struct, frozen=True):
    """A part of directories' names, in whole components, and what stands there instead."""

    old: str
    new: str

    def of(self, name: str) -> str | None:
        """Return the new name of a directory; None if the old part is not in it."""
        wrapped = f"/{name}/"
        if f"/{self.old}/" not in wrapped:
            return None
        return wrapped.replace(f"/{self.old}/", f"/{self.new}/", 1).strip("/")


class Archive(Struct, frozen=True):
    """Below the topdir of another category, with the whole old name but for `pub/`."""

    topdir: str

    def of(self, name: str) -> str:
        """Return the new name of a directory."""
        return f"{self.topdir}/{name.removeprefix(_ABOVE)}".strip("/")


class Category(Struct, frozen=True):
    """A category of the database."""

    id: int
    product: int | None
    topdir: str


class Order(Struct, frozen=True, kw_only=True):
    """What is to be done: `places` or else an archive; `category` is the new one, None the old."""

    places: Places | None = None
    category: str | None = None
    version: str | None = None
    kept: Sequence[str] = ()


class Move(Struct, frozen=True):
    """A repository and where it goes."""

    row: Row
    name: str
    target: str
    category: int
    version: int | None


class Planned(Struct):
    """The moves, and the repositories that stay, each with the reason."""

    moves: list[Move]
    skipped: list[tuple[str, str]]


def read_category(link: Link, name: str) -> Category:
    """Return a category with its topdir; raises NoSuchRepository."""
    known = {str(found): row for found, *row in link.query(sql.CATEGORIES)}
    if name not in known:
        raise NoSuchRepository(f"category {name}: not in the database{near(name, known)}")
    id, product, topdir = known[name]
    if topdir is None:
        raise NoSuchRepository(f"category {name}: has no topdir; give it one first")
    return Category(id, product, topdir)


def plan_moves(rows: Sequence[Row], order: Order, new: Category | None, link: Link) -> Planned:
    """Return what moves where; a version is looked up by name, in the new category's product."""
    destination = order.places or Archive(new.topdir if new else "")
    version = _version(link, order, new)
    found = Planned([], [])
    for row in rows:
        why = _stays(row, order, new)
        target = None if row.directory is None else destination.of(row.directory)
        category = new.id if new else row.category_id
        if why is None and (target is None or target == row.directory):
            continue
        if why is not None or target is None or category is None:
            found.skipped.append((row.called(), why or "has no category"))
            continue
        # Only a name that is the directory's goes with it: any other was given by somebody.
        name = target if row.name == row.directory else row.name
        found.moves.append(Move(row, name, target, category, version))
    return found


def _stays(row: Row, order: Order, new: Category | None) -> str | None:
    """Return why a repository is left where it is."""
    if row.directory is None:
        return "has no directory"
    if not row.prefix:
        return "has no prefix, so no client can ask for it"
    if row.category in order.kept:
        return f"is in the category {row.category}"
    if order.places is None and new is not None and row.category_id == new.id:
        return "is there already"
    return None


def _version(link: Link, order: Order, new: Category | None) -> int | None:
    if order.version is None or new is None:
        return None
    values = {"name": order.version, "product": new.product}
    found: int | None = link.query(sql.VERSION, values)[0][0]
    if found is None:
        raise NoSuchRepository(
            f"version {order.version}: the product of {order.category} has no such version;"
            " a scan makes it"
        )
    return found
