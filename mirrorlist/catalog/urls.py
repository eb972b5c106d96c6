"""The URLs of a host for what is asked: protocols chosen, path joined.

Source: docs/protocol.md#the-urls-of-a-host.
"""

from collections.abc import Sequence
from urllib.parse import quote

from msgspec import Struct

from snapshot.file.text import UNWRITABLE

# What a text list gives a client that names no protocol, and what a redirect may lead to.
DEFAULT_PROTOCOLS = frozenset(("https", "http", "ftp"))
REDIRECT_PROTOCOLS = frozenset(("https", "http"))
# Its URLs have no escapes: rsync asks for `a%20b` where somebody wrote it.
RSYNC = "rsync"
ESCAPED_PROTOCOLS = DEFAULT_PROTOCOLS
# What RFC 3986 allows in a whole URL; a Location header must be ASCII.
URL_SAFE = "%/:?#[]@!$&'()*+,;=~"
# Everything that RFC 3986 allows in a path; `+` stays `+`, as in libstdc++.
_SAFE = "/!$&'()*+,;=:@~"


class Url(Struct, frozen=True):
    """A host's URL of a category's topdir, without a slash at its end."""

    protocol: str
    base: str


class Path(Struct, frozen=True):
    """What follows a host's URL: percent-encoded, and raw as rsync needs it.

    `raw` is None if it cannot stand at the end of a line of a list as it is: then no URL of rsync
    is listed.
    """

    encoded: str
    raw: str | None

    def behind(self, url: Url) -> str:
        """Return a whole URL."""
        return url.base + ((self.raw or "") if url.protocol == RSYNC else self.encoded)


def writable(protocols: frozenset[str] | None, path: Path) -> frozenset[str] | None:
    """Return the protocols whose URLs a list can show a path behind; None for all."""
    if path.raw is not None:
        return protocols
    return ESCAPED_PROTOCOLS if protocols is None else protocols - {RSYNC}


def make_url(text: str) -> Url:
    """Return a URL with its protocol in lower case."""
    return Url(text.partition(":")[0].lower(), text)


def path_below(subpath: str, file: str | None) -> Path:
    """Return what follows a host's URL: the directory with a final slash, or a file in it."""
    path = "/" + "/".join(part for part in (subpath, file or "") if part)
    path = path if file or path == "/" else path + "/"
    # What reads lists takes blanks at the end of a line for no part of the URL.
    is_writable = not path[-1].isspace() and not UNWRITABLE.search(path)
    return Path(quote(path, safe=_SAFE), path if is_writable else None)


def offered(urls: Sequence[Url], protocols: frozenset[str] | None, most: int) -> Sequence[Url]:
    """Return at most so many URLs, each of one of the protocols; all if None."""
    if protocols is None:
        return urls
    return [url for url in urls if url.protocol in protocols][:most]


def first(urls: Sequence[Url], protocols: frozenset[str]) -> Sequence[Url]:
    """Return the first URL of one of the protocols, or nothing."""
    return next(([url] for url in urls if url.protocol in protocols), [])
