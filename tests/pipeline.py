"""Many requests on one connection, sent in batches: answers in bulk from a real server."""

import socket
from collections.abc import Iterator, Sequence
from itertools import pairwise

# What a worker answers at once must fit into its socket, or answers take the slow reader's way.
_BATCH = 40
_SECONDS = 20.0
_LENGTH = b"content-length: "
_END = b"\r\n\r\n"


def ask_all(port: int, requests: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the bodies of the answers to requests, in order; each must be a 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        starts = [*range(0, len(requests), _BATCH), len(requests)]
        left = b""
        for start, end in pairwise(starts):
            connection.sendall(b"".join(requests[start:end]))
            for _ in range(end - start):
                body, left = _answer(connection, left)
                yield body


def _answer(connection: socket.socket, received: bytes) -> tuple[bytes, bytes]:
    """Return the body of the next answer, and what was received behind it."""
    while (begin := received.find(_END)) < 0:
        received += _more(connection)
    head = received[:begin].lower()
    assert head.startswith(b"http/1.1 200 "), head
    place = head.index(_LENGTH) + len(_LENGTH)
    begin += len(_END)
    end = begin + int(head[place:].partition(b"\r")[0])
    while len(received) < end:
        received += _more(connection)
    return received[begin:end], received[end:]


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(1 << 20)
    assert part, "the connection ended"
    return part
