"""The chain as a server sees it: what each stage tells, whom it asks, and what it makes of it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import create_engine

from mirrorlist.errors import OptionError
from mirrorlist.process.threads import Threads
from mirrorlist.records.counts import Count, Counts, Level, Totals
from mirrorlist.records.worker_state import RefusedFile, ServedFile, WorkerState
from mirrorlist.settings.defaults import NOWHERE
from mirrorlist.status.admin import Admin, json_reply
from mirrorlist.status.admin_process import Observer, pages
from mirrorlist.status.asking import MOST_BYTES
from mirrorlist.status.chain import Asked, Chain, ChainAsker, State, Target, row_of, targets_of
from mirrorlist.status.stage import PATH, Stage
from mirrorlist.status.stage_texts import STAGES
from mirrorlist.status.stages import (
    Rising,
    collect_stage,
    outside_probe_stage,
    probe_stage,
    scan_stage,
    server_stages,
    watch_stages,
)
from mirrorlist.status.watch_state import LastError, PushState
from mirrorlist.web.listener import listen
from snapshot.export.declared import own_metadata
from snapshot.sites.keeper_state import KeeperState
from snapshot.sites.last_probe import LOOK_SECONDS, LastProbe
from tests.admin_pages import page
from tests.factories import make_database, world
from tests.stats_world import batch, row, spooled
from tests.status_world import (
    EMPTY_COLLECT,
    EMPTY_SCAN,
    EMPTY_WATCH,
    FULL_COLLECT,
    FULL_SCAN,
    FULL_WATCH,
    NOW,
    OLDER,
    SERVED,
)

STAGE = Stage("collect", 9, 7, 2, 12.0, 60.0)
BODY = msgspec.json.encode([STAGE])
OK = b"HTTP/1.1 200 OK\r\n\r\n"
OF_WATCH = "127.0.0.1:3002"


def names(targets: list[Target]) -> list[tuple[str, str, bool]]:
    """Return what targets are."""
    return [(one.stage, one.address, one.is_named) for one in targets]


def test_whom_to_ask_by_default() -> None:
    """Without a setting the usual addresses of this machine are asked, and need not answer."""
    assert names(targets_of((), OF_WATCH)) == [
        ("export", OF_WATCH, False),
        ("scan", "127.0.0.1:3004", False),
        ("collect", "127.0.0.1:3006", False),
    ]
    assert targets_of(("scan=none", "collect=none"), NOWHERE) == []


def test_whom_to_ask() -> None:
    """Addresses that are named must answer; a stage may have several."""
    given = ("scan=a:1", "scan=[2001:db8::1]:2", "swap=b:3", "collect=4")
    assert names(targets_of(given, "db:3002")) == [
        ("export", "db:3002", True),
        ("scan", "a:1", True),
        ("scan", "[2001:db8::1]:2", True),
        ("swap", "b:3", True),
        ("collect", "127.0.0.1:4", True),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("127.0.0.1:3004", "not one of scan, swap, collect and an address"),
        ("scna=1", "not one of scan, swap, collect and an address"),
        ("export=1", "named by --watch-admin"),
        ("probe=1", "named by --watch-admin"),
        ("spool=1", "shown with its swap: --chain swap=HOST:PORT"),
        ("scan=x", "--chain scan x: not an address and a port"),
    ],
)
def test_a_wrong_target(given: str, words: str) -> None:
    """It is refused with what to write instead."""
    with pytest.raises(OptionError, match=words):
        targets_of((given,), OF_WATCH)


def test_too_many_targets() -> None:
    """Their number has a limit, because each has a thread; none and an address do not fit."""
    with pytest.raises(OptionError, match="at most 64"):
        targets_of([f"swap=h{n}:1" for n in range(64)], OF_WATCH)
    assert len(targets_of([f"swap=h{n}:1" for n in range(61)], OF_WATCH)) == 64
    with pytest.raises(OptionError, match="either none or addresses"):
        targets_of(("scan=none", "scan=1"), OF_WATCH)


@contextmanager
def answering(sent: bytes) -> Iterator[int]:
    """Answer one connection with some bytes; yields the port."""
    with listen("127.0.0.1", 0) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1 << 16)
                connection.sendall(sent)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def asked(port: int, *, named: bool = True, stage: str = "collect") -> Asked:
    """Return a target that was asked once."""
    one = Asked(Target(stage, "127.0.0.1", port, named))
    one.ask()
    return one


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 404 No\r\n\r\n" + BODY, id="an older mirrorlist"),
        pytest.param(OK + b"<html><script>alert(1)</script></html>", id="HTML"),
        pytest.param(OK + b'[{"stage":"collect"}]', id="another JSON"),
        pytest.param(OK + b"\xff\xfe", id="no text"),
        pytest.param(OK + b"[" * 60_000, id="deep"),
        pytest.param(OK + b'[{"x":' + b"[" * 60_000, id="deep in a field that nobody knows"),
        pytest.param(OK + b" " * MOST_BYTES + BODY, id="too much"),
        pytest.param(OK + BODY.replace(b"9", b"-9"), id="a negative count"),
        pytest.param(OK + BODY.replace(b"12.0", b"1e300"), id="an age without end"),
        pytest.param(OK + BODY.replace(b"collect", b"x" * 900), id="a long name"),
    ],
)
def test_a_hostile_answer(sent: bytes) -> None:
    """It does no harm, and is told in our own words."""
    with answering(sent) as port:
        (found,) = asked(port).rows()
    assert (found.state, found.backlog) == (State.DOWN, None)
    assert found.reason == (
        f"what answers at 127.0.0.1:{port} does not tell its stages: it is an older mirrorlist, or"
        " another program"
    )


def test_stages_that_nobody_knows() -> None:
    """Of a newer version they are left out; another stage than the one that should be is told."""
    others = [STAGE, structs.replace(STAGE, stage="orbit"), structs.replace(STAGE, stage="scan")]
    with answering(OK + msgspec.json.encode(others * 30)) as port:
        found = asked(port, stage="swap").rows()
    assert {one.stage for one in found[:-1]} == {"collect", "scan"}
    assert len(found) == 3
    assert (found[-1].stage, found[-1].state) == ("swap", State.UNKNOWN)
    assert found[-1].reason is not None
    assert "is it the address of another process?" in found[-1].reason


def test_texts_of_a_stage_that_lies() -> None:
    """Its texts turn no direction and end no line; an error without a word is an error."""
    hostile = structs.replace(STAGE, error="\u202eevil\x1b[2J\n<b>", note="\u2028\0")
    with answering(OK + msgspec.json.encode([hostile])) as port:
        (found,) = asked(port).rows()
    assert (found.state, found.reason) == (State.BEHIND, "\\u202eevil\\u001b[2J <b>")
    assert found.note == "\\u0000"
    assert row_of(structs.replace(STAGE, error=""), None).reason == (
        "it cannot go on, and does not say why"
    )


def test_a_name_that_is_not_text() -> None:
    """A folder whose name is not UTF-8 is told of with an escape."""
    state = structs.replace(EMPTY_COLLECT, error="/srv/\udcff: cannot be read")
    assert collect_stage(state).error == "/srv/\\udcff: cannot be read"


def test_a_target_that_does_not_answer() -> None:
    """If it was named it is down, and says where; by default nobody uses it."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    (found,) = asked(port).rows()
    assert (found.stage, found.state) == ("collect", State.DOWN)
    assert found.reason == f"not answering at 127.0.0.1:{port}: Connection refused"
    assert (found.page, found.docs) == (f"http://127.0.0.1:{port}/status", "docs/chain.md#collect")
    assert asked(port, named=False).rows() == []
    (unasked,) = Asked(Target("scan", "127.0.0.1", port, True)).rows()
    assert (unasked.state, unasked.reason) == (State.UNKNOWN, "it has not answered yet")


