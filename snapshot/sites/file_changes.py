"""Sees when a site's file, or a file of mirrors.d beside it, has changed and is at rest."""

from pathlib import Path

from snapshot.file.changes import FileState, file_state
from snapshot.sites.load import FOLDER, files_of

_States = dict[Path, FileState | None]


class SiteFiles:
    """The files of a site, of which some may come and go in mirrors.d."""

    def __init__(self, file: Path) -> None:
        """Take the site's file; its present state counts as new."""
        self._file = file
        self._reported: _States | None = None
        self._before: _States | None = None

    def changed(self) -> bool:
        """Return whether the files differ from the reported state and rest since the last call.

        Files that are still being written are reported by a later call. The first call does not
        wait. Each change is reported once.
        """
        now = {file: file_state(file) for file in self._files()}
        rests = now == self._before or self._reported is None
        self._before = now
        if not rests or now == self._reported:
            return False
        self._reported = now
        return True

    def _files(self) -> tuple[Path, ...]:
        try:
            return files_of(self._file)
        except OSError:
            # Something else than before, so that the file is read, and the reason is told.
            return (self._file, self._file.parent / FOLDER)
