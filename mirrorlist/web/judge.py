"""Judges request lines and heads by what httptools says of them.

No grammar of our own decides what is plain: what httptools does not hear as one GET of HTTP/1.1
and nothing more is not plain, and the full protocol answers it.
"""

from collections.abc import Set
from typing import NamedTuple

import httptools

from mirrorlist.request.client import FORWARDED_FOR, SIGNS
from mirrorlist.request.listkey import ListKey
from mirrorlist.request.software import USER_AGENT, family_of
from mirrorlist.web.head import MORE_THAN_HEAD, asked_list

MOST_LINE_BYTES = 512
"""A longer request line is not plain."""
MOST_SHAPE_BYTES = 2048
"""Nor is a head with more than this, without its request line."""
MOST_SHAPE_LINES = 40
"""Nor with more header lines. The limits of requests (`limits`) are wider, so they always hold."""

_GET, _VERSION = b"GET ", b" HTTP/1.1"
# What addresses consist of, also several; a parser would trim blanks at the edges.
_ADDRESS_BYTES = b"0123456789abcdefABCDEF:., "
# The longest value of X-Forwarded-For that a shape is known with.
_PROBE = b"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff, 2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"
_PROBE_URL = b"/mirrorlist"
_PROBE_LINE = _GET + _PROBE_URL + _VERSION
_PROBE_REST = b"\r\nHost: a\r\n\r\n"


def judge_line(line: bytes, known: Set[bytes] = frozenset()) -> ListKey | None:
    """Return which list a request line asks for, None if it is not plain: 3 us.

    `known` are the paths of lists in other words.
    """
    if len(line) > MOST_LINE_BYTES or not line.startswith(_GET):
        return None
    url = _lines.url_of(line + _PROBE_REST)
    if url is None or line != _GET + url + _VERSION:
        return None
    return asked_list(url, known)


class Shape(NamedTuple):
    """What a head says beside its request line and the addresses.

    `keep_alive`: the connection stays; `software` is the family of its User-Agent.
    """

    keep_alive: bool
    software: int


def judge_shape(before: bytes, mark: bytes, after: bytes) -> Shape | None:
    """Return what a head of this shape says, None if it is not plain.

    `mark` is the line end, name, colon and blank of X-Forwarded-For, which stands between `before`
    and `after`; it is empty where the head has no such line.
    """
    rest = before + mark + _PROBE + b"\r\n" + after if mark else before
    heard = _hear(_PROBE_LINE + rest) if len(rest) <= MOST_SHAPE_BYTES else None
    if heard is None or heard.url != _PROBE_URL:
        return None
    names = [name for name, _ in heard.headers]
    if len(names) > MOST_SHAPE_LINES or not MORE_THAN_HEAD.isdisjoint(names):
        return None
    forwarded = [value for name, value in heard.headers if name == FORWARDED_FOR]
    if forwarded != ([_PROBE] if mark else []):
        return None
    # A proxy that does not say for whom it asks: the full protocol knows what that means.
    if not mark and not SIGNS.isdisjoint(names):
        return None
    agents = [value for name, value in heard.headers if name == USER_AGENT]
    return Shape(heard.keep_alive, family_of(agents[-1] if agents else b""))


def is_like_probe(value: bytes) -> bool:
    """Return whether a value of X-Forwarded-For changes nothing about how its head was judged."""
    return (
        len(value) <= len(_PROBE)
        # All of them are stripped: it takes a third of the time of a look at each.
        and not value.strip(_ADDRESS_BYTES)
        and value.strip(b" ") == value != b""
    )


class _Heard:
    """What httptools says of some bytes."""

    def __init__(self) -> None:
        self.begun = self.complete = 0
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_plain = self.keep_alive = False
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        self.is_plain = parser.get_method() == b"GET" and parser.get_http_version() == "1.1"
        self.keep_alive = parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete += 1


def _hear(data: bytes) -> _Heard | None:
    """Return what httptools says of bytes that are one GET of HTTP/1.1, and nothing more."""
    heard = _Heard()
    try:
        heard.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    finally:
        # They refer to each other.
        del heard.parser
    return heard if heard.is_plain and heard.begun == heard.complete == 1 else None


class _Lines:
    """What httptools says of request lines with the same few headers behind each.

    One parser hears line after line, because to make one takes as long as to hear a line. After a
    whole request, and on a connection that stays open, it is as new. After anything else another
    parser takes its place.
    """

    def __init__(self) -> None:
        self._begin()

    def url_of(self, head: bytes) -> bytes | None:
        """Return the target of a head that is one GET of HTTP/1.1, and nothing more."""
        self._url, self._said = b"", ""
        try:
            self._parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._said = ""
        if self._said == _ONE:
            return self._url
        self._begin()
        return None

    def _begin(self) -> None:
        # The parser before goes at once: nothing else refers to it.
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        self._said += "begun"

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser.get_method() == b"GET" and parser.get_http_version() == "1.1":
            self._said += "plain" if parser.should_keep_alive() else "last"


_ONE = "begunplain"
_lines = _Lines()
