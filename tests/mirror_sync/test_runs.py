"""Runs of mirror-sync in which everything works: what arrives, what goes, and what it costs."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import run as command
from tests.mirror_sync.stage import HOUR, NOTED, RSYNC, Mirror, Stage
from tests.mirror_sync.tree import packages_of, publish, read_tree, write
from tests.packaged import Rpm, primary
from tests.packaged import write as write_packages
from tests.system import ROOT

pytestmark = pytest.mark.system

MANUAL = ROOT / "contrib/mirror-sync/README.md"
SPECIAL = ("a*b", "wh?t", "[x]", "back\\slash", "#comment", ";other", " blank ", "née", "tab\there")


def test_first_run(stage: Stage) -> None:
    """The first run brings everything, says so, and keeps the server's cursor."""
    run = stage.mirror.run()
    assert (run.code, run.errors) == (0, "")
    assert "full run (first)" in run.output
    stage.assert_equal()
    assert stage.mirror.cursor == stage.scan.cursor
    # Other tests begin with what a first run leaves.
    left = Mirror(stage.folder / "left", "", "")
    left.settings = stage.mirror.settings
    left.fill_from(stage.primary, stage.scan.cursor)
    assert {**left.read_state(), "full": ""} == {**stage.mirror.read_state(), "full": ""}
    stage.assert_equal(left)


def test_nothing_changed(synced: Stage) -> None:
    """When nothing changed, rsync is not started, nothing is said, and the cursor moves."""
    before = synced.connections
    synced.scan.scan()
    run = synced.mirror.run()
    assert (run.code, run.output, run.errors) == (0, "", "")
    assert synced.connections == before
    assert synced.mirror.cursor == synced.scan.cursor


def test_one_repository(synced: Stage) -> None:
    """A changed repository is all that is listed; its old packages go."""
    publish(synced.primary, "40/x86_64", ["a-1.rpm", *(f"{n}-2.rpm" for n in range(9))])
    synced.mirror.settings["overlap"] = 0
    synced.scan.scan()
    run = synced.mirror.run()
    assert (run.code, run.errors) == (0, "")
    assert " 2 directories listed, 11 files " in run.output
    assert " 8 deleted" in run.output
    synced.assert_equal()


def _remove_directory(tree: Path) -> None:
    shutil.rmtree(tree / "docs/guide")


def _remove_at_the_top(tree: Path) -> None:
    (tree / "README").unlink()


def _rename(tree: Path) -> None:
    (tree / "docs").rename(tree / "documents")


def _directory_becomes_link(tree: Path) -> None:
    shutil.rmtree(tree / "docs/guide/part")
    (tree / "docs/guide/part").symlink_to("../..")


def _link_becomes_directory(tree: Path) -> None:
    (tree / "latest").unlink()
    write(tree, "latest/file", "not a link")


def _directory_becomes_file(tree: Path) -> None:
    shutil.rmtree(tree / "docs/guide")
    write(tree, "docs/guide", "one page")


def _file_becomes_directory(tree: Path) -> None:
    (tree / "README").unlink()
    write(tree, "README/first", "1")


def _special_names(tree: Path) -> None:
    for name in SPECIAL:
        write(tree, f"{name}/{name}/{name}.rpm", name)
        write(tree, f"docs/guide/{name}", name)


def _special_names_go(tree: Path) -> None:
    _special_names(tree)
    for name in SPECIAL:
        shutil.rmtree(tree / name / name)


def _line_feed(tree: Path) -> None:
    write(tree, "docs/guide/two\nlines", "a file's name may have what a directory's may not")


def _hard_link(tree: Path) -> None:
    write(tree, "docs/new/name", "new")
    (tree / "docs/new/boot.iso").hardlink_to(tree / "images/boot.iso")


def _permissions(tree: Path) -> None:
    (tree / "docs/guide").chmod(0o750)
    write(tree, "docs/guide/script", "#!/bin/sh\n")
    (tree / "docs/guide/script").chmod(0o755)


