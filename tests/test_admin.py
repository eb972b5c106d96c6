"""The admin listener: its pages, what it refuses, and an address that is taken."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mirrorlist.errors import OperatorError, OptionError, StartError
from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply, open_admin
from mirrorlist.web.listener import host_and_port, listen
from tests.live import Response, exchange, request, wait_until


def broken() -> Reply:
    """A page that has an error."""
    raise ZeroDivisionError


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a listener with a few pages."""
    routes = {
        ("GET", "/page"): lambda: Reply(200, b"{}", "application/json"),
        ("GET", "/page.html"): lambda: Reply(200, b"<p>", "text/html", (("x-one", "1"),)),
        ("POST", "/hook"): lambda: Reply(202, b"yes\n"),
        ("GET", "/broken"): broken,
        ("GET", "/both"): lambda: Reply(200, b"got\n"),
        ("POST", "/both"): lambda: Reply(202, b"yes\n"),
    }
    listener = listen("127.0.0.1", 0)
    admin = Admin(listener, routes)
    admin.start(Threads(print))
    port: int = listener.getsockname()[1]
    yield port
    admin.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def ask(port: int, method: str, path: str) -> Response:
    """Ask for a path."""
    return exchange(port, request(path.encode(), method))


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        pytest.param("GET", "/page", 200, b"{}", id="a page"),
        pytest.param("GET", "/page?x=1", 200, b"{}", id="with a query"),
        pytest.param("HEAD", "/page", 200, b"", id="its head"),
        pytest.param("POST", "/page", 405, b"Only GET, HEAD is answered here.\n", id="wrong"),
        pytest.param("POST", "/hook", 202, b"yes\n", id="a hook"),
        pytest.param("GET", "/hook", 405, b"Only POST is answered here.\n", id="no hook"),
        pytest.param("GET", "/", 404, b"There is nothing here.\n", id="nothing"),
        pytest.param("GET", "/page/", 404, b"There is nothing here.\n", id="another path"),
        pytest.param("PUT", "/both", 405, b"Only GET, HEAD, POST is answered here.\n", id="all"),
        pytest.param("GET", "/broken", 500, b"This page has an error.\n", id="an error"),
    ],
)
def test_pages(
    port: int, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int, body: bytes
) -> None:
    """Each page answers its own methods; everything else is a status and one line."""
    response = ask(port, method, path)
    assert (response.status, response.body) == (status, body)
    assert response.headers["cache-control"] == "no-store"
    assert ("allow" in response.headers) == (status == 405)
    assert bool(caplog.records) == (status == 500)


def test_html_for_browsers(port: int) -> None:
    """A client that accepts HTML gets the page for people, if there is one, and its headers."""
    headers = [b"Accept: text/html,application/xhtml+xml,*/*;q=0.8"]
    page = exchange(port, request(b"/page", headers=headers))
    assert (page.body, page.headers["x-one"]) == (b"<p>", "1")
    assert "x-one" not in ask(port, "GET", "/page").headers
    assert exchange(port, request(b"/hook", "POST", headers)).status == 202
    assert exchange(port, request(b"/nothing", headers=headers)).status == 404


def test_a_body_is_not_waited_for(port: int) -> None:
    """A POST is answered whatever body it announces, as hooks of others send one."""
    sent = request(b"/hook", "POST", [b"Content-Length: 1000000"])
    assert exchange(port, sent + b"{}").status == 202


def test_an_error_that_ends_the_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """What ends the event loop is printed and counted, and a second later it answers again."""

    def end() -> Reply:
        asyncio.get_running_loop().call_soon(sys.exit, "the loop ends")
        return Reply(200, b"")

    listener, threads = listen("127.0.0.1", 0), Threads(print)
    port: int = listener.getsockname()[1]
    admin = Admin(listener, {("GET", "/end"): end, ("GET", "/page"): lambda: Reply(200, b"here")})
    admin.start(threads)
    with suppress(OSError):
        ask(port, "GET", "/end")
    # A loop that ends still runs its tasks to their end, and may answer meanwhile.
    wait_until("the error is counted", lambda: threads.survived == 1)
    assert ask(port, "GET", "/page").body == b"here"
    assert "the loop ends" in capsys.readouterr().err
    admin.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_stop_waits_for_no_client() -> None:
    """A listener that stops closes the connections of clients that ask nothing."""
    listener = listen("127.0.0.1", 0)
    admin = Admin(listener, {("GET", "/page"): lambda: Reply(200, b"here")})
    admin.start(Threads(print))
    with socket.create_connection(listener.getsockname(), timeout=5) as silent:
        assert ask(listener.getsockname()[1], "GET", "/page").status == 200
        admin.stop()
        with suppress(ConnectionResetError):
            assert silent.recv(1) == b""


def test_limits(port: int) -> None:
    """It keeps the limits of the public port."""
    assert ask(port, "GET", "/" + "x" * 9000).status == 414


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("127.0.0.1:3002", ("127.0.0.1", 3002), id="IPv4"),
        pytest.param("[::1]:0", ("::1", 0), id="IPv6"),
        pytest.param("localhost:65535", ("localhost", 65535), id="a name"),
        pytest.param(":3002", ("127.0.0.1", 3002), id="loopback"),
        pytest.param("3002", ("127.0.0.1", 3002), id="a port alone"),
        *(
            pytest.param(wrong, None, id=wrong or "nothing")
            for wrong in ("", "::1:3002", "a:", "a:-1", "a:65536", "a:²", "a:1x")
        ),
    ],
)
def test_host_and_port(text: str, found: tuple[str, int] | None) -> None:
    """An address is a host and a port; anything else is refused with the option's name."""
    if found is None:
        with pytest.raises(OptionError, match=f"--admin .*{text[-3:]}"):
            host_and_port(text, "--admin")
    else:
        assert host_and_port(text, "--admin") == found


def test_an_address_that_is_taken() -> None:
    """A default that is in use is one warning and no listener; a given one is an error."""
    said: list[str] = []
    with listen("127.0.0.1", 0) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert open_admin(None, address, said.append) is None
        assert len(said) == 1
        assert f"{address}: cannot listen: Address already in use; choose another" in said[0]
        assert open_admin(None, address, said.append, "pages") is None
        assert said[1].startswith("warning: no pages: ")
        with pytest.raises(StartError, match="choose another --admin") as caught:
            open_admin(address, "127.0.0.1:3002", said.append)
        assert isinstance(caught.value, OperatorError)
        assert caught.value.exit_code == 1
        assert open_admin("none", address, said.append) is None
    assert len(said) == 2
    listener = open_admin(None, address, said.append)
    assert listener is not None
    listener.close()
    assert len(said) == 2