def test_a_target_that_answered_before() -> None:
    """Also one that nobody has named is down then, with the counts that it had."""
    now = [1000.0]
    with answering(OK + BODY) as port:
        one = Asked(Target("collect", "127.0.0.1", port, False), lambda: now[0])
        one.ask()
    (found,) = one.rows()
    assert (found.state, found.received, found.backlog) == (State.OK, 9, 2)
    for _ in range(2):
        now[0] += 20
        one.ask()
    (found,) = one.rows()
    assert (found.state, found.received, found.backlog) == (State.DOWN, 9, 2)
    assert found.reason == f"not answering at 127.0.0.1:{port}: Connection refused, for 20 s"
    assert found.note == "counts of 40 s ago"


def test_a_target_whose_answer_never_comes() -> None:
    """If not even the look-up of its name ends, it is down after half a minute."""
    now = [1000.0]
    with answering(OK + BODY) as port:
        one = Asked(Target("collect", "127.0.0.1", port, True), lambda: now[0])
        one.ask()
    now[0] += 31
    (found,) = one.rows()
    assert (found.state, found.backlog) == (State.DOWN, 2)


class _Once(Threads):
    """Threads that do their step once: after the test, nothing of it asks at 127.0.0.1."""

    def go_on(self, name: str, step: Callable[[], object]) -> None:
        """Begin a thread that does a step."""
        self.start(name, step)


