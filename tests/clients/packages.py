"""One package, and two repositories that hold it: the current one and yesterday's.

The package is the same file in both and only repomd.xml differs, so a client that ends on
the wrong repomd.xml still installs: tests must look at what it believed
(docs/clients.md#a-stale-mirror-still-gives-packages).
"""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from hashlib import md5, sha1, sha256, sha512
from pathlib import Path

from tests.system import need_program

PACKAGE = "mlhello"
PACKAGE_FILE = f"Packages/{PACKAGE}-1.0-1.noarch.rpm"
INSTALLED_FILE = f"opt/{PACKAGE}/hello.txt"
INSTALLED_TEXT = "hello from a mirror\n"

_REVISIONS = {"old": 1_760_000_000, "new": 1_760_086_400}
_SPEC = f"""\
Name: {PACKAGE}
Version: 1.0
Release: 1
Summary: A file that says hello
License: MIT
BuildArch: noarch
%description
The package that clients install in the tests.
%install
mkdir -p %{{buildroot}}/opt/{PACKAGE}
printf '{INSTALLED_TEXT.encode("unicode_escape").decode()}' > %{{buildroot}}/{INSTALLED_FILE}
%files
/{INSTALLED_FILE}
"""


@dataclass(frozen=True, slots=True)
class RepositoryFiles:
    """A repository on disk, as createrepo_c left it."""

    folder: Path

    @property
    def repomd(self) -> bytes:
        """The bytes of repodata/repomd.xml."""
        return (self.folder / "repodata" / "repomd.xml").read_bytes()

    @property
    def timestamp(self) -> int:
        """The largest data timestamp inside repomd.xml, in seconds since 1970."""
        elements = ElementTree.fromstring(self.repomd).findall("{*}data/{*}timestamp")
        return max(int(element.text or 0) for element in elements)

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes of repomd.xml by the names that a metalink gives them."""
        return hashes(self.repomd)

    @property
    def package(self) -> bytes:
        """The bytes of the package, the same in all repositories."""
        return (self.folder / PACKAGE_FILE).read_bytes()


@dataclass(frozen=True, slots=True)
class Repositories:
    """What a mirror in sync serves, and what one that is a day behind serves."""

    new: RepositoryFiles
    old: RepositoryFiles


def hashes(content: bytes) -> dict[str, str]:
    """The hashes of a file by the names that a metalink gives them."""
    functions = (md5, sha1, sha256, sha512)
    return {function().name: function(content).hexdigest() for function in functions}


def build_repositories(folder: Path) -> Repositories:
    """Build the package and both repositories below a folder (rpmbuild, createrepo_c)."""
    need_program("rpmbuild", "rpm")
    need_program("createrepo_c", "createrepo-c")
    package = build_package(folder / "build")
    new, old = (
        _build_repository(folder / name, package, _REVISIONS[name]) for name in ("new", "old")
    )
    return Repositories(new, old)


def build_package(topdir: Path, name: str = PACKAGE) -> Path:
    """Build a package of a name in an empty folder, and return its file."""
    topdir.mkdir()
    spec = topdir / f"{name}.spec"
    spec.write_text(_SPEC.replace(PACKAGE, name))
    _run("rpmbuild", "--quiet", "-bb", "--define", f"_topdir {topdir}", str(spec))
    (package,) = topdir.glob("RPMS/noarch/*.rpm")
    return package


def _build_repository(folder: Path, package: Path, revision: int) -> RepositoryFiles:
    return add_package(folder, package, "--revision", str(revision), "--set-timestamp-to-revision")


def add_package(folder: Path, package: Path, *options: str) -> RepositoryFiles:
    """Put a package into a repository, which may be new, and write its metadata."""
    (folder / "Packages").mkdir(parents=True, exist_ok=True)
    shutil.copy2(package, folder / "Packages")
    _run("createrepo_c", "--quiet", *options, str(folder))
    return RepositoryFiles(folder)


def _run(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, f"{command[0]} failed: {run.stdout}{run.stderr}"
