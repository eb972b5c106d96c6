"""Leaves packages out of primary, filelists and other, whose kept bytes stay as they are."""

import re
from collections.abc import Callable, Iterable, Iterator
from xml.sax.saxutils import unescape

from snapshot.packages.pieces import pieces
from snapshot.packages.primary import key_of
from snapshot.slim.written import Checked

MOST_BYTES = 64 << 20
"""The largest package in one of these files: some have a hundred thousand files."""
# Each reads a byte a limited number of times: no tag has a "<" in it, and what may be repeated
# without one is short. Else some kilobytes, in a comment say, would take hours.
_COUNT = re.compile(rb'(<\w[^<>]*\spackages=)(["\'])[0-9]*\2')
_ID = re.compile(rb'<package\s[^<>]*?pkgid=["\']([0-9A-Fa-f]{1,128})["\']')
_SUM = re.compile(rb'pkgid="YES"[^<>]{0,99}>\s{0,99}([0-9A-Fa-f]{1,128})\s*<')
_FILE = re.compile(rb"<(?:\w{1,99}:)?file(?:\s[^<>]*)?>([^<]*)</")
_QUOTES = {"&apos;": "'", "&quot;": '"'}

IsKept = Callable[[bytes], bool]


def by_key(keys: Iterable[bytes]) -> IsKept:
    """Return what knows a package of primary.xml by its bytes, and takes it once."""
    left = {*keys}

    def is_kept(piece: bytes) -> bool:
        key = key_of(piece)
        was_there = key in left
        left.discard(key)
        return was_there

    return is_kept


def by_sum(sums: Iterable[str]) -> IsKept:
    """Return what knows a package of the other files by the sum of the package."""
    kept = {sum.encode() for sum in sums}
    return lambda piece: _sum(_ID, piece) in kept


def filtered(blocks: Iterable[bytes], name: str, is_kept: IsKept, count: int) -> Iterator[bytes]:
    """Yield a file with the kept packages alone, in their order; raises UnusableRepository."""
    outer: list[tuple[bytes, bool]] = []
    checked = Checked(name)
    number = rb"\g<1>\g<2>%d\g<2>" % count
    for piece in pieces(blocks, lambda *some: outer.append(some), MOST_BYTES):
        while outer:
            yield checked.feed(_COUNT.sub(number, outer.pop(0)[0], count=1))
        if is_kept(piece):
            yield checked.feed(piece + b"\n")
    for data, is_last in outer:
        yield checked.feed(_COUNT.sub(number, data, count=1).lstrip(), is_last=is_last)


def owners(blocks: Iterable[bytes], wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield who has one of some paths, as the sum of the package and the path."""
    paths = {path.encode() for path in wanted}
    for piece in pieces(blocks, lambda *_: None, MOST_BYTES):
        found = paths.intersection(_files(piece))
        if found and (sum := _sum(_ID, piece) or _sum(_SUM, piece)):
            for path in found:
                yield sum.decode(), path.decode()


def _files(piece: bytes) -> Iterable[bytes]:
    found = _FILE.findall(piece)
    if b"&" in piece:
        return [unescape(one.decode(errors="replace"), _QUOTES).encode() for one in found]
    return found


def _sum(pattern: re.Pattern[bytes], piece: bytes) -> bytes:
    found = pattern.search(piece)
    return found[1].lower() if found else b""
