"""What mirror-sync refuses, and what holds its cursor back."""

import shutil
from hashlib import sha256

import pytest

from tests.mirror_sync.stage import HOUR, Mirror, Stage, answer
from tests.mirror_sync.tree import publish, read_tree, write

pytestmark = pytest.mark.system


def test_too_many_deletions(synced: Stage) -> None:
    """More deletions than the share are refused as a whole; what is new comes all the same."""
    cursor = synced.mirror.cursor
    publish(synced.primary, "40/x86_64", ["new.rpm"])
    shutil.rmtree(synced.primary / "docs")
    synced.scan.scan()
    synced.mirror.settings["max-delete"] = 25
    for _ in range(2):
        run = synced.mirror.run()
        assert run.code == 3
        assert "would be deleted, more than max-delete 25 %" in run.errors
        assert (synced.mirror.destination / "40/x86_64/Packages/new.rpm").exists()
        assert (synced.mirror.destination / "docs/guide/part/one.html").exists()
        assert synced.mirror.cursor == cursor
    synced.mirror.sync("--full", "--max-delete", "100")
    synced.assert_equal()
    assert synced.mirror.cursor == synced.scan.cursor


def test_few_deletions(synced: Stage) -> None:
    """Deletions within the share of all files are made."""
    (synced.primary / "docs/guide/two.html").unlink()
    synced.scan.scan()
    synced.mirror.settings["max-delete"] = 5
    synced.mirror.sync()
    synced.assert_equal()


@pytest.mark.parametrize("kind", ["listed", "full"])
def test_upstream_is_empty(synced: Stage, kind: str) -> None:
    """An upstream whose disk is not mounted deletes nothing."""
    before = read_tree(synced.mirror.destination)
    shutil.rmtree(synced.primary)
    synced.primary.mkdir()
    synced.mirror.settings["max-delete"] = 25
    synced.site.instead = synced.site.good("./\ndocs/\n40/x86_64/\n")
    run = synced.mirror.run(*["--full"][: kind == "full"])
    assert run.code == 3
    assert read_tree(synced.mirror.destination) == before


def test_a_refused_full_run_is_not_repeated(synced: Stage) -> None:
    """A full run that is due anyway is not made each hour after its deletions were refused."""
    shutil.rmtree(synced.primary)
    synced.primary.mkdir()
    synced.mirror.settings["max-delete"] = 25
    synced.mirror.change_state(cursor=1)
    assert synced.mirror.run().code == 3
    before = synced.connections
    run = synced.mirror.run()
    assert run.code == 3
    assert "deletions were refused" in run.errors
    assert synced.connections == before


def _behind(stage: Stage) -> Mirror:
    """A mirror of the first mirror, which has not got yet what the primary has."""
    server = str(stage.mirror.settings["server"])
    second = Mirror(stage.folder / "second", server, f"{stage.url}/first/mirror")
    second.sync()
    publish(stage.primary, "40/x86_64", ["new.rpm"])
    stage.scan.scan()
    return second


def test_repomd_behind(synced: Stage) -> None:
    """While upstream's repomd.xml is not the metalink's, the cursor stays."""
    second = _behind(synced)
    cursor = second.cursor
    second.settings["overlap"] = 0
    for _ in range(2):
        synced.scan.scan(hours=72)
        run = second.run()
        assert run.code == 4
        assert "1 not as the metalink says, such as 40/x86_64/repodata/" in run.errors
        assert second.cursor == cursor
    synced.mirror.sync()
    second.sync()
    synced.assert_equal(second)
    assert second.cursor == synced.scan.cursor


def test_alternates(synced: Stage) -> None:
    """An older repomd.xml that the metalink still accepts holds the cursor, without a complaint."""
    second = _behind(synced)
    new = synced.scan.metalink("pub/test/40/x86_64/repodata/repomd.xml")
    assert new is not None
    old = read_tree(second.destination)["40/x86_64/repodata/repomd.xml"][1]
    assert isinstance(old, bytes)
    document = new.replace(
        b"</file>", b"<mm0:alternates>" + _alternate(old) + b"</mm0:alternates></file>"
    )
    synced.site.metalink_instead = answer(200, document)
    cursor = second.cursor
    second.sync()
    assert second.cursor == cursor
    synced.site.metalink_instead = None
    synced.mirror.sync()
    second.sync()
    assert second.cursor == synced.scan.cursor


def _alternate(content: bytes) -> bytes:
    digest = sha256(content).hexdigest().encode()
    return (
        b'<mm0:alternate><verification><hash type="sha256">'
        + digest
        + b"</hash></verification></mm0:alternate>"
    )


@pytest.mark.parametrize(
    ("instead", "code"),
    [
        pytest.param(answer(404), 0, id="no metalink"),
        pytest.param(answer(503), 75, id="503"),
        pytest.param(answer(200, b"<html>"), 75, id="page"),
        pytest.param(b"", 75, id="closed at once"),
        pytest.param(answer(200, b"<metalink/>", Content_Length=20), 75, id="cut short"),
        pytest.param(answer(200, b"<metalink><size>1</size></metalink>"), 4, id="other size"),
        pytest.param(answer(200, b"<metalink></metalink>"), 0, id="nothing to compare"),
    ],
)
def test_metalinks(synced: Stage, instead: bytes, code: int) -> None:
    """A metalink that does not come holds the cursor; one that does not exist does not."""
    cursor = synced.mirror.cursor
    publish(synced.primary, "40/x86_64", ["new.rpm"])
    synced.scan.scan()
    synced.site.metalink_instead = instead
    run = synced.mirror.run()
    assert run.code == code, run.errors
    synced.assert_equal()
    assert (synced.mirror.cursor == cursor) == (code != 0)


