"""An import of packages, from its beginning to its commit."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches

from msgspec import Struct

from snapshot.file.errors import (
    BusyImport,
    DatabaseError,
    PackagesError,
    RefusedImport,
    UnusableRepository,
)
from snapshot.link import Link, Row, linked
from snapshot.packages import statements as sql
from snapshot.packages.job import MOST_GONE, ImportJob, ImportResult, Progress
from snapshot.packages.repomd import MOST_BYTES, Primary, read_repomd
from snapshot.packages.sources import Missing, Source, source_of, whole
from snapshot.packages.staging import Changed, Staging
from snapshot.packages.tables import INDEXES, NAMES, creating

PROGRAM = "mirrorlist packages import"
SUBJECT = 0x706B6773
"""The second half of the key of an advisory lock, which no category's id is: "pkgs" in ASCII."""
_REPOMD = "repodata/repomd.xml"
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


class _Looked(Struct):
    """What came of a look at a repository; `path` is where it is below the source."""

    directory: str
    path: str = ""
    primary: Primary | None = None
    problem: str = ""


def import_packages(job: ImportJob, progress: Progress = lambda *_: None) -> ImportResult:
    """Import packages; raises a BackendError, and then nothing is changed."""
    begun = time.perf_counter()
    source = source_of(job.source)
    with linked(job.database, PROGRAM) as link:
        result = _Import(job, source, link, progress, begun).run()
    result.seconds = time.perf_counter() - begun
    return result


class _Import:
    """One import, which holds what its steps share."""

    def __init__(
        self, job: ImportJob, source: Source, link: Link, progress: Progress, begun: float
    ) -> None:
        self._job, self._source, self._link, self._progress = job, source, link, progress
        self._top = f"{job.topdir.strip('/')}/" if job.topdir.strip("/") else ""
        self._result = ImportResult(problems=[])
        self._since = begun

    def run(self) -> ImportResult:
        """Look at every repository; read those that changed, and write what is new."""
        link, result = self._link, self._result
        wanted = self._wanted()
        self._is_new = not {*NAMES} <= link.tables(NAMES)
        self._rows = [] if self._is_new else link.query(sql.KNOWN)
        self._known = {row[1]: _Known(*row) for row in self._rows}
        details = _newest(link.query(sql.DETAILS))
        self._end("connecting")
        self._progress("reading repomd.xml", 0, len(wanted))
        looked = list(self._look_at(wanted, details))
        changed = self._changed(looked)
        result.left = self._leaving(looked)
        self._end("reading repomd.xml")
        if changed or result.left:
            self._write(changed)
        else:
            self._refuse_nothing()
        return result

    def _look_at(self, wanted: list[str], details: dict[str, tuple[str, str]]) -> Iterator[_Looked]:
        """Yield what came of a look at each repository."""
        look = _Look(self._source, details, self._top, self._is_alone(wanted))
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="repomd") as pool:
            for done, one in enumerate(pool.map(look, wanted), 1):
                self._progress("reading repomd.xml", done, len(wanted))
                yield one

    def _refuse_nothing(self) -> None:
        """Refuse an import that found nothing but problems, or nothing at all."""
        result = self._result
        if result.problems and not result.unchanged:
            source = self._source.name
            raise PackagesError(f"{source}: {result.problems[0]}; nothing was imported")
        if not result.unchanged:
            sought = self._wanted()[0].removeprefix(self._top)
            advice = _advice(self._source.name, sought)
            if self._top:
                advice = f"give the folder or URL that is {self._top.rstrip('/')}"
            raise PackagesError(
                f"{self._source.name}: no repository of the database is there, such as"
                f" {sought}/{_REPOMD}; {advice}"
            )

    def _end(self, phase: str) -> None:
        now = time.perf_counter()
        self._result.phases.append((phase, now - self._since))
        self._since = now

    def _wanted(self) -> list[str]:
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

    def _is_alone(self, wanted: list[str]) -> bool:
        """Whether the source may be the repository itself."""
        return self._job.repo is not None and len(wanted) == 1

    def _changed(self, looked: list[_Looked]) -> list[Changed]:
        found = []
        for one in looked:
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

    def _is_same(self, known: _Known, primary: Primary) -> bool:
        """Whether nothing is to be written: of another source, at least its name is."""
        return (known.sum, known.source) == (_sum(primary), self._source.name)

    def _leaving(self, looked: list[_Looked]) -> list[str]:
        """Return the repositories that are not at their source, or in the database, any more."""
        seen = {one.directory: one for one in looked}
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
        if self._is_new and not link.may_create():
            raise DatabaseError(
                f"the role may not create tables, such as {NAMES[0]}; let it, for the first import"
            )
        staging = Staging(
            link, self._source, self._keys(changed), result.problems, full=self._job.full
        )
        staging.fill(changed, result.left, self._progress)
        read = {one.changed.directory for one in staging.read}
        result.unread += [one.directory for one in changed if one.directory not in read]
        self._end("reading packages")
        if not staging.read and not result.left:
            self._refuse_nothing()
            return
        self._progress("writing", 0, 0)
        link.begin()
        link.wait_alone(SUBJECT)
        self._make_or_check()
        self._execute()
        for index in INDEXES if self._is_new else ():
            link.execute(index)
        link.end(commit=not self._job.dry_run)
        result.imported = [one.changed.directory for one in staging.read]
        result.packages = sum(one.packages for one in staging.read)
        self._end("writing")

    def _keys(self, changed: list[Changed]) -> dict[str, bytes]:
        """Return the keys of the packages that the repositories had."""
        names = {known.id: known.directory for known in self._known.values()}
        ids = [self._known[one.directory].id for one in changed if one.directory in self._known]
        if self._is_new:
            return {}
        rows = self._link.query(sql.keys(self._link.kind, ids))
        return {names[id]: bytes.fromhex(text) for id, text in rows}

    def _make_or_check(self) -> None:
        """Make the tables, or refuse if they are not as they were when this import began."""
        link = self._link
        is_new = not {*NAMES} <= link.tables(NAMES)
        if is_new != self._is_new or (not is_new and link.query(sql.KNOWN) != self._rows):
            raise BusyImport("another import of packages ended meanwhile; this one changes nothing")
        for statement in creating(link.kind) if is_new else ():
            link.execute(statement)

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


