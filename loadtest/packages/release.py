"""The set to import: a release like Fedora's, as the repodata that createrepo_c writes.

At factor 1 a repository has 70,000 packages with 1.5 million capabilities: what they provide,
require, conflict with, obsolete and recommend. A third of the capabilities are a few hundred that
nearly all packages share, as libc's are. The same seed gives the same bytes. Only repodata is made.
"""

import gzip
import hashlib
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from random import Random

from msgspec import Struct

PACKAGES = 70_000
"""The number of packages of a repository at factor 1."""
TOPDIR = "pub/fedora/linux"
ARCHES = ("x86_64", "aarch64", "ppc64le", "s390x", "source")
_BEGIN = 1_700_000_000
_SHARED = 400
_SYLLABLES = ("lib", "per", "py", "ru", "go", "net", "core", "tex", "dev", "qt", "ml", "gt", "sql")
_KINDS = ("provides", "requires", "conflicts", "obsoletes", "recommends")


class Place(Struct, frozen=True):
    """A repository of the set: its prefix and arch, and its directory below the source."""

    prefix: str
    arch: str
    directory: str


class Release(Struct, frozen=True):
    """A release of one size; `changed` packages have got another version since."""

    factor: float = 1.0
    repositories: int = 1
    changed: int = 0
    seed: int = 1

    @property
    def packages(self) -> int:
        """The number of packages of each repository."""
        return max(20, round(PACKAGES * self.factor))

    def places(self) -> list[Place]:
        """Return the repositories."""
        found = []
        for number in range(self.repositories):
            release, index = divmod(number, len(ARCHES))
            arch = ARCHES[index]
            directory = f"{TOPDIR}/releases/{43 - release}/Everything/{arch}/os"
            found.append(Place(f"fedora-{43 - release}", arch, directory))
        return found

    def write(self, source: Path) -> None:
        """Write the repodata of all repositories below a folder."""
        for number, place in enumerate(self.places()):
            folder = source / place.directory / "repodata"
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*-primary.xml.gz"):
                old.unlink()
            self._write_one(folder, number, place.arch)

    def _write_one(self, folder: Path, number: int, arch: str) -> None:
        path = folder / "primary.xml.gz"
        opened, size = hashlib.sha256(), 0
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, _BEGIN) as packed:
            for text in self.primary(number, arch):
                data = text.encode()
                opened.update(data)
                size += len(data)
                packed.write(data)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path.rename(folder / f"{digest}-primary.xml.gz")
        sizes = ((folder / f"{digest}-primary.xml.gz").stat().st_size, size)
        text = repomd(_BEGIN + self.changed, digest, opened.hexdigest(), sizes)
        (folder / "repomd.xml").write_text(text)

    def primary(self, number: int, arch: str) -> Iterator[str]:
        """Yield the text of a repository's primary.xml, a package at a time."""
        yield (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<metadata xmlns="http://linux.duke.edu/metadata/common"'
            f' xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="{self.packages}">\n'
        )
        shared = [_shared(one) for one in range(_SHARED)]
        weights = list(accumulate(1 / (one + 2) for one in range(_SHARED)))
        step = self.packages // self.changed if self.changed else 0
        for package in range(self.packages):
            random = Random(f"{self.seed} {number} {package}")
            is_changed = bool(step) and package % step == 0 and package // step < self.changed
            yield _package(package, arch, is_changed, random, (shared, weights))
        yield "</metadata>\n"


def _shared(number: int) -> str:
    version = "" if number % 3 else f"(GLIBC_2.{number % 39})"
    return f'<rpm:entry name="lib{_word(number)}.so.{number % 7}{version}()(64bit)"/>'


def _word(number: int) -> str:
    first, rest = divmod(number, len(_SYLLABLES))
    second, third = divmod(first, len(_SYLLABLES))
    parts = (_SYLLABLES[rest], _SYLLABLES[second % len(_SYLLABLES)], str(third) if third else "")
    return "".join(parts)


def _package(
    number: int,
    arch: str,
    is_changed: bool,
    random: Random,
    common: tuple[list[str], list[float]],
) -> str:
    shared, weights = common
    name = f"{_word(number)}-{random.choice(_SYLLABLES)}{number}"
    version, release = f"{number % 9}.{random.randrange(30)}", f"{1 + is_changed}.fc43"
    evr = f'epoch="0" ver="{version}" rel="{release}"'
    digest = hashlib.sha256(f"{name}{version}{release}{arch}".encode()).hexdigest()
    size = random.randrange(5_000, 9_000_000)
    path = f"Packages/{name[0]}/{name}-{version}-{release}.{arch}.rpm"
    entries: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    same = f'flags="EQ" {evr}'
    entries["provides"] += [f'name="{name}" {same}', f'name="{name}({arch})" {same}']
    for own in range(random.randrange(8)):
        entries["provides"].append(f'name="{name}.so.{own}(VERS_{own})(64bit)"')
    for _ in range(random.randrange(12)):
        other = random.randrange(PACKAGES)
        wanted = f'name="{_word(other)}-devel{other}" flags="GE" epoch="0" ver="{other % 9}.0"'
        entries["requires"].append(wanted)
    if not number % 9:
        entries["obsoletes"].append(f'name="{name}-old" flags="LT" epoch="0" ver="1" rel="1"')
        entries["conflicts"].append(f'name="{name}-compat"')
        entries["recommends"].append(f'name="{name}-doc"')
    parts = {kind: [f"<rpm:entry {one}/>" for one in some] for kind, some in entries.items()}
    number_shared = random.randrange(5, 18)
    parts["requires"] += sorted({*random.choices(shared, cum_weights=weights, k=number_shared)})
    shown = "".join(
        f"    <rpm:{kind}>\n" + "".join(f"      {one}\n" for one in some) + f"    </rpm:{kind}>\n"
        for kind, some in parts.items()
        if some
    )
    return f"""<package type="rpm">
  <name>{name}</name>
  <arch>{"src" if arch == "source" else arch}</arch>
  <version {evr}/>
  <checksum type="sha256" pkgid="YES">{digest}</checksum>
  <summary>A library for {name} &amp; its friends</summary>
  <description>{name} has {random.randrange(100)} functions for {_word(number + 7)}.
It is a part of a synthetic release, which is as long as a real description is.</description>
  <packager>Fedora Project</packager>
  <url>https://{name}.example/</url>
  <time file="{_BEGIN}" build="{_BEGIN - random.randrange(9_000_000)}"/>
  <size package="{size}" installed="{size * 3}" archive="{size * 3 + 400}"/>
  <location href="{path}"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor>Fedora Project</rpm:vendor>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>builder.example</rpm:buildhost>
    <rpm:sourcerpm>{name}-{version}-{release}.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="4504" end="{4504 + size % 90_000}"/>
{shown}    <file>/usr/bin/{name}</file>
  </format>
</package>
"""


def repomd(revision: int, digest: str, opened: str, sizes: tuple[int, int]) -> str:
    """Return a repomd.xml of a primary.xml.gz; its size is that of the file, then unpacked."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>{revision}</revision>
  <data type="primary">
    <checksum type="sha256">{digest}</checksum>
    <open-checksum type="sha256">{opened}</open-checksum>
    <location href="repodata/{digest}-primary.xml.gz"/>
    <timestamp>{revision}</timestamp>
    <size>{sizes[0]}</size>
    <open-size>{sizes[1]}</open-size>
  </data>
</repomd>
"""
