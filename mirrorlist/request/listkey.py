"""Which list a request target asks for: its kind, and the bytes that decide about the rest."""

from collections.abc import Set

ListKey = tuple[bool, bytes]
"""Whether a metalink is asked for, and the raw query string: perhaps with a path before it."""

_METALINK, _MIRRORLIST = b"/metalink", b"/mirrorlist"
_BELOW = (_METALINK + b"/", _MIRRORLIST + b"/")
# Stands around a path before a query string: no request target can have this byte.
_MARK = b"\n"


def key_of(path: bytes, query: bytes, known: Set[bytes]) -> ListKey | None:
    """Return which list a path and query ask for, None if it is not a list.

    `known` are the paths of lists in other words, each from its /metalink/ or /mirrorlist/ on.
    """
    if path.endswith(_METALINK):
        return True, query
    if path.endswith(_MIRRORLIST):
        return False, query
    if known:
        below = below_list(path)
        if below in known:
            return below.startswith(_BELOW[0]), _MARK + below + _MARK + query
    return None


def below_list(path: bytes) -> bytes:
    """Return a path from its last /metalink/ or /mirrorlist/ on; empty if it has neither."""
    begin = max(map(path.rfind, _BELOW))
    return b"" if begin < 0 else path[begin:]


def split_path(raw: bytes) -> tuple[str, bytes]:
    """Return the path that stands before a query string, or an empty one, and the query string."""
    if raw[:1] != _MARK:
        return "", raw
    path, _, query = raw[1:].partition(_MARK)
    return path.decode(errors="replace"), query
