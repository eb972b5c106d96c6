"""mirror-sync and answers that no good server gives: a full run or nothing, never half a list."""

import pytest

from tests.mirror_sync.stage import HOUR, Stage, answer, close_at_once
from tests.mirror_sync.tree import publish, read_tree

pytestmark = pytest.mark.system

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
CURSOR = {"X_Mirrorlist_Cursor": 1_790_000_000, "X_Mirrorlist_History": 1_780_000_000}


def _names(text: str | bytes) -> bytes:
    """An answer that is right in all but its names."""
    body = text.encode() if isinstance(text, str) else text
    return answer(200, body, **CURSOR)


# These depend on what fetches an answer, so they are tried with each.
BROKEN = [
    pytest.param(b"", id="closed at once"),
    pytest.param(b"\0\1\2 no HTTP\n", id="no HTTP"),
    pytest.param(answer(500, b"oops\n"), id="500"),
    pytest.param(answer(503, b"", Retry_After=60), id="503"),
    pytest.param(answer(204), id="204"),
    pytest.param(answer(304), id="304"),
    pytest.param(answer(403, PAGE, Content_Type="text/html"), id="403"),
    pytest.param(answer(404, PAGE, Content_Type="text/html"), id="another 404"),
    pytest.param(answer(200), id="empty without a cursor"),
    pytest.param(answer(200, b"docs/\n", Content_Length=900, **CURSOR), id="cut short"),
    pytest.param(answer(200, b"", Content_Length=5, **CURSOR), id="cut to nothing"),
    pytest.param(answer(200, b"docs/\n", Content_Length=None, **CURSOR), id="no length"),
    pytest.param(
        answer(
            200,
            b"6\r\ndocs/\n\r\n",
            Content_Length=None,
            Transfer_Encoding="chunked",
            **CURSOR,
        ),
        id="chunks without an end",
    ),
]
JUNK = [
    pytest.param(answer(200, PAGE, Content_Type="text/html"), id="page"),
    pytest.param(answer(200, PAGE, Content_Type="text/html", **CURSOR), id="page with a cursor"),
    pytest.param(answer(200, b"docs/\n"), id="list without a cursor"),
    pytest.param(answer(200, b"docs/\n", X_Mirrorlist_Cursor="soon"), id="cursor of letters"),
    pytest.param(answer(200, b"docs/\n", X_Mirrorlist_Cursor="-5"), id="cursor below zero"),
    pytest.param(answer(200, b"docs/\n", X_Mirrorlist_Cursor="1e9"), id="cursor in floats"),
    pytest.param(answer(200, b"docs/\n", X_Mirrorlist_Cursor="9" * 11), id="cursor in the future"),
    pytest.param(answer(200, b"docs/\n", X_Mirrorlist_Cursor="9" * 30), id="cursor too long"),
    pytest.param(
        answer(200, b"docs/\n", **{**CURSOR, "X_Mirrorlist_History": "$(id)"}), id="history"
    ),
    pytest.param(
        answer(200, b"docs/\n", X_Mirrorlist_Directories=2, **CURSOR), id="too few directories"
    ),
    pytest.param(answer(200, b"", X_Mirrorlist_Directories=1, **CURSOR), id="no directories"),
    pytest.param(_names("docs"), id="no line feed at the end"),
    pytest.param(_names("docs/\n\nimages/\n"), id="empty line"),
    pytest.param(_names("/etc/\n"), id="absolute"),
    pytest.param(_names("/\n"), id="root"),
    pytest.param(_names("../\n"), id="above"),
    pytest.param(_names("docs/../../etc/\n"), id="above in the middle"),
    pytest.param(_names("docs/..\n"), id="above at the end"),
    pytest.param(_names("docs/./guide/\n"), id="dot in the middle"),
    pytest.param(_names("docs//guide/\n"), id="two slashes"),
    pytest.param(_names("--delete\n"), id="option"),
    pytest.param(_names("docs/\r\n"), id="carriage return"),
    pytest.param(_names(b"docs/\0/\n"), id="NUL"),
    pytest.param(_names("docs/\x1b[31m\n"), id="terminal"),
    pytest.param(_names("\x7f/\n"), id="DEL"),
]


@pytest.fixture(scope="module")
def _shared() -> dict[str, Stage]:
    return {}


@pytest.fixture
def spared(request: pytest.FixtureRequest, _shared: dict[str, Stage]) -> Stage:
    """A mirror that has everything, for tests in which it must stay as it is."""
    if not _shared:
        _shared["stage"] = request.getfixturevalue("synced")
    return _shared["stage"]


@pytest.mark.parametrize("instead", [*BROKEN, *JUNK])
def test_junk(spared: Stage, instead: bytes) -> None:
    """With junk rsync is not started and the cursor stays; one line says what is wrong."""
    spared.mirror.replace_programs()
    assert_nothing_done(spared, instead)


