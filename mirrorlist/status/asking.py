"""Asks another process's admin address for a page: bounded in time and in bytes."""

import socket
import time
from collections.abc import Iterator

ASK_SECONDS = 2.0
MOST_BYTES = 64 << 10


class NotAnswered(Exception):
    """Nothing answers there in time, with the reason."""


class NotOurs(Exception):
    """Something answers there, but not as asked."""


def asked(host: str, port: int, path: str, seconds: float = ASK_SECONDS) -> bytes:
    """Return the body of a page; raises NotAnswered, or NotOurs for any other answer than 200.

    `seconds` is the time for the whole answer; looking up a name is not part of it.
    """
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            answer = b"".join(_received(connection, f"{host}:{port}", path, deadline))
    except OSError as error:
        why = "timed out" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise NotAnswered(why) from error
    except UnicodeError as error:
        # A label of a name may be too long, or empty.
        raise NotAnswered("not a name") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or len(answer) > MOST_BYTES:
        raise NotOurs
    return body


def _received(connection: socket.socket, host: str, path: str, deadline: float) -> Iterator[bytes]:
    """Ask, and yield bytes until the other side closes; raises OSError when the time is over."""
    wanted = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
    connection.sendall(f"{wanted}Connection: close\r\n\r\n".encode())
    size, piece = 0, b"begin"
    while piece and size <= MOST_BYTES:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        size += len(piece := connection.recv(1 << 16))
        if time.monotonic() > deadline:
            raise TimeoutError
        yield piece
