"""A scan from its beginning to its commit."""

import os
import time
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import BusyScan, DatabaseError, ScanSettingsError
from snapshot.scan import statements as sql
from snapshot.scan.bulk import Found, Target, next_age, write
from snapshot.scan.checksums import details
from snapshot.scan.config import CategorySettings
from snapshot.scan.full_list import list_digest
from snapshot.scan.inventory import children
from snapshot.scan.job import Changes, Progress, ScanJob, ScanResult
from snapshot.scan.link import Link, linked
from snapshot.scan.reading import Gathered, gather, source_of
from snapshot.scan.repositories import Existing, Plan, Rules, places, plan
from snapshot.scan.rules import Version
from snapshot.scan.sources import Known, Listed, find_list, read_source, settled_stamp
from snapshot.scan.tree import Seen
from snapshot.scan.unchanged import Last, State, make_mark, packed, read_last


class _Phases(Struct):
    """The times of a scan's phases; a phase ends when the next one begins."""

    done: list[tuple[str, float]]
    started: float

    def end(self, name: str) -> None:
        now = time.perf_counter()
        self.done.append((name, now - self.started))
        self.started = now


def scan(job: ScanJob, progress: Progress = lambda *_: None) -> ScanResult:
    """Scan a category of the primary; raises a BackendError, and then nothing is changed."""
    phases = _Phases([], time.perf_counter())
    begun = phases.started
    category = job.settings.of_category(job.category, job.source)
    with linked(job.database) as link:
        result = _Scan(job, category, link, phases, progress).run()
    result.seconds = time.perf_counter() - begun
    return result


