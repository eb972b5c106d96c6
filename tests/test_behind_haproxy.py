"""Behind a real haproxy: who a client is, by X-Forwarded-For and by the PROXY protocol."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.server import find_free_port
from tests.command import assert_refused, run
from tests.factories import export_tables, world
from tests.live import Server, read_to_end, serve, wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

CLIENT = "198.51.100.77"
NEAR_PRIVATE = "192.0.2.5"
EXPLAIN = b"/explain?repo=linux-40&arch=x86_64"
# Its own client says with a PROXY header from where he connects, which loopback alone cannot.
CONFIGURATION = """
defaults
    timeout connect 5s
    timeout client 10s
    timeout server 10s

frontend http
    mode http
    bind 127.0.0.1:{http} accept-proxy
    option forwardfor
    http-request del-header X-Forwarded-For
    server-list http {plain}

frontend plain_tcp
    mode tcp
    bind 127.0.0.1:{plain_tcp} accept-proxy
    server-list plain_tcp {plain}

frontend version_1
    mode tcp
    bind 127.0.0.1:{version_1} accept-proxy
    server-list version_1 {proxied} send-proxy

frontend version_2
    mode tcp
    bind 127.0.0.1:{version_2} accept-proxy
    server-list version_2 {proxied} send-proxy-v2 check inter 200ms
"""
FRONTENDS = ("http", "plain_tcp", "version_1", "version_2")


class Haproxy:
    """A haproxy before a plain server and one that takes PROXY headers."""

    def __init__(self, ports: dict[str, int], plain: Server, proxied: Server) -> None:
        """Take its ports by frontend, and the servers."""
        self.ports, self.plain, self.proxied = ports, plain, proxied

    def ask(self, frontend: str, sent: bytes, client: str = CLIENT) -> bytes:
        """Send bytes through it, as from a client's address, and return all that comes."""
        with socket.create_connection(("127.0.0.1", self.ports[frontend]), 10) as connection:
            family = b"TCP6" if ":" in client else b"TCP4"
            connection.sendall(
                b"PROXY %b %b %b 1 2\r\n%b" % (family, client.encode(), client.encode(), sent)
            )
            return read_to_end(connection)


def _configuration(ports: dict[str, int]) -> str:
    """Return the configuration, each `server-list` a backend of its own."""
    lines = CONFIGURATION.format(**ports).splitlines()
    backends: list[str] = []
    for at, line in enumerate(lines):
        if line.strip().startswith("server-list"):
            _, name, port, *more = line.split()
            mode = "http" if name == "http" else "tcp"
            lines[at] = f"    default_backend to_{name}"
            server = f"    server one 127.0.0.1:{port} {' '.join(more)}"
            backends += [f"backend to_{name}", f"    mode {mode}", server]
    return "\n".join([*lines, *backends, ""])


@pytest.fixture(scope="module", params=["fast", "asgi"])
def haproxy(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Haproxy]:
    """A haproxy before two servers of the small world, whose host 6 is private."""
    program = need_program("haproxy", "haproxy")
    folder = tmp_path_factory.mktemp("haproxy")
    export_tables(folder, world())
    door = ("--door", request.param)
    with ExitStack() as stack:
        servers = []
        for name, options in (("plain", ()), ("proxied", ("--proxy-protocol",))):
            (folder / name).mkdir()
            snapshot = folder / "mm.snap"
            servers.append(stack.enter_context(serve(snapshot, folder / name, *door, *options)))
        ports = {name: find_free_port() for name in FRONTENDS}
        all_ports = {**ports, "plain": servers[0].port, "proxied": servers[1].port}
        (folder / "haproxy.cfg").write_text(_configuration(all_ports))
        log = stack.enter_context((folder / "haproxy.log").open("wb"))
        command = [str(program), "-db", "-f", str(folder / "haproxy.cfg")]
        process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        stack.callback(process.terminate)
        wait_until("haproxy listens", lambda: all(map(_is_open, ports.values())))
        yield Haproxy(ports, servers[0], servers[1])


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _get(target: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: a", *lines, b"Connection: close"]) + (
        b"\r\n\r\n"
    )


