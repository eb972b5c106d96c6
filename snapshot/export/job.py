"""What an export is to do, apart from where its rows come from."""

from pathlib import Path

from msgspec import Struct

from snapshot.export.asn_file import AsnFile
from snapshot.file.difference import DEFAULT_MAX_LOSS


class Job(Struct, frozen=True):
    """Where a snapshot goes, the data files beside the rows, and when it is published.

    An `asn` that is an AsnFile is read again only if it has changed since its last export.
    Netblocks that are too wide (`snapshot.export.coverage`) are left out unless `allow_wide`.
    `key` seals the snapshot. `max_loss` is how much of the published one may go, in percent; None
    publishes anything. With `refresh` a published one of the same content stays, unless it was
    read this many seconds before. `foreign`: a file that is not a snapshot is replaced too.
    """

    output: Path
    asn: Path | AsnFile | None = None
    country_continent: Path | None = None
    resolve_dns: bool = True
    allow_wide: bool = False
    key: bytes | None = None
    max_loss: int | None = DEFAULT_MAX_LOSS
    refresh: int | None = None
    foreign: bool = False

    @property
    def data_files(self) -> list[Path]:
        """The files that are read beside the rows."""
        asn = self.asn.path if isinstance(self.asn, AsnFile) else self.asn
        return [file for file in (asn, self.country_continent) if file]
