"""Metalink 4 (RFC 5854), for a path that ends with `.meta4`: the same mirrors and sums.

Source: docs/protocol.md#metalink-4.
"""

import re
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from mirrorlist.lists.metalink import is_one_piece
from snapshot.file.model import FileDetail

SUFFIX = ".meta4"
CONTENT_TYPE = "application/metalink4+xml"
CLOSING = b" </file>\n</metalink>\n"

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    " <generator>mirrorlist</generator>\n"
)
# The names of RFC 5854 (section 4.2.4.1) are those of IANA's registry of hash functions. The best
# is last, as in a metalink 3.0 (docs/clients.md#order-and-case-of-hashes).
_HASHES = {"md5": "md5", "sha1": "sha-1", "sha256": "sha-256", "sha512": "sha-512"}
# A URL in a metalink 3.0 as `mirrorlist.lists.listing` writes it.
_URL = re.compile(rb'    <url protocol="[^"]*" type="[^"]*" location=("[^"]*"|\'[^\']*\')[^>]*>')
_NO_LOCATION = b'""'


def opening(file: str, details: Sequence[FileDetail]) -> bytes:
    """Return the document up to the first URL; of several versions it has the newest one alone."""
    newest = details[0]
    lines = [_HEAD, f" <file name={quoteattr(file)}>\n"]
    if newest.size:
        lines.append(f"  <size>{newest.size}</size>\n")
    for kind, name in _HASHES.items():
        value: bytes = getattr(newest, kind)
        if value:
            lines.append(f'  <hash type="{name}">{value.hex()}</hash>\n')
    if is_one_piece(newest):
        piece = f"<hash>{newest.sha256.hex()}</hash>"
        lines.append(f'  <pieces length="{newest.size}" type="sha-256">{piece}</pieces>\n')
    return "".join(lines).encode()


def urls(listed: bytes) -> bytes:
    """Return the URLs of a metalink 3.0 as those of a metalink 4, with rising priorities.

    Takes about 1 us a URL. It is done for each request, because these documents are rarely asked
    for, and kept orders of the same hosts are those of metalinks 3.0.
    """
    priority = 0

    def renamed(match: re.Match[bytes]) -> bytes:
        nonlocal priority
        priority += 1
        # RFC 5854 section 4.2.17.1: lower case of ISO 3166-1 is usual, and "" is not a country.
        place = b"" if match[1] == _NO_LOCATION else b" location=" + match[1].lower()
        return b'  <url%b priority="%d">' % (place, priority)

    return _URL.sub(renamed, listed)
