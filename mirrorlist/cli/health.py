"""`mirrorlist health`: asks the server or the watch that runs here, for a health check."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from mirrorlist.cli.running import COLLECT, DROP_IN, SCAN, Running, running
from mirrorlist.cli.subcommands import Subcommands
from mirrorlist.errors import OperatorError, OptionError
from mirrorlist.settings.defaults import (
    ADMIN_OF_COLLECT,
    ADMIN_OF_SCAN,
    ADMIN_OF_SERVER,
    ADMIN_OF_WATCH,
    NOWHERE,
)
from mirrorlist.web.listener import LOOPBACK, host_and_port, shown, without_brackets

# For all pages together: less than the time-out of a health check, which is 3 s or more as a rule.
_SECONDS = 2.0
_MOST_BYTES = 1 << 16
# The commands that are asked whether what they do is fresh, and where.
_FRESH = {"watch": ADMIN_OF_WATCH, SCAN: ADMIN_OF_SCAN, COLLECT: ADMIN_OF_COLLECT}
_EVERYWHERE = {"0.0.0.0": LOOPBACK, "*": "localhost", "::": "localhost"}


@click.command(short_help="Whether the server or the watch that runs here is healthy.")
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "--pid", type=click.IntRange(min=1), metavar="N", help="Ask this process of several that run."
)
@click.pass_context
def health(context: click.Context, urls: tuple[str, ...], pid: int | None) -> None:
    """Ask the server or the watch that runs here whether it is healthy: a health check.

    Follows the process's own options. A `serve`, `demo`, `run` or `mirrorlist-server` is
    asked for /health/ready on its port, and on its --admin address if it was given; a `watch`,
    `scan --watch` or `stats collect --watch` for /health/fresh on its --admin address. An
    `import-cache --watch` answers nowhere, so it is healthy while it runs. With a URL, that page
    is asked for instead.

    Prints one line. Exit codes: 0 healthy; 1 unhealthy, no answer, or nothing runs here; 2 a
    wrong option. It needs no curl, and finds the process of a container by itself.

    \b
    podman exec mirrorlist-1 mirrorlist health
    mirrorlist health http://127.0.0.1:3001/health/fresh
    """
    if urls and pid is not None:
        raise OptionError("--pid and a URL: give one of the two")
    if not urls:
        group = context.find_root().command
        assert isinstance(group, Subcommands)
        urls = pages_of(running(pid, group))
    with _limited():
        for url in urls:
            _ask(url)
    click.echo(f"healthy: {', '.join(urls) or 'the import runs; it has no address to ask'}")


def pages_of(process: Running) -> tuple[str, ...]:
    """Return the URLs that say whether a process is healthy; raises OperatorError.

    An import has none: it answers on no address.
    """
    if process.command == "import-cache":
        return ()
    if default := _FRESH.get(process.command):
        return (_admin(process.options, default, "/health/fresh"),)
    options = process.options
    hosts = (options["listen"],) if process.command == DROP_IN else options["host"]
    # A connection to that port begins with a header of a proxy; and port 0 is any free port.
    is_hidden = options.get("proxy_protocol") or options["port"] == 0
    page = "/health/ready"
    public = () if is_hidden else (_url(hosts[0], options["port"], page),)
    # If the default address was in use, another server answers there.
    is_given = options["admin"] not in (None, NOWHERE)
    return (*public, _admin(options, ADMIN_OF_SERVER, page)) if is_given or is_hidden else public


def _admin(options: Mapping[str, Any], default: str, page: str) -> str:
    given = options["admin"]
    if given == NOWHERE:
        raise OperatorError("--admin none leaves no address to ask: give --admin [HOST:]PORT")
    return _url(*host_and_port(given or default, "--admin"), page)


def _url(host: str, port: int, page: str) -> str:
    bare = without_brackets(host)
    return f"http://{shown(_EVERYWHERE.get(bare, bare), port)}{page}"


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError in the block when the time is over, also if a server sends slowly."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(number: int, frame: object) -> None:
    raise TimeoutError("timed out")


def _ask(url: str) -> None:
    """Raise OperatorError unless a page is answered with 200."""
    connection = _connection(url)
    try:
        connection.request("GET", urlsplit(url)._replace(scheme="", netloc="").geturl() or "/")
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise OperatorError(f"{url}: no answer: {why}") from error
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise OperatorError(f"{url}: unhealthy: {answer.status}{_reason(body)}")


def _connection(url: str) -> HTTPConnection:
    try:
        parts = urlsplit(url)
        if url.isascii() and parts.scheme == "http" and parts.hostname:
            # As a socket does it: a label of a name may be too long, or empty.
            parts.hostname.encode("idna")
            return HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
    except ValueError:
        # That, a port that is not a number, or brackets without an address.
        pass
    raise OptionError(f"{url}: not a URL such as http://{ADMIN_OF_SERVER}/health/ready")


def _reason(body: bytes) -> str:
    """Return the reason that a page gives, with a colon before it; nothing for an unknown page."""
    try:
        return f": {msgspec.json.decode(body, type=_Page).reason}"
    except msgspec.DecodeError:
        return ""


class _Page(msgspec.Struct):
    """What /health/fresh says when it answers 503."""

    reason: str
