"""Imports of repositories that createrepo_c has made of packages that rpmbuild has built."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from snapshot.packages.primary import FLAGS, KINDS
from tests.packaged import X86, Site
from tests.scanned import rows
from tests.system import need_program

pytestmark = pytest.mark.system

SPEC = """\
Name: mltea
Epoch: 2
Version: 1.0~rc1
Release: 3
Summary: Tea & "biscuits"
License: MIT
BuildArch: noarch
Provides: tea(green) = 2:1.0, tea-any
Requires: water >= 1.5-2, (cup or (mug with handle)), milk < 3
Requires(post): water >= 1.5-2
Conflicts: coffee
Obsoletes: mltea-old <= 0.9
Recommends: sugar
Suggests: lemon
Supplements: (water and leaves)
Enhances: breakfast
%description
Tea <hot>.
%files
"""
LISTS = {
    "provides": ["mltea = 2:1.0~rc1-3", "tea(green) = 2:1.0", "tea-any"],
    "requires": ["(cup or (mug with handle))", "milk < 3", "water >= 1.5-2"],
    "conflicts": ["coffee"],
    "obsoletes": ["mltea-old <= 0.9"],
    "recommends": ["sugar"],
    "suggests": ["lemon"],
    "supplements": ["(water and leaves)"],
    "enhances": ["breakfast"],
}
SIGNS = {FLAGS["EQ"]: "=", FLAGS["GE"]: ">=", FLAGS["LT"]: "<", FLAGS["LE"]: "<="}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with capabilities of all kinds."""
    need_program("rpmbuild", "rpm")
    need_program("createrepo_c", "createrepo-c")
    folder = tmp_path_factory.mktemp("rpm")
    (folder / "a.spec").write_text(SPEC)
    made("rpmbuild", "--quiet", "-bb", "--define", f"_topdir {folder}", str(folder / "a.spec"))
    (found,) = folder.glob("RPMS/noarch/*.rpm")
    return found


def made(*command: str) -> None:
    """Run a command."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("packed", "kind"), [("gz", "sha256"), ("xz", "sha512"), ("bz2", "sha1")])
def test_createrepo_c(package: Path, tmp_path: Path, packed: str, kind: str) -> None:
    """The rows have the package's sum, its size, and what rpm says of its capabilities."""
    site = Site(tmp_path, X86)
    folder = site.source / X86 / "Packages"
    folder.mkdir(parents=True)
    (folder / package.name).write_bytes(package.read_bytes())
    how = ["--general-compress-type", packed, "--checksum", kind]
    made("createrepo_c", "--quiet", *how, str(folder.parent))
    assert site.run().imported == [X86]
    data = package.read_bytes()
    ((_, *about),) = site.contents()["package"]
    wanted = ["mltea", "2", "1.0~rc1", "3", "noarch", len(data), kind]
    assert about == [*wanted, hashlib.new(kind, data).hexdigest()]
    assert site.contents()["location"][0][3] == f"Packages/{package.name}"
    lists: dict[str, list[str]] = {}
    for _, number, name, flags, evr in sorted(site.contents()["uses"]):
        shown = f"{name} {SIGNS[flags]} {evr}" if flags else name
        # createrepo_c writes the epoch that rpm means where none is given.
        lists.setdefault(KINDS[number], []).append(shown.replace(" 0:", " "))
    assert lists == LISTS
    assert site.run().unchanged == [X86]
    made("createrepo_c", "--quiet", "--checksum", kind, "--update", str(folder.parent))
    (folder / package.name).unlink()
    made("createrepo_c", "--quiet", "--checksum", kind, str(folder.parent))
    assert site.run().packages_deleted == 1
    assert not rows(site.url, "SELECT * FROM mirrorlist_capability")
