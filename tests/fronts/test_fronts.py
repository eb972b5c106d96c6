"""Each front of contrib/ does what its comments say: clients, limits, health, time, and its log."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fronts.conftest import LIST, TRUSTED, Pair, by
from tests.fronts.front import (
    Connection,
    Front,
    changed,
    line_on,
    started,
    switched_on,
    write_certificate,
)
from tests.fronts.kinds import CADDY, HAPROXY, KINDS, NGINX, Kind
from tests.live import exchange, request, serve, wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

EXPLAIN = "/explain?repo=linux-40&arch=x86_64"
FILTER = "/rsyncFilter?categories=Linux&since=100"
METALINK = "/metalink?repo=linux-40&arch=x86_64"
IN_GERMANY, NEAR_PRIVATE = "85.214.132.117", "192.0.2.5"
ALLOWED = 20
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.program)
LIMITED = pytest.mark.parametrize("kind", [HAPROXY, NGINX], ids=lambda kind: kind.program)
PROXY = line_on("bind [::]:443 v4v6 accept-proxy", "    bind [::]:443 v4v6 ssl")


@pytest.fixture
def front(kind: Kind, tmp_path: Path, pair: Pair) -> Iterator[Front]:
    """A front before two servers."""
    with started(kind, tmp_path, pair.ports) as front:
        yield front


@EVERY
def test_a_list(front: Front) -> None:
    """A metalink comes over TLS, both servers are asked, plain HTTP leads to https, and the log
    has the request.
    """
    found = front.get(METALINK)
    assert (found.status, found.headers["content-type"]) == (200, "application/metalink+xml")
    assert '<hash type="sha256">' in found.body
    assert {by(front.get(LIST).body) for _ in range(10)} == {"one", "two"}
    plain = front.get_plain(METALINK)
    assert plain.status in (301, 308)
    assert plain.headers["location"].startswith("https://mirrors.example.org")
    wait_until("the request is in the log", lambda: "/metalink?repo=linux-40" in front.log)


@EVERY
def test_a_forged_client(front: Front, pair: Pair) -> None:
    """A client that writes another address into its request is the client that it is."""
    for header in ("X-Forwarded-For", "x-forwarded-for", "X-Real-IP", "Forwarded"):
        for address in (IN_GERMANY, NEAR_PRIVATE):
            value = f"for={address}" if header == "Forwarded" else address
            # Twice, because a proxy may replace the first one alone.
            lines = ((header, value), (header, value))
            found = json.loads(front.get(EXPLAIN, lines).body)["client"]
            assert (found["address"], found["source"]) == ("127.0.0.1", "x-forwarded-for")
            told = front.get(LIST, lines).body
            assert "country = DE" not in told
            assert "host6" not in told
    # The server alone would believe it.
    forged = [f"X-Forwarded-For: {IN_GERMANY}".encode()]
    assert b"country = DE" in exchange(pair.one.port, request(LIST.encode(), headers=forged)).body


@LIMITED
def test_a_client_that_asks_too_often(front: Front) -> None:
    """Explanations and filters have a limit for each client, in every spelling; lists do not."""
    with Connection(front) as client:
        statuses = [client.get(EXPLAIN).status for _ in range(ALLOWED)]
        assert statuses == [200] * ALLOWED
        for _ in range(3):
            client.get("/x/%65xplain")
        for target in ("/metalink/explain?repo=linux-40&arch=x86_64", "/%65xplain"):
            refused = client.get(target)
            assert (refused.status, refused.headers["retry-after"]) == (429, "60")
            assert refused.body.startswith("too many requests")
        for target in (FILTER, FILTER.replace("?", "/?"), "/a/rsync%46ilter"):
            refused = client.get(target)
            assert (refused.status, refused.headers["retry-after"]) == (429, "60")
            assert refused.body.splitlines()[1:] == ["- *"]
        assert client.get(LIST).status == 200


def test_who_a_client_is(tmp_path: Path, pair: Pair) -> None:
    """Behind a load balancer with the PROXY protocol, the clients that it names are believed, and
    each has a limit of its own: an IPv4 address or an IPv6 /64.
    """
    with started(HAPROXY, tmp_path, pair.ports, PROXY) as front:
        assert "country = DE" in front.get(LIST, client=IN_GERMANY).body
        with Connection(front, "2001:db8::1") as client:
            assert json.loads(client.get(EXPLAIN).body)["client"]["address"] == "2001:db8::1"
            assert [client.get(EXPLAIN).status for _ in range(ALLOWED)][-2:] == [200, 429]
        for address, status in (("2001:db8::2:1", 429), ("2001:db8:0:1::1", 200)):
            assert front.get(EXPLAIN, client=address).status == status
        assert front.get(EXPLAIN, client=IN_GERMANY).status == 200


def test_caddy_has_no_limits(tmp_path: Path, pair: Pair) -> None:
    """As its file says, Debian's Caddy knows no rate limits, and the lines that are switched off
    are where they belong.
    """
    program = need_program(CADDY.program, CADDY.package)
    text = changed(CADDY, _with_limits, {"folder": str(tmp_path), "one": "1", "two": "2"} | PORTS)
    (tmp_path / "Caddyfile").write_text(text)
    command = [str(program), "adapt", "--adapter", "caddyfile"]
    command += ["--config", str(tmp_path / "Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert "rate_limit is not a registered directive" in done.stderr
    with started(CADDY, tmp_path, pair.ports) as front, Connection(front) as client:
        assert {client.get(EXPLAIN).status for _ in range(2 * ALLOWED)} == {200}


def test_the_whole_file(tmp_path: Path) -> None:
    """Haproxy accepts its file with no more than another certificate, also what tests leave out."""
    program = need_program(HAPROXY.program, HAPROXY.package)
    write_certificate(tmp_path)
    text = HAPROXY.file.read_text().replace("/etc/haproxy/mirrors.pem", f"{tmp_path}/both.pem")
    (tmp_path / "haproxy.cfg").write_text(text)
    command = [str(program), "-c", "-f", str(tmp_path / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_what_caddy_would_limit(tmp_path: Path, pair: Pair) -> None:
    """Its limits would be for the right paths in every spelling, and what is refused has a body
    that transfers nothing; an error of Caddy's stands for that of the plugin.
    """

    def edit(text: str) -> str:
        return text.replace("\thandle_errors", "\terror @dear 429\n\thandle_errors")

    with started(CADDY, tmp_path, pair.ports, edit) as front, Connection(front) as client:
        for target in (
            EXPLAIN,
            "/x/%65xplain",
            FILTER,
            FILTER.replace("?", "/?"),
            "/rsync%46ilter",
        ):
            refused = client.get(target)
            assert (refused.status, refused.body.splitlines()[1:]) == (429, ["- *"])
        assert client.get(LIST).status == 200


PORTS = {"http": "1", "https": "2"}


def _with_limits(text: str) -> str:
    return "\n".join(
        line.replace("#", "", 1) if line.lstrip().startswith("#") and "# " not in line else line
        for line in text.splitlines()
    )


@pytest.mark.parametrize("kind", [HAPROXY, CADDY], ids=lambda kind: kind.program)
def test_a_server_that_drains(front: Front, pair: Pair) -> None:
    """A server that is not ready gets no requests, though it still answers."""
    assert {by(front.get(LIST).body) for _ in range(10)} == {"one", "two"}
    pair.two.process.send_signal(signal.SIGTERM)
    wait_until("it drains", lambda: pair.two.get("/health/ready").status == 503)
    wait_until(
        "the other one alone is asked",
        lambda: {by(front.get(LIST).body) for _ in range(10)} == {"one"},
    )
    assert pair.two.get(LIST).status == 200


@EVERY
def test_a_server_that_is_gone(front: Front, pair: Pair) -> None:
    """When a server is killed, no request fails: those that met its end go to the other one."""
    with Connection(front) as client:
        for number in range(60):
            if number == 20:
                os.killpg(pair.one.process.pid, signal.SIGKILL)
            found = client.get(LIST)
            assert found.status == 200
    assert by(found.body) == "two"


@EVERY
def test_connections_are_kept(front: Front, pair: Pair) -> None:
    """Clients with a connection each share the kept connections to the servers."""
    for _ in range(10):
        assert front.get(LIST).status == 200
    before = _to(pair)
    for _ in range(10):
        assert front.get(LIST).status == 200
    assert before & _to(pair)


def _to(pair: Pair) -> set[str]:
    """Return the other ends of the established connections to the servers."""
    wanted = {f"{port:04X}" for port in pair.ports}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[2].rpartition(":")[2] in wanted and row[3] == "01"}


def test_the_lines_of_fedora(tmp_path: Path, pair: Pair) -> None:
    """Switched on, the lines of Fedora's proxies check by a list, keep what Apache wrote, and
    answer on plain HTTP; without that repository both servers are down for them.
    """

    def edit(text: str) -> str:
        lines = switched_on("Switched off: the lines of Fedora")(text)
        return lines.replace("repo=epel-9", "repo=linux-40")

    with started(HAPROXY, tmp_path, pair.ports, edit, listens="plain") as front:
        with Connection(front, port="plain") as client:
            found = client.get(LIST, ("X-Forwarded-For", IN_GERMANY))
        assert "country = DE" in found.body
        # Each connection has one request.
        assert found.headers["connection"] == "close"
        assert {by(front.get_plain(LIST, "plain").body) for _ in range(10)} == {"one", "two"}


def test_a_forwarder_of_bytes(tmp_path: Path, snapshots: list[Path]) -> None:
    """Switched on, haproxy forwards bytes, and its PROXY header names the client."""

    def edit(text: str) -> str:
        # The client of a test is named to haproxy in the same way.
        lines = switched_on("Switched off: bytes")(text)
        return lines.replace("v4v6 ssl", "v4v6 accept-proxy ssl")

    options = ("--proxy-protocol", *TRUSTED)
    with (
        serve(snapshots[0], tmp_path, *options) as server,
        started(HAPROXY, tmp_path, (server.port, server.port), edit) as front,
    ):
        lines = {"X-Forwarded-For": NEAR_PRIVATE}
        for _ in range(10):
            found = json.loads(front.get(EXPLAIN, lines, IN_GERMANY).body)["client"]
            assert (found["address"], found["source"]) == (IN_GERMANY, "peer")
