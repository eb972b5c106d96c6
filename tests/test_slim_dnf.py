"""dnf against a smaller repository, made of what rpmbuild and createrepo_c have made."""

import subprocess
from pathlib import Path

import pytest

from tests.clients.dnf import Dnf, may_install
from tests.command import run
from tests.system import need_program

pytestmark = pytest.mark.system

# Name, version, arch, further lines of the spec, and a file.
PACKAGES = (
    ("mltea", "1.0", "noarch", "", "/usr/share/ml/tea"),
    ("mltea", "2.0~rc1", "noarch", "", "/usr/share/ml/tea"),
    ("mltea", "2.0", "noarch", "Requires: mlcup = 1:1.0, /usr/share/ml/pot", "/usr/share/ml/tea"),
    ("mlcup", "1:1.0", "noarch", "Requires: (mlhandle or mlnothing)", "/usr/share/ml/cup"),
    ("mlcup", "1:0.9", "noarch", "", "/usr/share/ml/cup"),
    ("mlcup", "1:2.0", "noarch", "", "/usr/share/ml/cup"),
    ("mlhandle", "1", "noarch", "", "/usr/share/ml/handle"),
    ("mlpot", "1", "noarch", "", "/usr/share/ml/pot"),
    ("mlpot", "2", "noarch", "", "/usr/share/ml/jug"),
    ("mllib", "1", "i686", "", "/usr/share/ml/lib32"),
    ("mllib", "1", "x86_64", "", "/usr/share/ml/lib64"),
    ("mllib", "2", "x86_64", "", "/usr/share/ml/lib64"),
)
COMPS = """<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps><group><id>ml</id><name>Drinks</name><uservisible>true</uservisible><packagelist>
<packagereq type="mandatory">mltea</packagereq></packagelist></group></comps>
"""
UPDATES = """<?xml version="1.0"?>
<updates><update from="a@mirror.example" status="final" type="security" version="1"><id>ML-1</id>
<title>old tea</title><issued date="2026-01-01 00:00:00"/><pkglist><collection>
<package name="mltea" version="1.0" release="1" epoch="0" arch="noarch" src="x">
<filename>mltea-1.0-1.noarch.rpm</filename></package></collection></pkglist></update>
<update from="a@mirror.example" status="final" type="security" version="1"><id>ML-2</id>
<title>new tea</title><issued date="2026-01-02 00:00:00"/><pkglist><collection>
<package name="mltea" version="2.0" release="1" epoch="0" arch="noarch" src="x">
<filename>mltea-2.0-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
"""
MODULES = """---
document: modulemd
version: 2
data:
  name: mlmod
  stream: "1"
  version: 1
  context: aa
  arch: noarch
  summary: A module
  description: A module
  license: {module: [MIT]}
  artifacts: {rpms: [mlnone-0:1-1.noarch]}
...
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which some packages have several versions."""
    for program, package in (("rpmbuild", "rpm"), ("createrepo_c", "createrepo-c")):
        need_program(program, package)
    folder = tmp_path_factory.mktemp("slim")
    for arch in ("noarch", "i686", "x86_64"):
        _build(folder, arch)
    site = folder / "site"
    site.mkdir()
    for path in folder.glob("RPMS/*/*.rpm"):
        path.rename(site / path.name)
    (folder / "comps.xml").write_text(COMPS)
    _made("createrepo_c", "--quiet", "--groupfile", folder / "comps.xml", site)
    for name, text in (("updateinfo.xml", UPDATES), ("modules.yaml", MODULES)):
        (folder / name).write_text(text)
        _made("modifyrepo_c", folder / name, site / "repodata")
    return site


def _build(folder: Path, arch: str) -> None:
    specs = []
    for number, (name, version, of, lines, file) in enumerate(PACKAGES):
        if of == arch:
            epoch, _, version = version.rpartition(":")
            specs.append(folder / f"{number}.spec")
            specs[-1].write_text(
                f"Name: {name}\nEpoch: {epoch or 0}\nVersion: {version}\nRelease: 1\n"
                f"Summary: A package\nLicense: MIT\n{lines}\n"
                f"{'BuildArch: noarch' if arch == 'noarch' else ''}\n%description\nA package.\n"
                f"%install\nmkdir -p %{{buildroot}}/usr/share/ml\n"
                f"head -c 20000 /dev/urandom >%{{buildroot}}{file}\n%files\n{file}\n"
            )
    target = () if arch == "noarch" else ("--target", arch)
    _made("rpmbuild", "--quiet", "-bb", *target, "--define", f"_topdir {folder}", *specs)


def _made(*command: object) -> None:
    words = [*map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def dnf(source: Path, tmp_path: Path) -> Dnf:
    """A dnf whose repository is the smaller one, with the packages that rsync has brought."""
    need_program("dnf", "dnf")
    need_program("rsync", "rsync")
    if not may_install():
        pytest.skip("dnf installs as root only, or where user namespaces are allowed")
    slim, mirror = tmp_path / "slim", tmp_path / "mirror"
    done = run("packages", "slim", "--out", slim, source)
    before, after = (sum(path.stat().st_size for path in some) for some in (
        source.glob("*.rpm"), (source / name for name in (slim / "files").read_text().split())
    ))  # fmt: skip
    share = f"{100 * (1 - after / before):.1f} % are left out"
    assert f"bytes {after:,} of {before:,}: {share}" in done.stderr
    assert after < 0.8 * before
    _made("rsync", "-rt", f"--files-from={slim}/files", f"{source}/", mirror)
    _made("rsync", "-rt", slim / "repodata", mirror)
    (tmp_path / "dnf").mkdir()
    return Dnf(tmp_path / "dnf", "baseurl", f"file://{mirror}")


def test_dnf_installs(dnf: Dnf) -> None:
    """The newest version is installed with what it requires: an older one, a file, a choice."""
    done = dnf.run("install", "mltea")
    assert done.code == 0, done.output
    for name in ("mltea-2.0-1", "mlcup-1:1.0-1", "mlpot-1-1", "mlhandle-1-1"):
        assert name in done.output
    shown = dnf.run("--cacheonly", "repoquery", "--available", "ml*").output.split()
    assert sorted(one for one in shown if one.startswith("ml")) == [
        "mlcup-1:1.0-1.noarch",
        "mlcup-1:2.0-1.noarch",
        "mlhandle-0:1-1.noarch",
        "mllib-0:1-1.i686",
        "mllib-0:2-1.x86_64",
        "mlpot-0:1-1.noarch",
        "mlpot-0:2-1.noarch",
        "mltea-0:2.0-1.noarch",
    ]
    assert "Drinks" in dnf.run("--cacheonly", "group", "list").output
    assert "mlmod" in dnf.run("--cacheonly", "module", "list").output
    advisories = dnf.run("--cacheonly", "updateinfo", "list", "--all").output
    assert ("ML-2" in advisories, "ML-1" in advisories) == (True, False)
    assert "/usr/share/ml/jug" in dnf.run("--cacheonly", "repoquery", "-l", "mlpot").output
