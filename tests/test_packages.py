"""What the RPM and the Debian package are made of: see contrib/packaging/stage."""

import gzip
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import cast

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mirrorlist import __version__
from mirrorlist.cli import cli
from mirrorlist.cli.dropin.command import server
from tests.system import ROOT, SYSTEM_PYTHON, need_program

CONTRIB = ROOT / "contrib"
SPEC = (CONTRIB / "rpm" / "mirrorlist.spec").read_text()
HOME = "usr/lib/mirrorlist"

_pages = cast(
    "Callable[[], Iterator[tuple[str, str]]]",
    runpy.run_path(str(CONTRIB / "packaging" / "manpages.py"))["pages"],
)


def needed(wanted: Requirement) -> Iterator[str]:
    """Yield the names of all packages that one brings on Linux, itself included."""
    yield canonicalize_name(wanted.name)
    for line in distribution(wanted.name).requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        extras = wanted.extras or {""}
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield from needed(requirement)


def told(*words: str | Path) -> str:
    """Run a program, and return what it prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_spec_names_what_it_bundles() -> None:
    """The spec provides bundled(...) for each library that the command needs, and for no other."""
    named = re.findall(r"^Provides: +bundled\(python3dist\((.*)\)\)$", SPEC, re.MULTILINE)
    assert named == sorted(set(needed(Requirement("mirrorlist[protobuf,stats]"))) - {"mirrorlist"})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("rpm/mirrorlist.spec", f"Version:        {__version__}"),
        ("rpm/mirrorlist.spec", f" - {__version__}-1"),
        ("debian/changelog", f"mirrorlist ({__version__}-1) "),
    ],
)
def test_versions(path: str, line: str) -> None:
    """Both packages have the version of the program."""
    assert line in (CONTRIB / path).read_text()


def test_there_is_a_page_for_each_command() -> None:
    """Each command and subcommand has a manual page, with each option that its --help shows."""
    pages = dict(_pages())
    commands: dict[str, click.Command] = {"mirrorlist": cli, "mirrorlist-server": server}
    commands |= {f"mirrorlist-{name}": command for name, command in cli.commands.items()}
    assert commands.keys() <= pages.keys()
    for name, command in commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[-1].replace("-", r"\-") in pages[name], name


def test_pages_keep_examples() -> None:
    """An example stands on a line of its own, and no line of a text is taken for a request."""
    pages = dict(_pages())
    assert "\nTry it:          mirrorlist demo\nScan:" in pages["mirrorlist"]
    for page in pages.values():
        requests = re.findall(r"^([.'].*?)(?: |$)", page, re.MULTILINE)
        assert set(requests) <= {".TH", ".SH", ".PP", ".TP", ".B", ".nf", ".fi"}


@pytest.mark.system
@pytest.mark.parametrize(
    ("settings", "abi", "uid"),
    [
        ((), "3.11", "-"),
        (("mirrorlist_uid 441", "mirrorlist_abi 3.12"), "3.12", "441"),
        (("rhel 9", "mirrorlist_abi 3.12"), "3.12", "-"),
    ],
)
def test_the_spec_is_read(settings: tuple[str, ...], abi: str, uid: str) -> None:
    """The spec can be read, and its Python and uid can be given when it is built."""
    need_program("rpmspec", "rpm")
    defines = [word for setting in settings for word in ("--define", setting)]
    parsed = told("rpmspec", "--parse", *defines, CONTRIB / "rpm" / "mirrorlist.spec")
    assert f"python(abi) = {abi}\n" in parsed
    assert f"PACKAGE_UID={uid} " in parsed
    assert ("/usr/bin/python3.12" in parsed) == ("rhel 9" in settings)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of both packages below a root, made without network from a wheelhouse."""
    need_program("unshare", "util-linux")
    version = told(SYSTEM_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    words = ("--python-version", version.strip())
    subprocess.run([ROOT / "scripts" / "wheelhouse", *words], check=True)
    root = tmp_path_factory.mktemp("packages")
    stage = CONTRIB / "packaging" / "stage"
    environment = os.environ | {"PYTHON": SYSTEM_PYTHON, "PACKAGE_UID": "441"}
    subprocess.run(["unshare", "--net", stage, root, root], env=environment, check=True)
    return root


@pytest.mark.system
class TestStaged:
    """What contrib/packaging/stage installs."""

    def test_no_file_knows_where_it_was_built(self, staged: Path) -> None:
        """No file names the build's folder, and each command's first line its place to be."""
        found = subprocess.run(["grep", "-rlF", staged, staged], capture_output=True, text=True)
        assert (found.stdout, found.returncode) == ("", 1)
        for name in ("mirrorlist", "mirrorlist-server"):
            assert os.readlink(staged / "usr/bin" / name) == f"../lib/mirrorlist/bin/{name}"
            program = (staged / HOME / "bin" / name).read_text()
            assert program.startswith(f"#!/{HOME}/bin/python\n")

    def test_it_runs_elsewhere(self, staged: Path, tmp_path: Path) -> None:
        """The environment works in another place, with all libraries and without pip."""
        home = tmp_path / "elsewhere"
        shutil.copytree(staged / HOME, home, symlinks=True)
        python = home / "bin" / "python"
        modules = "google.protobuf, httptools, iptocc, maxminddb_rust, psycopg, uvloop, watchfiles"
        program = f"import {modules}, sys; print(sys.prefix)"
        assert told(python, "-I", "-c", program) == f"{home}\n"
        version = told(python, home / "bin" / "mirrorlist", "--version")
        assert version == f"mirrorlist, version {__version__}\n"
        assert not list(home.glob("lib/*/site-packages/pip*"))
        assert not list(home.glob("lib/*/site-packages/hatch*"))

    def test_nothing_is_compiled_later(self, staged: Path) -> None:
        """Each module has byte-code, which is valid whatever the time of its source."""
        modules = list((staged / HOME).rglob("*.py"))
        assert len(modules) > 500
        for module in modules:
            (compiled,) = (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc")
            # PEP 552: the second word is 1 for a hash that is not compared.
            assert compiled.read_bytes()[4:8] == b"\1\0\0\0", module

    def test_users_pages_and_completion(self, staged: Path) -> None:
        """There are the user with the given uid, folders, log rotation, pages and completion."""
        files = {path.relative_to(staged).as_posix(): path for path in staged.rglob("*")}
        assert "u mirrorlist 441 " in files["usr/lib/sysusers.d/mirrorlist.conf"].read_text()
        assert "/var/log/mirrorlist" in files["usr/lib/tmpfiles.d/mirrorlist.conf"].read_text()
        assert "/var/log/mirrorlist" in files["etc/logrotate.d/mirrorlist"].read_text()
        for name in ("mirrorlist", "mirrorlist-server"):
            page = gzip.decompress(files[f"usr/share/man/man1/{name}.1.gz"].read_bytes())
            assert page.startswith(f'.TH "{name.upper()}"'.encode())
            completion = files[f"usr/share/bash-completion/completions/{name}"]
            script = f". {completion}; complete -p {name}"
            subprocess.run(["bash", "--norc", "-ec", script], check=True, capture_output=True)
            assert f"#compdef {name}" in files[f"usr/share/zsh/site-functions/_{name}"].read_text()
            fish = files[f"usr/share/fish/vendor_completions.d/{name}.fish"]
            assert f"complete --no-files --command {name}" in fish.read_text()

    def test_units_and_pages(self, staged: Path) -> None:
        """The units of contrib/systemd are there, and docs/ as README.md links to it."""
        units = {path.name for path in (CONTRIB / "systemd").glob("*.service")}
        assert {path.name for path in (staged / "usr/lib/systemd/system").iterdir()} == units
        doc = staged / "usr/share/doc/mirrorlist"
        for link in re.findall(r"\]\(([\w/.-]+)\)", (doc / "README.md").read_text()):
            if link.startswith(("docs/", "contrib/")):
                assert (doc / link).exists(), link
