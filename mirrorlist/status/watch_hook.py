"""The address of `--hook`: where `mirrorlist watch` listens for a POST."""

from typing import NamedTuple
from urllib.parse import urlsplit

from mirrorlist.errors import OptionError
from mirrorlist.web.listener import host_and_port
from snapshot.file.text import without_userinfo

_EXAMPLE = "http://127.0.0.1:3003/changed"


class Hook(NamedTuple):
    """An address and port to listen on, and the one path that triggers."""

    address: tuple[str, int]
    path: str


def parse_hook(url: str) -> Hook:
    """Return the address and path of a URL; raises OptionError if it is not one to listen on."""
    shown = without_userinfo(url)
    wrong = OptionError(f"--hook {shown}: not an address to listen on, such as {_EXAMPLE}")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise wrong from error
    if parts.scheme == "https":
        raise OptionError(f"--hook {shown}: http only; TLS is for a proxy before it")
    if parts.scheme != "http" or parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong
    # RFC 3986 has no braces in a path, and starlette would take them for a part that varies.
    if "{" in parts.path or "}" in parts.path:
        raise wrong
    return Hook(host_and_port(parts.netloc, "--hook"), parts.path or "/")
