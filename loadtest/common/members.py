"""All processes of a server by name, and the pages that its admin process shows."""

import re
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import click
import psutil

from loadtest.common.processes import tree, until
from loadtest.common.servers import Server

SUPERVISOR, ADMIN = "supervisor", "admin process"
_START_SECONDS, _ASK_SECONDS = 30.0, 30.0
_LINK = re.compile(r'href="(/[^"#]*)')
# These lead to the others; /health/live is a link of no page.
_FIRST = ("/status", "/chain", "/health/live")


def members(server: Server, workers: int) -> tuple[dict[str, int], str]:
    """Return each process by its name, and the URL of the admin process.

    The server must have been started with this many workers and an admin process.
    """
    until(
        f"{server.url}: {workers} workers and the admin process",
        lambda: _is_complete(server, workers),
        _START_SECONDS,
    )
    public = urlsplit(server.url).port
    found, names = {SUPERVISOR: server.pid}, iter(range(1, workers + 1))
    for pid in tree(server.pid)[1:]:
        if public in _ports(pid):
            found[f"worker {next(names)}"] = pid
        else:
            admin = pid
    return {**found, ADMIN: admin}, f"http://127.0.0.1:{_ports(admin)[0]}"


def look_at_all(url: str) -> list[str]:
    """Ask for all pages that are linked, as a browser does, and return their paths."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_ASK_SECONDS)
    left, seen = list(_FIRST), []
    try:
        while left:
            path = left.pop()
            seen.append(path)
            connection.request("GET", path, headers={"Accept": "text/html"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            # /health/fresh is 503 where the snapshot is old.
            if answer.status not in (200, 503):
                raise click.ClickException(f"{url}{path}: the answer has status {answer.status}")
            links = _LINK.findall(text) if "html" in answer.getheader("content-type", "") else []
            left += [one for one in dict.fromkeys(links) if one not in (*seen, *left)]
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"{url}: no answer: {error}") from None
    finally:
        connection.close()
    return sorted(seen)


def _is_complete(server: Server, workers: int) -> bool:
    """Return whether each process has closed the listeners of the others."""
    public, found = urlsplit(server.url).port, [_ports(pid) for pid in tree(server.pid)[1:]]
    ours = [ports for ports in found if ports == [public]]
    admin = [ports for ports in found if len(ports) == 1 and public not in ports]
    return len(ours) == workers and len(admin) == 1


def _ports(pid: int) -> list[int]:
    """Return the ports on which a process listens."""
    found = psutil.Process(pid).net_connections("tcp4")
    return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]
