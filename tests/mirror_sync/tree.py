"""Trees of files for tests of mirrors: changed as a primary changes, read, and compared."""

import os
import stat
from collections.abc import Iterable
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from shutil import rmtree

Entry = tuple[str, object, int, int]

_SECONDS = count(1_790_000_000)
REPOSITORIES = ("40/x86_64", "41/x86_64")


def write(tree: Path, name: str, content: bytes | str = b"") -> None:
    """Write a file in place of what has its name, as a primary does: by renaming."""
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.parent / ".new"
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    # rsync compares sizes and whole seconds, in which tests are too fast.
    seconds = next(_SECONDS)
    os.utime(new, (seconds, seconds))
    new.replace(path)


def publish(tree: Path, repository: str, packages: Iterable[str], size: int = 20) -> None:
    """Publish a repository: new packages, metadata that name all, no others.

    A package's content follows from its name.
    """
    top = tree / repository
    names = sorted(packages)
    for name in names:
        if not (top / "Packages" / name).exists():
            write(top, f"Packages/{name}", _content(name, size))
    primary = "\n".join(f"Packages/{name}" for name in names)
    digest = sha256(primary.encode()).hexdigest()
    write(top, f"repodata/{digest[:8]}-primary.xml", primary)
    write(top, "repodata/repomd.xml", f"<repomd>\n{digest[:8]}-primary.xml\n</repomd>\n")
    for path in (top / "Packages").iterdir():
        if path.is_file() and path.name not in names:
            path.unlink()
    for path in (top / "repodata").iterdir():
        if path.name not in ("repomd.xml", f"{digest[:8]}-primary.xml"):
            path.unlink()


def packages_of(tree: Path, repository: str) -> list[str]:
    """The packages that a repository has."""
    return sorted(path.name for path in (tree / repository / "Packages").iterdir())


def missing(tree: Path) -> list[str]:
    """What the metadata of a tree's repositories name, and the tree does not have."""
    found = []
    for repomd in tree.rglob("repomd.xml"):
        if not repomd.is_file() or ".~tmp~" in repomd.parts:
            continue
        primary = repomd.parent / repomd.read_text().splitlines()[1]
        if not primary.exists():
            found.append(str(primary))
            continue
        named = [repomd.parent.parent / line for line in primary.read_text().splitlines()]
        found += [str(path) for path in named if not path.exists()]
    return found


def make_primary(tree: Path) -> None:
    """Make a small tree: two repositories, some other directories, a link."""
    for repository in REPOSITORIES:
        publish(tree, repository, [f"{letter}-1.rpm" for letter in "abcdefgh"])
    write(tree, "README", "read me")
    write(tree, "docs/guide/part/one.html", "one")
    write(tree, "docs/guide/two.html", "two")
    write(tree, "images/boot.iso", _content("boot.iso", 50_000))
    if not (tree / "latest").is_symlink():
        (tree / "latest").symlink_to("41")


def change_at_random(tree: Path, chance: Random, run: int) -> None:
    """Change a tree as a primary does in a day: packages come and go, so do directories."""
    for repository in REPOSITORIES:
        before = packages_of(tree, repository)
        kept = chance.sample(before, chance.randint(1, len(before)))
        new = [f"p{run}-{number}.rpm" for number in range(chance.randint(1, 4))]
        publish(tree, repository, [*kept, *new], size=chance.choice([20, 30_000]))
    write(tree, f"docs/{chance.choice('xyz')}/{run}/page", str(run))
    gone = chance.choice(sorted((tree / "docs").iterdir()))
    if chance.random() < 0.3:
        rmtree(gone)
    elif chance.random() < 0.5:
        gone.rename(tree / "docs" / f"renamed{run}")


def read_tree(tree: Path) -> dict[str, Entry]:
    """Everything below a folder: kind, content, permissions, and a file's time."""
    found: dict[str, Entry] = {}
    for folder, folders, files in os.walk(tree):
        for name in [*folders, *files]:
            path = Path(folder, name)
            found[path.relative_to(tree).as_posix()] = _entry(path)
    return found


def _entry(path: Path) -> Entry:
    status = path.lstat()
    mode, time = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if path.is_symlink():
        return "link", path.readlink(), 0, 0
    if path.is_dir():
        return "directory", None, mode, 0
    return "file", path.read_bytes(), mode, time


def _content(name: str, size: int) -> bytes:
    return Random(name).randbytes(size)
