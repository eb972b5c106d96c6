"""The errors of the backend as a tree, each with its exit code.

BackendError
├── SnapshotError (3)           the snapshot file cannot be used
│   ├── UnreadableSnapshot          missing, a directory, no permission
│   ├── EmptySnapshot               zero bytes
│   ├── NotASnapshot                another kind of file
│   ├── NewerSnapshot               a newer major version than this program reads
│   ├── ObsoleteSnapshot            an older major version than this program reads
│   ├── TruncatedSnapshot           cut short
│   ├── DamagedSnapshot             the checksum says that bytes changed
│   ├── MalformedSnapshot           a section is missing, out of bounds or contradicts itself
│   ├── ForeignSnapshot             not sealed with the key that was given
│   ├── DamagedSums                 a file's sum is no longer as it was when the file was opened
│   └── RefusedSnapshot             a new one that must not replace the old one
├── DatabaseURLError (2)        not a database URL of a known kind
├── DatabaseError (3)           unreachable, unreadable, or not MirrorManager's
│   └── RefusedRows                 it cannot hold what was to be written
├── ScanError (3)               a scan that may not change the database
│   ├── ListingError                the primary's listing failed, or is cut short
│   ├── RefusedScan                 too much would be deleted
│   └── BusyScan                    another scan of the category is running
├── NoSuchRepository (3)         repositories, or names in a choice of them, that are not there
├── RefusedMove (3)             repositories whose new directory is not ready
├── PackagesError (3)           an import of packages that changes nothing
│   ├── UnusableRepository          repodata that is damaged, foreign or over a limit
│   ├── RefusedImport               too many repositories would leave
│   └── BusyImport                  another import ended meanwhile
├── ScanSettingsError (2)       a scan's configuration that cannot be used
├── CacheError (3)              not a cache of mirrorlist-server, cut short, or being written
├── QuestionError (2)           a question to the statistics that has no answer
├── LogError (1)                a log to import that cannot be read, or is not a log
├── SpoolError (1)              a spool file of statistics that cannot be used
│   └── UnreadableSpool             one that cannot be read at the moment
├── DataFileError (2)           an ASN, continent or key file that cannot be used
│   └── SitesFileError              a file of `mirrorlist sites`, with all that is wrong
├── RefusedChange (3)           `sites apply` would take more from clients than the limit
├── ConflictError (3)           what `sites apply` would write belongs to somebody else
└── OutputError (1)             the output file cannot be written
"""


class BackendError(Exception):
    """Any error of the backend; its text is one line that says what to do next.

    `more` are further lines, where an error consists of several.
    """

    exit_code = 1
    more: tuple[str, ...] = ()


class SnapshotError(BackendError):
    """A snapshot file that cannot be used."""

    exit_code = 3


class UnreadableSnapshot(SnapshotError):
    """The file is missing, is a directory, or may not be read."""


class EmptySnapshot(SnapshotError):
    """The file has no bytes."""


class NotASnapshot(SnapshotError):
    """The file is of another kind."""


class NewerSnapshot(SnapshotError):
    """The file has a newer major version than this program reads."""


class ObsoleteSnapshot(SnapshotError):
    """The file has an older major version than this program reads."""


class TruncatedSnapshot(SnapshotError):
    """The file is shorter than its header says."""


class DamagedSnapshot(SnapshotError):
    """The file's bytes do not match its checksum."""


class MalformedSnapshot(SnapshotError):
    """A section is missing, out of bounds or contradicts another one."""


class ForeignSnapshot(SnapshotError):
    """The file has no seal, or one made with another key."""


class DamagedSums(SnapshotError):
    """The file was changed since it was opened, so a file's sum in it cannot be trusted."""


class RefusedSnapshot(SnapshotError):
    """A new snapshot is empty, older than the published one, or lost too much of it."""


class DatabaseURLError(BackendError):
    """A database URL that is not of a known kind."""

    exit_code = 2


class DatabaseError(BackendError):
    """A database that is unreachable, unreadable or not MirrorManager's."""

    exit_code = 3


class RefusedRows(DatabaseError):
    """A database that cannot hold a number or a text that was to be written."""


class ScanError(BackendError):
    """A scan that may not change the database, which stays as it was."""

    exit_code = 3


class ListingError(ScanError):
    """The listing of the primary mirror failed, is cut short, or changed while it was read."""


class RefusedScan(ScanError):
    """A scan would delete more than its share of directories or repositories."""


class BusyScan(ScanError):
    """Another scan of the same category is running, or ended meanwhile."""


class NoSuchRepository(BackendError):
    """A choice of repositories that means nothing in the database."""

    exit_code = 3


class RefusedMove(BackendError):
    """A new directory is not ready to take its repository; the database stays as it was."""

    exit_code = 3


class PackagesError(BackendError):
    """An import of packages that may not change the database, or that finds nothing to import."""

    exit_code = 3


class UnusableRepository(PackagesError):
    """Repodata of a repository that is damaged, is not repodata, or is over a limit."""


class RefusedImport(PackagesError):
    """More than their share of repositories are no longer at their source."""


class BusyImport(PackagesError):
    """Another import of packages ended meanwhile."""


class ScanSettingsError(BackendError):
    """A scan's configuration that cannot be used."""

    exit_code = 2


class CacheError(BackendError):
    """A cache file of mirrorlist-server that cannot be used."""

    exit_code = 3


class QuestionError(BackendError):
    """A question to the statistics that has no answer: labels or days that are not kept."""

    exit_code = 2


class LogError(BackendError):
    """A log to import that cannot be read, or is not a log of a kind that we know."""


class SpoolError(BackendError):
    """A spool file of statistics that is damaged, foreign or too large: the others are used."""


class UnreadableSpool(SpoolError):
    """A spool file that cannot be read at the moment, so nothing is known about its bytes."""


class DataFileError(BackendError):
    """An ASN, continent or key file that cannot be used."""

    exit_code = 2


class OutputError(BackendError):
    """An output file that cannot be written."""