class _Scan:
    """One scan, which holds what its steps share."""

    def __init__(
        self,
        job: ScanJob,
        category: CategorySettings,
        link: Link,
        phases: _Phases,
        progress: Progress,
    ) -> None:
        self._job, self._category, self._link = job, category, link
        self._phases, self._progress = phases, progress
        self._now = int(time.time())
        self._digest = ""

    def run(self) -> ScanResult:
        """Look whether anything changed; if so, list, read and write."""
        self._target = _find(self._link, self._job.category)
        self._link.lock(self._target.id)
        has_state = sql.STATE_TABLE in self._target.optional
        self._last = read_last(self._link, self._target.id) if has_state else Last()
        self._state = self._last.state()
        self._mark = self._make_mark()
        self._source = source_of(self._job.settings, self._category, self._target.topdir)
        self._phases.end("connecting")
        path = find_list(self._job, self._category)
        if path is not None and self._is_known(path):
            self._phases.end("comparing the list")
            return self._unchanged(self._state.problems)
        listed = read_source(
            self._job,
            self._category,
            self._target.topdir,
            Known(self._state.seen, self._digest),
            self._progress,
        )
        self._phases.end("listing")
        if self._holds(listed.digest):
            self._remember(listed.stamp, listed.seen)
            return self._unchanged(self._state.problems)
        self._progress("reading checksums", 0, 0)
        gathered = gather(listed.inventory, self._state.read, self._source)
        self._phases.end("reading files")
        self._progress("writing", 0, 0)
        return self._write(listed, gathered)

    def _make_mark(self) -> str:
        category, path = self._category, find_list(self._job, self._category)
        about = {
            "configuration": self._job.settings.digest,
            "source": f"{category.type} {category.url} {path}",
            "ages": self._job.ages,
            "target": (self._target.product, self._target.topdir),
        }
        return make_mark(self._link, self._target.id, about)

    def _holds(self, digest: str) -> bool:
        return (
            not self._job.full
            and self._last.holds(self._mark, digest, self._now)
            and self._is_pending_still()
        )

    def _is_pending_still(self) -> bool:
        """Whether the files that could not be read cannot be read now either."""
        if self._category.type != "directory":
            return not self._state.pending
        root = self._category.url
        return not any(os.access(os.path.join(root, one), os.R_OK) for one in self._state.pending)

    def _is_known(self, path: Path) -> bool:
        """Whether a list is that of the last scan: by its stamp, or else by its digest."""
        if not self._holds(self._last.digest):
            return False
        now = settled_stamp(path)
        if now and now == self._state.stamp:
            return True
        # To read all rows takes five times as long as the digest alone.
        self._digest = list_digest(path)
        if self._digest != self._last.digest:
            return False
        self._remember(now, {})
        return True

    def _unchanged(self, problems: list[str]) -> ScanResult:
        return ScanResult(
            unchanged=True, changes=Changes(), problems=problems, phases=self._phases.done
        )

    def _remember(self, stamp: str, seen: dict[str, Seen]) -> None:
        """Keep what spares the next scan a look, although no row of the primary changed."""
        old = self._state
        state = State(stamp, old.read, seen, old.pending, old.problems)
        if ((stamp and stamp != old.stamp) or seen != old.seen) and not self._job.dry_run:
            self._link.begin()
            self._keep(state, self._last.digest, self._last.due, self._mark)
            self._link.end(commit=True)

    def _write(self, listed: Listed, gathered: Gathered) -> ScanResult:
        self._link.begin()
        self._check_alone()
        problems = listed.inventory.problems
        planned = self._plan(listed, problems)
        found = Found(listed.inventory, planned, details(listed.inventory, gathered.read))
        ages = self._job.ages
        limits = (self._now - ages[0], self._now - ages[1])
        changes = write(self._link, self._target, found, limits, self._job.allow_deletions)
        if not self._job.dry_run and self._has_state(problems):
            state = State(listed.stamp, gathered.read, listed.seen, gathered.pending, problems)
            due = next_age(self._link, self._target, ages)
            self._keep(state, listed.digest, due, self._make_mark())
        self._link.end(commit=not self._job.dry_run)
        self._phases.end("writing")
        return ScanResult(
            unchanged=False,
            directories=len(listed.inventory.directories),
            repositories=len(planned.places),
            links=listed.inventory.links,
            files_read=gathered.count,
            changes=changes,
            problems=problems,
            phases=self._phases.done,
        )

    def _check_alone(self) -> None:
        """Refuse if another scan has ended since this one began: its inventory may be newer."""
        if sql.STATE_TABLE not in self._link.tables(sql.OPTIONAL):
            return
        if read_last(self._link, self._target.id).serial != self._last.serial:
            raise BusyScan(
                "another scan of this category ended meanwhile; this one changes nothing"
            )

    def _plan(self, listed: Listed, problems: list[str]) -> Plan:
        link, target = self._link, self._target
        values = {"category": target.id, "product": target.product}
        versions = [Version(*row) for row in link.query(sql.VERSIONS, {"product": target.product})]
        arches = [(int(id), str(name)) for id, name in link.query(sql.ARCHES)]
        rules = Rules(self._job.settings, arches, versions, [])
        inventory = listed.inventory
        found = places(inventory, children(inventory.directories))
        wanted = rules.name(inventory, found, problems)
        rows = link.query(sql.REPOSITORIES, {"category": values["category"]})
        existing = [_existing(*row) for row in rows]
        names = {inventory.full(path) for path, _ in found}
        unlisted = [inventory.full(path) for path in inventory.unlisted]
        planned = plan(wanted, existing, names, unlisted, problems)
        planned.versions = _used(rules.new_versions, planned)
        return planned

    def _has_state(self, problems: list[str]) -> bool:
        """Make the table of the last scans if it is missing; False if this role may not."""
        if sql.STATE_TABLE in self._target.optional:
            return True
        if not self._link.may_create():
            problems.append(
                f"the role may not create the table {sql.STATE_TABLE}: each scan reads everything"
            )
            return False
        self._link.execute(sql.CREATE_STATE)
        return True

    def _keep(self, state: State, digest: str, due: int | None, mark: str) -> None:
        values = {
            "category": self._target.id,
            "serial": self._last.serial + 1,
            "mark": mark,
            "digest": digest,
            "due": due,
            "state": packed(state),
        }
        self._link.execute(sql.WRITE_STATE, values)


def _existing(
    id: int, name: str, prefix: str | None, arch: int | None, directory: str | None, *places: int
) -> Existing:
    here, elsewhere = places
    return Existing(id, name, prefix, arch, directory, bool(here), bool(elsewhere))


def _used(versions: list[Version], planned: Plan) -> list[Version]:
    """Return the new versions that a row of a repository needs."""
    names = {one.version for _, one in planned.rows}
    return [one for one in versions if one.name in names]


def _find(link: Link, name: str) -> Target:
    rows = link.query(sql.CATEGORY, {"name": name})
    if not rows:
        known = [str(row[0]) for row in link.query(sql.CATEGORIES)]
        near = get_close_matches(name, known, 1)
        hint = f" (perhaps {near[0]}?)" if near else f"; it has {', '.join(known) or 'none'}"
        raise ScanSettingsError(f"category {name}: not in the database{hint}")
    id, product, topdir = rows[0]
    if topdir is None:
        raise DatabaseError(f"category {name}: has no topdir in the database; give it one first")
    return Target(id, product, topdir, frozenset(link.tables(sql.OPTIONAL)))
