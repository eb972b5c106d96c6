"""What commands such as `export`, `scan` and `stats` print as JSON, for docs/json.md."""

from msgspec import Struct


class LeftOutRow(Struct, frozen=True):
    """A row of the database that could not be used."""

    table: str
    """Its table."""
    id: int | None
    """Its id, if it has one."""
    reason: str
    """Why it could not be used."""


class Phase(Struct, frozen=True):
    """A part of an export."""

    name: str
    """What was done."""
    seconds: float
    """How long it took; the ASN file is read beside the database."""


class Exported(Struct, frozen=True):
    """What an export or an import did."""

    counts: dict[str, int]
    """The numbers of hosts, directories, repositories and so on in the snapshot."""
    left_out: list[LeftOutRow]
    notes: list[str]
    """Lines about the snapshot as a whole, not about single rows."""
    seconds: float
    """How long it took."""
    bytes: int
    """The size of the file."""
    phases: list[Phase]


class Scanned(Struct, frozen=True):
    """What a scan did, or with `--dry-run` would have done; directories by their full names."""

    category: str
    """The category that was scanned."""
    dry_run: bool
    """Whether nothing was written."""
    unchanged: bool
    """Whether nothing has changed since the last scan; then the numbers are 0."""
    directories: int
    """The number of directories in the listing."""
    repositories: int
    """The number of directories with metadata of a repository."""
    files_read: int
    """How many repomd.xml, summaries and checksum files were read."""
    links: int
    """How many symbolic links were left out."""
    directories_added: list[str]
    """Directories that the database did not have."""
    directories_changed: list[str]
    """Directories whose time, files or readability changed."""
    directories_deleted: list[str]
    """Directories that are no longer in the listing."""
    repositories_added: list[str]
    """The prefix and the directory of each."""
    repositories_moved: list[str]
    """The old and the new directory of each, with `->` between them."""
    repositories_deleted: list[str]
    """The directory of each."""
    versions_added: list[str]
    """Versions that the database did not have."""
    details_added: int
    """The number of new rows of checksums."""
    details_aged: int
    """The number of alternates that were too old."""
    problems: list[str]
    """What was left out or stays as it was, and why."""
    seconds: float
    """How long it took."""
    phases: list[Phase]


class PackagesImported(Struct, frozen=True):
    """What an import of packages did, or with `--dry-run` would have done."""

    dry_run: bool
    """Whether nothing was written."""
    repositories_unchanged: list[str]
    """The directories of those whose primary.xml is that of the last import."""
    repositories_imported: list[str]
    """The directories of those that were read and written."""
    repositories_deleted: list[str]
    """The directories of those that are no longer there."""
    repositories_without_metadata: int
    """The number of the database's repositories that have no repomd.xml at the source."""
    repositories_unread: list[str]
    """The directories of those that could not be read and stay as they were; exit code 1."""
    packages: int
    """The number of packages in the repositories that were imported."""
    packages_added: int
    """How many packages no repository had before."""
    packages_deleted: int
    """How many packages no repository has any more."""
    capabilities_added: int
    """How many capabilities no package had before."""
    capabilities_deleted: int
    """How many capabilities no package has any more."""
    problems: list[str]
    """What was left out or stays as it was, and why."""
    seconds: float
    """How long it took."""
    phases: list[Phase]


class Section(Struct, frozen=True):
    """A section of a snapshot's file."""

    name: str
    """As in docs/snapshot-format.md."""
    bytes: int
    """Its size."""


class Summary(Struct, frozen=True):
    """What is in a snapshot; times in seconds since 1970, UTC."""

    format: str
    """The version of its format."""
    id: str
    """The snapshot's id."""
    built: int
    """When its file was written."""
    read: int
    """When its database was read."""
    sealed: bool
    """Whether it was sealed with a key."""
    dated_since: int | None
    """Changes are dated from this time on; null if no change is dated."""
    origin: str
    """`database`, or `cache` for mirrorlist-server's file, which holds less."""
    notes: list[str]
    """Lines about the snapshot as a whole, not about single rows."""
    counts: dict[str, int]
    """How many hosts, directories, repositories and so on it has."""
    sections: list[Section]


class SumRow(Struct, frozen=True):
    """A list of objects: each has also the names of `--by`, with their values as texts."""

    requests: int
    """The requests with these values."""


class AddressesRow(Struct, frozen=True):
    """A list of objects: each has also the names of `--by`, with their values as texts."""

    day: str
    """The day, UTC, such as `2026-11-27`."""
    addresses: int
    """How many different addresses asked, an estimate within about 1.6 %."""


class StepRow(Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    """A list of objects: each has also the names of `--by`, with their values as texts."""

    begin: str
    """When the step begins, UTC, such as `2026-11-27 00:00:00`."""
    end: str
    """When it ends; this moment is in the next step."""
    requests: int
    """The requests in the step with these values."""


class CheckedProblem(Struct, frozen=True):
    """Something that is wrong in a file of `mirrorlist sites`."""

    file: str
    """The file that has it."""
    line: int
    """Its line, counted from 1."""
    text: str
    """What is wrong, and what to write instead if that can be told."""


class Checked(Struct, frozen=True):
    """Whether the files of a site can be used; if not, the exit code is 2."""

    right: bool
    """Whether nothing is wrong."""
    problems: list[CheckedProblem]
    mirrors: int
    """How many mirrors they have; 0 if something is wrong."""
    repositories: int
    """How many repositories, each version and arch counted; 0 if something is wrong."""
