"""The head of a request is measured whatever its pieces: at each limit, and one past it."""

from http import HTTPStatus

import pytest

from mirrorlist.web.head import MAX_OPEN_BYTES, HeadMeter, HeadTooLargeError
from mirrorlist.web.limits import MAX_HEADER_BYTES, MAX_HEADER_LINES, MAX_TARGET_BYTES

PIECES = {
    "one piece": [MAX_HEADER_BYTES + 20],
    "a last byte alone": [MAX_HEADER_BYTES, 1],
    "many": [100] * 200,
    # What came before it, such as line ends, is not its own.
    "much else in its piece": [200_000],
}


def _lines(count: int, size: int) -> list[tuple[bytes, bytes]]:
    """Return this many header lines, which have this size together as the limit counts it."""
    lines = [(b"x", b"y")] * (count - 1)
    return [*lines, (b"x", b"y" * (size - 6 * len(lines) - len(b"x: \r\n")))]


def _measure(pieces: list[int], lines: list[tuple[bytes, bytes]]) -> HeadMeter:
    """Let a head with these lines come in these pieces, behind an earlier head."""
    meter = HeadMeter()
    for sizes, found in (([20_000, 1], []), (pieces, lines)):
        meter.begin()
        for meter.piece_bytes in sizes[:-1]:
            meter.end_piece()
        meter.piece_bytes = sizes[-1]
        meter.end(found)
    return meter


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("lines", [1, 2, MAX_HEADER_LINES])
def test_bytes(pieces: list[int], lines: int) -> None:
    """The lines may have 16 KiB with their colons, blanks and line ends, and no byte more."""
    assert not _measure(pieces, _lines(lines, MAX_HEADER_BYTES)).is_open
    with pytest.raises(HeadTooLargeError) as raised:
        _measure(pieces, _lines(lines, MAX_HEADER_BYTES + 1))
    assert raised.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_lines() -> None:
    """A head may have 64 lines, and not one more, however small it is."""
    assert not _measure([1000], [(b"x", b"y")] * MAX_HEADER_LINES).is_open
    with pytest.raises(HeadTooLargeError) as raised:
        _measure([1000], [(b"x", b"y")] * (MAX_HEADER_LINES + 1))
    assert raised.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize("size", [1, 1000, MAX_TARGET_BYTES])
def test_a_head_that_does_not_end(size: int) -> None:
    """A head that does not end is taken up to the bound of all limits, and no byte more."""
    meter = HeadMeter()
    for _ in range(2):
        meter.begin()
        left = MAX_OPEN_BYTES
        while left:
            meter.piece_bytes = min(size, left)
            left -= meter.piece_bytes
            meter.end_piece()
        assert meter.is_open
    meter.piece_bytes = 1
    with pytest.raises(HeadTooLargeError) as raised:
        meter.end_piece()
    assert raised.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_a_head_at_all_limits() -> None:
    """A head whose target and lines are as large as may be is taken in any pieces."""
    line = b"OPTIONS " + b"/" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n"
    meter, left = HeadMeter(), len(line) + MAX_HEADER_BYTES + len(b"\r\n") - 1
    meter.begin()
    while left:
        meter.piece_bytes = min(1000, left)
        left -= meter.piece_bytes
        meter.end_piece()
    meter.piece_bytes = 1
    meter.end(_lines(MAX_HEADER_LINES, MAX_HEADER_BYTES))
    assert not meter.is_open
