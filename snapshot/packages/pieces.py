"""Cuts a file of repodata into the bytes of its packages, without parsing it."""

from collections.abc import Callable, Iterable, Iterator

from snapshot.file.errors import UnusableRepository

MOST_BYTES = 8 << 20
"""The largest package in a primary.xml, in bytes; the largest real ones have under 1 MB."""
_END, _BEGIN = b"</package>", b"<package"

Outside = Callable[[bytes, bool], None]
"""Takes what is before the first package, then what is after the last one, which is the last."""


def pieces(blocks: Iterable[bytes], outside: Outside, most: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of each package; raises UnusableRepository for one that is too large."""
    most = MOST_BYTES if most is None else most
    rest, is_begun = b"", False
    for block in blocks:
        *ended, rest = (rest + block).split(_END)
        for piece in ended:
            if not is_begun:
                before, mark, piece = piece.partition(_BEGIN)
                outside(before, False)
                piece, is_begun = mark + piece, True
            yield piece.strip() + _END
        if len(rest) > most:
            raise UnusableRepository(f"a package of more than {most:,} bytes")
    outside(rest, True)
