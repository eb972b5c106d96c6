"""Which part of a category a scan looks at: all of it, or the trees below some paths."""

from collections.abc import Iterable

from msgspec import Struct

from snapshot.file.errors import ScanSettingsError
from snapshot.scan.names import REPODATA, REPOMD

_MOST_BYTES = 4096


class Scope(Struct, frozen=True):
    """The trees below some paths of a category; without a path it is the whole category."""

    paths: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it is less than the whole category."""
        return bool(self.paths)

    def has(self, path: str) -> bool:
        """Whether a path is in one of the trees; never so for a scope that is everything."""
        return f"{path}/".startswith(self.prefixes)

    def passes(self, path: str) -> bool:
        """Whether a path is in one of the trees, or above one."""
        above = f"{path}/" if path else ""
        return self.has(path) or any(one.startswith(above) for one in self.prefixes)


EVERYTHING = Scope()


def scope_of(paths: Iterable[str], topdir: str = "") -> Scope:
    """Return the scope of paths, of which those inside of others are left out.

    A path may begin with the topdir, and may be that of a repository's metadata. Raises
    ScanSettingsError.
    """
    found: list[str] = []
    for path in sorted({_below(cleaned(path), topdir) for path in paths}):
        if not path:
            return EVERYTHING
        if not f"{path}/".startswith(tuple(f"{one}/" for one in found)):
            found.append(path)
    return Scope(tuple(found), tuple(f"{one}/" for one in found))


def cleaned(path: str) -> str:
    """Return a path without slashes at its ends; raises ScanSettingsError if it leads elsewhere."""
    path = path.strip("/")
    if len(path.encode("utf-8", "surrogateescape")) > _MOST_BYTES:
        raise ScanSettingsError(f"path: longer than {_MOST_BYTES:,} bytes")
    if not path.isprintable():
        raise ScanSettingsError("path: has characters that cannot be printed")
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ScanSettingsError(
            f"path {path}: has an empty part, . or ..; name the directory itself"
        )
    return path


def _below(path: str, topdir: str) -> str:
    """Return a repository's path below the topdir."""
    if topdir:
        path = path.removeprefix(topdir) if path == topdir else path.removeprefix(f"{topdir}/")
    for name in (REPOMD, REPODATA):
        if path == name:
            return ""
        path = path.removesuffix(f"/{name}")
    return path
