"""The head of a request: its size, measured while it comes, and what it asks for."""

from collections.abc import Sequence, Set
from http import HTTPStatus
from itertools import chain

from mirrorlist.errors import MirrorlistError
from mirrorlist.request.listkey import ListKey, key_of
from mirrorlist.web.limits import MAX_HEADER_BYTES, MAX_HEADER_LINES, MAX_TARGET_BYTES

_LINE_EXTRA = len(b": \r\n")
# What a request line has beside its target, with the longest method, and the end of the head.
_MAX_REQUEST_LINE_EXTRA = len(b"BASELINE-CONTROL  HTTP/1.1\r\n\r\n")
# The parser does not hand out an unfinished line, so an open head is measured in raw bytes.
MAX_OPEN_BYTES = MAX_TARGET_BYTES + MAX_HEADER_BYTES + _MAX_REQUEST_LINE_EXTRA
"""How many bytes of a head are taken while its end has not come."""


class HeadTooLargeError(MirrorlistError):
    """A head is over a limit; `status` is that of the refusal."""

    def __init__(self, status: HTTPStatus) -> None:
        """Take the status."""
        super().__init__(status.phrase)
        self.status = status


class HeadMeter:
    """Measures one head after another, however they are cut into pieces."""

    is_open = False
    """Whether a head has begun and not ended."""

    piece_bytes = 0
    """The size of the piece that is parsed now; to be set before it is parsed."""

    # The bytes of the open head in earlier pieces.
    _earlier_bytes = 0

    def begin(self) -> None:
        """Begin with a head."""
        self._earlier_bytes = 0
        self.is_open = True

    def end(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """End a head with these lines; raises HeadTooLargeError."""
        # Nearly always the pieces together are below the limit, and the lines need not be added up.
        is_small = self._earlier_bytes + self.piece_bytes <= MAX_HEADER_BYTES
        if len(headers) > MAX_HEADER_LINES or not (is_small or _size(headers) <= MAX_HEADER_BYTES):
            raise HeadTooLargeError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self.is_open = False

    def end_piece(self) -> None:
        """Count a piece that ended within a head; raises HeadTooLargeError."""
        self._earlier_bytes += self.piece_bytes
        if self._earlier_bytes > MAX_OPEN_BYTES:
            raise HeadTooLargeError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


MORE_THAN_HEAD = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
"""With one of these headers, their names in lower case, a request may be more than its head."""


def asked_list(target: bytes, known: Set[bytes] = frozenset()) -> ListKey | None:
    """Return which list a request target asks for, None if the app has to look at it.

    `known` are the paths of lists in other words.
    """
    path, _, query = target.partition(b"?")
    # The app sees other paths and targets as uvicorn decodes them.
    if not path.isascii() or b"#" in target:
        return None
    return key_of(path, query, known)


def announces_body(name: bytes, value: bytes) -> bool:
    """Return whether a header, its name in lower case, says that a body follows."""
    # RFC 9112 section 6: "The presence of a message body in a request is signaled by a
    # Content-Length or Transfer-Encoding header field."
    if name == b"content-length":
        # The parser takes digits only; a length of 0 is no body.
        return value.strip(b" \t0") != b""
    return name == b"transfer-encoding"


def _size(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(map(len, chain.from_iterable(headers))) + _LINE_EXTRA * len(headers)
