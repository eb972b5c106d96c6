"""Asks a server and keeps what it said."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.comparison.meaning import Reply
from tests.comparison.requests import Request

SECONDS = 10.0


class Server:
    """A list server by its base URL, asked over one connection at a time."""

    def __init__(self, url: str) -> None:
        """Take a URL such as http://127.0.0.1:3000."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80

    def ask(self, request: Request, times: int) -> list[Reply]:
        """Return the answers to a request asked several times; raises OSError."""
        connection = HTTPConnection(self._host, self._port, timeout=SECONDS)
        with closing(connection):
            return [self._ask(connection, request) for _ in range(times)]

    def _ask(self, connection: HTTPConnection, request: Request) -> Reply:
        connection.request(request.method, request.target)
        response = connection.getresponse()
        body = response.read().decode()
        kind = response.getheader("Content-Type")
        # Which charset a text is in is said by one and not by the other; ASCII is all there is.
        kind = kind and kind.partition(";")[0]
        return Reply(response.status, kind, response.getheader("Location"), body)
