"""The addresses of hosts: each name is looked up once a probe, so that a check holds later too."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

Address = tuple[int, str]
"""A family, as in `socket`, and an address as text."""
LookUp = Callable[[str], Iterable[Address]]

# A resolver that does not answer keeps each of them for ten seconds or more.
_THREADS = 64
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def look_up(host: str) -> list[Address]:
    """Return the addresses of a name; raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"not a name: {host:.100}") from error
    return list(dict.fromkeys((int(one[0]), str(one[4][0])) for one in found))


class Names(AbstractResolver):
    """Looks names up in threads, and keeps the answers for one probe.

    An address that was checked is the address that is connected to: a name that changes its
    address between the two (DNS rebinding) leads nowhere.
    """

    def __init__(self, ask: LookUp = look_up) -> None:
        """Take what looks a name up."""
        self._ask = ask
        self._found: dict[str, asyncio.Future[list[Address]]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "names")

    async def addresses(self, host: str) -> list[Address]:
        """Return the addresses of a name or of an address; raises OSError."""
        if host not in self._found:
            loop = asyncio.get_running_loop()
            self._found[host] = asyncio.ensure_future(
                loop.run_in_executor(self._threads, lambda: [*self._ask(host)])
            )
        return await asyncio.shield(self._found[host])

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return addresses as aiohttp wants them."""
        found = [one for one in await self.addresses(host) if family in (one[0], 0)]
        if not found:
            raise OSError("its name has no such address")
        return [_result(host, port, *one) for one in found]

    async def is_inside(self, host: str | None) -> bool:
        """Whether a name leads to this machine or to a private network."""
        try:
            return any(not is_global(text) for _, text in await self.addresses(host or ""))
        except OSError:
            return False

    async def families(self, host: str | None) -> tuple[int, ...]:
        """Return IPv4 and IPv6 if the name has both and this machine can reach both; else (0,)."""
        try:
            found = await self.addresses(host or "")
        except OSError:
            return (0,)
        usable = {family for family, text in found if has_route(family, text)}
        return tuple(map(int, _FAMILIES)) if usable.issuperset(_FAMILIES) else (0,)

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, port: int, family: int, text: str) -> ResolveResult:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=text, port=port, family=family, proto=0, flags=flags)


def is_global(text: str) -> bool:
    """Whether an address is on the Internet."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(bool(one.is_global) for one in (_within(address) or [address]))


def _within(address: Any) -> list[Any]:
    """Return the IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    if address.version == 4:
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def has_route(family: int, text: str) -> bool:
    """Whether this machine could send something to an address; nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as opened:
            opened.connect((text, 9))
    except OSError:
        return False
    return True
