"""An import of packages, from its beginning to its commit."""

import time
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import NamedTuple

from msgspec import Struct

from snapshot.file.errors import (
    BusyImport,
    DatabaseError,
    PackagesError,
    RefusedImport,
)
from snapshot.link import Link, Row, linked
from snapshot.packages import statements as sql
from snapshot.packages.job import MOST_GONE, ImportJob, ImportResult, Progress
from snapshot.packages.repomd import REPOMD, RepomdRecord
from snapshot.packages.revisions import Revision, RevisionReader, newest
from snapshot.packages.sources import Source, source_of
from snapshot.packages.staging import Changed, Staging
from snapshot.packages.tables import INDEXES, NAMES, creating

_PROGRAM = "mirrorlist packages import"
SUBJECT = 0x706B6773
"""The second half of the key of an advisory lock, which no category's id is: "pkgs" in ASCII."""
_FIRST = "`mirrorlist scan` or `mirrorlist sites apply` makes it"
_THREADS = 8


class _Known(Struct, frozen=True):
    """A repository of the last import."""

    id: int
    directory: str
    source: str
    revision: str
    sum: str
    packages: int


class _Before(NamedTuple):
    """What the last import has written; without one, not even the tables are there."""

    has_tables: bool
    rows: list[Row]

    @classmethod
    def read(cls, link: Link) -> "_Before":
        """Return what the database has now."""
        has_tables = not _is_without(link)
        return cls(has_tables, link.query(sql.KNOWN) if has_tables else [])


def import_packages(job: ImportJob, progress: Progress = lambda *_: None) -> ImportResult:
    """Import packages; raises a BackendError, and then nothing is changed."""
    begun = time.perf_counter()
    source = source_of(job.source)
    with linked(job.database, _PROGRAM) as link:
        result = _Import(job, source, link, progress, begun).run()
    result.seconds = time.perf_counter() - begun
    return result


