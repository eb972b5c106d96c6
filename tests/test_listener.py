"""Listening: address families, several addresses, names, and what cannot be bound."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorlist.errors import OperatorError
from mirrorlist.request.commas import elements
from mirrorlist.web.listener import listen, listen_all, shown_of
from snapshot.file.writer import encode
from tests.command import assert_refused, run
from tests.factories import export_tables, world
from tests.in_process import NOW, FlushedLog, TableGeo, make_service
from tests.live import exchange, request, serve, wait_until
from tests.small_worlds import Mirror, small_data
from tests.system import need_ipv6

REPO = "repo=linux-40&arch=x86_64"


def _reachable(port: int) -> set[str]:
    """The loopback addresses that take a connection to a port."""
    found = set()
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        try:
            socket.create_connection((host, port), timeout=2).close()
        except OSError:
            continue
        found.add(host)
    return found


@pytest.mark.parametrize(
    ("hosts", "names", "reached"),
    [
        pytest.param(["127.0.0.1"], ["127.0.0.1"], {"127.0.0.1"}, id="IPv4"),
        pytest.param(["::1"], ["[::1]"], {"::1"}, id="IPv6"),
        pytest.param(["[::1]"], ["[::1]"], {"::1"}, id="in brackets"),
        pytest.param(["0.0.0.0"], ["0.0.0.0"], {"127.0.0.1", "127.0.0.2"}, id="all of IPv4"),
        pytest.param(["::"], ["[::]"], {"127.0.0.1", "127.0.0.2", "::1"}, id="both families"),
        pytest.param(["*"], ["[::]"], {"127.0.0.1", "127.0.0.2", "::1"}, id="everywhere"),
        pytest.param(["127.0.0.1", "::1"], ["127.0.0.1", "[::1]"], {"127.0.0.1", "::1"}, id="two"),
        pytest.param(
            ["0.0.0.0", "[::]"],
            ["0.0.0.0", "[::]"],
            {"127.0.0.1", "127.0.0.2", "::1"},
            id="all of each",
        ),
        pytest.param(["::", "127.0.0.1"], ["[::]", "127.0.0.1"], {"127.0.0.1", "::1"},
                     id="all of IPv6 and one of IPv4"),
        pytest.param(["::1", "::", "::1"], ["[::]"], {"127.0.0.1", "127.0.0.2", "::1"},
                     id="one that another covers"),
        pytest.param(["127.0.0.1", "127.0.0.1"], ["127.0.0.1"], {"127.0.0.1"}, id="twice"),
    ],
)  # fmt: skip
def test_families(hosts: list[str], names: list[str], reached: set[str]) -> None:
    """Each address is bound once, `::` takes both families, and port 0 is one port for all."""
    need_ipv6()
    listeners = listen_all(hosts, 0)
    try:
        port = listeners[0].getsockname()[1]
        assert [shown_of(one) for one in listeners] == [f"{name}:{port}" for name in names]
        assert _reachable(port) == reached
        assert all(one.get_inheritable() for one in listeners)
    finally:
        for one in listeners:
            one.close()


Resolver = Callable[..., list[tuple[Any, ...]]]


def _resolving(*addresses: str) -> Resolver:
    """A resolver that knows one name."""
    real = socket.getaddrinfo

    def resolve(host: str, *more: object, **options: Any) -> list[tuple[Any, ...]]:
        names = addresses if host == "mirrors.example" else (host,)
        return [one for name in names for one in real(name, *more, **options)]  # type: ignore[arg-type]

    return resolve


@pytest.mark.parametrize(
    ("addresses", "names"),
    [
        pytest.param(("::1", "127.0.0.1"), ["[::1]", "127.0.0.1"], id="of both families"),
        pytest.param(("2001:db8::77", "127.0.0.1"), ["127.0.0.1"], id="one that is not here"),
    ],
)
def test_a_name(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...], names: list[str]
) -> None:
    """A name, such as localhost, is all of its addresses that the machine has."""
    need_ipv6()
    monkeypatch.setattr(socket, "getaddrinfo", _resolving(*addresses))
    listeners = listen_all(["mirrors.example"], 0)
    assert [shown_of(one).rpartition(":")[0] for one in listeners] == names
    for one in listeners:
        one.close()


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        pytest.param(["127.0.0.2", "192.0.2.1"], "192.0.2.1:{port}: cannot listen", id="not here"),
        pytest.param(["name.invalid"], "name.invalid:{port}: cannot listen", id="no such name"),
        pytest.param(["[::1"], "[::1", id="half in brackets"),
        pytest.param(["127.0.0.2", "127.0.0.1"], "127.0.0.1:{port}: cannot listen: ", id="in use"),
        pytest.param([], "no address to listen on", id="no address"),
        pytest.param(["a" * 70 + ".example"], "cannot listen", id="a label that is too long"),
    ],
)
def test_refused(hosts: list[str], words: str) -> None:
    """What cannot be bound is named with its address, and nothing stays bound."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError) as caught:
            listen_all(hosts, port)
        assert words.format(port=port) in str(caught.value)
        assert "--host" in str(caught.value)
        socket.create_server(("127.0.0.2", port)).close()


