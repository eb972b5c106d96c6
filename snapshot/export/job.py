"""The settings of one export or import, without the origin of its rows."""

from pathlib import Path

from msgspec import Struct

from snapshot.export.asn_file import AsnFile
from snapshot.export.required import Required
from snapshot.file.defaults import DEFAULT_MAX_LOSS


class Job(Struct, frozen=True):
    """The output file, the data files beside the rows, and the conditions of a publication.

    An AsnFile as `asn` is read again only if it has changed since the last export. Netblocks that
    are too wide (`snapshot.export.coverage`) are left out unless `allow_wide`. `key` seals the
    snapshot. `max_loss` is how much of the published snapshot may be lost, in percent; None
    switches all checks off. With `refresh`, a published snapshot of the same content stays until
    its read is this many seconds old. With `foreign`, a file that is not a snapshot may be
    replaced. For each query in `required` the new snapshot must have a host. With `files` it
    has the sums of packages, with `newest` it says which packages are the newest.
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
    required: tuple[Required, ...] = ()
    files: bool = False
    newest: bool = False

    @property
    def data_files(self) -> list[Path]:
        """The files that are read beside the rows."""
        asn = self.asn.path if isinstance(self.asn, AsnFile) else self.asn
        return [file for file in (asn, self.country_continent) if file]
