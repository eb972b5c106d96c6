"""The limits of a connection: how much it may send, and how long each of its states may last.

Source: docs/protocol.md#limits. Without them uvicorn takes 50 MB of headers, queues any number of
requests, waits for ever for the end of a half-sent one, and never gives up on a client that does
not read.
"""

from mirrorlist.process.jobs import MOST_SECONDS

MAX_TARGET_BYTES = 8 * 1024
"""RFC 9112 section 3 wants recipients to "support, at a minimum, request-line lengths of 8000
octets"."""

MAX_HEADER_BYTES = 16 * 1024
"""Each line counts with its name, value, colon, blank and line end."""

MAX_HEADER_LINES = 64

MOST_WAITING = 32
"""Requests of a connection that are read but not answered, including the one under way."""

HEAD_SECONDS = 10.0
"""From the start of a connection, or the first byte of a later request, to the end of its head."""

ANSWER_SECONDS = MOST_SECONDS
"""From the end of the head until the answer has left this process."""

LINGER_SECONDS = 1.0
"""Time to read on after the last answer, and to throw away what the client still sends."""
