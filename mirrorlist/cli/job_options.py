"""The options of every command that writes a snapshot, as one struct that makes their `Job`."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from snapshot.file.seal import read_key

if TYPE_CHECKING:
    from snapshot.export.job import Job


class JobOptions(Struct, frozen=True, kw_only=True):
    """The values of these options; the help of each stands in `mirrorlist.settings`.

    Only the options that some of the commands do not have are given a default here.
    """

    output: Path
    asn: Path | None
    country_continent: Path | None
    allow_wide_netblocks: bool
    max_loss: int
    require: tuple[str, ...]
    snapshot_key: Path | None
    dns: bool = True
    force: bool = False
    files: bool = False
    newest: bool = False

    def job(self, refresh: int | None = None) -> "Job":
        """Return what is to be exported, for `refresh` see `Job`; raises a BackendError."""
        # Imported here: a worker must never load a database driver.
        from mirrorlist.cli.required import parse_required
        from snapshot.export.asn_file import AsnFile
        from snapshot.export.job import Job

        return Job(
            output=self.output,
            asn=AsnFile(self.asn) if self.asn else None,
            country_continent=self.country_continent,
            resolve_dns=self.dns,
            allow_wide=self.allow_wide_netblocks,
            key=read_key(self.snapshot_key) if self.snapshot_key else None,
            max_loss=None if self.force else self.max_loss,
            refresh=refresh,
            foreign=self.force,
            newest=self.newest,
            required=tuple(parse_required(one) for one in self.require),
            files=self.files,
        )
