"""`mirrorlist packages find`: versions as rpm orders them, mirrors as a public list has them."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from mirrorlist.cli.packages_find import _lines
from snapshot.export.versions import compare, newness
from snapshot.file.errors import DatabaseError, PackagesError
from snapshot.packages.find import find
from tests.command import assert_refused
from tests.command import run_inside as run
from tests.packaged import ARM, X86, Rpm, Site, hosts
from tests.scanned import execute
from tests.system import need_program

# Each pair from the older to the newer.
OLDER = [
    ("1.0", "1.1"),
    ("1.9", "1.10"),
    ("1.09", "1.10"),
    ("8" * 5000, "9" * 5000),
    ("9" * 5000, "1" + "0" * 5000),
    ("1", "1.0"),
    ("1.a", "1.1"),
    ("a", "1"),
    ("a", "b"),
    ("Z", "a"),
    ("1.0~rc1", "1.0"),
    ("1.0~rc1", "1.0~rc2"),
    ("1.0~~", "1.0~"),
    ("1.0", "1.0^git1"),
    ("1.0^git1", "1.0.1"),
    ("1.0^", "1.01"),
    ("1.0~rc1^git1", "1.0"),
    ("1.0~rc1", "1.0~rc1^git1"),
    ("1.0^git1~pre", "1.0^git1"),
    ("", "1"),
    ("~", ""),
    ("1.0", "1.0a"),
    ("0009", "10"),
    ("2", "20240101"),
]
ALIKE = [("1.0", "1_0"), ("01", "1"), ("1.0.", "1.0"), ("a_1", "a+1"), ("", "")]


@pytest.mark.parametrize(("older", "newer"), OLDER)
def test_newer(older: str, newer: str) -> None:
    """The newer version is newer, and the other one is older."""
    assert (compare(newer, older), compare(older, newer)) == (1, -1)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_alike(one: str, other: str) -> None:
    """Signs that only separate, and zeros before a number, make no difference."""
    assert compare(one, other) == 0


def test_an_epoch_comes_first() -> None:
    """A higher epoch is newer, whatever the version."""
    assert newness(("1", "1", "1")) > newness(("0", "9", "9"))
    assert newness(("0", "1", "2")) > newness(("0", "1", "1"))


@pytest.mark.system
def test_rpm_agrees() -> None:
    """Rpm itself orders the pairs so."""
    rpm = need_program("rpm", "rpm")
    pairs = [(*pair, -1) for pair in OLDER] + [(*pair, 0) for pair in ALIKE]
    pairs = [pair for pair in pairs if pair[0] and pair[1] and pair[0] != "~"]
    script = "".join(f"print(rpm.vercmp('{one}', '{other}') .. ' ')\n" for one, other, _ in pairs)
    done = subprocess.run(
        [str(rpm), "--eval", "%{lua:" + script + "}"], capture_output=True, text=True, check=True
    )
    found = [int(float(line)) for line in done.stdout.split()]
    assert found == [wanted for _, _, wanted in pairs]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with three versions of a package, and six hosts."""
    site = Site(tmp_path, X86, ARM, more=hosts())
    site.write(X86, Rpm("tea", "1.9"), Rpm("tea", "1.10"), Rpm("cup"))
    site.write(ARM, Rpm("tea", "1.10~rc1"))
    site.run()
    return site


def test_found(site: Site) -> None:
    """The newest version is first; mirrors that no public list may have do not count."""
    found = find(site.url, "tea").packages
    assert [(one.version, one.directory, one.mirrors) for one in found] == [
        ("1.10-1", X86, 2),
        ("1.10~rc1-1", ARM, 0),
        ("1.9-1", X86, 2),
    ]
    assert (found[0].prefix, found[0].repository_arch) == ("epel-2", "x86_64")
    assert found[0].path == "Packages/t/tea-1.10-1.noarch.rpm"
    assert found[0].checksum.startswith("sha256:")
    assert find(site.url, "te").packages == []


def test_what_it_prints(site: Site) -> None:
    """It prints a line for each version and repository, or one object."""
    done = run("packages", "find", "--database", site.url, "tea")
    assert done.returncode == 0
    head, first, second, _ = done.stdout.splitlines()
    assert head.split() == ["version", "arch", "repository", "mirrors", "bytes", "path"]
    path = f"{X86}/Packages/t/tea-1.10-1.noarch.rpm"
    assert first.split() == ["1.10-1", "noarch", "epel-2", "x86_64", "2", "1,000", path]
    assert " epel-3 aarch64  0 " in second
    words = ("packages", "find", "--database", site.url, "--json")
    assert json.loads(run(*words, "cup").stdout)["packages"][0]["name"] == "cup"
    none = run(*words, "none")
    assert (none.returncode, json.loads(none.stdout)) == (1, {"packages": []})


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (18, ["version  path", "1-1      pub/a.rpm"]),
        (17, ["version", "     path", "1-1", "     pub/a.rpm"]),
    ],
)
def test_on_a_narrow_terminal(width: int, lines: list[str]) -> None:
    """Paths that do not fit beside the other columns stand below them, each in one piece."""
    assert _lines([("version", "path"), ("1-1", "pub/a.rpm")], width) == lines


def test_a_site_without_directories_in_repositories(site: Site) -> None:
    """The repository's directory counts if the package's is not in the database."""
    file = site.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as database, database:
        place = "(SELECT id FROM directory WHERE name = ?)"
        for table in ("host_category_dir", "category_directory"):
            database.execute(f"UPDATE {table} SET directory_id = {place}", [X86])
        database.execute("DELETE FROM directory WHERE id = 9 OR name = ?", [ARM])
    found = find(site.url, "tea").packages
    assert [(one.directory, one.mirrors) for one in found] == [(X86, 2), (ARM, None), (X86, 2)]
    assert " unknown " in run("packages", "find", "--database", site.url, "tea").stdout


def test_nothing_found(site: Site, tmp_path: Path) -> None:
    """An unknown name, and a database without packages, end with one line."""
    done = run("packages", "find", "--database", site.url, "none")
    assert_refused(done, 1, "none: no imported repository has a package of this name")
    assert_refused(run("packages", "find", "--database", site.url, ""), 2, "NAME: give the whole")
    (tmp_path / "2").mkdir()
    with pytest.raises(PackagesError, match="no packages have been imported"):
        find(Site(tmp_path / "2").url, "tea")
    shutil.rmtree(tmp_path / "2")


def test_it_takes_too_long(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of SQLite ends with an error after its time."""
    monkeypatch.setattr("snapshot.packages.find.SECONDS", -1)
    monkeypatch.setattr("snapshot.link._STEPS", 1)
    with pytest.raises(DatabaseError, match="interrupted"):
        find(site.url, "bash")


@pytest.mark.parametrize("column", ["version", "sum", "size"])
def test_rows_that_no_import_wrote(site: Site, column: str) -> None:
    """Rows of other types, which SQLite takes, are passed over."""
    execute(site.url, f"UPDATE mirrorlist_package SET {column} = x'00' WHERE version = '1.9'")
    assert [one.version for one in find(site.url, "tea").packages] == ["1.10-1", "1.10~rc1-1"]
