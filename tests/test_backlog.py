"""What is not parsed yet is handed out head by head, and nothing of it is lost."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.web.backlog import HEAD_END, Backlog

PARTS = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", HEAD_END]), max_size=12)


def _taken(backlog: Backlog) -> list[bytes]:
    pieces = []
    while backlog:
        pieces.append(backlog.take())
    return pieces


@given(PARTS.map(b"".join), PARTS.map(b"".join), st.integers(0, 3))
def test_pieces(first: bytes, second: bytes, before: int) -> None:
    """All that is put in comes out in its order; each piece but the last ends with a head."""
    backlog = Backlog()
    backlog.add(first)
    assert len(backlog) == len(first)
    pieces = [backlog.take() for _ in range(before) if backlog]
    backlog.add(second)
    assert len(backlog) == len(first + second) - sum(map(len, pieces))
    rest = _taken(backlog)
    assert b"".join((*pieces, *rest)) == first + second
    assert all(piece.find(HEAD_END) == len(piece) - len(HEAD_END) for piece in rest[:-1])
    assert all(piece for piece in rest)


def test_thrown_away() -> None:
    """Nothing is left of what is thrown away, and what comes later is kept."""
    backlog = Backlog()
    backlog.add(b"GET / HTTP/1.1" + HEAD_END + b"GET")
    assert backlog.take().endswith(HEAD_END)
    backlog.clear()
    assert not backlog
    backlog.add(b"x")
    assert _taken(backlog) == [b"x"]


class _Ends:
    """Counts the heads that end."""

    count = 0

    def on_headers_complete(self) -> None:
        """Count."""
        self.count += 1


@pytest.mark.parametrize(
    "end", [b"\n\n", b"\r\n\n", b"\n\r\n", b"\r\r", b"\r\n\r", b"\r\n \r\n", HEAD_END]
)
@pytest.mark.parametrize("head", [b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\nA: b", b"GET / HTTP/1.0"])
def test_where_a_head_ends(head: bytes, end: bytes) -> None:
    """The parser knows no other end of a head; at its upgrade this may change."""
    ends = _Ends()
    parser = httptools.HttpRequestParser(ends)
    try:
        parser.feed_data(head + end)
    except httptools.HttpParserError:
        assert end != HEAD_END
    assert ends.count == (end == HEAD_END)
