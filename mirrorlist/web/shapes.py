"""Recognises requests for lists by their bytes, without parsing them again.

Most requests differ in two places only: the request line, and the address that the proxy writes
into X-Forwarded-For. The rest of a head is its *shape*, and few clients and proxies make few
shapes. `judge` looks at each request line and each shape once; afterwards they are known by their
exact bytes. The full protocol is the authority: it answers whatever is not recognised here.

A header whose value differs in each request makes every shape a new one. To judge each of them
takes 7 us, and to leave them to the full protocol takes more (docs/performance.md), so all are
judged.
"""

from collections.abc import Callable, Set

from msgspec import Struct

from mirrorlist.catalog.kept import Kept
from mirrorlist.request.client import FORWARDED_FOR
from mirrorlist.request.listkey import ListKey
from mirrorlist.web.judge import Shape, is_like_probe, judge_line, judge_shape

LINES_BYTES = 2 << 20
"""For the request lines that are known: about 5,000 of the usual length."""
SHAPES_BYTES = 1 << 19
"""For the shapes that are known: about 1,000 of the usual length."""

_END = b"\r\n\r\n"
# Stands for the addresses: a head has it at its end alone, so no other head is known by this key.
_GAP = _END
_USUAL_MARK = b"\r\nX-Forwarded-For: "


class Request(Struct, frozen=True, gc=False):
    """A request that was recognised; `forwarded` are its X-Forwarded-For lines: none, or one."""

    key: ListKey
    forwarded: tuple[bytes, ...]
    shape: Shape


class Recogniser:
    """Recognises requests for lists that consist of a plain head and nothing else."""

    def __init__(self, paths: Callable[[], Set[bytes]] = frozenset) -> None:
        """Know nothing yet; `paths` returns the paths of lists in other words.

        A line stays known if its path is not one of them any more: it is refused by its answer.
        """
        self._paths = paths
        self._lines: Kept[bytes, ListKey] = Kept(LINES_BYTES, _line_bytes)
        # By the rest of a head.
        self._shapes: Kept[bytes, Shape] = Kept(SHAPES_BYTES, _shape_bytes)
        # How the proxy before us spells the name of the header.
        self._mark = _USUAL_MARK

    @property
    def size(self) -> int:
        """About how many bytes of lines and shapes are known."""
        return self._lines.bytes + self._shapes.bytes

    def recognise(self, data: bytes) -> Request | None:
        """Return what is asked if the bytes are one plain request for a list, as a whole."""
        if data.find(_END) + len(_END) != len(data):
            return None
        end = data.find(b"\r\n")
        line, rest = data[:end], data[end:]
        key = self._lines.young.get(line) or self._line(line)
        if key is None:
            return None
        before, mark, after = rest.partition(self._mark)
        if mark:
            return self._forwarded(key, before, mark, after)
        shape = self._shapes.young.get(rest)
        return self._unmarked(key, rest) if shape is None else Request(key, (), shape)

    def _forwarded(self, key: ListKey, before: bytes, mark: bytes, after: bytes) -> Request | None:
        value, _, after = after.partition(b"\r\n")
        known_by = before + mark + _GAP + after
        shape = self._shapes.young.get(known_by)
        if shape is None:
            shape = self._shape(known_by, before, mark, after)
        if shape is None or not is_like_probe(value):
            return None
        return Request(key, (value,), shape)

    def _unmarked(self, key: ListKey, rest: bytes) -> Request | None:
        if spelled := _spelling(rest):
            # Another proxy, which spells the name otherwise.
            self._mark = spelled
            return self._forwarded(key, *rest.partition(spelled))
        shape = self._shape(rest, rest, b"", b"")
        return None if shape is None else Request(key, (), shape)

    def _line(self, line: bytes) -> ListKey | None:
        key = self._lines.find(line)
        if key is None and (key := judge_line(line, self._paths())) is not None:
            self._lines.keep(line, key)
        return key

    def _shape(self, known_by: bytes, before: bytes, mark: bytes, after: bytes) -> Shape | None:
        shape = self._shapes.find(known_by)
        if shape is None and (shape := judge_shape(before, mark, after)) is not None:
            self._shapes.keep(known_by, shape)
        return shape


def _spelling(rest: bytes) -> bytes | None:
    """Return how X-Forwarded-For is spelt in a head, with the line end before it."""
    at = rest.lower().find(b"\r\n" + FORWARDED_FOR + b": ")
    return rest[at : at + len(_USUAL_MARK)] if at >= 0 else None


def _line_bytes(line: bytes, key: ListKey) -> int:
    # Two byte strings, a tuple and their places in a dictionary.
    return 2 * len(line) + 230


def _shape_bytes(known_by: bytes, shape: Shape) -> int:
    return len(known_by) + 200
