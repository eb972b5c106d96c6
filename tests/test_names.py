"""DNS names among netblocks: one pool of threads, a share for each host, and a memory."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapshot.export import names as module
from snapshot.export.addresses import host_netblocks
from snapshot.export.directories import Carried
from snapshot.export.hosts import HostTable
from snapshot.export.leftout import LeftOutRows
from snapshot.export.names import (
    MOST_ADDRESSES,
    MOST_NAMES,
    MOST_THREADS,
    Pool,
    resolve,
)
from snapshot.export.rows import NetblockRow, Rows
from snapshot.file.model import Host, KnownName, LeftOut
from tests.factories import edited, export_tables, world
from tests.ranges import chain, netblocks


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A DNS of our own, in which some names hang; the names that were looked up."""
    the_end = threading.Event()
    before = set(threading.enumerate())
    known = {
        "two.example": ["192.0.2.10", "2001:db8::10"],
        "zone.example": ["fe80::1%2"],
        "many.example": [f"198.51.100.{number}" for number in range(200)],
        "one.two.example.": ["192.0.2.11"],
    }
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(name: str, *more: Any, **named: Any) -> list[Any]:
        if threading.current_thread() in before - {threading.main_thread()}:
            # A thread that another test has left asks where to connect to.
            return real(name, *more, **named)
        asked.append(name)
        if name.startswith("hang"):
            the_end.wait(60)
        if name.startswith("again"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if name.startswith("label"):
            raise UnicodeError("label too long")
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in known[name] * 2]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    # No thread may go on to ask the real DNS.
    the_end.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """A pool for one test, with a shorter time."""
    pool = Pool()
    monkeypatch.setattr(module, "pool", lambda: pool)
    assert module.DNS_SECONDS == 2.0
    monkeypatch.setattr(module, "DNS_SECONDS", 0.2)
    return pool


@pytest.mark.usefixtures("names")
def test_names_that_resolve(pool: Pool) -> None:
    """A name stands for all its addresses, each once, without a zone; one that fails for none."""
    asked = ["two.example", "zone.example", "no.example", "label.example", "again.example"]
    assert pool.look_up({1: asked}, 5) == {
        "two.example": ["192.0.2.10", "2001:db8::10"],
        "zone.example": ["fe80::1"],
        "no.example": [],
        "label.example": [],
        "again.example": None,
    }
    assert pool.look_up({}, 5) == {}


def _wait_for(is_so: Callable[[], bool]) -> None:
    """Wait for threads, which a busy machine may start late."""
    deadline = time.monotonic() + 10
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)


def _look_up_until(pool: Pool, asked: dict[int, list[str]], is_so: Callable[[], bool]) -> None:
    """Look up again: on a busy machine no thread may begin before the time of one call is over."""
    deadline = time.monotonic() + 30
    while not is_so() and time.monotonic() < deadline:
        pool.look_up(asked, 0.02)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("hanging", [1, 32, 400])
def test_names_that_hang(pool: Pool, hanging: int) -> None:
    """However many names of a host hang, and sort first, another host's are looked up in time."""
    asked = {1: [f"hang{number}.example" for number in range(hanging)], 2: ["two.example"]}
    started = time.monotonic()
    found = pool.look_up(asked, 0.2)
    # A name that hangs is given 60 s here.
    assert 0.1 < time.monotonic() - started < 30
    while not found and time.monotonic() - started < 30:
        # On a busy machine no thread may have begun in time.
        found = pool.look_up(asked, 0.2)
    assert found == {"two.example": ["192.0.2.10", "2001:db8::10"]}


def test_threads_do_not_add_up(pool: Pool, names: list[str]) -> None:
    """Exports in a row have one pool: what hangs keeps its threads and gets no more of them."""
    before = threading.active_count()
    asked = {host: [f"hang{host}-{n}.example" for n in range(400)] for host in range(20)}
    _look_up_until(pool, asked, lambda: len(names) >= MOST_THREADS)
    for _ in range(5):
        pool.look_up(asked, 0.02)
        assert threading.active_count() - before <= MOST_THREADS
    assert len(names) == len(set(names)) == MOST_THREADS
    few = {host: asked[host] for host in (1,)}
    pool.look_up(few, 0.01)
    assert len(names) == MOST_THREADS


