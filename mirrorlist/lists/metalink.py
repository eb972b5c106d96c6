"""Metalink 3.0 as dnf, yum and zypper read it.

Source: docs/protocol.md#the-metalink, docs/clients.md#the-metalink.
"""

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import quoteattr

from snapshot.file.model import FileDetail

CONTENT_TYPE = "application/metalink+xml"
CLOSING = b"   </resources>\n  </file>\n </files>\n</metalink>\n"

_BEFORE_DATE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="'
)
# librepo finds alternates by the text `mm0:`, yum 3 and aria2 go by the first namespace
# (docs/clients.md#namespaces-and-the-prefix-mm0).
_AFTER_DATE = '" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">\n'
# sha512 last: "wget2 uses the first hash that it supports, and cuts sha512 short: with sha512 first
# it never ends" (docs/clients.md#order-and-case-of-hashes).
_HASHES = ("md5", "sha1", "sha256", "sha512")
# aria2 has the length of a piece in 32 bits with a sign.
MOST_PIECE_BYTES = (1 << 31) - 1
# "For compatibility, the string "--" (double-hyphen) MUST NOT occur within comments"
# (https://www.w3.org/TR/xml/#sec-comments).
_TWO_HYPHENS = re.compile("-(?=-)")
# Characters that XML 1.0 cannot hold, not even escaped (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def head(pubdate: str) -> bytes:
    """Return the document's first lines, with the time when it is made."""
    return f"{_BEFORE_DATE}{pubdate}{_AFTER_DATE}".encode()


def opening(file: str, details: Sequence[FileDetail], *, pieces: bool) -> bytes:
    """Return what follows the head, up to the first URL; `details` are newest first.

    With `pieces` the newest version is said to be one piece, if `is_one_piece()` allows it.
    """
    # A single `file`: "aria2 downloads every `file`" (docs/clients.md#one-file-in-a-document).
    lines = [
        f" <files>\n  <file name={quoteattr(file)}>\n",
        *_versions(details, pieces and is_one_piece(details[0])),
        '   <resources maxconnections="1">\n',
    ]
    return "".join(lines).encode()


def is_one_piece(detail: FileDetail) -> bool:
    """Return whether a metalink can say that a file is one piece, whose sum is that of the file.

    "if a metalink has hashes of pieces, aria2 throws a wrong piece away and goes on"; without them
    "A wrong hash ends the download" (docs/clients.md#aria2).
    """
    return bool(detail.sha256) and 0 < detail.size <= MOST_PIECE_BYTES


def render_error(head: bytes, text: str) -> bytes:
    """Return an error as a document without files, with the text in a comment.

    "a metalink's error has no `file`", or a client takes it for a list
    (docs/clients.md#an-error-is-not-a-list).
    """
    comment = _NOT_XML.sub("?", text)
    if "--" in comment:
        comment = _TWO_HYPHENS.sub("- ", comment)
    return head + f"<!-- {comment}\n-->\n</metalink>\n".encode()


def _versions(details: Sequence[FileDetail], one_piece: bool) -> Iterable[str]:
    yield from _details(details[0], "   ", one_piece)
    # "librepo and yum 3 take a file that matches the newest version or any alternate": mirrors that
    # are a little behind stay usable (docs/clients.md#alternates).
    if len(details) > 1:
        yield "   <mm0:alternates>\n"
        for detail in details[1:]:
            yield "    <mm0:alternate>\n"
            yield from _details(detail, "      ")
            yield "    </mm0:alternate>\n"
        yield "   </mm0:alternates>\n"


def _details(detail: FileDetail, indent: str, one_piece: bool = False) -> Iterable[str]:
    if detail.timestamp:
        yield f"{indent}<mm0:timestamp>{detail.timestamp}</mm0:timestamp>\n"
    if detail.size:
        yield f"{indent}<size>{detail.size}</size>\n"
    yield f"{indent}<verification>\n"
    for kind in _HASHES:
        value: bytes = getattr(detail, kind)
        # `hex()` gives lower case: "upper case never matches" in librepo.
        if value:
            yield f'{indent} <hash type="{kind}">{value.hex()}</hash>\n'
    if one_piece:
        piece = f'<hash piece="0">{detail.sha256.hex()}</hash>'
        yield f'{indent} <pieces length="{detail.size}" type="sha256">{piece}</pieces>\n'
    yield f"{indent}</verification>\n"
