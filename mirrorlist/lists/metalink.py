"""Metalink 3.0 as dnf, yum and zypper read it.

Source: docs/protocol.md#the-metalink, docs/clients.md#order-and-preference and
docs/clients.md#order-and-case-of-hashes. librepo goes by the order of the document, zypper, aria2
and yum by preference, so both say the same. Hashes stand in the order md5, sha1, sha256, sha512
and in lower case: upper case breaks dnf, sha512 first makes wget2 loop.
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
_AFTER_DATE = '" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">\n'
_HASHES = ("md5", "sha1", "sha256", "sha512")
# XML 1.0 has no way at all to write these.
_TWO_HYPHENS = re.compile("-(?=-)")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def head(pubdate: str) -> bytes:
    """Return the document's first lines, which say when it was made."""
    return f"{_BEFORE_DATE}{pubdate}{_AFTER_DATE}".encode()


def opening(file: str, details: Sequence[FileDetail]) -> bytes:
    """Return what follows them, up to the first URL; `details` are newest first."""
    lines = [
        f" <files>\n  <file name={quoteattr(file)}>\n",
        *_versions(details),
        '   <resources maxconnections="1">\n',
    ]
    return "".join(lines).encode()


def render_error(pubdate: str, text: str) -> bytes:
    """Return an error as a document without files; its text is a comment."""
    # Two hyphens would end the comment.
    comment = _TWO_HYPHENS.sub("- ", _NOT_XML.sub("?", text))
    return head(pubdate) + f"<!-- {comment}\n-->\n</metalink>\n".encode()


def _versions(details: Sequence[FileDetail]) -> Iterable[str]:
    yield from _details(details[0], "   ")
    if len(details) > 1:
        yield "   <mm0:alternates>\n"
        for detail in details[1:]:
            yield "    <mm0:alternate>\n"
            yield from _details(detail, "      ")
            yield "    </mm0:alternate>\n"
        yield "   </mm0:alternates>\n"


def _details(detail: FileDetail, indent: str) -> Iterable[str]:
    if detail.timestamp:
        yield f"{indent}<mm0:timestamp>{detail.timestamp}</mm0:timestamp>\n"
    if detail.size:
        yield f"{indent}<size>{detail.size}</size>\n"
    yield f"{indent}<verification>\n"
    for kind in _HASHES:
        value: bytes = getattr(detail, kind)
        if value:
            yield f'{indent} <hash type="{kind}">{value.hex()}</hash>\n'
    yield f"{indent}</verification>\n"
