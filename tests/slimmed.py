"""Repositories to make smaller, with all kinds of repodata, and what is in the smaller ones."""

import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snapshot.slim.job import SlimJob, Slimmed
from snapshot.slim.run import slim
from tests.packaged import Rpm, primary


def provided(name: str, evr: str = "", flags: str = "EQ") -> str:
    """Return the attributes of a capability; its version is `EPOCH:VERSION-RELEASE`, or a part."""
    if not evr:
        return f'name="{name}"'
    epoch, _, rest = evr.rpartition(":")
    version, _, release = rest.partition("-")
    given = {"epoch": epoch, "ver": version, "rel": release}
    shown = "".join(f' {key}="{value}"' for key, value in given.items() if value)
    return f'name="{name}" flags="{flags}"{shown}'


def pkg(name: str, version: str = "1", *requires: str, **more: Any) -> Rpm:
    """Return a package that provides its name, as rpmbuild makes it."""
    epoch, release = more.get("epoch", "0"), more.get("release", "1")
    own = provided(name, f"{epoch}:{version}-{release}")
    provides = (own, *more.pop("provides", ()))
    return Rpm(name, version, provides, requires, **more)


def filelists(files: Mapping[str, Iterable[str]], *packages: Rpm) -> bytes:
    """Return a filelists.xml; `files` are the paths of packages by their names."""
    pieces = [
        f'<package pkgid="{one.digest}" name="{one.name}" arch="{one.arch}">\n'
        f'  <version epoch="{one.epoch}" ver="{one.version}" rel="{one.release}"/>\n'
        + "".join(f"  <file>{path}</file>\n" for path in files.get(one.name, ()))
        + "</package>\n"
        for one in packages
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    begin = f'<filelists xmlns="http://x/filelists" packages="{len(packages)}">\n'
    return (head + begin + "".join(pieces) + "</filelists>").encode()


def write_repository(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write repodata: the unpacked bytes of each type; all but groups are packed by gzip."""
    repodata = folder / "repodata"
    repodata.mkdir(parents=True, exist_ok=True)
    told = []
    for kind, opened in files.items():
        data = opened if kind in ("group", "other-thing") else gzip.compress(opened, mtime=0)
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest}-{kind}{'' if data is opened else '.gz'}"
        (repodata / name).write_bytes(data)
        told.append(
            f'<data type="{kind}"><checksum type="sha256">{digest}</checksum>'
            f'<location href="repodata/{name}"/><timestamp>77</timestamp>'
            f"<size>{len(data)}</size><open-size>{len(opened)}</open-size></data>"
        )
    text = f"<repomd><revision>5</revision>{''.join(told)}</repomd>"
    (repodata / "repomd.xml").write_text(text)


class SlimSite:
    """A repository, and the smaller one that is made of it."""

    def __init__(self, folder: Path, *packages: Rpm, **files: bytes) -> None:
        """Write the repository."""
        self.source, self.out = folder / "source", folder / "out"
        write_repository(self.source, {"primary": primary(*packages), **files})

    def run(self, **changes: Any) -> Slimmed:
        """Make the smaller repository."""
        given = {"source": str(self.source), "out": str(self.out)}
        return slim(SlimJob(**{**given, **changes}))

    def kept(self, **changes: Any) -> list[str]:
        """Make it, and return the file names of its packages without `.rpm`."""
        self.run(**changes)
        found = [path.rpartition("/")[2] for path in self.files]
        return [name.removesuffix(".rpm").removesuffix(".noarch") for name in found]

    @property
    def files(self) -> list[str]:
        """The list for rsync."""
        return (self.out / "files").read_text().splitlines()

    @property
    def excludes(self) -> list[str]:
        """The rules for rsync."""
        return (self.out / "excludes").read_text().splitlines()

    def data(self, kind: str) -> str:
        """Return what is in a file of the new repodata."""
        text = (self.out / "repodata/repomd.xml").read_text()
        found = re.search(rf'type="{kind}".*?href="([^"]+)"', text, re.DOTALL)
        assert found, text
        data = (self.out / found[1]).read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
