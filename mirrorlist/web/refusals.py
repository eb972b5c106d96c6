"""Refusals: answers to bytes that are not a request. The connection sends one, and then ends."""

from http import HTTPStatus

from mirrorlist.web.limits import (
    HEAD_SECONDS,
    MAX_HEADER_BYTES,
    MAX_HEADER_LINES,
    MAX_TARGET_BYTES,
)

TEXTS = {
    HTTPStatus.BAD_REQUEST: "This is not a request that HTTP knows.",
    # RFC 9110 section 15.5.9: "the server did not receive a complete request message within the
    # time that it was prepared to wait".
    HTTPStatus.REQUEST_TIMEOUT: f"The headers did not end within {HEAD_SECONDS:.0f} s.",
    # RFC 9110 section 15.5.15: the target "is longer than the server is willing to interpret".
    HTTPStatus.REQUEST_URI_TOO_LONG: f"The request target is longer than {MAX_TARGET_BYTES} bytes.",
    # RFC 6585 section 5: "both when the set of request header fields in total is too large, and
    # when a single header field is at fault".
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The headers are more than {MAX_HEADER_LINES} lines or {MAX_HEADER_BYTES} bytes."
    ),
}
"""The text of a refusal, by its status."""


def refusal(status: HTTPStatus, text: str) -> bytes:
    """Return a whole refusal: head and body."""
    body = text.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: text/plain\r\n"
        f"content-length: {len(body)}\r\n"
        # RFC 9112 section 9.6: "A sender SHOULD send a Connection header field [...] containing the
        # 'close' connection option when it intends to close a connection."
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
