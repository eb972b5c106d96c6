"""IP addresses as a version and an integer, brought to one form.

Source: docs/protocol.md#whose-address-counts.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntoa, inet_ntop, inet_pton
from typing import NamedTuple

BITS = {4: 32, 6: 128}
"""The bits of an address by its version."""

_MAPPED = 0xFFFF  # ::ffff:a.b.c.d
_6TO4 = 0x2002  # 2002:a.b.c.d::/48, RFC 3056
_TEREDO = 0x20010000  # 2001:0::/32, RFC 4380: the last 32 bits are the client's, inverted


class Address(NamedTuple):
    """An IPv4 or IPv6 address; an IPv4-mapped IPv6 address is the IPv4 address."""

    version: int
    value: int

    def __str__(self) -> str:
        """Return the address in its usual, shortest text form."""
        version, value = self
        if version == 4:
            return inet_ntoa(value.to_bytes(4, "big"))
        if value >> 32:
            return inet_ntop(AF_INET6, value.to_bytes(16, "big"))
        # The C library writes such an address as `::192.0.2.1`, Python in the form of RFC 5952.
        return str(IPv6Address(value))

    @property
    def tunnelled(self) -> "Address":
        """The client's IPv4 address within a 6to4 or Teredo address, else the address itself."""
        if self.version == 6:
            if self.value >> 112 == _6TO4:
                return Address(4, self.value >> 80 & 0xFFFFFFFF)
            if self.value >> 96 == _TEREDO:
                return Address(4, ~self.value & 0xFFFFFFFF)
        return self


# Half the time of `Address()`, which is written in Python; each client has one.
_make: Callable[[tuple[int, int]], Address] = partial(tuple.__new__, Address)


def parse_address(text: str) -> Address | None:
    """Return the address that a text says, without a zone; None for anything else."""
    try:
        if ":" not in text:
            return _make((4, int.from_bytes(inet_pton(AF_INET, text), "big")))
        text = text.partition("%")[0]
        value = int.from_bytes(inet_pton(AF_INET6, text), "big")
    except (OSError, ValueError):
        return None
    # "An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address": a listener for both
    # families sees all clients of IPv4 so.
    return Address(4, value & 0xFFFFFFFF) if value >> 32 == _MAPPED else Address(6, value)
