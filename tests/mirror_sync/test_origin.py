"""The whole chain: a database that is scanned and exported, the server, mirror-sync, rsync."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.mirror_sync.conftest import Network
from tests.mirror_sync.origin import Origin, run_origin
from tests.mirror_sync.stage import NOTED, Mirror, Run
from tests.mirror_sync.tree import publish, read_tree, write

pytestmark = pytest.mark.system

SPECIAL = ("a*b", "wh?t", "[x]", "back\\slash", "#comment", ";other", " blank ", "née")
_numbers = count()


@pytest.fixture(scope="module")
def origin(network: Network) -> Iterator[Origin]:
    """A primary that is exported and served."""
    folder = network.folder / "origin"
    folder.mkdir()
    network.add_module("origin", folder)
    with run_origin(folder) as running:
        yield running


@pytest.fixture
def mirror(network: Network, origin: Origin) -> Mirror:
    """A mirror that has everything of the last export, and looks at no hour before its cursor."""
    return make_mirror(network, origin)


def make_mirror(network: Network, origin: Origin, upstream: Mirror | None = None) -> Mirror:
    """A mirror of the primary, or of another mirror, that has everything."""
    assert origin.server is not None
    tree = (origin.tree if upstream is None else upstream.destination).relative_to(network.folder)
    url = f"{network.rsync}/{tree}"
    folder = origin.tree.parent / f"mirror{next(_numbers)}"
    mirror = Mirror(folder, f"http://127.0.0.1:{origin.server.port}", url)
    mirror.settings["overlap"] = 0
    mirror.fill_from(origin.tree, origin.cursor)
    return mirror


def assert_equal(mirror: Mirror, origin: Origin) -> None:
    """Assert that a mirror has what the primary has."""
    assert read_tree(mirror.destination) == read_tree(origin.tree)


def test_days(origin: Origin, mirror: Mirror) -> None:
    """From an empty mirror through days: each run brings what changed, and the cursor moves."""
    shutil.rmtree(mirror.folder)
    mirror = Mirror(mirror.folder, str(mirror.settings["server"]), str(mirror.settings["upstream"]))
    mirror.settings["overlap"] = 0
    first = mirror.run()
    assert (first.code, first.errors) == (0, "")
    assert "full run (first)" in first.output
    assert_equal(mirror, origin)
    assert mirror.cursor == origin.cursor

    cursor = origin.publish(scan=False)
    mirror.replace_programs(rsync=NOTED)
    assert mirror.run() == Run(0, "", "")
    assert not (mirror.programs / "rsync.calls").exists()
    assert mirror.cursor == cursor

    publish(origin.tree, "40/x86_64", ["a-1.rpm", "new.rpm"])
    origin.publish()
    one = mirror.run()
    assert " 2 directories listed, 3 files " in one.output
    assert " 8 deleted" in one.output
    assert_equal(mirror, origin)

    shutil.rmtree(origin.tree / "docs/guide")
    (origin.tree / "images").rename(origin.tree / "epel/9/images")
    for name in SPECIAL:
        write(origin.tree, f"{name}/{name}/{name}.rpm", name)
    cursor = origin.publish()
    mirror.sync()
    assert_equal(mirror, origin)
    assert mirror.cursor == cursor
    for name in SPECIAL:
        shutil.rmtree(origin.tree / name)
    origin.publish()
    mirror.sync()
    assert_equal(mirror, origin)


def test_the_lost_update(origin: Origin, mirror: Mirror) -> None:
    """Change, poll, scan, export, poll: listed, and on the mirror, though its time is earlier."""
    write(origin.tree, "docs/late", "late")
    origin.publish(scan=False)
    mirror.sync()
    assert not (mirror.destination / "docs/late").exists()
    polled = mirror.cursor
    assert polled == origin.cursor
    origin.publish()
    assert "docs/\n" in origin.ask(polled)[0]
    mirror.sync()
    assert_equal(mirror, origin)


def test_a_chain(network: Network, origin: Origin, mirror: Mirror) -> None:
    """A mirror of a slow mirror: the overlap brings what that one had not, and so does the look
    at repomd.xml, which holds the cursor; without both it would be lost.
    """
    careful, looking, hasty = (make_mirror(network, origin, mirror) for _ in range(3))
    careful.settings.update(overlap=1, check="no")
    hasty.settings["check"] = "no"
    for step in range(3):
        if step < 2:
            publish(origin.tree, "41/x86_64", [f"step{step}.rpm"])
            origin.publish()
        else:
            mirror.sync()
        careful.sync()
        assert looking.run().code == (4 if step < 2 else 0)
        hasty.sync()
    for other in (mirror, careful, looking):
        assert_equal(other, origin)
    assert read_tree(hasty.destination) != read_tree(origin.tree)
    assert looking.cursor == origin.cursor


def test_a_hidden_release(origin: Origin, mirror: Mirror) -> None:
    """What nobody may read is never listed; when it may be read, all of it comes."""
    write(origin.tree, "45/x86_64/os/secret", "secret")
    (origin.tree / "45").chmod(0o750)
    origin.publish()
    assert "45/" not in origin.ask(0)[0]
    assert "45/" not in origin.ask(0, "classic")[0]
    mirror.sync()
    (origin.tree / "45").chmod(0o755)
    origin.publish()
    mirror.sync()
    assert (mirror.destination / "45/x86_64/os/secret").exists()
    assert_equal(mirror, origin)


def test_names_that_cannot_be_listed(origin: Origin, mirror: Mirror) -> None:
    """What the server leaves out, and counts, comes with a full run."""
    write(origin.tree, "docs/back\\*/new", "new")
    origin.publish()
    _, headers = origin.ask(mirror.cursor or 0)
    assert (headers["x-mirrorlist-left-out"], headers["x-mirrorlist-directories"]) == ("1", "1")
    mirror.change_state(full=1)
    mirror.settings["full-every"] = 0
    run = mirror.run()
    assert "full run (1 changed directories cannot be listed)" in run.output
    assert_equal(mirror, origin)


def test_a_history_that_begins_anew(origin: Origin, mirror: Mirror) -> None:
    """When the server's history began after the cursor, something may be lost: a full run."""
    write(origin.tree, "docs/unseen", "unseen")
    for path in origin.snapshot.parent.glob("mm.snap*"):
        path.unlink()
    origin.wait_for_a_second()
    cursor = origin.publish()
    assert int(origin.ask(0)[1]["x-mirrorlist-history"]) > (mirror.cursor or 0)
    run = mirror.run()
    assert "full run (the cursor is older than the server's history)" in run.output
    assert_equal(mirror, origin)
    assert mirror.cursor == cursor


def test_a_refused_question(origin: Origin, mirror: Mirror) -> None:
    """A category that does not exist is said with those that do, and nothing is done."""
    run = mirror.run("--categories", "Test Linus", "--full")
    assert run.code == 2
    assert "no category Test?Linus; there are Test%20Linux, Test%20EPEL" in run.errors


def test_select(origin: Origin, mirror: Mirror) -> None:
    """A partial mirror gets what it selected by the server's globs and by rsync's rules."""
    mirror.settings["select"] = "4*/**/repodata"
    before = Path(mirror.destination, "docs")
    mirror.sync()
    shutil.rmtree(before)
    publish(origin.tree, "40/x86_64", ["selected.rpm"])
    write(origin.tree, "docs/not", "selected")
    origin.publish()
    mirror.sync()
    assert not before.exists()
    assert not (mirror.destination / "40/x86_64/Packages/selected.rpm").exists()
    repodata = "40/x86_64/repodata"
    assert read_tree(mirror.destination / repodata) == read_tree(origin.tree / repodata)