class _Import:
    """One import, which holds what its steps share."""

    def __init__(
        self, job: ImportJob, source: Source, link: Link, progress: Progress, begun: float
    ) -> None:
        self._job, self._source, self._link, self._progress = job, source, link, progress
        self._result = ImportResult()
        self._since = begun
        self._top = f"{job.topdir.strip('/')}/" if job.topdir.strip("/") else ""
        self._wanted = self._repositories()
        self._before = _Before.read(link)
        self._known = {row[1]: _Known(*row) for row in self._before.rows}

    def run(self) -> ImportResult:
        """Look at every repository; read those that changed, and write what is new."""
        result = self._result
        revisions = self._revisions()
        changed = self._changed(revisions)
        result.deleted = self._leaving(revisions)
        self._end("reading repomd.xml")
        if changed or result.deleted:
            self._write(changed)
        else:
            self._refuse_nothing()
        return result

    def _revisions(self) -> list[Revision]:
        details = newest(self._link.query(sql.DETAILS))
        self._end("connecting")
        is_alone = self._job.repo is not None and len(self._wanted) == 1
        reader = RevisionReader(self._source, details, self._top, is_alone=is_alone)
        self._progress("reading repomd.xml", 0, len(self._wanted))
        found: list[Revision] = []
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="repomd") as pool:
            for one in pool.map(reader.read, self._wanted):
                found.append(one)
                self._progress("reading repomd.xml", len(found), len(self._wanted))
        return found

    def _refuse_nothing(self) -> None:
        """Refuse an import that found nothing but problems, or nothing at all."""
        result = self._result
        if result.problems and not result.unchanged:
            source = self._source.name
            raise PackagesError(f"{source}: {result.problems[0]}; nothing was imported")
        if not result.unchanged:
            sought = self._wanted[0].removeprefix(self._top)
            if self._top:
                advice = f"give the folder or URL that is {self._top.rstrip('/')}"
            else:
                advice = _advice(self._source.name, sought)
            raise PackagesError(
                f"{self._source.name}: no repository of the database is there, such as"
                f" {sought}/{REPOMD}; {advice}"
            )

    def _end(self, phase: str) -> None:
        now = time.perf_counter()
        self._result.phases.append((phase, now - self._since))
        self._since = now

    def _repositories(self) -> list[str]:
        """Return the directories of the repositories that the job asks for."""
        values = {"repo": self._job.repo, "arch": self._job.arch}
        found = [str(name) for (name,) in self._link.query(sql.REPOSITORIES, values)]
        if not found and self._job.repo is not None:
            known = [str(name) for (name,) in self._link.query(sql.PREFIXES)]
            near = get_close_matches(self._job.repo, known, 1)
            hint = f" (perhaps {near[0]}?)" if near and near[0] != self._job.repo else ""
            what = " ".join(filter(None, (self._job.repo, self._job.arch)))
            raise PackagesError(f"repository {what}: not in the database{hint}; {_FIRST}")
        if not found:
            raise PackagesError(f"the database has no such repository; {_FIRST}")
        below = [name for name in found if name.startswith(self._top)]
        if not below:
            raise PackagesError(
                f"--topdir {self._job.topdir}: no repository is below it; there is {found[0]}"
            )
        return below

    def _changed(self, revisions: list[Revision]) -> list[Changed]:
        found = []
        for one in revisions:
            known = self._known.get(one.directory)
            if one.problem:
                self._result.unread.append(one.directory)
                self._result.problems.append(f"{one.directory}: {one.problem}")
            elif one.primary is None:
                self._result.without += known is None
            elif not self._job.full and known is not None and self._is_same(known, one.primary):
                self._result.unchanged.append(one.directory)
            else:
                found.append(Changed(one.directory, one.path, one.primary))
        return found

    def _is_same(self, known: _Known, primary: RepomdRecord) -> bool:
        """Whether nothing is to be written: if it came from another source, the new name is."""
        return (known.sum, known.source) == (_sum(primary), self._source.name)

    def _leaving(self, revisions: list[Revision]) -> list[str]:
        """Return the repositories that are not at their source, or in the database, any more."""
        seen = {one.directory: one for one in revisions}
        here = self._source.name
        found = [
            one.directory
            for one in self._known.values()
            if (at := seen.get(one.directory)) is not None
            and (at.primary is None and not at.problem and one.source == here)
        ]
        if self._job.repo is None and self._job.arch is None and not self._top:
            found += [name for name in self._known if name not in seen]
        if len(found) * 100 > len(self._known) * MOST_GONE and not self._job.allow_deletions:
            raise RefusedImport(
                f"{len(found):,} of {len(self._known):,} repositories are no longer there, more"
                f" than {MOST_GONE} %; nothing was changed. If it is right, import with"
                " --allow-deletions"
            )
        return sorted(found)

    def _write(self, changed: list[Changed]) -> None:
        link, result = self._link, self._result
        if not self._before.has_tables and not link.may_create():
            raise DatabaseError(
                f"the role may not create tables, such as {NAMES[0]}; let it, for the first import"
            )
        staging = Staging(
            link, self._source, self._keys(changed), result.problems, full=self._job.full
        )
        staging.fill(changed, result.deleted, self._progress)
        read = {one.changed.directory for one in staging.read}
        result.unread += [one.directory for one in changed if one.directory not in read]
        self._end("reading packages")
        if not staging.read and not result.deleted:
            self._refuse_nothing()
            return
        self._progress("writing", 0, 0)
        link.begin()
        link.wait_alone(SUBJECT)
        self._make_or_check()
        self._execute()
        for index in () if self._before.has_tables else INDEXES:
            link.execute(index)
        link.end(commit=not self._job.dry_run)
        result.imported = [one.changed.directory for one in staging.read]
        result.packages = sum(one.packages for one in staging.read)
        self._end("writing")

    def _keys(self, changed: list[Changed]) -> dict[str, bytes]:
        """Return the keys of the packages that the repositories had."""
        if not self._before.has_tables:
            return {}
        names = {known.id: known.directory for known in self._known.values()}
        ids = [self._known[one.directory].id for one in changed if one.directory in self._known]
        rows = self._link.query(sql.keys(self._link.kind, ids))
        return {names[id]: bytes.fromhex(text) for id, text in rows}

    def _make_or_check(self) -> None:
        """Make the tables, or refuse if they are not as they were when this import began."""
        if _Before.read(self._link) != self._before:
            raise BusyImport("another import of packages ended meanwhile; this one changes nothing")
        for statement in () if self._before.has_tables else creating(self._link.kind):
            self._link.execute(statement)

    def _execute(self) -> None:
        link, result = self._link, self._result
        link.execute(sql.REPODATA_WRITTEN)
        link.execute(sql.FRESH)
        result.packages_added = link.execute(sql.PACKAGES)
        link.execute(sql.CREATE_IDS)
        link.execute(sql.IDS)
        result.capabilities_added = link.execute(sql.CAPABILITIES)
        link.execute(sql.USED)
        link.execute(sql.DROPPED)
        link.execute(sql.UNLOCATED)
        link.execute(sql.LOCATED)
        link.execute(sql.LOST)
        link.execute(sql.UNUSED)
        link.execute(sql.FORGOTTEN_USES)
        result.packages_deleted = link.execute(sql.FORGOTTEN_PACKAGES)
        result.capabilities_deleted = link.execute(sql.FORGOTTEN_CAPABILITIES)
        link.execute(sql.FORGOTTEN_REPODATA)


def _is_without(link: Link) -> bool:
    """Whether the database has no tables of packages; raises PackagesError if it has only some."""
    found = link.tables(NAMES)
    if found and (missing := [name for name in NAMES if name not in found]):
        raise PackagesError(
            f"the database has {min(found)} but no {missing[0]}: nothing was changed. Drop these"
            f" tables, then import again: {', '.join(sorted(found))}"
        )
    return not found


def _advice(source: str, sought: str) -> str:
    """Return what to give instead of a source that does not have a directory of the database."""
    whole, parts = source.rstrip("/"), sought.split("/")
    for count in range(len(parts), 0, -1):
        end = "/" + "/".join(parts[:count])
        if whole.endswith(end) and not whole.removesuffix(end).endswith(("/", ":")):
            return f"perhaps give {whole.removesuffix(end) or '/'}"
    return "give the folder or URL that has these directories, or --topdir"


def _sum(primary: RepomdRecord) -> str:
    return f"{primary.sum_kind}:{primary.sum}"
