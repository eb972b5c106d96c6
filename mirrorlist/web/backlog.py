"""The bytes that a client has sent and the parser has not taken yet."""

HEAD_END = b"\r\n\r\n"
"""The parser ends the head of an HTTP/1 request here and nowhere else: a bare line feed, which
RFC 9112 section 2.2 lets a recipient take for a line end, is an error to it."""


class Backlog:
    """Bytes that wait, and are taken out head by head; `len()` says how many wait."""

    def __init__(self) -> None:
        """Begin empty."""
        self._bytes, self._at = b"", 0

    def __len__(self) -> int:
        """Return how many bytes wait."""
        return len(self._bytes) - self._at

    def add(self, data: bytes) -> None:
        """Put bytes behind those that wait."""
        self._bytes, self._at = self._bytes[self._at :] + data, 0

    def take(self) -> bytes:
        """Return the bytes up to the end of the next head, or all bytes if the end has not come.

        A piece completes two requests at most: the one whose last bytes were split from it, and
        one of its own.
        """
        begin, end = self._at, self._bytes.find(HEAD_END, self._at)
        self._at = len(self._bytes) if end < 0 else end + len(HEAD_END)
        return self._bytes[begin : self._at]

    def clear(self) -> None:
        """Throw all bytes away."""
        self._bytes, self._at = b"", 0
