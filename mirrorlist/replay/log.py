"""Requests from a log: mirrorlist-server's own lines, or plain `ADDRESS PATH` lines."""

import re
from collections.abc import Iterable, Iterator
from itertools import cycle
from urllib.parse import quote

from mirrorlist.replay.request import Request

# Source: docs/protocol.md#the-request-log.
_REQUEST_LOG = re.compile(
    r"IP: (?P<address>[!-~]+); DATE: [^;]*; COUNTRY: [^;]*; REPO: (?P<repo>.*); ARCH: (?P<arch>.*)"
)
_PLAIN = re.compile(r"(?P<address>[0-9A-Fa-f:.]+)\s+(?P<target>/[!-~]*)")
# Characters that are not percent-encoded in a value, so that both servers read it alike.
_SAFE = "+/:@,;!$*()'~^"

# A request line has at most 16 KiB. Longer lines are skipped, because any file may be given.
MOST_LINE_BYTES = 1 << 16

Line = tuple[int, Request | None]


def texts_of(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield each line as text, also if it is not UTF-8; a line over the limit becomes empty."""
    for line in lines:
        yield line.decode("utf-8", "replace") if len(line) <= MOST_LINE_BYTES else ""


def requests_of(lines: Iterable[str]) -> Iterator[Line]:
    """Yield the number and the request of each line; None for a line that is not a list request.

    mirrorlist-server's log does not say whether a mirrorlist or a metalink was asked for, so its
    lines become requests for both in turn.
    """
    kinds = cycle(("/metalink", "/mirrorlist"))
    for number, line in enumerate(lines, 1):
        yield number, _logged(line.rstrip("\r\n"), kinds) or _plain(line.strip())


def _logged(line: str, kinds: Iterator[str]) -> Request | None:
    match = _REQUEST_LOG.fullmatch(line)
    if match is None:
        return None
    repo, arch = (quote(match[name], safe=_SAFE, errors="replace") for name in ("repo", "arch"))
    return Request("log", next(kinds), f"repo={repo}&arch={arch}", match["address"])


def _plain(line: str) -> Request | None:
    match = _PLAIN.fullmatch(line)
    if match is None:
        return None
    path, _, query = match["target"].partition("?")
    if not path.endswith(("/metalink", "/mirrorlist")):
        return None
    return Request("log", path, query, match["address"])
