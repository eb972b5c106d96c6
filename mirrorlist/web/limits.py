"""What a connection may send, and how long each of its states may last.

Source: docs/protocol.md#limits. Stock uvicorn takes 50 MB of headers, queues requests without end,
waits for ever for the end of a half-sent one, and never gives up on a client that reads nothing.
"""

from mirrorlist.process.jobs import MOST_SECONDS

MAX_TARGET_BYTES = 8 * 1024
"""RFC 9112 section 3 wants recipients to "support, at a minimum, request-line lengths of 8000
octets"."""

MAX_HEADER_BYTES = 16 * 1024
"""Each line counts with its name, value, colon, blank and line end."""

MAX_HEADER_LINES = 64

MOST_WAITING = 32
"""Requests of a connection that are read and not answered yet, the one under way included."""

HEAD_SECONDS = 10.0
"""From the start of a connection, or the first byte of a later request, to the end of its head."""

ANSWER_SECONDS = MOST_SECONDS
"""From there until the answer has left this process."""

LINGER_SECONDS = 1.0
"""How long to read on, and throw away, what a client sends behind its last answer."""