def _empty_directory(tree: Path) -> None:
    (tree / "docs/empty/below").mkdir(parents=True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_remove_directory, id="directory removed"),
        pytest.param(_remove_at_the_top, id="file at the top removed"),
        pytest.param(_rename, id="directory renamed"),
        pytest.param(_directory_becomes_link, id="directory becomes link"),
        pytest.param(_link_becomes_directory, id="link becomes directory"),
        pytest.param(_directory_becomes_file, id="directory becomes file"),
        pytest.param(_file_becomes_directory, id="file becomes directory"),
        pytest.param(_special_names_go, id="special names go"),
        pytest.param(_line_feed, id="line feed"),
        pytest.param(_hard_link, id="hard link"),
        pytest.param(_permissions, id="permissions"),
        pytest.param(_empty_directory, id="empty directory"),
    ],
)
def test_changes(synced: Stage, change: Callable[[Path], None]) -> None:
    """Whatever happens on the primary, the mirror is equal after a run."""
    change(synced.primary)
    synced.scan.scan()
    synced.mirror.sync()
    synced.assert_equal()


def test_changes_found_by_a_full_run(synced: Stage) -> None:
    """A full run finds by itself whatever happened on the primary."""
    for change in (
        _special_names_go,
        _line_feed,
        _hard_link,
        _directory_becomes_link,
        _permissions,
    ):
        change(synced.primary)
    _file_becomes_directory(synced.primary)
    synced.mirror.sync("--full")
    synced.assert_equal()
    _directory_becomes_file(synced.primary)
    _rename(synced.primary)
    synced.mirror.sync("--full")
    synced.assert_equal()


def test_hard_links_stay(synced: Stage) -> None:
    """Names of one file are one file again after a full run at the latest."""
    _hard_link(synced.primary)
    synced.scan.scan()
    synced.mirror.sync()
    synced.mirror.sync("--full")
    here = synced.mirror.destination
    assert (here / "docs/new/boot.iso").samefile(here / "images/boot.iso")


def test_only_the_renamed_directory_is_listed(synced: Stage) -> None:
    """What is below a directory that is new to the mirror comes with it, listed or not."""
    _rename(synced.primary)
    synced.site.instead = synced.site.good("./\n")
    synced.mirror.sync()
    synced.assert_equal()


def test_listed_directories_that_upstream_lacks(synced: Stage) -> None:
    """A directory that upstream does not have, or not yet, is no error."""
    synced.site.instead = synced.site.good("not/there/\ndocs/\n")
    write(synced.primary, "docs/new", "new")
    synced.mirror.sync()
    synced.assert_equal()


def test_the_overlap_is_asked_for(synced: Stage) -> None:
    """The question goes back by the overlap before the cursor."""
    cursor = synced.mirror.cursor
    assert cursor is not None
    synced.mirror.sync()
    synced.mirror.sync("--overlap", "5")
    asked = [line for line in synced.site.asked if line.startswith("/rsyncFilter")]
    assert f"since={cursor - 48 * HOUR}&" in asked[0]
    assert f"since={cursor - 5 * HOUR}&" in asked[1]
    assert "categories=Test%20Linux,Test%20EPEL&" in asked[0]


OLDER = f"{RSYNC} --help | grep -v trust-sender"


