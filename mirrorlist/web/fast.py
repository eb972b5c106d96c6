"""The fast protocol: answers lists in the parser's callback, and hands all else to the app.

Making a list waits for nothing, so it needs no task; ASGI and starlette would cost more than the
answer itself. The answer is that of `Service.respond()`, as in the app; limits and states are those
of `protocol` and `states`. A request that is out of the ordinary (a body, another method, an
upgrade, an answer under way, a client that does not read) goes through the app, in its turn.

uvicorn's protocol class is private to uvicorn: pyproject.toml says which releases have been tried,
and tests/test_uvicorn.py fails where another one differs.
"""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mirrorlist.lists.answer import Answer
from mirrorlist.request.client import FORWARDED_FOR, SIGNED, SIGNS
from mirrorlist.request.software import OTHER_SOFTWARE, USER_AGENT, family_of
from mirrorlist.service import Service
from mirrorlist.web.head import MORE_THAN_HEAD, announces_body, asked_list
from mirrorlist.web.protocol import LimitedProtocol
from mirrorlist.web.states import State

_NOTED = MORE_THAN_HEAD | SIGNS | {FORWARDED_FOR, USER_AGENT}
# Python 3.11 takes 0.2 us to find a member of an Enum by its name, and a list needs both.
_ANSWERING, _IDLE = State.ANSWERING, State.IDLE


class Origin(Protocol):
    """Where a connection came from, and goes back to when it is idle."""

    def take_back(self, full: "FastProtocol") -> None:
        """Take a connection that is at rest."""


class FastProtocol(LimitedProtocol):
    """A connection that answers lists itself."""

    _is_answered = False

    def __init__(
        self, *given: Any, service: Service, front: Origin | None = None, **common: Any
    ) -> None:
        """Take what a LimitedProtocol takes, what answers, and where a connection came from."""
        super().__init__(*given, **common)
        self._service = service
        self._front = front
        self.misses = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came; an idle connection goes back to where it came from."""
        super().data_received(data)
        self._go_back()

    def on_response_complete(self) -> None:
        """Go on after an answer of the app."""
        super().on_response_complete()
        if self._front is not None:
            # The app is not done with the connection yet.
            self.loop.call_soon(self._go_back)

    def _go_back(self) -> None:
        if self._front is not None and self.is_at_rest:
            self._front.take_back(self)

    def on_message_begin(self) -> None:
        """Begin with a request; the app's scope is only made for requests that go to the app."""
        self.url, self.headers = b"", []
        self._forwarded: list[bytes] | None = None
        self._software = OTHER_SOFTWARE
        self._is_answered = self._has_more = self._is_signed = False
        self._meter.begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer of a body is not a header."""
        if self._meter.is_open:
            name = name.lower()
            self.headers.append((name, value))
            if name in _NOTED:
                self._note(name, value)

    def on_headers_complete(self) -> None:
        """Answer a list, or begin to answer by the app."""
        self._meter.end(self.headers)
        asked = asked_list(self.url, self._service.request_paths())
        if asked and self._is_plain():
            self._answer(*asked)
        else:
            self._ask_app()

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        if not self._is_answered:
            super().on_message_complete()

    def _is_plain(self) -> bool:
        """Return whether a request can be answered at once."""
        return (
            self.parser.get_method() in (b"GET", b"HEAD")
            # Answers keep the order of their requests.
            and self.state is not _ANSWERING
            # A client that does not read must not fill the memory with answers.
            and not self.flow.write_paused
            and not self._has_more
        )

    def _note(self, name: bytes, value: bytes) -> None:
        if name == FORWARDED_FOR:
            self._forwarded = self._forwarded or []
            self._forwarded.append(value)
        elif name == USER_AGENT:
            self._software = family_of(value)
        elif name in SIGNS:
            self._is_signed = True
        elif name != b"content-length" or announces_body(name, value):
            self._has_more = True

    def _ask_app(self) -> None:
        """Repeat the request for uvicorn, which makes a scope for the app."""
        url, headers = self.url, tuple(self.headers)
        HttpToolsProtocol.on_message_begin(self)
        HttpToolsProtocol.on_url(self, url)
        for name, value in headers:
            HttpToolsProtocol.on_header(self, name, value)
        super()._ask_app()

    def _answer(self, is_metalink: bool, query: bytes) -> None:
        self._is_answered = True
        peer = self.client[0] if self.client else None
        forwarded = self._forwarded or (SIGNED if self._is_signed else ())
        is_head = self.parser.get_method() == b"HEAD"
        found = self._service.respond(is_metalink, query, peer, forwarded, is_head, self._software)
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        head = head_of(found, keep_alive, self.server_state.default_headers[0][1])
        self.server_state.total_requests += 1
        if is_head:
            self.transport.write(head)
        else:
            self.transport.write(b"".join((head, *found.pieces)))
        if keep_alive:
            # `_enter`, written out: it is called for each list.
            self.state = _IDLE
            self._deadline.set(self.timeout_keep_alive)
        else:
            self._close()


def head_of(found: Answer, keep_alive: bool, date: bytes) -> bytes:
    """Return the head of an answer; `date` is the present second as headers say it."""
    common, end = _common_and_end(found.status, found.content_type, date, keep_alive)
    location = b"" if found.location is None else _redirected(found.location, found.digest)
    length = sum(map(len, found.pieces))
    return b"%b%bcontent-length: %d%b" % (common, location, length, end)


def _redirected(location: str, digest: str | None) -> bytes:
    repr_digest = f"repr-digest: {digest}\r\n" if digest else ""
    return f"location: {location}\r\n{repr_digest}".encode()


@lru_cache(128)
def _common_and_end(
    status: int, content_type: str, date: bytes, keep_alive: bool
) -> tuple[bytes, bytes]:
    """Return the first lines and the end that all such heads of a second share."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"date: {date.decode()}",
        f"content-type: {content_type}",
        "cache-control: private",
    ]
    common = "".join(f"{line}\r\n" for line in lines).encode()
    return common, b"\r\n\r\n" if keep_alive else b"\r\nconnection: close\r\n\r\n"