def test_slow_targets_delay_nobody() -> None:
    """Each is asked in a thread of its own; a page is made at once."""
    with listen("127.0.0.1", 0) as silent:
        admin = Admin(listen("127.0.0.1", 0), {("GET", PATH): lambda: json_reply([STAGE])})
        admin.start(Threads(print))
        host, port = silent.getsockname()[:2]
        slow = [Target("scan", host, port, True)] * 3
        good = Target("collect", *_address(admin), True)
        asker = ChainAsker([*slow, good])
        asker.start(_Once(print))
        deadline = time.monotonic() + 30
        while asker.asked[-1].rows()[0].state is not State.OK:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        states = [row.state for row in asker.chain([], NOW).stages if row.stage == "scan"]
        assert set(states) <= {State.UNKNOWN, State.DOWN}
        admin.stop()


def _address(admin: Admin) -> tuple[str, int]:
    host, _, port = admin.address.rpartition(":")
    return host, int(port)


def test_all_of_the_chain() -> None:
    """Each stage has a row in the order of the chain; one that nobody tells of is not used."""
    own = [Stage("swap", 1, 1, 0, 0.0, 60.0), Stage("spool", 5, 5, 3, 9000.0, 7200.0)]
    found = ChainAsker([]).chain(own, NOW)
    assert [one.stage for one in found.stages] == [*STAGES]
    states = {one.stage: one.state for one in found.stages}
    assert states == {**dict.fromkeys(STAGES, State.UNUSED), "swap": "ok", "spool": "behind"}
    assert not found.ok
    (late,) = [one for one in found.stages if one.stage == "spool"]
    assert late.reason == "files that wait: 3, the oldest for 2 h, more than 2 h"
    assert ChainAsker([]).chain(own[:1], NOW).ok


def test_the_pages(tmp_path: Path) -> None:
    """/chain is a page for browsers and JSON for programs; /stages has this server's alone."""
    folder = spooled(tmp_path / "spool", [])
    found = pages(Counts(1), 900, Observer(Counts(1), None), lambda: NOW, folder)
    told = msgspec.json.decode(page(found, "/stages").body, type=list[Stage])
    assert [one.stage for one in told] == ["swap", "spool"]
    assert told[0].error == "no worker serves a snapshot"
    chain = msgspec.json.decode(page(found, "/chain").body, type=Chain)
    assert (chain.ok, len(chain.stages)) == (False, len(STAGES))
    assert page(found, "/chain.json").body == page(found, "/chain").body
    assert b"no worker serves a snapshot" in page(found, "/chain.html").body
    assert b'mirrorlist_stage_failing{stage="swap"} 1.0' in page(found, "/metrics").body


def test_a_stage_that_fails() -> None:
    """It is behind at once, with its own reason; at the limit it is not late yet."""
    failing = row_of(structs.replace(STAGE, error="no disk"), None)
    assert (failing.state, failing.reason) == (State.BEHIND, "no disk")
    assert row_of(structs.replace(STAGE, oldest_seconds=60.0), None).state is State.OK
    assert row_of(structs.replace(STAGE, oldest_seconds=60.1), None).state is State.BEHIND


def test_scan() -> None:
    """The events of all categories are one stage; categories that fail are named."""
    found = scan_stage(FULL_SCAN, 900.0)
    assert (found.received, found.processed, found.backlog) == (1204, 1201, 3)
    assert (found.oldest_seconds, found.is_late) == (1900.5, True)
    assert found.error is not None
    assert found.error.startswith("Fedora Linux: pub/fedora: cannot be listed")
    assert scan_stage(EMPTY_SCAN, 900.0).error is None


def test_watch() -> None:
    """An export fails while the newest error is newer than the last success; push if it is used."""
    (export,) = watch_stages(FULL_WATCH, 900.0)
    assert (export.received, export.processed, export.backlog) == (1204, 1201, 3)
    assert (export.error, export.limit_seconds) == ("no export ended well for 900 s", 300.0)
    away = structs.replace(EMPTY_WATCH, connected=False)
    assert watch_stages(away, 60.0)[0].error == "the database does not answer"
    broken = structs.replace(EMPTY_WATCH, connected=True, error=LastError("lost 9", NOW))
    push = PushState(succeeded=3, failed=1, backlog=2, waiting_seconds=7.0, error="1", error_at=NOW)
    export, pushed = watch_stages(structs.replace(broken, push=push), 900.0)
    assert export.error == "lost 9"
    assert (pushed.stage, pushed.received, pushed.processed, pushed.backlog) == ("push", 5, 3, 2)
    assert pushed.error == "1"


def test_probe() -> None:
    """A probe that is due and has not ended is the backlog; what the keeper meets is the error."""
    state = KeeperState(probes_due=3, probes_ended=2, due_since=time.time() - 700)
    found = probe_stage(state, 300.0)
    assert (found.received, found.processed, found.backlog, found.is_late) == (3, 2, 1, True)
    assert probe_stage(KeeperState(probes_due=1, probes_ended=1), 300.0).oldest_seconds == 0
    assert probe_stage(KeeperState(file_error="line 3"), 300.0).error == "the file: line 3"
    assert probe_stage(KeeperState(primary_error="404"), 300.0).error == "404"


