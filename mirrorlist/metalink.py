"""Metalink 3.0 as dnf, yum and zypper read it.

Source: behaviour.md section 5 and clients.md section 3. librepo goes by the order of the
document, zypper, aria2 and yum by preference, so both say the same. Hashes stand in the order
md5, sha1, sha256, sha512 and in lower case: upper case breaks dnf, sha512 first makes wget2 loop.
"""

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from mirrorlist.selection import Chosen
from snapshot.model import FileDetail, Host

CONTENT_TYPE = "application/metalink+xml"
MAX_PREFERENCE = 100

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic"'
    ' pubdate="{pubdate}" generator="mirrormanager"'
    ' xmlns:mm0="http://fedorahosted.org/mirrormanager">\n'
)
_HASHES = ("md5", "sha1", "sha256", "sha512")
# XML 1.0 has no way at all to write these.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def render_metalink(
    pubdate: str,
    file: str,
    details: Sequence[FileDetail],
    chosen: Iterable[Chosen],
    path: str,
    hosts: Sequence[Host],
) -> bytes:
    """Return the document; `details` are newest first, `path` follows each host's URL."""
    lines = [
        _HEAD.format(pubdate=pubdate),
        f" <files>\n  <file name={quoteattr(file)}>\n",
        *_versions(details),
        '   <resources maxconnections="1">\n',
        *_resources(chosen, escape(path), hosts),
        "   </resources>\n  </file>\n </files>\n</metalink>\n",
    ]
    return "".join(lines).encode()


def render_error(pubdate: str, text: str) -> bytes:
    """Return an error as a document without files; its text is a comment."""
    # Two hyphens would end the comment.
    comment = re.sub("-(?=-)", "- ", _NOT_XML.sub("?", text))
    return f"{_HEAD.format(pubdate=pubdate)}<!-- {comment}\n-->\n</metalink>\n".encode()


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


def _resources(chosen: Iterable[Chosen], path: str, hosts: Sequence[Host]) -> Iterable[str]:
    for place, one in enumerate(chosen):
        host = hosts[one.host]
        preference = max(MAX_PREFERENCE - place, 1)
        private = ' mm0:private="True"' if host.private else ""
        location = quoteattr(host.country)
        for url in one.urls:
            # protocol= is not of the standard, but yum 3 needs it beside type=.
            yield (
                f'    <url protocol="{url.protocol}" type="{url.protocol}" location={location}'
                f' preference="{preference}"{private}>{escape(url.base)}{path}</url>\n'
            )
