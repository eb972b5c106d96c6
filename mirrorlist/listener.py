"""Sockets to listen on: bound before anything else, or a clear error."""

import socket

from mirrorlist.errors import OptionError, StartError

BACKLOG = 2048
LOOPBACK = "127.0.0.1"


def listen(host: str, port: int, options: str = "--host or --port") -> socket.socket:
    """Bind and listen before anything is forked; raises StartError that names the options."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StartError(
            f"{shown(host, port)}: cannot listen: {why}; choose another {options}"
        ) from error
    listener.set_inheritable(True)
    return listener


def shown(host: str, port: int) -> str:
    """Return an address and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """Return the two of HOST:PORT or [HOST]:PORT; raises OptionError that names the option.

    Without a host it is loopback: nobody else is to reach it by mistake.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise OptionError(f"{option} {text}: not an address and a port, such as {LOOPBACK}:3002")
    return host or LOOPBACK, int(port)