def _chunked(target: bytes, trailer: bytes) -> bytes:
    return _get(target, b"Transfer-Encoding: chunked") + b"0\r\n" + trailer + b"\r\n"


def _explained(answer: bytes) -> tuple[str, str, bool]:
    """Return the client believed, why, and whether the private host is seen."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    if b"chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    found = json.loads(body)
    ids = {host["id"] for host in (*found["hosts"], *found["excluded"])}
    return found["client"]["address"], found["client"]["source"], 6 in ids


@pytest.mark.parametrize(
    "trailer",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"X-Forwarded-For: 192.0.2.5\r\n", id="an address near a private host"),
        pytest.param(b"X-Forwarded-For: junk\r\n", id="junk"),
    ],
)
def test_a_trailer_says_nothing(haproxy: Haproxy, trailer: bytes) -> None:
    """A trailer, which haproxy passes on, changes no client, and shows no private host."""
    found = _explained(haproxy.ask("http", _chunked(EXPLAIN, trailer)))
    assert found == (CLIENT, "x-forwarded-for", False)
    for path in (b"mirrorlist", b"metalink"):
        for more in (b"", b"&ip=192.0.2.5"):
            target = b"/%b?repo=linux-40&arch=x86_64%b" % (path, more)
            answer = haproxy.ask("http", _chunked(target, trailer))
            assert b" 200 " in answer.partition(b"\r\n")[0]
            assert b"host6" not in answer


def test_a_forwarder_of_bytes_makes_everybody_ours(haproxy: Haproxy) -> None:
    """Without the PROXY protocol a stranger behind mode tcp is loopback to us, as documented."""
    assert _explained(haproxy.ask("plain_tcp", _get(EXPLAIN))) == ("127.0.0.1", "peer", True)


@pytest.mark.parametrize("frontend", ["version_1", "version_2"])
@pytest.mark.parametrize("client", [CLIENT, "2001:db8::77"])
def test_the_proxy_protocol(haproxy: Haproxy, frontend: str, client: str) -> None:
    """The client whom haproxy names in its PROXY header is believed, and is a stranger."""
    forged = b"X-Forwarded-For: 192.0.2.5"
    for lines in ((), (forged,)):
        found = _explained(haproxy.ask(frontend, _get(EXPLAIN, *lines), client))
        assert found == (client, "peer", False)
    wish = _get(b"/mirrorlist?repo=linux-40&arch=x86_64&ip=192.0.2.5", forged)
    assert b"host6" not in haproxy.ask(frontend, wish, client)
    near = _get(b"/mirrorlist?repo=linux-40&arch=x86_64")
    assert b"host6" in haproxy.ask(frontend, near, NEAR_PRIVATE)


@pytest.mark.parametrize("frontend", ["version_1", "version_2"])
def test_a_chain_of_both(haproxy: Haproxy, frontend: str) -> None:
    """If the named client is a trusted proxy himself, his X-Forwarded-For is believed."""
    sent = _get(EXPLAIN, b"X-Forwarded-For: %b" % CLIENT.encode())
    found = _explained(haproxy.ask(frontend, sent, "10.1.2.3"))
    assert found == (CLIENT, "x-forwarded-for", False)


def test_a_header_is_due(haproxy: Haproxy) -> None:
    """Who connects to that listener from a trusted address without a header is refused."""
    with socket.create_connection(("127.0.0.1", haproxy.proxied.port), 10) as connection:
        connection.sendall(_get(EXPLAIN))
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"--proxy-protocol" in answer


def test_nobody_may_send_one(tmp_path: Path) -> None:
    """The option with nobody who may use it is refused at the start."""
    export_tables(tmp_path, world())
    options = ("--proxy-protocol", "--trusted-proxy", "none", "--port", "0")
    done = run("serve", "--snapshot", tmp_path / "mm.snap", *options)
    assert_refused(done, 2, "--proxy-protocol: with --trusted-proxy none")
