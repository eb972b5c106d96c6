"""What a loopback listener was asked and answered, as it stood on the wire."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request head as a client sent it: the request line and the header lines in order."""

    line: str
    headers: tuple[tuple[str, str], ...]

    @property
    def method(self) -> str:
        """The request method."""
        return self.line.partition(" ")[0]

    @property
    def target(self) -> str:
        """The request target, path and query, undecoded."""
        return self.line.split(" ")[1]

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None without it."""
        return find_header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer that came back to it."""

    request: Request
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of an answer's header, whatever its case; None without it."""
        return find_header(self.headers, name)


def find_header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """The first value under a header name, whatever its case; None without it."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def without_pubdate(body: bytes) -> bytes:
    """A metalink without the time of its making, the one thing that no seed fixes."""
    shortened, count = re.subn(rb' pubdate="[^"]+"', b"", body)
    assert count == 1, f"{count} times pubdate: {body!r}"
    return shortened


def parse_exchanges(sent: bytes, received: bytes) -> list[Exchange]:
    """Pair the requests that one connection carried with their answers, in order.

    Requests without a body, answers with an exact Content-Length, as lists have; an answer
    that never came is left out, one that was cut short keeps the bytes that came.
    """
    exchanges = []
    for head in sent.split(b"\r\n\r\n")[:-1]:
        answer_head, end, received = received.partition(b"\r\n\r\n")
        if not end:
            break
        status_line, headers = _parse_head(answer_head)
        request = Request(*_parse_head(head))
        length = 0 if request.line.startswith("HEAD ") else _content_length(headers)
        body, received = received[:length], received[length:]
        exchanges.append(Exchange(request, int(status_line.split(" ")[1]), headers, body))
    return exchanges


def _parse_head(head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    return line, tuple((name, value.strip(" \t")) for name, _, value in pairs)


def _content_length(headers: tuple[tuple[str, str], ...]) -> int:
    length = find_header(headers, "content-length")
    assert length is not None, f"a list without Content-Length: {headers}"
    return int(length)