@pytest.mark.parametrize("instead", BROKEN)
def test_junk_by_wget(spared: Stage, instead: bytes) -> None:
    """Wget takes no more for an answer than curl."""
    spared.mirror.replace_programs(without="curl")
    assert_nothing_done(spared, instead)


def assert_nothing_done(spared: Stage, instead: bytes) -> None:
    """Assert that a run with this answer does nothing and says why."""
    before = spared.connections, spared.mirror.read_state()
    spared.site.instead = instead
    run = spared.mirror.run()
    assert (run.code, run.output) == (75, "")
    assert len(run.errors.splitlines()) == 1
    assert run.errors.endswith("; nothing is done\n")
    assert run.errors.rstrip("\n").isprintable()
    assert (spared.connections, spared.mirror.read_state()) == before


@pytest.mark.parametrize("without", [pytest.param("", id="curl"), pytest.param("curl", id="wget")])
def test_server_away(spared: Stage, without: str) -> None:
    """A server that cannot be reached is junk too."""
    before = spared.connections
    spared.mirror.replace_programs(without)
    run = spared.mirror.run("--server", f"http://127.0.0.1:{close_at_once()}")
    assert run.code == 75
    assert "no answer" in run.errors
    assert "refused" in run.errors or "connect" in run.errors
    assert spared.connections == before


def test_names_that_are_commands(spared: Stage) -> None:
    """Names are never run: quotes, blanks, dollars and backquotes are only names."""
    names = ["$(touch pwned)/", "`touch pwned`/", "'; touch pwned; '/", 'a" b/', "* ?/", "a\\b/"]
    spared.site.instead = spared.site.good("".join(f"{name}\n" for name in names))
    spared.mirror.replace_programs()
    spared.mirror.sync()
    assert not list(spared.folder.rglob("pwned*"))
    spared.assert_equal()


def test_refused_question(spared: Stage) -> None:
    """A question that the server refuses is an error of the settings, in the server's words."""
    spared.site.instead = answer(400, b"# categories=: no category X; there are A, B\n")
    run = spared.mirror.run()
    assert (run.code, run.output) == (2, "")
    assert "no category X; there are A, B" in run.errors


def test_no_change_times(spared: Stage) -> None:
    """A server without change times is no news as long as no full run is due."""
    before = spared.connections
    spared.site.instead = answer(404, b"# no change times are known here\n")
    run = spared.mirror.run()
    assert (run.code, run.output, run.errors) == (0, "", "")
    assert spared.connections == before


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(answer(404, b"# no change times\n"), id="404"),
        pytest.param(answer(200, PAGE, Content_Type="text/html"), id="page"),
        pytest.param(answer(200, b"", Content_Length=7, **CURSOR), id="cut to nothing"),
    ],
)
def test_full_run_instead(synced: Stage, instead: bytes) -> None:
    """A server that cannot say brings a full run, but not more often than `fallback` says."""
    cursor = synced.mirror.cursor
    publish(synced.primary, "40/x86_64", ["new.rpm"])
    synced.scan.scan()
    synced.site.instead = instead
    full = int(synced.mirror.read_state()["full"])
    synced.mirror.change_state(full=full - 25 * HOUR)
    before = synced.connections
    synced.mirror.settings["fallback"] = "never"
    synced.mirror.run()
    assert synced.connections == before
    synced.mirror.settings["fallback"] = 24
    run = synced.mirror.run()
    assert (run.code, run.errors) == (0, "")
    assert "a full run instead" in run.output
    synced.assert_equal()
    # The cursor is the server's, and it gave none.
    assert synced.mirror.cursor == cursor
    before = synced.connections
    assert synced.mirror.run().code in (0, 75)
    assert synced.connections == before


def test_first_run_without_server(stage: Stage) -> None:
    """A mirror can be filled without the server; with it, a full run then gives the cursor."""
    stage.site.instead = answer(500)
    assert stage.mirror.run().code == 0
    stage.assert_equal()
    assert stage.mirror.cursor is None
    stage.site.instead = None
    run = stage.mirror.run()
    assert "full run (no cursor)" in run.output
    assert stage.mirror.cursor == stage.scan.cursor


def test_left_out_names(synced: Stage) -> None:
    """Changes that the server cannot list bring a full run, not more often than `fallback`."""
    publish(synced.primary, "40/x86_64", ["new.rpm"])
    synced.scan.scan()
    synced.site.instead = synced.site.good("", X_Mirrorlist_Left_Out=1)
    synced.mirror.sync()
    full = int(synced.mirror.read_state()["full"])
    synced.mirror.change_state(full=full - 25 * HOUR)
    synced.mirror.sync()
    assert read_tree(synced.mirror.destination) == read_tree(synced.primary)