@pytest.mark.parametrize(
    ("options", "rsync", "passed"),
    [
        pytest.param({}, NOTED, True, id="by default"),
        pytest.param({"rsync-options": "--no-owner"}, NOTED, True, id="no rules"),
        pytest.param({"rsync-options": "--exclude=x"}, NOTED, False, id="excluded by an option"),
        pytest.param({"rsync-options": "-F"}, NOTED, False, id="perhaps excluded"),
        pytest.param({"select": "**"}, NOTED, False, id="selected"),
        pytest.param({"select": "**", "trust-sender": "yes"}, NOTED, True, id="yes"),
        pytest.param({"trust-sender": "no"}, NOTED, False, id="no"),
        pytest.param(
            {}, f'[ "$1" != --help ] || {{ {OLDER}; exit; }}\n{NOTED}', False, id="older rsync"
        ),
    ],
)
def test_trust_sender(stage: Stage, options: dict[str, object], rsync: str, passed: bool) -> None:
    """The costly check of names is left out only where it protects nothing, and is known."""
    stage.mirror.settings.update(options)
    stage.mirror.fill_from(stage.primary, stage.scan.cursor)
    stage.mirror.replace_programs(rsync=rsync)
    write(stage.primary, "docs/new", "new")
    stage.site.instead = stage.site.good("docs/\n")
    assert " listed run: would set " in stage.mirror.run("--dry-run").output
    calls = (stage.mirror.programs / "rsync.calls").read_text()
    assert ("--trust-sender" in calls) == passed


def test_without_trust(synced: Stage) -> None:
    """Names on which rsync's check ends the run stay away if it must not be left out."""
    cursor = synced.mirror.cursor
    write(synced.primary, "docs/\\*/new", "new")
    write(synced.primary, "docs/new", "new")
    synced.site.instead = synced.site.good("docs/\n")
    synced.mirror.settings["trust-sender"] = "no"
    run = synced.mirror.run()
    assert run.code == 4
    assert "need trust-sender" in run.errors
    assert (synced.mirror.destination / "docs/new").exists()
    assert synced.mirror.cursor == cursor
    synced.site.instead = synced.site.good("docs/\\*/\n")
    synced.mirror.sync("--trust-sender", "yes")
    synced.assert_equal()


def test_wget_instead_of_curl(stage: Stage) -> None:
    """Without curl, wget does the same."""
    stage.mirror.replace_programs(without="curl")
    stage.mirror.sync()
    publish(stage.primary, "41/x86_64", ["z-1.rpm", "a-1.rpm"])
    stage.scan.scan()
    stage.mirror.sync()
    stage.assert_equal()
    assert stage.mirror.cursor == stage.scan.cursor


def test_dry_run(synced: Stage) -> None:
    """A dry run says what would be done, and does nothing."""
    before, state = read_tree(synced.mirror.destination), synced.mirror.read_state()
    publish(synced.primary, "40/x86_64", ["new.rpm"])
    synced.scan.scan()
    run = synced.mirror.run("--dry-run", "--verbose")
    assert run.code == 0
    assert "40/x86_64/Packages/new.rpm" in run.output
    assert "listed run: would set " in run.output
    assert " and delete 9\n" in run.output
    assert (read_tree(synced.mirror.destination), synced.mirror.read_state()) == (before, state)


@pytest.mark.parametrize(
    ("state", "options", "reason"),
    [
        pytest.param({}, ["--full"], "asked for", id="asked for"),
        pytest.param({"full": 1}, [], "every 7 days", id="now and then"),
        pytest.param({"cursor": 1}, [], "older than the server's history", id="history"),
        pytest.param({"cursor": ""}, [], "no cursor", id="no cursor"),
        pytest.param({}, ["--select", "**"], "other settings", id="other settings"),
    ],
)
def test_full_runs(
    synced: Stage, state: dict[str, object], options: list[str], reason: str
) -> None:
    """A full run finds what no list says, and is made when a list may have lost something."""
    shutil.rmtree(synced.mirror.destination / "images")
    (synced.mirror.destination / "docs/stray").write_text("stray")
    synced.mirror.change_state(**state)
    run = synced.mirror.run(*options)
    assert (run.code, run.errors) == (0, "")
    assert "full run (" in run.output
    assert reason in run.output
    synced.assert_equal()
    assert synced.mirror.cursor == synced.scan.cursor


