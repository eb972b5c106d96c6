"""The URLs of a host for what is asked: protocols chosen, path joined.

Source: behaviour.md section 4.
"""

from collections.abc import Sequence
from urllib.parse import quote

from msgspec import Struct

# What a text list gives a client that names no protocol, and what a redirect may lead to.
PLAIN_PROTOCOLS = frozenset(("https", "http", "ftp"))
REDIRECT_PROTOCOLS = frozenset(("https", "http"))
# Everything that RFC 3986 allows in a path; `+` stays `+`, as in libstdc++.
_SAFE = "/!$&'()*+,;=:@~"


class Url(Struct, frozen=True):
    """A host's URL of a category's topdir, without a slash at its end."""

    protocol: str
    base: str


def make_url(text: str) -> Url:
    """Return a URL with its protocol in lower case."""
    return Url(text.partition(":")[0].lower(), text)


def path_below(subpath: str, file: str | None) -> str:
    """Return what follows a host's URL: the directory with a final slash, or a file in it."""
    parts = [part for part in (subpath, file or "") if part]
    path = "/" + quote("/".join(parts), safe=_SAFE)
    return path if file or path == "/" else path + "/"


def offered(urls: Sequence[Url], protocols: frozenset[str] | None) -> Sequence[Url]:
    """Return at most as many URLs as there are protocols, each of one of them; all if None."""
    if protocols is None:
        return urls
    return [url for url in urls if url.protocol in protocols][: len(protocols)]


def first(urls: Sequence[Url], protocols: frozenset[str]) -> Sequence[Url]:
    """Return the first URL of one of the protocols, or nothing."""
    return next(([url] for url in urls if url.protocol in protocols), [])
