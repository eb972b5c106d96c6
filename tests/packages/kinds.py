"""The two kinds of packages: how each is built, installed, upgraded and removed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.packages.root import Root
from tests.system import ROOT, SYSTEM_PYTHON, need_program

NEXT = "0.1.99"
"""The version of the program in the packages for an upgrade."""


@dataclass(frozen=True)
class Built:
    """The packages of two versions, and the folder in which they were built."""

    old: list[Path]
    new: list[Path]
    where: Path


class Deb:
    """Debian packages, by dpkg."""

    def build(self, folder: Path) -> Built:
        """Build them without network, and make those of the next version of them."""
        need_program("dpkg-buildpackage", "dpkg-dev")
        need_program("dh", "debhelper")
        where = folder / "build"
        quick = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
        old = _build("deb", where, folder / "old", **quick)
        return Built(old, [_next_deb(deb, folder) for deb in old], where)

    def install(self, root: Root, packages: list[Path]) -> None:
        """Install them, or upgrade to them."""
        root.run("dpkg", "--install", *root.put(*packages))

    def remove(self, root: Root) -> None:
        """Remove them, but no configuration."""
        root.run("dpkg", "--remove", "mirrorlist-dropin", "mirrorlist")

    def depends(self, package: Path) -> str:
        """Return what a package depends on."""
        return _told("dpkg-deb", "--field", package, "Depends")

    def install_server(self, root: Root) -> None:
        """Install what has MirrorManager's program."""
        control = "Package: mirrorlist-server\nVersion: 3.1.0\nArchitecture: all\n"
        about = "Maintainer: A <a@mirror.example>\nDescription: a stand-in\n"
        for path, text in _PROGRAMS.items():
            root.write(f"/tmp/server{path}", text)
        root.run("chmod", "-R", "755", "/tmp/server")
        root.write("/tmp/server/DEBIAN/control", control + about)
        root.run("dpkg-deb", "--build", "/tmp/server", "/tmp/server.deb")
        root.run("dpkg", "--install", "/tmp/server.deb")

    def exchange(self, root: Root, old: str, new: str, packages: list[Path]) -> None:
        """Remove a package, and install another one."""
        root.run("dpkg", "--remove", old)
        ours = [path for path in packages if path.name.startswith(f"{new}_")]
        root.run("dpkg", "--install", *(root.put(*ours) if ours else ["/tmp/server.deb"]))


class Rpm:
    """RPMs, by this machine's dnf, in a root where a stand-in provides what Fedora has."""

    def __init__(self) -> None:
        """Know no repository yet."""
        self._more: list[Path] = []

    def build(self, folder: Path) -> Built:
        """Build them without network, twice."""
        need_program("rpmbuild", "rpm")
        need_program("createrepo_c", "createrepo-c")
        need_program("dnf", "dnf")
        where = folder / "build"
        # Without their dependencies, which have other names on Debian.
        words = ("--nodeps", "--define", "_binary_payload w1.gzdio")
        old = _build("rpm", where, folder / "old", *words)
        new = _build("rpm", where, folder / "new", *words, "--define", "dist .next")
        self._more = [_stand_in(folder, *each) for each in _STAND_INS]
        return Built(old, new, where)

    def install(self, root: Root, packages: list[Path]) -> None:
        """Install them, or upgrade to them."""
        self._dnf(root, packages, "install", *packages)

    def remove(self, root: Root) -> None:
        """Remove them."""
        self._dnf(root, [], "remove", "mirrorlist", "mirrorlist-dropin")

    def depends(self, package: Path) -> str:
        """Return what a package depends on."""
        return _told("rpm", "--query", "--requires", "--package", package)

    def install_server(self, root: Root) -> None:
        """Install what has MirrorManager's program."""
        self._dnf(root, [], "install", "mirrorlist-server")

    def exchange(self, root: Root, old: str, new: str, packages: list[Path]) -> None:
        """Remove a package and install another one, in one step."""
        self._dnf(root, packages, "swap", old, new)

    def _dnf(self, root: Root, packages: list[Path], *words: object) -> str:
        """Run dnf in the root, with a repository of these packages and of the stand-ins."""
        repository = root.folder.parent / "repository"
        root.host("mkdir", "-p", repository)
        root.host("cp", *packages, *self._more, repository)
        root.host("createrepo_c", "--quiet", repository)
        options = ("-y", "--releasever=43", "--nogpgcheck", "--setopt=reposdir=/nowhere")
        paths = (f"--installroot={root.folder}", f"--repofrompath=site,file://{repository}")
        cache = ("--refresh", f"--setopt=cachedir={root.folder.parent}/cache")
        return root.host("dnf", *options, *paths, *cache, *words)


# Fedora's package has these two programs; that it has no other paths was not looked up.
_PROGRAMS = {
    f"/usr/bin/{name}": "#!/bin/sh\necho rust\n"
    for name in ("mirrorlist-server", "generate-mirrorlist-cache")
}
_HAS = "".join(f"Provides: {name}\n" for name in ("python(abi) = 3.11", "systemd", "zlib"))
_STAND_INS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("fedora-stand-in", f"{_HAS}Provides: /bin/sh\n", {}),
    ("mirrorlist-server", "Requires: fedora-stand-in\n", _PROGRAMS),
)
"""Packages of Fedora, as far as ours meet them: name, lines of the spec, files."""


def _build(kind: str, where: Path, dist: Path, *words: str, **variables: str) -> list[Path]:
    where.mkdir(exist_ok=True)
    subprocess.run([ROOT / "scripts" / "wheelhouse"], check=True)
    environment = os.environ | variables | {"TMPDIR": str(where), "DIST": str(dist)}
    command = ["unshare", "--net", str(ROOT / "scripts" / "package"), kind, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return sorted(path for path in dist.iterdir() if path.suffix == f".{kind}")


def _next_deb(deb: Path, folder: Path) -> Path:
    """Make a package of the next version of one, which is quicker than to build it."""
    tree = folder / "trees" / deb.stem
    tree.parent.mkdir(exist_ok=True)
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("0.1.0", NEXT))
    for module in tree.glob("usr/lib/mirrorlist/lib/*/site-packages/mirrorlist/__init__.py"):
        module.write_text(module.read_text().replace('"0.1.0"', f'"{NEXT}"'))
        words = ("-m", "compileall", "-qf", "--invalidation-mode=unchecked-hash")
        subprocess.run([SYSTEM_PYTHON, *words, module], check=True)
    new = folder / "new" / deb.name.replace("0.1.0", NEXT)
    new.parent.mkdir(exist_ok=True)
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--build", tree, new], check=True)
    return new


def _stand_in(folder: Path, name: str, lines: str, files: dict[str, str]) -> Path:
    """Build a package that has files and says things."""
    install = "".join(
        f"mkdir -p %{{buildroot}}{Path(path).parent}\n"
        f"printf '{text.encode('unicode_escape').decode()}' >%{{buildroot}}{path}\n"
        for path, text in files.items()
    )
    spec = folder / f"{name}.spec"
    spec.write_text(
        f"Name: {name}\nVersion: 3.1.0\nRelease: 1\nSummary: A stand-in\nLicense: MIT\n"
        f"BuildArch: noarch\n{lines}%description\nA stand-in.\n%install\nmkdir -p %{{buildroot}}\n"
        + install
        + "%files\n%defattr(755,root,root)\n"
        + "\n".join(files)
        + "\n"
    )
    topdir = f"_topdir {folder / 'stand-in'}"
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", topdir, spec], check=True)
    (found,) = (folder / "stand-in").rglob(f"{name}-3*.rpm")
    return found


def _told(*words: str | Path) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
