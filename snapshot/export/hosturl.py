"""URLs of hosts: brought to one spelling, or refused where no client could use what comes of them.

A list writes a directory's path behind the URL, for everybody to read. So nothing may stand where
the path goes, and nothing in it that was for one person only.
"""

import re
from urllib.parse import urlsplit

from snapshot.file.text import clean_url

_DEFAULT_PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "rsync": 873}
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\]")
_MOST_PORT = 0xFFFF


def host_url(text: object) -> str:
    """Return the URL in one spelling; ValueError says why nobody could use it.

    Scheme and host in lower case and ASCII, no default port, no slash at the end.
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
    """Return a host as DNS knows it: letters beyond ASCII in Punycode."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("URL whose host is not one") from error
