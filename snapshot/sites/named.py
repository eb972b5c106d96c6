"""The files that a checksum file names, such as ISO images: their sums and sizes at the primary.

Source: docs/sites.md#trees-without-repomdxml.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from snapshot.export import schema
from snapshot.scan.checksums import checksum_lines
from snapshot.scan.names import sum_of
from snapshot.sites.fetch import UNKNOWN_SIZE, Tree
from snapshot.sites.repomd import Metadata
from snapshot.sites.rows import delete_where, insert_all
from snapshot.sites.state import CheckedFile

MOST_NAMED = 1_000
"""The most files of one checksum file; each is asked for its size."""
_SUMS = ("md5", "sha1", "sha256", "sha512")
_TABLE = schema.file_detail

Sums = Mapping[str, Mapping[str, str]]
"""The sums of files by their names, then by their kinds."""


def sums_named(file: CheckedFile, data: bytes) -> Sums | None:
    """Return the sums of the files beside a checksum file; None for other files.

    Raises ValueError for too many.
    """
    if file.is_repomd or sum_of(file.name) is None:
        return None
    found = checksum_lines(data.decode("utf-8", "replace"))
    here = {name: sums for name, sums in found.items() if "/" not in name and name != file.name}
    if len(here) > MOST_NAMED:
        raise ValueError(f"it names {len(here):,} files, more than {MOST_NAMED:,}")
    return here


def sized(tree: Tree, file: CheckedFile, sums: Sums, timestamp: int) -> dict[str, Metadata]:
    """Return what a metalink says of each file that is there; raises FetchError."""
    base = file.path.rpartition("/")[0]
    found = {}
    for name, some in sums.items():
        size = tree.size(f"{base}/{name}" if base else name)
        if size is not None:
            md5, sha1, sha256, sha512 = (some.get(kind, "") for kind in _SUMS)
            known = 0 if size == UNKNOWN_SIZE else size
            found[name] = Metadata(timestamp, known, md5, sha1, sha256, sha512, ())
    return found


def write_named(
    connection: Connection,
    directory: int,
    name: str,
    known: Iterable[Any],
    rows: list[dict[str, Any]],
) -> None:
    """Put the details of named files in the place of those of earlier checksum files.

    `known` are the details of these checksum files. A named file has the timestamp of the file
    that names it, by which its row is told from others.
    """
    since = {row.timestamp for row in known}
    names = {row["filename"] for row in rows}
    there = select(_TABLE.c.id, _TABLE.c.filename, _TABLE.c.timestamp).where(
        _TABLE.c.directory_id == directory, _TABLE.c.filename != name
    )
    gone = [
        row.id
        for row in connection.execute(there)
        if row.filename in names or row.timestamp in since
    ]
    delete_where(connection, _TABLE, "id", gone)
    insert_all(connection, _TABLE, rows)
