"""The tables of an import of packages: which of them an export reads, and whether it may."""

from snapshot.export.leftout import LeftOutRows
from snapshot.export.session import Session
from snapshot.export.site_rows import may_read_or_note

TABLES = ("mirrorlist_repodata", "mirrorlist_package", "mirrorlist_location")
"""Tables of `snapshot.packages.tables`, of which an export knows no more than these names."""


def may_read_packages(
    session: Session, present: set[str], option: str, left_out: LeftOutRows
) -> bool:
    """Return whether packages can be read for an option of the export; a note says why not.

    `present` are the tables that there are.
    """
    missing = [name for name in TABLES if name not in present]
    if missing:
        why = f"there is no table {missing[0]}: run `mirrorlist packages import` first"
        left_out.note(f"{option}: {why}")
        return False
    return all(may_read_or_note(session, name, left_out, option) for name in TABLES)
