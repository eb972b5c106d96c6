"""Finds a package by its name: in which repositories it is, and how many mirrors have it.

The mirrors are those that a public list may have: active, not private, and up to date for the
directory of the package by the crawler's last look, or always. A site's database does not have the
directories inside of a repository: there the repository's own directory counts.
"""

from msgspec import Struct

from snapshot.export.versions import newness
from snapshot.file.errors import PackagesError
from snapshot.link import Link, Row, linked
from snapshot.packages.tables import LOCATION, NAMES, PACKAGE, REPODATA

SECONDS = 30
"""How long a statement of a search may take, or wait for a lock."""
_FOUND = f"""SELECT p.name, p.epoch, p.version, p.release, p.arch, p.size, p.sum_kind, p.sum,
        i.directory, l.path, r.prefix, a.name
    FROM {PACKAGE} p JOIN {LOCATION} l ON l.package_id = p.id
    JOIN {REPODATA} i ON i.id = l.repodata_id
    LEFT JOIN directory d ON d.name = i.directory
    LEFT JOIN repository r ON r.directory_id = d.id LEFT JOIN arch a ON a.id = r.arch_id
    WHERE p.name = %(name)s ORDER BY i.directory, l.path, r.prefix, a.name"""

# Of how many directories the mirrors are asked for at a time: databases limit the parameters.
_AT_ONCE = 500
_MIRRORS = """SELECT d.name, count(DISTINCT CASE WHEN h.user_active AND h.admin_active
            AND s.user_active AND s.admin_active AND NOT h.private AND NOT s.private
            AND (c.always_up2date OR e.up2date) THEN h.id END)
    FROM directory d
    LEFT JOIN category_directory cd ON cd.directory_id = d.id
    LEFT JOIN host_category c ON c.category_id = cd.category_id
    LEFT JOIN host h ON h.id = c.host_id LEFT JOIN site s ON s.id = h.site_id
    LEFT JOIN host_category_dir e ON e.host_category_id = c.id AND e.directory_id = d.id
    WHERE d.name IN ({names}) GROUP BY d.name"""


class FoundPackage(Struct, frozen=True):
    """A package in a repository."""

    name: str
    """The package's name."""
    version: str
    """`VERSION-RELEASE`, with `EPOCH:` before it if the epoch is not 0."""
    arch: str
    """The package's arch."""
    prefix: str | None
    """The repository's prefix, if MirrorManager has one for its directory."""
    repository_arch: str | None
    """The repository's arch."""
    directory: str
    """The repository's directory."""
    path: str
    """The package's path below that directory."""
    size: int
    """Bytes."""
    checksum: str
    """`KIND:SUM`, such as `sha256:` and 64 digits."""
    mirrors: int | None
    """How many public mirrors have its directory, or else the repository's; null if the database
    knows neither."""


class FoundPackages(Struct, frozen=True):
    """Where the packages of a name are, the newest version first."""

    packages: list[FoundPackage]


def find(database: str, name: str) -> FoundPackages:
    """Return the packages of a name, the newest first; raises a BackendError."""
    with linked(database, "mirrorlist packages find") as link:
        link.begin_reading(SECONDS)
        if not {*NAMES} <= link.tables(NAMES):
            raise PackagesError(
                "no packages have been imported: run `mirrorlist packages import` first"
            )
        try:
            name.encode(link.codec)
        except UnicodeEncodeError:
            # A text that the database cannot have; to ask for it would be an error.
            return FoundPackages([])
        rows = [row for row in link.query(_FOUND, {"name": name}) if _is_ours(row)]
        places = {place for row in rows for place in (_place(row), str(row[8]))}
        mirrors = _mirrors(link, sorted(places))
    rows.sort(key=lambda row: newness((row[1], row[2], row[3])), reverse=True)
    return FoundPackages(
        [_found(row, mirrors.get(_place(row), mirrors.get(row[8]))) for row in rows]
    )


def _is_ours(row: Row) -> bool:
    """Whether a row has the types of an import: SQLite's columns take any."""
    size, *texts = row[5], *row[:5], *row[6:10]
    return isinstance(size, int) and all(isinstance(one, str) for one in texts)


def _mirrors(link: Link, places: list[str]) -> dict[str, int]:
    """Return how many mirrors have each directory that the database knows.

    Without a temporary table, which a role that only reads may not make, and which a watch would
    take for a change.
    """
    found: dict[str, int] = {}
    for at in range(0, len(places), _AT_ONCE):
        values = {f"p{number}": place for number, place in enumerate(places[at : at + _AT_ONCE])}
        names = ", ".join(f"%({name})s" for name in values)
        found |= {
            place: int(count) for place, count in link.query(_MIRRORS.format(names=names), values)
        }
    return found


def _place(row: Row) -> str:
    """Return the directory of a package."""
    directory, path = row[8], row[9]
    below = path.rpartition("/")[0]
    return f"{directory}/{below}" if below else str(directory)


def _found(row: Row, mirrors: int | None) -> FoundPackage:
    name, epoch, version, release, arch, size, kind, sum, directory, path, prefix, of = row
    return FoundPackage(
        name=name,
        version=f"{'' if epoch in ('', '0') else f'{epoch}:'}{version}-{release}",
        arch=arch,
        prefix=prefix,
        repository_arch=of,
        directory=directory,
        path=path,
        size=size,
        checksum=f"{kind}:{sum}",
        mirrors=mirrors,
    )
