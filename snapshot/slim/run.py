"""Makes a slim repository, from the source's repomd.xml to the folder in its place."""

import re
from collections import defaultdict
from pathlib import Path

import msgspec

from snapshot.file.errors import PackagesError
from snapshot.packages.job import Progress
from snapshot.packages.sources import source_of
from snapshot.slim.catalogue import Catalogue, Entry
from snapshot.slim.choice import Choice, choose, named
from snapshot.slim.closure import Closure
from snapshot.slim.data import write_all
from snapshot.slim.filtering import owners
from snapshot.slim.folder import EXCLUDES, FILES, MARK, REPODATA, made_whole
from snapshot.slim.job import MOST_MISSING, SlimJob, Slimmed
from snapshot.slim.modules import Module, read_modules
from snapshot.slim.repository import Repository
from snapshot.slim.where import repository_below
from snapshot.slim.written import repomd

MOST_MODULES = 256 << 20
"""The largest modules.yaml, in bytes, unpacked."""
_WILDCARD = re.compile(r"[*?\[]")


def slim(job: SlimJob, progress: Progress = lambda *_: None) -> Slimmed:
    """Make a slim repository; raises a BackendError, and then nothing is written."""
    source = source_of(job.source)
    path = repository_below(job)
    with made_whole(Path(job.out).expanduser()) as made:
        work = made / ".work"
        work.mkdir()
        repository = Repository(source, path, work, progress)
        catalogue = Catalogue(repository.opened("primary"))
        choice = choose(catalogue.entries, _modules(repository), job.newest)
        closure = _closed(job, repository, catalogue, choice)
        entries = [one for at, one in enumerate(catalogue.entries) if at in closure.kept]
        repodata = made / REPODATA
        repodata.mkdir()
        files = write_all(repository, repodata, entries, catalogue.entries, choice.modules)
        (repodata / "repomd.xml").write_bytes(repomd(repository.revision, files).encode())
        found = Slimmed(
            revision=repository.revision,
            newest=job.newest,
            packages=len(entries),
            packages_before=len(catalogue.entries),
            packages_required=len(closure.added),
            bytes=_bytes(entries),
            bytes_before=_bytes(catalogue.entries),
            repodata_bytes=sum(one.size for one in files),
            missing=len(closure.missing),
            missing_first=sorted(closure.missing)[:MOST_MISSING],
            problems=_problems(catalogue),
        )
        _write_lists(made, job.prefix, catalogue.entries, closure.kept)
        for copy in work.iterdir():
            copy.unlink()
        work.rmdir()
        (made / MARK).write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return found


def _modules(repository: Repository) -> list[Module]:
    if "modules" not in repository.files:
        return []
    data = bytearray()
    for block in repository.opened("modules"):
        data += block
        if len(data) > MOST_MODULES:
            raise PackagesError(f"modules.yaml has more than {MOST_MODULES:,} bytes")
    return read_modules(data.decode(errors="replace"))


def _closed(job: SlimJob, repository: Repository, catalogue: Catalogue, choice: Choice) -> Closure:
    kept = choice.kept
    if job.only:
        kept = named(catalogue.entries, kept, job.only)
        if not kept:
            raise PackagesError(f"no package has a name such as {', '.join(job.only)[:200]}")
    closure = Closure(catalogue, kept, choice.hidden, _owners(repository, catalogue))
    closure.close(weak=job.weak)
    return closure


def _owners(repository: Repository, catalogue: Catalogue) -> dict[str, list[int]]:
    """Return which packages have the files that others require."""
    wanted = {one.name for one in catalogue.required() if one.name.startswith("/")}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, entry in enumerate(catalogue.entries):
        places[entry.sum].append(at)
    found: defaultdict[str, dict[int, None]] = defaultdict(dict)
    # Each primary.xml has the files in /etc and bin folders; the others are in filelists.xml.
    kinds = [kind for kind in ("primary", "filelists") if kind in repository.files]
    for kind in kinds if wanted else ():
        for sum, path in owners(repository.opened(kind), wanted):
            found[path].update(dict.fromkeys(places.get(sum, ())))
    return {path: [*some] for path, some in found.items()}


def _bytes(entries: list[Entry]) -> int:
    # A file may be named twice.
    return sum({one.path: one.size for one in entries}.values())


def _problems(catalogue: Catalogue) -> list[str]:
    left_out = catalogue.content.left_out
    if not left_out:
        return []
    return [f"{len(left_out):,} packages are left out, first {left_out[0]}"]


def _write_lists(made: Path, prefix: str, entries: list[Entry], kept: set[int]) -> None:
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    files = sorted({f"{below}{one.path}" for at, one in enumerate(entries) if at in kept})
    rest = {f"{below}{one.path}" for one in entries} - {*files}
    (made / FILES).write_bytes("".join(map(_line, files)).encode())
    rules = [f"/{below}repodata/", *(f"/{path}" for path in sorted(rest))]
    (made / EXCLUDES).write_bytes("".join(f"{_escaped(rule)}\n" for rule in rules).encode())


def _line(path: str) -> str:
    # rsync takes lines that begin so for comments.
    return f"./{path}\n" if path[0] in "#;" else f"{path}\n"


def _escaped(rule: str) -> str:
    return _WILDCARD.sub(r"\\\g<0>", rule)
