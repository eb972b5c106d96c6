"""Sockets to listen on: bound before anything is forked, or a clear error."""

import errno
import socket
from collections.abc import Sequence
from typing import cast

from mirrorlist.errors import OptionError, StartError
from snapshot.file.text import without_userinfo

BACKLOG = 2048
LOOPBACK = "127.0.0.1"
EVERYWHERE = "*"
"""All addresses of the machine: IPv4 and IPv6, or IPv4 alone on a machine without IPv6."""
_HOST_OR_PORT = "--host or --port"
_ALL4, _ALL6 = "0.0.0.0", "::"
# The errors for a family, or an address, that the machine does not have.
_NO_FAMILY = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_NOT_HERE = {*_NO_FAMILY, errno.EADDRNOTAVAIL}
# The free port of the first address may be in use on the next one.
_MOST_TRIES = 20
_FAMILIES = (socket.AF_INET, socket.AF_INET6)

# In the kernel's form, with port 0; an IPv6 address has four parts.
_Address = tuple[str, int] | tuple[str, int, int, int]


def listen(host: str, port: int, options: str = _HOST_OR_PORT) -> socket.socket:
    """Bind and listen before anything is forked; raises StartError that names the options.

    A name stands for its first address; `::` takes IPv4 too.
    """
    addresses = _addresses(host, port, options)[:1]
    return _Binding({host: addresses}, port, options).listeners()[0]


def listen_all(
    hosts: Sequence[str], port: int, options: str = _HOST_OR_PORT
) -> list[socket.socket]:
    """Bind and listen on all addresses of some hosts; raises StartError as `listen` does.

    A name stands for all of its addresses that the machine has. Port 0 is one free port for all.
    """
    if not hosts:
        raise OptionError(f"no address to listen on; give one with {options}")
    addresses = {host: _addresses(host, port, options) for host in hosts}
    for _ in range(_MOST_TRIES - 1):
        try:
            return _Binding(addresses, port, options).listeners()
        except _PortTakenError:
            continue
    return _Binding(addresses, port, options).listeners()


def shown(host: str, port: int) -> str:
    """Return an address and port in the form of a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown_of(listener: socket.socket) -> str:
    """Return the address and port of a socket in the form of a URL."""
    return shown(*listener.getsockname()[:2])


def without_brackets(host: str) -> str:
    """Return a host without the brackets that an IPv6 address has in a URL."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, [HOST]:PORT or PORT.

    Without a host it is loopback, so that no other machine can reach it by mistake. Raises
    OptionError, which names the option.
    """
    host, colon, port = (text if ":" in text else f":{text}").rpartition(":")
    bare = without_brackets(host)
    if bare == host and ":" in host:
        colon = ""
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        shown = without_userinfo(text)
        raise OptionError(f"{option} {shown}: not an address and a port, such as {LOOPBACK}:3002")
    return bare or LOOPBACK, int(port)


class _PortTakenError(StartError):
    """The free port of the first address is in use on another address."""


class _Binding:
    """One attempt to listen on all addresses of some hosts."""

    def __init__(self, hosts: dict[str, list[_Address]], port: int, options: str) -> None:
        self._hosts, self._port, self._options = hosts, port, options
        names = {address[0] for addresses in hosts.values() for address in addresses}
        # A dual-stack `::` would take the IPv4 port that another socket of these needs.
        self._is_dual = all(":" in name for name in names)
        self._whole = names & {_ALL4, _ALL6}
        self._bound: dict[_Address, socket.socket] = {}

    def listeners(self) -> list[socket.socket]:
        """Return the sockets; raises StartError, and then none is open."""
        try:
            for host, addresses in self._hosts.items():
                self._bind(host, addresses)
        except StartError:
            for listener in self._bound.values():
                listener.close()
            raise
        return list(self._bound.values())

    def _bind(self, host: str, addresses: list[_Address]) -> None:
        refusals = []
        left = [address for address in addresses if not self._is_covered(address)]
        for address in left:
            try:
                self._bound[address] = self._listen(address)
            except (OSError, OverflowError) as error:
                refusals.append(error)
        # A name may have addresses of a family or a network that this machine does not have.
        # These are passed over, unless no address is left.
        serious = [one for one in refusals if getattr(one, "errno", 0) not in _NOT_HERE]
        if len(refusals) == len(left):
            serious = serious or refusals
        if serious:
            raise self._refusal(host, serious[0])

    def _is_covered(self, address: _Address) -> bool:
        """Return whether a socket listens there, or will listen on all addresses of its family."""
        whole = _ALL6 if ":" in address[0] else _ALL4
        return address in self._bound or (whole in self._whole and address[0] != whole)

    def _listen(self, address: _Address) -> socket.socket:
        first = next(iter(self._bound.values()), None)
        port = self._port or (first.getsockname()[1] if first else 0)
        is_dual = address[0] == _ALL6 and self._is_dual and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        listener = socket.create_server(
            (address[0], port, *address[2:]),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=is_dual,
        )
        listener.set_inheritable(True)
        return listener

    def _refusal(self, host: str, error: Exception) -> StartError:
        number = error.errno if isinstance(error, OSError) else None
        is_other = self._port == 0 and self._bound and number == errno.EADDRINUSE
        kind = _PortTakenError if is_other else StartError
        refused = kind(_refused(host, self._port, self._options, error))
        refused.__cause__ = error
        return refused


def _addresses(host: str, port: int, options: str) -> list[_Address]:
    """Return the addresses of a host, each once."""
    name = without_brackets(host)
    if name == EVERYWHERE:
        name = _ALL6 if socket.has_dualstack_ipv6() else _ALL4
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StartError(_refused(host, port, options, error)) from error
    addresses = (address for family, *_, address in found if family in _FAMILIES)
    return list(dict.fromkeys(cast(_Address, address) for address in addresses))


def _refused(host: str, port: int, options: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # Python adds the address, which the line has already.
    why = why.partition(" (while attempting")[0]
    if isinstance(error, OSError) and error.errno in _NO_FAMILY:
        why += " (is IPv6 switched off on this machine?)"
    name = without_brackets(host)
    return f"{shown(name, port)}: cannot listen: {why}; choose another {options}"