def test_no_check(synced: Stage) -> None:
    """Without the check no metalink is asked for."""
    write(synced.primary, "40/x86_64/repodata/other", "x")
    synced.scan.scan()
    before = len(synced.site.asked)
    synced.mirror.sync("--check", "no")
    assert [line.split("?")[0] for line in synced.site.asked[before:]] == ["/rsyncFilter"]


def test_a_full_run_that_is_behind(synced: Stage) -> None:
    """After a full run from an upstream that is behind, listed runs go on from a week before."""
    second = _behind(synced)
    second.change_state(cursor="")
    assert second.run().code == 4
    assert second.cursor == max(synced.scan.history, synced.scan.cursor - 7 * 24 * HOUR)
    synced.mirror.sync()
    second.sync()
    synced.assert_equal(second)


def test_unmounted_destination(synced: Stage) -> None:
    """A destination that is empty or gone, but was filled before, is not filled again by itself."""
    shutil.rmtree(synced.mirror.destination)
    run = synced.mirror.run()
    assert run.code == 1
    assert "mounted" in run.errors
    synced.mirror.destination.mkdir()
    run = synced.mirror.run()
    assert run.code == 1
    assert "mounted" in run.errors
    assert list(synced.mirror.destination.iterdir()) == []
    synced.mirror.sync("--full")
    synced.assert_equal()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(["--categories", ""], "categories is not set", id="not set"),
        pytest.param(["--server", "ftp://x"], "not an http URL", id="server"),
        pytest.param(["--upstream", "--delete"], "not an rsync URL", id="upstream"),
        pytest.param(["--overlap", "08"], "overlap is not a whole number", id="octal"),
        pytest.param(["--overlap", "-1"], "overlap is not a whole number", id="negative"),
        pytest.param(["--max-delete", "1234567"], "below a million", id="too large"),
        pytest.param(["--tries", "$(id)"], "tries is not a whole number", id="command"),
        pytest.param(["--check", "maybe"], "yes or no", id="check"),
        pytest.param(["--last", "repo*"], "plain names", id="last"),
        pytest.param(["--select", "a\\b"], "backslash", id="select"),
        pytest.param(["--select", "a", "--select", "newest"], "A partial mirror", id="newest"),
        pytest.param(["--exclude-from", "/not/there"], "cannot read /not/there", id="exclude"),
        pytest.param(["--nonsense", "1"], "unknown option --nonsense", id="unknown"),
        pytest.param(["--overlap"], "--overlap needs a value", id="no value"),
        pytest.param(["more"], "unexpected argument more", id="argument"),
        pytest.param(["--config", "/not/there"], "cannot read the configuration", id="no file"),
        pytest.param(["--config"], "--config needs a file", id="no file named"),
    ],
)
def test_wrong_settings(stage: Stage, options: list[str], text: str) -> None:
    """A wrong setting is one line and exit code 2, before anything is asked."""
    run = stage.mirror.run(*options)
    assert (run.code, run.output) == (2, "")
    assert text in run.errors
    assert len(run.errors.splitlines()) == 1
    assert stage.site.asked == []


def test_wrong_line_of_the_file(stage: Stage) -> None:
    """A line of the file that is no setting is named by its number."""
    stage.mirror.settings["nonsense"] = "1"
    run = stage.mirror.run()
    assert run.code == 2
    assert f"line {len(stage.mirror.settings)}: not a setting" in run.errors


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(["--destination", "/not/there"], "no such directory", id="destination"),
        pytest.param(["--state", "/dev/null/state"], "cannot write to", id="state"),
    ],
)
def test_wrong_machine(stage: Stage, options: list[str], text: str) -> None:
    """What is missing on this machine is one line and exit code 1."""
    run = stage.mirror.run(*options)
    assert (run.code, run.output) == (1, "")
    assert text in run.errors


def test_missing_programs(stage: Stage) -> None:
    """Without rsync, or without both curl and wget, it says so."""
    stage.mirror.replace_programs(without="rsync")
    assert "no rsync" in stage.mirror.run().errors
    stage.mirror.replace_programs(without="curl wget")
    assert "neither curl nor wget" in stage.mirror.run().errors


def test_state_within_the_mirror(stage: Stage) -> None:
    """A state within the mirror, which the first run would delete, is refused."""
    run = stage.mirror.run("--state", str(stage.mirror.destination / "state"))
    assert run.code == 2
    assert "outside the destination" in run.errors


def test_spoilt_state(synced: Stage) -> None:
    """A damaged state is ignored: the whole mirror is compared again."""
    (synced.mirror.state / "cursor").write_text("cursor=$(id)\nfull=1e9\n\0\x01")
    run = synced.mirror.run()
    assert (run.code, run.errors) == (0, "")
    assert "full run (first)" in run.output
    assert synced.mirror.cursor == synced.scan.cursor
