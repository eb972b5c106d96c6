"""The URLs of a host for a query: protocols chosen, path joined.

Source: docs/protocol.md#the-urls-of-a-host.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

from msgspec import Struct

from snapshot.file.text import UNWRITABLE

# The protocols of a text list without protocol=, and those that a redirect may lead to.
DEFAULT_PROTOCOLS = frozenset(("https", "http", "ftp"))
REDIRECT_PROTOCOLS = frozenset(("https", "http"))
# "rsync decodes nothing" (docs/protocol.md#the-urls-of-a-host): of `a%20b` it asks for a file with
# that very name, so paths stand raw behind its URLs.
RSYNC = "rsync"
ESCAPED_PROTOCOLS = DEFAULT_PROTOCOLS
# The characters of RFC 3986 section 2.2, and `%` and `~`, which a redirect's URL keeps as they are;
# all others are escaped, because a Location header is ASCII.
URL_SAFE = "%/:?#[]@!$&'()*+,;=~"
# The characters that RFC 3986 section 3.3 allows in a path; `+` stays `+`, as in `libstdc++`.
_SAFE = "/!$&'()*+,;=:@~"
# Paths that are written in all URLs as they are: nearly all.
_PLAIN = re.compile(f"[A-Za-z0-9_.{re.escape(_SAFE)}-]*")


class Url(Struct, frozen=True):
    """A host's URL of a category's topdir, without a slash at its end."""

    protocol: str
    base: str


class Path(Struct, frozen=True):
    """What follows a host's URL: percent-encoded, and raw as rsync needs it.

    `raw` is None if a line of a list cannot end with it: then no rsync URL is listed.
    """

    encoded: str
    raw: str | None

    def behind(self, url: Url) -> str:
        """Return the whole URL: a host's, and this path behind it."""
        return url.base + ((self.raw or "") if url.protocol == RSYNC else self.encoded)


def writable(protocols: frozenset[str] | None, path: Path) -> frozenset[str] | None:
    """Return those of the protocols whose URLs can be listed with a path; None stands for all."""
    if path.raw is not None:
        return protocols
    return ESCAPED_PROTOCOLS if protocols is None else protocols - {RSYNC}


def make_url(text: str) -> Url:
    """Return a URL with its protocol in lower case."""
    return Url(text.partition(":")[0].lower(), text)


def path_below(subpath: str, file: str | None) -> Path:
    """Return what follows a host's URL: the directory with a final slash, or a file in it."""
    path = f"/{subpath}/{file or ''}" if subpath else f"/{file or ''}"
    if _PLAIN.fullmatch(path):
        return Path(path, path)
    # "A name that ends with a blank has no rsync URL, because programs that read a list would cut
    # the blank off" (docs/protocol.md#the-urls-of-a-host).
    is_writable = not path[-1].isspace() and not UNWRITABLE.search(path)
    return Path(quote(path, safe=_SAFE), path if is_writable else None)


def offered(urls: Sequence[Url], protocols: frozenset[str] | None, most: int) -> Sequence[Url]:
    """Return the first URLs that have one of the protocols, at most `most`; all URLs for None."""
    if protocols is None:
        return urls
    return [url for url in urls if url.protocol in protocols][:most]


def first(urls: Sequence[Url], protocols: frozenset[str]) -> Sequence[Url]:
    """Return the first URL that has one of the protocols, in a list; an empty list without one."""
    return next(([url] for url in urls if url.protocol in protocols), [])
