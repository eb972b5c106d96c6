"""Normalises the URLs of hosts, and refuses a URL that no client could use.

A list appends a directory's path to the URL, so a URL with a query or a fragment is refused. All
clients can read a list, so a URL with a user name or a password is refused too.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from snapshot.file.text import clean_url

_DEFAULT_PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "rsync": 873}
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\]")
_MOST_PORT = 0xFFFF


# Of a watch, nearly all URLs are those of the export before.
@lru_cache(1 << 13)
def host_url(text: object) -> str:
    """Return the normalised URL; a ValueError says why no client could use it.

    Normalised as RFC 3986 (section 6.2) says: scheme and host in lower case, no default port. The
    host is in ASCII, and the URL has no slash at its end.
    """
    url = clean_url(text)
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"URL of {scheme:.20}, which no client of a list uses")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise ValueError("URL with a user's name or a password, which everybody would read")
    for character, what in (("?", "query"), ("#", "fragment")):
        if character in rest:
            raise ValueError(f"URL with a {what}: no path can be written behind it")
    if "\\" in rest:
        raise ValueError("URL with a backslash")
    return f"{scheme}://{_host_and_port(scheme, authority)}{slash}{path}"


def _host_and_port(scheme: str, authority: str) -> str:
    try:
        host = urlsplit(f"//{authority}").netloc
    except ValueError as error:
        raise ValueError("URL whose host is not one") from error
    if not host.endswith("]"):
        host, colon, port = host.rpartition(":")
        host, port = (host, port) if colon else (port, "")
    else:
        port = ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:9]) <= _MOST_PORT):
        raise ValueError(f"URL with the port {port:.20}, which does not exist")
    host = _in_ascii(host)
    if not _HOST.fullmatch(host):
        raise ValueError("URL whose host is not one")
    shown = "" if not port or int(port) == _DEFAULT_PORTS[scheme] else f":{int(port)}"
    return host.lower() + shown


def _in_ascii(host: str) -> str:
    """Return a host name as DNS knows it: other letters than ASCII in Punycode."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("URL whose host is not one") from error
