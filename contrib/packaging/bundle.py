"""Makes the environment of the packages from a wheelhouse, without network.

`python3.11 contrib/packaging/bundle.py DESTDIR WHEELHOUSE` writes DESTDIR/usr/lib/mirrorlist. The
Python that runs this is the one that the packages need afterwards.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import PathDistribution
from pathlib import Path

HOME = "usr/lib/mirrorlist"
"""Where the environment is once it is installed, below the root."""

SOURCE = Path(__file__).resolve().parents[2]
LOCK = SOURCE / "requirements.lock"
PROJECT = "mirrorlist[protobuf,stats]"
# With its marker: the lock may have a release for each Python.
_PIN = re.compile(r"^[a-z0-9._-]+==[^\\\n]+", re.MULTILINE)


class Builder:
    """An environment that has pip and the build tools, which the packages shall not have."""

    def __init__(self, folder: Path, wheelhouse: Path) -> None:
        """Make it, and install the lock file by its hashes."""
        self._folder = folder
        self._python = folder / "venv" / "bin" / "python"
        self._wheelhouse = wheelhouse
        _make(folder / "venv", with_pip=True)
        words = ("--no-compile", "--require-hashes", "--requirement", LOCK)
        self._pip("install", *self._offline(), *words)

    def install(self, target: Path) -> None:
        """Install the project, and what it needs when it runs, into another environment."""
        wheels = self._folder / "wheels"
        self._pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, SOURCE)
        (wheel,) = wheels.glob("mirrorlist-*.whl")
        pins = self._folder / "pins"
        pins.write_text("\n".join(_PIN.findall(LOCK.read_text())))
        # The files that pip takes are those whose hashes it has just compared.
        self._pip(
            *("--python", target / "bin" / "python", "install", *self._offline()),
            *("--no-compile", "--constraint", pins, f"{PROJECT} @ {wheel.as_uri()}"),
        )

    def _offline(self) -> tuple[str | Path, ...]:
        return ("--no-index", "--only-binary", ":all:", "--find-links", self._wheelhouse)

    def _pip(self, *words: str | Path) -> None:
        # Isolated: neither the builder's environment nor a pip.conf may name another index.
        options = ("--isolated", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
        subprocess.run([self._python, "-m", "pip", *options, *words], check=True)


def bundle(root: Path, wheelhouse: Path) -> Path:
    """Make the environment below a root, and return its folder."""
    home = root / HOME
    shutil.rmtree(home, ignore_errors=True)
    _make(home, with_pip=False)
    with tempfile.TemporaryDirectory(prefix="mirrorlist-bundle-") as folder:
        Builder(Path(folder), wheelhouse.resolve()).install(home)
    (site,) = home.glob("lib/python3.*/site-packages")
    _write_programs(home, site)
    _forget_the_root(home, site)
    # Unchecked: packaging changes the times of files, by which Python would think these too old.
    compileall.compile_dir(
        home / "lib",
        quiet=2,
        stripdir=os.fspath(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    _refuse_the_root(home, root)
    return home


def programs(site: Path) -> dict[str, tuple[str, str]]:
    """Return the commands of the project that is installed there: their modules and functions."""
    (found,) = site.glob("mirrorlist-*.dist-info")
    points = PathDistribution(found).entry_points.select(group="console_scripts")
    return {point.name: (point.module, point.attr) for point in points}


def _make(folder: Path, *, with_pip: bool) -> None:
    venv.EnvBuilder(symlinks=True, with_pip=with_pip).create(folder)


def _write_programs(home: Path, site: Path) -> None:
    """Replace all of bin/: no scripts of libraries, and shebangs that hold once it is installed."""
    shutil.rmtree(home / "include")
    shutil.rmtree(home / "bin")
    (home / "bin").mkdir()
    (home / "bin" / "python").symlink_to(_interpreter())
    for name, (module, function) in programs(site).items():
        path = home / "bin" / name
        path.write_text(
            f"#!/{HOME}/bin/python\nimport sys\n\nfrom {module} import {function}\n\n"
            f"sys.exit({function}())\n"
        )
        path.chmod(0o755)


def _interpreter() -> Path:
    """Return the Python with its version in the name: another one has another ABI."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _forget_the_root(home: Path, site: Path) -> None:
    """Write again, or remove, what names the folder of the build."""
    settings = {
        "home": _interpreter().parent,
        "include-system-site-packages": "false",
        "version": ".".join(map(str, sys.version_info[:3])),
    }
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (home / "pyvenv.cfg").write_text("".join(lines))
    for unwanted in site.glob("*.dist-info/direct_url.json"):
        unwanted.unlink()
    for record in site.glob("*.dist-info/RECORD"):
        # It lists files that are not here: scripts of libraries, and the one above.
        record.unlink()


def _refuse_the_root(home: Path, root: Path) -> None:
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and os.fsencode(root) in path.read_bytes():
            raise SystemExit(f"{path} has the build root {root} in it")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(f"usage: {sys.argv[0]} DESTDIR WHEELHOUSE")
    bundle(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