@pytest.mark.parametrize(
    ("select", "kept"),
    [
        pytest.param("40/**", {"40"}, id="tree"),
        pytest.param("*/x86_64/repodata/**", {"40", "41"}, id="wildcard"),
        pytest.param("**/guide/**", {"docs"}, id="anywhere"),
        pytest.param("docs/**/part", {"docs"}, id="in between"),
        pytest.param("docs", {"docs"}, id="one directory"),
    ],
)
def test_partial_mirror(stage: Stage, select: str, kept: set[str]) -> None:
    """A selection holds for full runs and for listed ones; nothing else is touched."""
    stage.mirror.settings["select"] = select
    stage.mirror.settings["check"] = "no"
    (stage.mirror.destination / "own").touch()
    stage.mirror.sync()
    for repository in ("40/x86_64", "41/x86_64"):
        publish(stage.primary, repository, ["new.rpm"])
    write(stage.primary, "docs/guide/part/three.html", "three")
    write(stage.primary, "docs/four.html", "four")
    stage.scan.scan()
    stage.mirror.sync()
    listed = read_tree(stage.mirror.destination)
    tops = {name.partition("/")[0] for name in listed if listed[name][0] == "file"}
    assert tops == kept | {"own"}
    del listed["own"]
    assert listed.items() <= read_tree(stage.primary).items()


def test_a_partial_mirror(stage: Stage) -> None:
    """With the rules of `packages slim`, old packages do not come, and its repodata stays."""
    top, mirror = "40/x86_64", stage.mirror.destination / "40/x86_64"
    slim = stage.folder / "slim"

    def update(*names: str) -> None:
        publish(stage.primary, top, names)
        rpms = [Rpm("a", name[2], path=f"Packages/{name}") for name in names]
        shutil.rmtree(stage.primary / top / "repodata")
        write_packages(stage.primary / top, primary(*rpms))
        done = command("packages", "slim", "--prefix", top, "--out", slim, stage.primary / top)
        assert done.returncode == 0, done.stderr
        stage.scan.scan()

    update("a-1.rpm", "a-2.rpm")
    stage.mirror.settings |= {"exclude-from": slim / "excludes", "check": "no"}
    assert stage.mirror.run().code == 0
    assert packages_of(stage.mirror.destination, top) == ["a-2.rpm"]
    assert not (mirror / "repodata").exists()
    shutil.copytree(slim / "repodata", mirror / "repodata")
    update("a-1.rpm", "a-2.rpm", "a-3.rpm")
    assert stage.mirror.run().code == 0
    assert packages_of(stage.mirror.destination, top) == ["a-2.rpm", "a-3.rpm"]
    assert (mirror / "repodata/repomd.xml").is_file()
    removal = re.search(r"    (sed -n .*)", MANUAL.read_text())
    assert removal
    words = removal[1].replace("/var/lib/mirror-sync/slim", str(slim))
    words = words.replace("/srv/mirror/epel", str(stage.mirror.destination))
    subprocess.run(["sh", "-c", words], check=True)
    assert packages_of(stage.mirror.destination, top) == ["a-3.rpm"]


def test_exclude(stage: Stage) -> None:
    """What is excluded never comes, and its repomd.xml is not asked for."""
    (stage.folder / "exclude").write_text("/40/\n*.iso\n")
    stage.mirror.settings["exclude-from"] = stage.folder / "exclude"
    stage.mirror.sync()
    publish(stage.primary, "40/x86_64", ["new.rpm"])
    publish(stage.primary, "41/x86_64", ["new.rpm"])
    stage.scan.scan()
    stage.mirror.sync()
    assert not (stage.mirror.destination / "40").exists()
    assert not (stage.mirror.destination / "images/boot.iso").exists()
    assert packages_of(stage.mirror.destination, "41/x86_64") == ["new.rpm"]


def test_what_comes_last_may_be_files(synced: Stage) -> None:
    """Names that come last are directories or files."""
    write(synced.primary, "docs/list", "new")
    write(synced.primary, "docs/other", "new")
    synced.scan.scan()
    synced.mirror.settings["last"] = "repodata list"
    synced.mirror.sync()
    synced.assert_equal()
