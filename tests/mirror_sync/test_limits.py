"""What a server may cost mirror-sync, whatever fetches its answers, and who is said to be wrong."""

import time

import pytest

from tests.mirror_sync.stage import NOTED, Stage, answer
from tests.mirror_sync.tree import write

pytestmark = pytest.mark.system

CURSOR = {"X_Mirrorlist_Cursor": 1_790_000_000, "X_Mirrorlist_History": 1_780_000_000}
CLIENTS = [pytest.param("", id="curl"), pytest.param("curl", id="wget")]
CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked", **CURSOR}


def _chunks(count: int, chunk: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(chunk), chunk) * count + b"0\r\n\r\n"


def _assert_junk(stage: Stage, *words: str) -> None:
    """Assert that a run did nothing, blames the server, and left nothing behind."""
    before = stage.connections, stage.mirror.read_state()
    run = stage.mirror.run()
    assert (run.code, run.output) == (75, ""), run.errors
    assert len(run.errors.splitlines()) == 1, run.errors
    assert run.errors.endswith("; nothing is done\n")
    assert all(word in run.errors for word in words), run.errors
    assert (stage.connections, stage.mirror.read_state()) == before
    assert not (stage.mirror.state / "work").exists()


@pytest.mark.parametrize("without", CLIENTS)
@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(answer(200, _chunks(40, b"docs/\n" * 5000), **CHUNKED), id="chunks"),
        pytest.param(answer(200, b"docs/\n" * 200_000, **CURSOR), id="with a length"),
        pytest.param(answer(200, b"x" * 1_200_000, **CURSOR), id="one line"),
        pytest.param(
            answer(200, b"docs/\n", **CURSOR).replace(b"Connection", b"X: " + b"y" * 999 + b"\r\nC")
            .replace(b"\r\nC", b"".join(b"\r\nX%d: %s" % (n, b"y" * 999) for n in range(2000))
            + b"\r\nC", 1),
            id="headers",
        ),
    ],
)  # fmt: skip
def test_size(synced: Stage, without: str, instead: bytes) -> None:
    """No more is taken than the limit, also of an answer in chunks, or of headers."""
    synced.mirror.replace_programs(without)
    synced.mirror.hurry(MOST_BYTES=1_048_576)
    synced.site.instead = instead
    _assert_junk(synced)


@pytest.mark.parametrize("without", CLIENTS)
@pytest.mark.parametrize("after", [pytest.param(20, id="head"), pytest.param(320, id="body")])
def test_time(synced: Stage, without: str, after: int) -> None:
    """A server that sends a byte now and then holds the run, and its lock, no longer than said."""
    synced.mirror.replace_programs(without)
    synced.mirror.hurry(ANSWER_SECONDS=1)
    synced.site.drips_after = after
    synced.site.instead = answer(200, b"docs/\n" * 999, **CURSOR)
    begun = time.monotonic()
    _assert_junk(synced, "no ")
    assert time.monotonic() - begun < 10


# A clock that is a second later each time it is asked.
LATER = """n=$(cat "$0.n" 2>/dev/null || echo 0)
echo $((n + 1)) >"$0.n"
case $1 in
+%s) echo $(($(/usr/bin/date +%s) + n)) ;;
*) /usr/bin/date "$@" ;;
esac"""


def test_time_of_all_comparisons(synced: Stage) -> None:
    """Requests for metalinks that each come late end after a limit; the cursor stays."""
    cursor = synced.mirror.cursor or 0
    synced.mirror.hurry(CHECK_SECONDS=0)
    write(synced.primary, "40/x86_64/repodata/new", "new")
    synced.site.instead = synced.site.good("40/x86_64/repodata/\n", X_Mirrorlist_Cursor=cursor + 1)
    synced.mirror.replace_programs(date=LATER)
    run = synced.mirror.run()
    assert run.code == 75, run.errors
    assert "the server needs more than 0 s for the metalinks" in run.errors
    assert synced.mirror.cursor == cursor


NAMES = [
    pytest.param("x" * 256 + "/\n", id="a component of 256 bytes"),
    pytest.param("x" * 300 + "/\n", id="a component of 300 bytes"),
    pytest.param("a/" * 3000 + "\n", id="3,000 levels"),
    pytest.param("a/" * 1025 + "\n", id="2,049 bytes"),
]


@pytest.mark.parametrize("names", [*NAMES, pytest.param("docs/\n" * 101, id="too many")])
def test_names_that_no_mirror_has(synced: Stage, names: str) -> None:
    """Names that no file system takes are the server's junk, not trouble of this machine."""
    excluded = synced.mirror.folder / "excluded"
    excluded.write_text("*.iso\n")
    synced.mirror.settings["exclude-from"] = excluded
    synced.mirror.hurry(MOST_NAMES=100)
    synced.site.instead = synced.site.good(names)
    before = synced.connections
    run = synced.mirror.run()
    assert (run.code, run.output) == (75, ""), run.errors
    assert "an answer with a name that cannot be trusted" in run.errors
    assert synced.connections == before


def test_the_longest_names(synced: Stage) -> None:
    """Names at the limits are taken, and what upstream does not have of them costs nothing."""
    excluded = synced.mirror.folder / "excluded"
    excluded.write_text("*.iso\n")
    synced.mirror.settings["exclude-from"] = excluded
    synced.mirror.sync("--full")
    names = ["x" * 255, "/".join(["y" * 127] * 16), "/".join(["a"] * 1000)]
    synced.site.instead = synced.site.good("".join(f"{name}/\n" for name in names))
    synced.mirror.sync()


@pytest.mark.parametrize("name", ["docs/\\*/", "docs/\\[x]/", "\\?/"])
def test_no_name_switches_trust_on(synced: Stage, name: str) -> None:
    """Beside an exclude the check of names stays, whatever names the server lists."""
    excluded = synced.mirror.folder / "excluded"
    excluded.write_text("*.iso\n")
    synced.mirror.settings["exclude-from"] = excluded
    synced.mirror.sync("--full")
    synced.mirror.replace_programs(rsync=NOTED)
    write(synced.primary, "docs/new", "new")
    synced.site.instead = synced.site.good(f"docs/\n{name}\n")
    run = synced.mirror.run()
    assert "--trust-sender" not in (synced.mirror.programs / "rsync.calls").read_text()
    assert run.code == 4, run.errors
    assert (synced.mirror.destination / "docs/new").exists()