def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no IPv6, `::` says so, and `*` is IPv4 alone."""
    real = socket.socket.__init__

    def made(self: socket.socket, family: int = -1, *more: Any, **options: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        real(self, family, *more, **options)

    monkeypatch.setattr(socket.socket, "__init__", made)
    with pytest.raises(OperatorError, match=r"\[::\]:0: .*not supported.*is IPv6 switched off"):
        listen_all(["::"], 0)
    (listener,) = listen_all(["*"], 0)
    assert shown_of(listener).startswith("0.0.0.0:")
    listener.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("a,b", ["a", "b"], id="plain"),
        pytest.param("a, b", ["a", "b"], id="a blank behind a comma"),
        pytest.param(" a\t,\tb ", ["a", "b"], id="blanks and tabs around"),
        pytest.param(",a,,b, ,", ["a", "b"], id="empty elements"),
        pytest.param("a b,c", ["a b", "c"], id="a blank within"),
        pytest.param("a,+b+", ["a", "+b+"], id="plus signs"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_elements(text: str, found: list[str]) -> None:
    """Elements stand between commas; blanks around them and empty ones do not count."""
    assert elements(text) == found


@pytest.mark.parametrize("given", ["flag", "flags", "environment", "blanks", "file", "file list"])
def test_each_way_to_give_several(tmp_path: Path, given: str) -> None:
    """Several values are given as several flags, or in one text, everywhere alike."""
    snapshot = tmp_path / "mm.snap"
    snapshot.write_bytes(encode(small_data((Mirror(),), {})))
    # Neither can be bound: 192.0.2.0/24 is for documentation. The second one is named.
    both = {"flag": "127.0.0.1, 192.0.2.1,", "environment": "127.0.0.1, 192.0.2.1,"}.get(given, "")
    options: list[object] = ["--snapshot", snapshot, "--port", 0, "--admin", "none"]
    environment = {}
    if given == "flag":
        options += ["--host", both]
    elif given == "flags":
        options += ["--host", "127.0.0.1", "--host", "192.0.2.1"]
    elif given in ("environment", "blanks"):
        environment["MIRRORLIST_HOST"] = both or "127.0.0.1 192.0.2.1"
    else:
        value = '"127.0.0.1, 192.0.2.1"' if given == "file" else '["127.0.0.1", "192.0.2.1"]'
        (tmp_path / "serve.toml").write_text(f"host = {value}\n")
        options += ["--config", tmp_path / "serve.toml"]
    assert_refused(run("serve", *options, **environment), 1, "192.0.2.1:0: cannot listen")


@pytest.mark.parametrize("option", ["--host", "--trusted-proxy"])
def test_nothing_between_commas(tmp_path: Path, option: str) -> None:
    """A list of nothing is refused: it would mean the default."""
    done = run("serve", "--snapshot", tmp_path / "x", option, " , ")
    assert_refused(done, 2, f"{option}: names nothing")


def test_clients_by_mapped_addresses(tmp_path: Path) -> None:
    """A client of IPv4 on a socket of both families is that client everywhere."""
    snapshot, _ = export_tables(tmp_path, world())
    service = make_service(snapshot)
    service.geo = TableGeo({"192.0.2.5": "FR"})
    service.log = FlushedLog(str(tmp_path / "log"))
    found = service.respond(False, REPO.encode(), "::ffff:192.0.2.5", [])
    # Netblock, GeoIP, log.
    assert b"Using preferred netblock country = FR " in found.body
    assert "host6.example" in found.body.decode().splitlines()[1]
    assert (tmp_path / "log").read_text().startswith("IP: 192.0.2.5; DATE: 2027-01-15; COUNTRY: FR")
    # Trust: a proxy is one by either spelling, and a stranger is none.
    for peer, is_ours in (("::ffff:127.0.0.1", True), ("::ffff:192.0.2.5", False)):
        assert service.trust.believe(peer, [], "").is_ours is is_ours
    forwarded = service.trust.believe("::ffff:10.0.0.1", [b"::ffff:192.0.2.5"], "")
    assert (str(forwarded.geo), forwarded.source) == ("192.0.2.5", "x-forwarded-for")
    spelt = make_service(snapshot, trusted=["::ffff:203.0.113.0/120"])
    found_client = spelt.trust.believe("203.0.113.9", [b"192.0.2.5"], "")
    assert str(found_client.near) == "192.0.2.5"
    assert service.clock() == NOW


@pytest.mark.system
@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        pytest.param(["::"], "http://[::]:{port} with", id="both families"),
        pytest.param(
            ["127.0.0.1", "[::1]"], "http://127.0.0.1:{port} and http://[::1]:{port} with",
            id="two addresses",
        ),
    ],
)  # fmt: skip
def test_a_server_on_both_families(tmp_path: Path, hosts: list[str], shown: str) -> None:
    """Both families get lists, from each worker; its first line and the log say who is where."""
    need_ipv6()
    export_tables(tmp_path, world())
    options = [part for host in hosts for part in ("--host", host)]
    log = tmp_path / "log"
    with serve(
        tmp_path / "mm.snap", tmp_path, *options, "--workers", 2, "--log", log, "--admin", "[::1]:0"
    ) as server:
        port, told = server.port, server.output.read_text()
        assert f"listening on {shown.format(port=port)}" in told
        assert re.search(r"; snapshot [0-9a-f]{32}, \d+ (s|min|h|d) old; GeoIP: ", told)
        admin = "status, health and metrics on http://[::1]:"
        wait_until("its admin address is told", lambda: admin in server.output.read_text())
        target = f"/mirrorlist?{REPO}".encode()
        for host in ("127.0.0.1", "::1") * 8:
            assert exchange(port, request(target), host).status == 200
        wait_until("both are logged", lambda: len(log.read_bytes().splitlines()) == 16)
        lines = log.read_text().splitlines()
        assert {line.partition(";")[0] for line in lines} == {"IP: 127.0.0.1", "IP: ::1"}
        assert server.end() == 0
    for host in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=2)
