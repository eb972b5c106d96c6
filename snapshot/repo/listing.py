"""What repositories a database has."""

from msgspec import Struct

from snapshot.link import linked
from snapshot.repo import statements as sql
from snapshot.repo.choice import Choice, choose


class Listed(Struct, frozen=True):
    """A repository of the database; a name that its row does not have is null."""

    prefix: str | None
    """The name that clients ask for."""
    arch: str | None
    """The arch that clients ask for."""
    version: str | None
    """Its version."""
    product: str | None
    """The product of its version, or else of its category."""
    category: str | None
    """Its category."""
    directory: str | None
    """The directory that clients are sent to."""
    name: str
    """The row's own name: usually that of its directory."""
    disabled: bool
    """Whether clients get an error for it."""
    details: int
    """How many file details its repomd.xml (or ostree summary) has: one and its alternates."""
    newest: int | None
    """The newest timestamp of them, in seconds since 1970."""


def list_repositories(database: str, choice: Choice) -> list[Listed]:
    """Return the repositories that are meant, by prefix and arch. Raises a BackendError."""
    with linked(database) as link:
        rows = choose(link, choice)
        details = {place: (count, newest) for place, count, newest in link.query(sql.DETAILS)}
    found = []
    for row in rows:
        count, newest = details.get(row.directory_id, (0, None))
        found.append(
            Listed(
                row.prefix,
                row.arch,
                row.version,
                row.product,
                row.category,
                row.directory,
                row.name,
                bool(row.disabled),
                count,
                newest,
            )
        )
    return sorted(found, key=lambda one: (one.prefix or "", one.arch or "", one.name))
