"""`mirrorlist packages` as a user runs it: what it prints, and how a failure ends it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command import assert_refused, run_unread
from tests.command import run_inside as run
from tests.packaged import ARM, X86, Rpm, Site, names

TEA, CUP = Rpm("tea", provides=('name="t"',)), Rpm("cup")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a repository that can be read, and one that cannot."""
    site = Site(tmp_path)
    site.write(X86, TEA, CUP)
    (site.source / ARM / "repodata").mkdir(parents=True)
    (site.source / ARM / "repodata/repomd.xml").write_text("<repomd>")
    return site


def words(site: Site, *more: str) -> list[str]:
    """Return the words of an import."""
    return ["packages", "import", "--database", site.url, str(site.source), *more]


def test_what_it_says(site: Site) -> None:
    """It says what could not be read, what changed and how long it took."""
    done = run(*words(site))
    assert (done.returncode, done.stdout) == (1, "")
    problem, first, *rest = done.stderr.splitlines()
    assert problem.startswith(f"  ! {ARM}: repomd.xml is not XML: no element found")
    assert first == "mirrorlist: repositories 1 imported, 0 deleted, 0 unchanged"
    assert rest[:2] == [
        "mirrorlist: packages 2 added, 0 deleted",
        "mirrorlist: capabilities 1 added, 0 deleted",
    ]
    assert re.fullmatch(r"mirrorlist: \d+\.\d\d s: connecting \d.*, writing \d+\.\d\d", rest[2])
    again = run(*words(site))
    assert "nothing has changed in 1 repository (" in again.stderr
    assert again.returncode == 1
    shutil.rmtree(site.source / ARM)
    assert run(*words(site)).returncode == 0


def test_a_primary_that_cannot_be_read_is_not_a_success(site: Site) -> None:
    """What runs the import each hour must see that a repository stays as it was."""
    site.write(ARM, TEA)
    site.run()
    site.write(X86, TEA)
    next((site.source / X86 / "repodata").glob("*primary*")).write_bytes(b"?")
    done = run(*words(site, "--json"))
    found = json.loads(done.stdout)
    assert (done.returncode, found["repositories_unread"]) == (1, [X86])
    assert names(site) == ["cup-1", "tea-1"]


def test_a_dry_run(site: Site) -> None:
    """It names the repositories that would be imported, and writes nothing."""
    done = run(*words(site, "--dry-run"))
    assert done.stdout == f"~ {X86}\n"
    assert "packages would be 2 added, 0 deleted" in done.stderr
    run(*words(site))
    shutil.rmtree(site.source / X86)
    done = run(*words(site, "--dry-run", "--allow-deletions"))
    assert done.stdout == f"- {X86}\n"
    assert names(site) == ["cup-1", "tea-1"]


def test_json(site: Site) -> None:
    """It prints one object."""
    found = json.loads(run(*words(site, "--json")).stdout)
    assert found["repositories_imported"] == [X86]
    assert (found["packages_added"], found["dry_run"], len(found["problems"])) == (2, False, 1)


def test_refused(site: Site) -> None:
    """A failure ends with one line and its code."""
    run(*words(site))
    shutil.rmtree(site.source / X86)
    assert_refused(run(*words(site)), 3, "1 of 1 repositories are no longer there", "--allow-del")
    assert_refused(run(*words(site, "--repo", "epel-3")), 3, f"{ARM}: repomd.xml is not XML")
    assert_refused(run("packages", "import", "/"), 2, "--database is missing")
    assert_refused(run("packages", "import", "--database", "mysql://x/y", "/"), 2, "mysql: not a ")
    other = ("packages", "import", "--database", site.url, str(site.source / "pub"))
    assert_refused(
        run(*other), 3, f"pub: no repository of the database is there, such as {ARM}/re",
        f"perhaps give {site.source}\n",
    )  # fmt: skip
    assert_refused(run(*other, "--topdir", "srv"), 3, "--topdir srv: no repository is below it")
    below = (*other[:-1], str(site.source.parent), "--topdir", "pub")
    assert_refused(run(*below), 3, "give the folder or URL that is pub\n")
    shutil.rmtree(site.source)
    assert_refused(run(*words(site)), 3, "source: no such folder; nothing was changed")


@pytest.mark.parametrize("command", ["import", "find", "slim"])
def test_a_closed_pipe(site: Site, tmp_path: Path, command: str) -> None:
    """A reader that goes away early, such as `head`, is not a failure: the work is done."""
    site.run()
    more = {
        "import": ("--database", site.url, str(site.source)),
        "find": ("--database", site.url, "tea"),
        "slim": ("--out", str(tmp_path / "slim"), str(site.source / X86)),
    }
    assert run_unread("packages", command, "--json", *more[command]) == (0, "")