def test_a_probe_outside(tmp_path: Path) -> None:
    """A watch looks each minute when the database was probed last; an hour later one is due."""
    url, now = make_database(tmp_path / "mm.sqlite", world()), [0.0]
    last = LastProbe(url, lambda: now[0])
    last.look()
    assert last.seen == 0
    engine = create_engine(url)
    own_metadata.create_all(engine)
    # Newer Pythons warn of a connection that is not closed.
    engine.dispose()
    now[0] += 10 * LOOK_SECONDS
    for checked in (1000, 2000):
        with closing(sqlite3.connect(tmp_path / "mm.sqlite")) as connection, connection:
            connection.execute("DELETE FROM mirrorlist_url")
            connection.execute(
                "INSERT INTO mirrorlist_url (url_id, failures, checked) VALUES (1, 0, ?)",
                (checked,),
            )
        now[0] += LOOK_SECONDS
        last.look()
        last.look()
    assert (last.at, last.seen) == (2000, 2)
    young = outside_probe_stage(last, 2000, 5600.0)
    assert (young.received, young.processed, young.backlog, young.is_late) == (2, 2, 0, False)
    old = outside_probe_stage(last, 2000, 6000.0)
    assert (old.received, old.backlog, old.oldest_seconds, old.is_late) == (3, 1, 400.0, True)


def worker(*refusals: RefusedFile, snapshot: object = SERVED, taken: float = NOW) -> WorkerState:
    """Return a worker that serves a snapshot."""
    assert isinstance(snapshot, type(SERVED))
    return WorkerState(1, NOW, snapshot, taken, "none", None, refusals=refusals)


def test_swap() -> None:
    """Workers that refused a file, or serve an older one than others, are the backlog."""
    counts = Counts(1)
    slot = counts.claim()
    slot.add(Count.SWAPS, 4)
    slot.add(Count.SWAPS_REFUSED)
    totals = counts.totals()
    (found,) = server_stages([worker()], totals, None, 900.0, NOW)
    assert (found.stage, found.received, found.processed) == ("swap", 5, 4)
    assert (found.backlog, found.oldest_seconds, found.error) == (0, 0.0, None)
    refused = RefusedFile(NOW - 70, ServedFile.SNAPSHOT, "damaged")
    (found,) = server_stages([worker(refused), worker()], totals, None, 900.0, NOW)
    assert (found.backlog, found.oldest_seconds, found.is_late) == (1, 70.0, True)
    assert found.error is not None
    assert "refused: damaged" in found.error
    behind = [worker(taken=NOW - 30), worker(snapshot=OLDER)]
    (found,) = server_stages(behind, totals, None, 90_000.0, NOW)
    assert (found.backlog, found.oldest_seconds, found.error) == (1, 30.0, None)


def spool_stage(totals: Totals, folder: Path) -> Stage:
    """Return the stage of a spool."""
    return server_stages([worker()], totals, folder, 900.0, NOW)[1]


def test_spool(tmp_path: Path) -> None:
    """Requests that were counted come in, those in files go out, and the files wait."""
    counts = Counts(1)
    slot = counts.claim()
    slot.add(Count.STATISTICS_WRITTEN, 100)
    slot.set(Level.STATISTICS_WAITING, 7)
    folder = spooled(tmp_path / "spool", [batch(1, row(), begun=int(NOW) - 50)])
    found = spool_stage(counts.totals(), folder)
    assert (found.received, found.processed, found.backlog) == (107, 100, 1)
    assert (found.oldest_seconds, found.error) == (50.0, None)
    assert found.note == "requests that are in no file yet: 7"
    slot.set(Level.SPOOL_OUTAGES, 2)
    assert spool_stage(counts.totals(), folder).error == (
        "workers that cannot write, as on a full disk: 2"
    )
    slot.set(Level.SPOOL_OUTAGES, 0)
    gone = spool_stage(counts.totals(), tmp_path / "gone")
    assert gone.error == f"{tmp_path / 'gone'}: the spool cannot be read"


def test_what_was_received_never_becomes_less() -> None:
    """A worker that is killed loses what waited in it, and Prometheus sees no restart."""
    rising = Rising()
    assert [rising(structs.replace(STAGE, received=n)).received for n in (5, 9, 7)] == [5, 9, 9]


def test_collect() -> None:
    """Files that wait are its backlog, with the requests in them and those that were damaged."""
    found = collect_stage(FULL_COLLECT)
    assert (found.received, found.processed, found.backlog) == (12_345, 12_002, 341)
    assert found.error is not None
    assert found.note == (
        "requests that wait: 1,234,567; files that are not counted yet: 12; damaged files that were"
        " set aside: 2"
    )
    assert collect_stage(EMPTY_COLLECT).note is None
