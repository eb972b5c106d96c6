"""Makes a slim repository, from the source's repomd.xml to the folder in its place."""

import shutil
from collections import defaultdict
from pathlib import Path

import msgspec

from snapshot.file.errors import PackagesError
from snapshot.packages.job import Progress
from snapshot.packages.repomd import is_below
from snapshot.packages.sources import place_of, source_of, whole
from snapshot.slim.closure import Closure
from snapshot.slim.data import write_all
from snapshot.slim.filtering import owners
from snapshot.slim.folder import MARK, REPODATA, WORK, made_whole
from snapshot.slim.job import MOST_MISSING, SlimJob, Slimmed
from snapshot.slim.lists import write_lists
from snapshot.slim.modules import Module, read_modules
from snapshot.slim.pool import Entry, Pool
from snapshot.slim.repository import Repository
from snapshot.slim.selection import Selection, named, select
from snapshot.slim.where import repository_below
from snapshot.slim.written import repomd

MOST_MODULES = 64 << 20
"""The largest modules.yaml, in bytes, unpacked; real ones have a few megabytes."""


def slim(job: SlimJob, progress: Progress = lambda *_: None) -> Slimmed:
    """Make a slim repository; raises a BackendError, and then nothing is written."""
    source = source_of(job.source)
    if job.prefix.strip("/") and not is_below(job.prefix.strip("/")):
        raise PackagesError("--prefix: give a path below the root, without `..`, such as pub/epel")
    path = repository_below(job)
    with made_whole(place_of(job.out)) as made:
        work = made / WORK
        work.mkdir()
        found = _write(job, Repository(source, path, work, progress), made)
        shutil.rmtree(work)
        (made / MARK).write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return found


def _write(job: SlimJob, repository: Repository, folder: Path) -> Slimmed:
    """Write the repodata and the lists; return the figures."""
    pool = Pool(repository.opened("primary"))
    selection = select(pool.entries, _modules(repository), job.newest)
    closure = _closed(job, repository, pool, selection)
    kept = [one for at, one in enumerate(pool.entries) if at in closure.kept]
    repodata = folder / REPODATA
    repodata.mkdir()
    files = write_all(repository, repodata, kept, pool.entries, selection.modules)
    (repodata / "repomd.xml").write_bytes(repomd(repository.revision, files).encode())
    write_lists(folder, job.prefix, _paths(pool.entries), _paths(kept))
    return Slimmed(
        revision=repository.revision,
        newest=job.newest,
        packages=len(kept),
        packages_before=len(pool.entries),
        packages_required=len(closure.added),
        bytes=_bytes(kept),
        bytes_before=_bytes(pool.entries),
        repodata_bytes=sum(one.size or 0 for one in files.values()),
        missing=len(closure.missing),
        missing_first=sorted(closure.missing)[:MOST_MISSING],
        problems=_problems(pool),
    )


def _modules(repository: Repository) -> list[Module]:
    if "modules" not in repository.files:
        return []
    data = whole(repository.opened("modules"), MOST_MODULES, "modules.yaml has ")
    return read_modules(data.decode(errors="replace"))


def _closed(job: SlimJob, repository: Repository, pool: Pool, selection: Selection) -> Closure:
    kept = selection.kept
    if job.only:
        kept = named(pool.entries, kept, job.only)
        if not kept:
            raise PackagesError(f"no package has a name such as {', '.join(job.only)[:200]}")
    closure = Closure(pool, kept, selection.hidden, _owners(repository, pool))
    closure.close(weak=job.weak)
    return closure


def _owners(repository: Repository, pool: Pool) -> dict[str, list[int]]:
    """Return which packages have the files that others require."""
    wanted = {one.name for one in pool.required() if one.name.startswith("/")}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, entry in enumerate(pool.entries):
        places[entry.sum].append(at)
    found: defaultdict[str, dict[int, None]] = defaultdict(dict)
    # Each primary.xml has the files in /etc and bin folders; the others are in filelists.xml.
    kinds = [kind for kind in ("primary", "filelists") if kind in repository.files]
    for kind in kinds if wanted else ():
        for sum, path in owners(repository.opened(kind), wanted):
            found[path].update(dict.fromkeys(places.get(sum, ())))
    return {path: [*some] for path, some in found.items()}


def _paths(entries: list[Entry]) -> list[str]:
    return [one.path for one in entries]


def _bytes(entries: list[Entry]) -> int:
    # A file may be named twice.
    return sum({one.path: one.size for one in entries}.values())


def _problems(pool: Pool) -> list[str]:
    left_out = pool.content.left_out
    if not left_out:
        return []
    return [f"{len(left_out):,} packages are left out, first {left_out[0]}"]
