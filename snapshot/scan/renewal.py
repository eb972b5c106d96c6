"""The part of a scan that lists, reads and writes, after a look that something may have changed."""

from snapshot.file.errors import BusyScan
from snapshot.scan import statements as sql
from snapshot.scan.bulk import Found, next_age, write
from snapshot.scan.case import Case
from snapshot.scan.checksums import details
from snapshot.scan.inventory import Inventory, children
from snapshot.scan.job import ScanResult
from snapshot.scan.reading import Gathered, gather, source_of
from snapshot.scan.repositories import Existing, Plan, Rules, places, plan
from snapshot.scan.rules import Version
from snapshot.scan.sources import Known, Listed, read_source
from snapshot.scan.unchanged import State, read_last


class Renewal:
    """Brings the database to what the primary holds."""

    def __init__(self, case: Case) -> None:
        """Take what the scan knows."""
        self._case = case
        self._job, self._link, self._target = case.job, case.link, case.target

    def run(self) -> ScanResult:
        """List the primary; if that is new, read what changed, and write."""
        case, phases = self._case, self._case.phases
        known = Known(case.state.seen, case.path, case.digest, case.scope)
        topdir = self._target.topdir
        source = source_of(self._job.settings, case.category, topdir)
        phases.end("comparing")
        listed = read_source(self._job, case.category, topdir, known, case.progress)
        phases.end("listing")
        if case.holds(listed.digest):
            case.remember(listed.stamp, listed.seen)
            return case.unchanged(listed.seen)
        case.progress("reading checksums", 0, 0)
        gathered = gather(listed.inventory, case.state.read, source, case.scope.has)
        if case.scope:
            outside = {
                path: one for path, one in case.state.read.items() if not case.scope.has(path)
            }
            gathered.read = {**outside, **gathered.read}
        phases.end("reading files")
        case.progress("writing", 0, 0)
        return self._write(listed, gathered)

    def _write(self, listed: Listed, gathered: Gathered) -> ScanResult:
        self._link.begin()
        self._check_alone()
        problems = listed.inventory.problems
        problems += self._missing(listed.inventory)
        planned = self._plan(listed, problems)
        scope = [listed.inventory.full(path) for path in self._case.scope.paths]
        found = Found(listed.inventory, planned, details(listed.inventory, gathered.read), scope)
        ages = self._job.ages
        limits = (self._case.now - ages[0], self._case.now - ages[1])
        changes = write(self._link, self._target, found, limits, self._job.allow_deletions)
        if not self._job.dry_run and self._has_state(problems):
            # A digest would say that what is outside of the scope was compared as well.
            digest, stamp = ("", "") if scope else (listed.digest, listed.stamp)
            state = State(stamp, gathered.read, listed.seen, gathered.pending, problems)
            due = next_age(self._link, self._target, ages)
            self._case.keep(state, digest, due, self._case.make_mark())
        self._link.end(commit=not self._job.dry_run)
        self._case.phases.end("writing")
        return ScanResult(
            unchanged=False,
            directories=len(listed.inventory.directories),
            repositories=len(planned.places),
            links=listed.inventory.links,
            files_read=gathered.count,
            changes=changes,
            problems=problems,
            phases=self._case.phases.done,
            seen=listed.seen,
            file=self._case.path,
        )

    def _missing(self, inventory: Inventory) -> list[str]:
        """Return a problem for each path that neither this scan nor the last one found."""
        known = inventory.directories.keys() | self._case.state.seen.keys()
        return [
            f"{path}: no such directory on the primary; nothing was scanned for it"
            for path in self._case.scope.paths
            if path not in known
        ]

    def _check_alone(self) -> None:
        """Refuse if another scan has ended since this one began: its inventory may be newer."""
        if sql.STATE_TABLE not in self._link.tables(sql.OPTIONAL):
            return
        if read_last(self._link, self._target.id).serial != self._case.last.serial:
            raise BusyScan(
                "another scan of this category ended meanwhile; this one changes nothing"
            )

    def _plan(self, listed: Listed, problems: list[str]) -> Plan:
        link, target = self._link, self._target
        versions = [Version(*row) for row in link.query(sql.VERSIONS, {"product": target.product})]
        arches = [(int(id), str(name)) for id, name in link.query(sql.ARCHES)]
        rules = Rules(self._job.settings, arches, versions)
        inventory = listed.inventory
        found = places(inventory, children(inventory.directories))
        wanted = rules.name(inventory, found, problems)
        rows = link.query(sql.REPOSITORIES, {"category": target.id})
        existing = [_existing(*row) for row in rows]
        names = {inventory.full(path) for path, _ in found}
        unlisted = [inventory.full(path) for path in inventory.unlisted]
        unlisted += self._unseen(existing, inventory)
        planned = plan(wanted, existing, names, unlisted, problems)
        planned.versions = _used(rules.new_versions, planned)
        return planned

    def _unseen(self, existing: list[Existing], inventory: Inventory) -> list[str]:
        """Return where repositories of the database are that are outside of what was looked at."""
        scope = self._case.scope
        if not scope:
            return []
        inside = tuple(f"{inventory.full(path)}/" for path in scope.paths)
        seen = {inventory.full(path) for path in inventory.directories}
        names = {one.directory for one in existing if one.directory is not None} - seen
        return [name for name in names if not f"{name}/".startswith(inside)]

    def _has_state(self, problems: list[str]) -> bool:
        """Make the table of the last scans if it is missing; False if this role may not."""
        if self._case.has_state:
            return True
        if not self._link.may_create():
            problems.append(
                f"the role may not create the table {sql.STATE_TABLE}: each scan reads everything;"
                " docs/scan.md (Before the first scan) has the statement"
            )
            return False
        self._link.execute(sql.CREATE_STATE)
        return True


def _existing(
    id: int, name: str, prefix: str | None, arch: int | None, directory: str | None, *places: int
) -> Existing:
    here, elsewhere = places
    return Existing(id, name, prefix, arch, directory, bool(here), bool(elsewhere))


def _used(versions: list[Version], planned: Plan) -> list[Version]:
    """Return the new versions that a row of a repository needs."""
    names = {one.version for _, one in planned.rows}
    return [one for one in versions if one.name in names]