class _Look:
    """Reads the repomd.xml of a repository; in a thread."""

    def __init__(
        self, source: Source, details: dict[str, tuple[str, str]], top: str, is_alone: bool
    ) -> None:
        self._source, self._details, self._top, self._is_alone = source, details, top, is_alone

    def __call__(self, directory: str) -> _Looked:
        below = f"{directory.removeprefix(self._top)}/"
        paths = ["", below] if self._is_alone else [below]
        for path in paths:
            looked = _Looked(directory, path)
            try:
                data = whole(self._source.blocks(path + _REPOMD), MOST_BYTES)
                self._compare(directory, data)
                looked.primary = read_repomd(data)
            except Missing:
                continue
            except UnusableRepository as error:
                looked.problem = str(error)
            return looked
        return _Looked(directory)

    def _compare(self, directory: str, data: bytes) -> None:
        """Refuse a repomd.xml that is not the newest that the database knows."""
        kind, known = self._details.get(f"{directory}/repodata", ("", ""))
        if known and hashlib.new(kind, data).hexdigest() != known.lower():
            raise UnusableRepository(
                f"its repomd.xml does not have the {kind} that the database has of the newest;"
                " scan or probe the primary, then import again"
            )


def _newest(rows: list[Row]) -> dict[str, tuple[str, str]]:
    """Return the kind and the sum of the newest repomd.xml by its directory."""
    found: dict[str, tuple[str, str]] = {}
    for name, *sums in rows:
        some = zip(("sha256", "sha512", "sha1"), sums, strict=True)
        found.setdefault(name, next(((kind, sum) for kind, sum in some if sum), ("", "")))
    return found


def _advice(source: str, sought: str) -> str:
    """Return what to give instead of a source that does not have a directory of the database."""
    whole, parts = source.rstrip("/"), sought.split("/")
    for count in range(len(parts), 0, -1):
        end = "/" + "/".join(parts[:count])
        if whole.endswith(end) and not whole.removesuffix(end).endswith(("/", ":")):
            return f"perhaps give {whole.removesuffix(end) or '/'}"
    return "give the folder or URL that has these directories, or --topdir"


def _sum(primary: Primary) -> str:
    return f"{primary.kind}:{primary.sum}"