def test_a_hosts_share_of_threads(pool: Pool, names: list[str]) -> None:
    """One host's names wait in four threads, in one export and in all that follow."""
    before = threading.active_count()
    asked = {1: [f"hang{number}.example" for number in range(400)]}
    _look_up_until(pool, asked, lambda: len(names) >= 4)
    for _ in range(3):
        pool.look_up(asked, 0.02)
    assert len(names) == 4
    # The others find nothing to do, and end.
    _wait_for(lambda: threading.active_count() - before <= 4)
    assert threading.active_count() - before <= 4


def test_a_thread_that_is_refused(
    pool: Pool, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system gives no thread, the lookup ends at once without an error."""
    start, count = threading.Thread.start, iter(range(100))

    def refuse(thread: threading.Thread) -> None:
        if next(count) >= 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert pool.look_up({1: ["two.example"], 2: ["one.two.example."]}, 5) == {
        "two.example": ["192.0.2.10", "2001:db8::10"],
        "one.two.example.": ["192.0.2.11"],
    }
    started = time.monotonic()
    assert pool.look_up({1: ["a.example"]}, 60) == {}
    assert time.monotonic() - started < 30
    assert len(names) == 2


def test_an_export_without_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export in a process that may start no thread at all reads its ASN file and ends well."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "asn").write_text("192.0.2.0/24 64500\n")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    tables = edited(*netblocks((1, "two.example")))
    snapshot, result = export_tables(tmp_path, tables, asn=tmp_path / "asn")
    assert snapshot.asn_ranges.starts4
    assert result.notes == ("1 DNS name among the netblocks not resolved: two.example",)


def test_late_answers(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after its time is there the next time, and only once."""
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        begun.set()
        go.wait(10)
        done.set()
        return [(0, 0, 0, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    # On a busy machine the time may be over before a thread has begun.
    while not begun.is_set():
        assert pool.look_up({1: ["late.example"]}, 0.01) == {}
    go.set()
    assert done.wait(10)
    assert pool.look_up({1: ["late.example"]}, 5) == {"late.example": ["192.0.2.7"]}


Known = dict[str, KnownName]
WEEK = 604_800


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("name", "age", "kept"),
    [
        ("hang.example", 0, True),
        ("again.example", WEEK, True),
        ("again.example", WEEK + 1, False),
        ("no.example", 0, False),
    ],
)
def test_last_known_addresses(name: str, age: int, kept: bool) -> None:
    """They are kept for a week while nobody answers; a name that does not exist has none."""
    before = {name: KnownName(1000, ("192.0.2.9",)), "gone.example": KnownName(1000, ("::1",))}
    found = resolve({1: [name, "two.example"]}, before, 1000 + age)
    two = {"two.example": KnownName(1000 + age, ("192.0.2.10", "2001:db8::10"))}
    assert found.known == ({name: before[name]} if kept else {}) | two
    assert (found.kept, found.lost) == (((name,), ()) if kept else ((), (name,)))
    note = found.note() or ""
    assert note.startswith(f"1 DNS name among the netblocks not resolved: {name}")
    assert ("the last known addresses of 1 are kept" in note) == kept


def test_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """Through an outage of DNS the netblocks stay as they are, which is said in one line."""
    # What is not answered in time is lost: a machine that stands still for a while is no outage.
    monkeypatch.setattr("snapshot.export.names.DNS_SECONDS", 60.0)
    edits = netblocks((1, "two.example"), (2, "one.two.example."))
    tables = edited(*edits, ("host", 6, {"asn": None}))
    first, result = export_tables(tmp_path, tables)
    assert result.notes == ()
    answering = socket.getaddrinfo

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for _ in range(2):
        second, result = export_tables(tmp_path, tables)
        assert second.id == first.id
        assert result.left_out == ()
        (note,) = result.notes
        assert note == (
            "2 DNS names among the netblocks not resolved: one.two.example., two.example; the last"
            " known addresses of 2 are kept"
        )
    assert second.report.names == first.report.names
    monkeypatch.setattr(socket, "getaddrinfo", answering)
    assert export_tables(tmp_path, tables)[1].notes == ()


def test_a_host_with_many_names(tmp_path: Path, names: list[str]) -> None:
    """This many names of a host are looked up, those of the lowest rows; others are reported."""
    many = [(1, f"n{number:03}.example") for number in range(MOST_NAMES + 2)]
    _, result = export_tables(tmp_path, edited(*netblocks(*many, (2, "two.example"))))
    assert len(names) == MOST_NAMES + 1
    reasons = [one.reason for one in result.left_out]
    assert reasons.count(f"the host has more than {MOST_NAMES} DNS names") == 2
    assert reasons.count("the name does not resolve") == MOST_NAMES


def test_names_of_hosts(tmp_path: Path, names: list[str]) -> None:
    """Names among the netblocks count as their addresses; each is looked up once."""
    edits = netblocks(
        *((1, "two.example"), (2, " two.example "), (3, "no.example"), (4, "One.Two.Example.")),
        *((5, "one.two.example."), (3, "192.0.2.10"), (7, "inactive.example")),
    )
    snapshot, result = export_tables(tmp_path, edited(*edits))
    assert chain(snapshot, "192.0.2.10") == [(32, {1, 2, 3}), (24, {6})]
    assert chain(snapshot, "2001:db8::10") == [(128, {1, 2})]
    assert chain(snapshot, "192.0.2.11") == [(32, {5}), (24, {6})]
    assert sorted(names) == ["One.Two.Example.", "no.example", "one.two.example.", "two.example"]
    assert [(one.id, one.reason) for one in result.left_out] == [
        (52, "the name does not resolve"),
        (53, "the name does not resolve"),
    ]


def test_without_dns(tmp_path: Path, names: list[str]) -> None:
    """With DNS switched off no name is looked up, and each is reported."""
    edits = netblocks((1, "two.example"), (2, "10.0.0.0/16"))
    snapshot, result = export_tables(tmp_path, edited(*edits), resolve_dns=False)
    assert names == []
    reason = "the name is not looked up (--no-dns)"
    assert result.left_out == (LeftOut("host_netblock", 50, reason),)
    assert chain(snapshot, "10.0.0.1") == [(16, {2})]


def test_no_names_no_lookup(tmp_path: Path, names: list[str]) -> None:
    """A database without names among its netblocks asks no DNS."""
    export_tables(tmp_path, world())
    assert names == []


def test_a_name_with_very_many_addresses(tmp_path: Path, names: list[str]) -> None:
    """One answer of DNS does not fill the snapshot; that some addresses are not taken is said."""
    tables = edited(("host_netblock", 1, {"netblock": "many.example"}))
    snapshot, result = export_tables(tmp_path, tables, resolve_dns=True)
    assert names == ["many.example"]
    assert len(snapshot.report.names["many.example"].addresses) == MOST_ADDRESSES
    assert f"no more than {MOST_ADDRESSES} addresses of a DNS name are taken: many.example" in (
        result.notes
    )


@pytest.mark.usefixtures("names")
def test_last_known_addresses_that_are_none() -> None:
    """What a file says of a name that nobody answers for may be anything, and ends no export."""
    nothing: dict[str, Any] = {name: [] for name in Rows._fields}
    nothing["up2date"] = lambda: Carried({}, 0)
    rows = Rows(**nothing)._replace(netblocks=[NetblockRow(1, 1, "again.example")])
    host = Host(1, "h", "s", "DE", 1, False, 0, (), ())
    host_table = HostTable([host], {1: 0}, [], [], [])
    known = {"again.example": KnownName(1, ("bogus", "192.0.2.1"))}
    found = host_netblocks(rows, host_table, LeftOutRows(), read=2, known=known)
    assert [chain[0].prefix_length for chain in found.chains] == [32]
